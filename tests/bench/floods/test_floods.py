"""Floods, one kind a test; see run."""

import contextlib
import os
import signal
import time

from harness.client import CONTAINER, MANAGER, NAME, PATH, PROPERTIES, RUNC, BusError, UserClient
from harness.hostile import wire
from harness.hostile_case import Hostile
from harness.wire import NO_REPLY_EXPECTED, Writer, run_body, spawn_body
from harness.world import USERS

SECONDS, GAP = 4, 0.005
HEADING = f'{"":28} quiet p50   p99 | flood p50   p99 | after p50   p99 | calls/s | RSS MiB   fds'
BUS = ('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus')


class Floods(Hostile):
    def setUp(self):
        self.fresh_service()
        self.alice, self.bob = (UserClient(self.world.address, USERS[name]) for name in ('alice', 'bob'))
        self.measure(0.5)  # what is done once

    def tearDown(self):
        self.alice.close()
        self.bob.close()
        super().tearDown()

    def measure(self, seconds):
        """Milliseconds of Run and Wait, sorted."""
        times, end, rootfs = [], time.monotonic() + seconds, self.rootfs_of('bob')
        while time.monotonic() < end:
            began = time.monotonic()
            with contextlib.suppress(BusError):
                self.bob.run(rootfs, 0, ['/bin/true']).wait()
                times.append((time.monotonic() - began) * 1000)
            self.sample()
            time.sleep(GAP)
        return sorted(times) or [float('inf')]

    def sample(self):
        pid = self.world.service_pid
        with open(f'/proc/{pid}/statm') as f:
            self.memory = max(self.memory, int(f.read().split()[1]) / 256)
        self.fds = max(self.fds, len(os.listdir(f'/proc/{pid}/fd')))

    memory, fds = 0, 0

    def attack(self, send):
        """`send` over and over in a process of its own, until it is killed: its pid, and where it counts."""
        count, counted = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                while True:
                    os.write(counted, bytes(send()))
            finally:
                os._exit(0)
        os.close(counted)
        return pid, count

    def flood(self, send):
        quiet = self.measure(SECONDS)
        self.memory = self.fds = 0
        pid, count = self.attack(send)
        time.sleep(0.3)
        during, n = self.measure(SECONDS), 0
        os.set_blocking(count, False)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(count, 1 << 16):
                n += len(data)
        os.close(count)
        after = self.measure(1)
        figures = ' |'.join(f'{t[len(t) // 2]:10.1f}{t[int(len(t) * 0.99)]:6.0f}' for t in (quiet, during, after))
        print(f'\n{HEADING}\n{self.id().split("test_")[-1]:28}{figures} |{n * self.SCALE / (SECONDS + 0.3):8.0f} |'
              f'{self.memory:8.0f}{self.fds:6}')

    SCALE = 32  # calls that one byte of the counting pipe stands for, which holds 64 KiB

    def calls(self, *call, user='alice', n=SCALE, **kwargs):
        """A sender of calls that want no reply."""
        connection = wire(self.world.address, USERS[user])
        self.addCleanup(connection.close)
        data = b''.join(connection.encode(*call, flags=NO_REPLY_EXPECTED) for _ in range(n))

        def send():
            connection.socket.sendall(data)
            return max(1, n // self.SCALE)
        return send

    def stopped(self, n):
        for _ in range(n):
            self.alice.run(self.rootfs_of('alice'), 0, ['/bin/true']).wait()

    def test_0_bus_alone(self):
        self.flood(self.calls(*BUS, 'GetId'))

    def test_managed_objects(self):
        self.stopped(64)
        self.flood(self.calls(NAME, PATH, 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects'))

    def test_introspect(self):
        self.stopped(64)
        self.flood(self.calls(NAME, PATH + '/container', 'org.freedesktop.DBus.Introspectable', 'Introspect'))

    def test_get_all(self):
        container = self.alice.run(self.rootfs_of('alice'), 0, ['/bin/true'])
        self.flood(self.calls(NAME, container.path, PROPERTIES, 'GetAll', 's', bytes(Writer().s(CONTAINER).data)))

    def test_unknown_method(self):
        self.flood(self.calls(NAME, PATH, MANAGER, 'Nothing'))

    def test_long_path(self):
        self.flood(self.calls(NAME, '/a' * 5000, MANAGER, 'Nothing'))

    def test_refused_1_mb(self):
        self.flood(self.calls(NAME, PATH, RUNC, 'Run', 'stas', run_body('/', ['x' * 100000] * 11), n=4))

    def test_run_refused(self):
        self.flood(self.calls(NAME, PATH, RUNC, 'Run', 'stas', run_body(self.rootfs_of('alice')), user='mallory'))

    def test_run_granted(self):
        self.flood(self.calls(NAME, PATH, RUNC, 'Run', 'stas', run_body(self.rootfs_of('alice'))))

    def test_read_log(self):
        container = self.alice.run(self.rootfs_of('alice'), 0, ['/bin/sh', '-c', 'head -c 262144 /dev/zero'])
        container.wait()
        connection = wire(self.world.address, USERS['alice'])
        self.addCleanup(connection.close)
        body = bytes(Writer().t(0).u(262144).data)

        def send():
            serials = {connection.send(NAME, container.path, CONTAINER, 'ReadLog', 'tu', body) for _ in range(self.SCALE)}
            connection.replies(serials)
            return 1
        self.flood(send)

    def test_waits(self):
        container = self.alice.run(self.rootfs_of('alice'), 0, ['/bin/sleep', '60'])

        def send():
            connections = [wire(self.world.address, USERS['alice']) for _ in range(4)]
            for connection in connections:
                for _ in range(self.SCALE // 4):
                    connection.send(NAME, container.path, CONTAINER, 'Wait')
            for connection in connections:
                connection.close()
            return 1
        self.flood(send)

    def test_pauses(self):
        """A hundred containers of root's, paused at once and then resumed, twice a second each."""
        containers = [self.root.spawn(self.rootfs, ['/bin/sleep', '1000']) for _ in range(100)]
        connection = wire(self.world.address, 0)
        self.addCleanup(connection.close)

        def send():
            for member in ('Pause', 'Resume'):
                connection.replies({connection.send(NAME, container.path, CONTAINER, member) for container in containers})
                time.sleep(0.25)
            return 2 * len(containers) // self.SCALE
        self.flood(send)

    def test_connections(self):
        def send():
            for _ in range(self.SCALE):
                connection = wire(self.world.address, USERS['alice'])
                connection.send(NAME, PATH, MANAGER, 'ListContainers', 'a{sv}', bytes(8))
                connection.close()
            return 1
        self.flood(send)

    def test_descriptors(self):
        connection = wire(self.world.address, USERS['alice'])
        self.addCleanup(connection.close)
        pipe = os.pipe()
        body = spawn_body(self.rootfs_of('alice'), [])

        def send():
            for _ in range(self.SCALE):
                connection.send(NAME, PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', body, fds=[pipe[0]] * 16,
                                flags=NO_REPLY_EXPECTED)
            return 1
        self.flood(send)
        for fd in pipe:
            os.close(fd)
