"""The test case that every integration test derives from."""

import contextlib
import os
import platform
import select
import signal
import subprocess
import time
import unittest

from . import hostile, invariants
from .client import BusError, Client, Container, RootClient, UserClient
from .files import as_user, read_bytes
from .world import USERS

ERROR_PREFIX = {
    'InvalidArgs': 'org.freedesktop.DBus.Error.', 'AccessDenied': 'org.freedesktop.DBus.Error.',
    'InteractiveAuthorizationRequired': 'org.freedesktop.DBus.Error.',
    'LimitsExceeded': 'org.freedesktop.DBus.Error.', 'Failed': 'org.freedesktop.DBus.Error.',
    'NotSupported': 'org.freedesktop.DBus.Error.',
    'NoMemory': 'org.freedesktop.DBus.Error.', 'UnknownObject': 'org.freedesktop.DBus.Error.',
    'UnknownMethod': 'org.freedesktop.DBus.Error.', 'PropertyReadOnly': 'org.freedesktop.DBus.Error.',
}

# the kernel tells strangers how a process ended since 6.15
TELLS_EXIT = tuple(int(n) for n in platform.release().split('.')[:2]) >= (6, 15)


class Case(unittest.TestCase):
    world = None     # set by the runner
    baseline = None  # taken once for each life of the service
    stranger = None  # of the whole run
    raced = None     # (rounds, won) of a test that races
    skip_is_expected = False  # set by a test that cannot be made in such a build: it does not count as skipped
    starts_nothing = False  # True: a test of this class must leave no container, not even a stopped one
    longMessage = True

    def setUp(self):
        world = self.world
        if not world.service_alive():
            world.restart_service()
            Case.baseline = None
        if world.polkit.poll() is not None:
            print(f'(polkitd had ended with {world.polkit.returncode}: started again)', end=' ')
            world.start_polkit()
        if Case.baseline is None:
            Case.baseline = invariants.baseline(world)
        self.root = world.root
        self.rootfs = world.rootfs
        if Case.stranger is None:
            Case.stranger = hostile.Stranger(world, USERS['mallory'])
        Client.told.clear()
        self.unread = {}
        self.reports = len(world.sanitizer_reports())

    def tearDown(self):
        world = self.world
        self.doCleanups()  # unittest would do them after this, and then they would count as left behind
        broken = self.stranger.learns(Client.told) if world.service_alive() else []

        def clean():
            for name, state, owner, _, path in self.root.containers() if world.service_alive() else []:
                if self.starts_nothing:
                    broken.append(f'container {owner}/{name} ({state})')
                self.discard(path)
        clean()
        broken += invariants.check(Case.baseline, world, clean)
        reports = world.sanitizer_reports()[self.reports:]
        if broken:
            # The next test begins with a service that has no past.
            tail = world.log_tail()
            world.restart_service()
            Case.baseline = None
            self.fail('left behind:\n  ' + '\n  '.join(broken) + '\nservice log:\n' + tail)
        if reports:
            self.fail('sanitizer:\n' + '\n'.join(reports))

    def discard(self, path):
        """Ends and deletes a container, whatever state it is in."""
        container = Container(self.root, path)
        with contextlib.suppress(BusError):
            if container.state != 'stopped':
                with contextlib.suppress(BusError):
                    container.kill(signal.SIGKILL, 'all')
                container.wait(timeout=10)
        with contextlib.suppress(BusError):
            container.delete()

    def user(self, name):
        return self.world.user(name)

    def rootfs_of(self, name):
        return f'{self.world.directory}/{name}/rootfs'

    def another_service(self, number=signal.SIGTERM):
        """Ends the service and starts the next one, which takes over what there is. It is no leak that it is another."""
        records = f'{self.world.state_dir}/containers'
        live = sum(state != 'stopped' for _, state, *_ in self.root.containers())
        # a little later than a call is answered
        self.eventually(lambda: sum(name.endswith('.conf') for name in os.listdir(records)) >= live, what='the records')
        self.world.service.send_signal(number)
        self.world.service.wait(timeout=20)
        self.world.start_service()

        def settle():
            for *_, path in self.root.containers():
                self.discard(path)
            Case.baseline = invariants.baseline(self.world)
        self.addCleanup(settle)

    def another_client(self):
        client = RootClient(self.world.address)
        self.addCleanup(lambda: client.connection.is_closed() or client.close())
        return client

    @contextlib.contextmanager
    def refused(self, *names, text=None):
        """The block must end in one of these errors; `text` must stand in its words."""
        with self.assertRaises(BusError) as caught:
            yield caught
        full = [ERROR_PREFIX.get(name, 'org.naive.Runc.Error.') + name for name in names]
        self.assertIn(caught.exception.name, full, caught.exception.text)
        self.assertTrue(caught.exception.text.strip(), 'an error without words')
        if text:
            self.assertIn(text, caught.exception.text)

    def output(self, argv, client=None, rootfs=None, memory=0):
        """Runs to the end; what it wrote. It must succeed."""
        return self.said((client or self.root).run(rootfs or self.rootfs, memory, argv))

    def said(self, container):
        """What it wrote up to its end, which must be a success."""
        result = container.wait()
        log = container.log().decode(errors='surrogateescape')
        self.assertEqual(result, ('success', 0), log)
        return log

    def shell(self, script, **kwargs):
        return self.output(['/bin/sh', '-c', script], **kwargs)

    def spawn_output(self, argv, client=None, rootfs=None, **options):
        return self.said((client or self.root).spawn(rootfs or self.rootfs, argv, **options))

    def eventually(self, condition, timeout=5.0, what='condition'):
        deadline = time.monotonic() + timeout
        while not condition():
            self.assertLess(time.monotonic(), deadline, f'{what} did not come true')
            time.sleep(0.02)

    def expect(self, fd, words, timeout=8):
        """Reads from a terminal or pipe up to `words`; returns what came, them included. The rest is for later."""
        data, deadline = self.unread.pop(fd, b''), time.monotonic() + timeout
        while words not in data:
            left = deadline - time.monotonic()
            self.assertGreater(left, 0, f'{words!r} did not come: {data!r}')
            if select.select([fd], [], [], left)[0]:
                try:
                    piece = os.read(fd, 65536)
                except OSError:  # a terminal whose other side is closed
                    piece = b''
                self.assertTrue(piece, f'the end came before {words!r}: {data!r}')
                data += piece
        at = data.index(words) + len(words)
        self.unread[fd] = data[at:]
        return data[:at]

    def command(self, *arguments, user=None, input=None, timeout=None, env=None):
        """A program of the machine, perhaps as another user; a CompletedProcess with bytes. The test's own limit is
        its, too."""
        line = list(arguments)
        if user:
            line = [*as_user(USERS[user]), *line]
        environment = dict(os.environ, **(env or {}))
        return subprocess.run(line, input=input if input is not None else b'', capture_output=True,
                              timeout=timeout, env=environment, cwd='/')

    def started(self, *line, **kwargs):
        """A process of the machine that ends with the test, if not before."""
        process = subprocess.Popen(line, cwd='/', **kwargs)
        self.world.extra.append(process)

        def end():
            with process:  # waits, and closes its pipes
                process.kill()
            self.world.extra.remove(process)
        self.addCleanup(end)
        return process

    @contextlib.contextmanager
    def paused(self, process):
        """It is stopped by SIGSTOP meanwhile."""
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def impostor(self, name):
        """A client of that user for this test alone."""
        client = UserClient(self.world.address, USERS.get(name, name))
        self.addCleanup(lambda: client.connection.is_closed() or client.close())
        return client

    def log_mark(self):
        return os.path.getsize(self.world.service_log)

    def log_since(self, mark):
        return read_bytes(self.world.service_log)[mark:]

    @staticmethod
    def rounds(number, seconds=60):
        """Counts up to `number`, or until the time is over: what a race makes of a slow machine is told by race()."""
        deadline = time.monotonic() + seconds
        for count in range(1, number + 1):
            yield count
            if time.monotonic() > deadline:
                return

    def race(self, rounds, won):
        """At the end of a test that races: how often the state that it swaps in was really seen."""
        self.raced = rounds, won
        if not won:
            self.skipTest(f'NOT RUN: the race was not won once in {rounds} rounds')

    @contextlib.contextmanager
    def swapping(self, a, b, user='root', pause=2000):
        """Meanwhile the two names are exchanged over and over, with up to `pause` µs between, from the last CPU."""
        line = [f'{self.world.directory}/programs/swap', str(max(os.sched_getaffinity(0))), str(pause), a, b]
        if user != 'root':
            line = [*as_user(USERS[user]), *line]
        process = subprocess.Popen(line, cwd='/', stdout=subprocess.PIPE)
        self.world.extra.append(process)
        try:
            yield process
        finally:
            process.terminate()
            swaps = process.communicate()[0]
            self.world.extra.remove(process)
            self.assertEqual(process.returncode, 0)
            self.assertGreater(int(swaps), 0)

    def nothing_started(self, client=None):
        """No container exists (for `client`), running or not."""
        self.assertEqual((client or self.root).containers(), [])
