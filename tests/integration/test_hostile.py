"""What hostile callers try against the service and the bus: SECURITY.md's rows N and F. Its other rows are in
tests/security."""

import contextlib
import os
import select
import shutil
import signal
import socket
import struct
import threading
import time

from harness import rootfs
from harness.case import Case
from harness.client import (CONTAINER, MANAGER, NAME, PATH, PROPERTIES, RUNC, BusError, Container, RootClient, UserClient,
                            pump)
from harness.files import read
from harness.hostile import lingering_socket, wire
from harness.hostile_case import Hostile
from harness.place import Place
from harness.wire import NO_REPLY_EXPECTED, Writer, run_body, spawn_body
from harness.world import USERS

CALLS_AT_ONCE = 100     # a connection may have 128 calls without a reply
WAITING_PER_UID = 1024  # service/spec/limits.h
REFUSALS, REFUSALS_SECONDS = 100, 20
TASKS_MAX = 4096        # the configuration's default


class Hangs(Hostile):
    def test_deleted_by_name(self):
        """A tree whose name looks deleted is RootfsInvalid for a user, as a rule would judge the name; root may."""
        path = f'{self.world.directory}/alice/tree (deleted)'
        shutil.copytree(self.rootfs_of('alice'), path, symlinks=True)
        self.addCleanup(shutil.rmtree, path)
        rootfs.chown_tree(path, USERS['alice'], USERS['alice'])
        with self.refused('RootfsInvalid', text='(deleted)'):
            self.user('alice').run(path, 0, ['/bin/true'])
        self.output(['/bin/true'], rootfs=path)

    def test_killed_while_a_lookup_hangs(self):
        """F1, F8: a service that is killed while it looks for such a tree holds neither lock nor name after that."""
        world = self.world
        fuse = self.silent_fuse('fuse', 'carol', lookups=0)
        self.run_async(self.impostor('carol'), f'{fuse.where}/x')
        self.eventually(fuse.lookups, what='the lookup')
        helper, = world.strangers()
        world.service.kill()
        world.service.wait()
        self.eventually(lambda: NAME not in world.bus_names(), timeout=2, what='the end of the name')
        world.start_service()  # fails if it has not the lock or the name
        # The kernel lets it end only with the file system, once that has read the request.
        with open(f'/proc/{helper}/status') as f:
            pending, = [int(line.split()[1], 16) for line in f if line.startswith('ShdPnd:')]
        self.assertTrue(pending >> 8 & 1 or not os.path.exists(f'/proc/{helper}'), 'the helper was not killed')
        fuse.close()
        self.eventually(lambda: helper not in world.strangers(), timeout=2, what="the helper's end")
        Case.baseline = None
        Case.setUp(self)

    def test_stopped_while_all_wait(self):
        """Who waits when the service stops is told so: for a look-up, for polkit, for a start, for an end."""
        world = self.world
        fuse = self.silent_fuse('fuse', 'carol', lookups=0)
        looking = self.run_async(self.impostor('carol'), f'{fuse.where}/x')
        self.eventually(fuse.lookups, what='the lookup')
        created = self.root.create(self.rootfs, ['/bin/true'])
        os.kill(created.pid, signal.SIGSTOP)
        starting = self.root.call_async(created.path, CONTAINER, 'Start')
        running = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        waiting = self.root.call_async(running.path, CONTAINER, 'Wait')
        with self.paused(world.polkit):
            asking = self.run_async(self.impostor('alice'), self.rootfs_of('alice'))
            self.answers_for(0.5)
            self.assertEqual(world.stop_service(), 0)
        for what, outcome in (('look-up', looking), ('question', asking), ('start', starting), ('end', waiting)):
            with self.subTest(what=what):
                self.assertTrue(pump(lambda: outcome))
                self.assertEqual(getattr(outcome[0], 'name', outcome[0]), 'org.freedesktop.DBus.Error.Cancelled')
        fuse.close()
        self.fresh_service()


class Waits(Hostile):
    """N5, N10: calls that are kept until a container ends."""

    def errors(self, connections, n):
        """The names of the errors among the first `n` replies to what was sent on these connections, or among all that
        come before it is quiet."""
        names = []
        while len(names) < n:
            speaking = [connection for connection in connections if connection.buffer]
            if not speaking:
                readable = select.select([connection.socket for connection in connections], [], [], 5)[0]
                speaking = [connection for connection in connections if connection.socket in readable]
            if not speaking:
                break
            _, reply, name, body = speaking[0].receive()
            if reply:
                names.append((name, body[4:-1].decode()))
        return names

    def test_bounded_for_each_user(self):
        """N5: 1,024 calls of one user wait, the next are LimitsExceeded; root's, others' and new ones' are served."""
        alice, bob = self.user('alice'), self.user('bob')
        targets = [alice.spawn(self.rootfs_of('alice'), ['/bin/sleep', '600']) for _ in range(50)]
        target = targets[0]
        other = bob.spawn(self.rootfs_of('bob'), ['/bin/sleep', '600'])
        connections = [self.wire('alice') for _ in range(22)]
        for connection in connections:
            for waited_for in targets:
                connection.send(NAME, waited_for.path, CONTAINER, 'Wait')
        surplus = len(connections) * len(targets) - WAITING_PER_UID
        errors = self.errors(connections, surplus + 1)
        self.assertEqual([name for name, _ in errors], ['org.freedesktop.DBus.Error.LimitsExceeded'] * surplus)
        self.assertIn('waiting', errors[0][1])
        self.answers()
        with self.refused('LimitsExceeded'):
            alice.call(target.path, CONTAINER, 'Wait')
        roots = self.root.call_async(target.path, CONTAINER, 'Wait')
        other.stop(timeout=0.2)
        self.assertEqual(other.wait(), ('timeout', 9))
        for waited_for in targets:
            Container(self.root, waited_for.path).kill()
        self.assertTrue(pump(lambda: roots))
        self.assertEqual(len(self.errors(connections, WAITING_PER_UID)), WAITING_PER_UID)  # all answered now
        self.assertEqual(self.spawn_output(['/bin/echo', 'x'], client=alice, rootfs=self.rootfs_of('alice')), 'x\n')

    def test_without_a_reply(self):
        """N10: a Wait that wants no reply is not kept; thousands of them change nothing for anybody."""
        target = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sleep', '60'])
        connection = self.wire('alice')
        before = self.memory()
        for _ in range(9):
            connection.socket.sendall(b''.join(connection.encode(NAME, target.path, CONTAINER, 'Wait',
                                                                 flags=NO_REPLY_EXPECTED) for _ in range(500)))
            self.assertIsNone(connection.call(NAME, PATH, 'org.freedesktop.DBus.Peer', 'Ping'))  # they are through
        if not self.world.sanitized:  # which keeps freed memory for a while
            self.assertLess(self.memory() - before, 1 << 20)
        serial = connection.send(NAME, target.path, CONTAINER, 'Wait')
        roots = self.another_client().call_async(target.path, CONTAINER, 'Wait')
        self.assertFalse(pump(lambda: roots, timeout=0.3))
        Container(self.root, target.path).stop(timeout=0.2)
        self.assertTrue(pump(lambda: roots))
        self.assertEqual(connection.replies({serial}), {serial: None})

    def memory(self):
        return int(read(f'/proc/{self.world.service_pid}/statm').split()[1]) * os.sysconf('SC_PAGESIZE')


class MatchRules(Hostile):
    def test_none_for_a_client(self):
        """N12: containers that end with their caller, and calls that wait, cost no match rule of the bus."""
        monitor = wire(self.world.address, 0)
        self.addCleanup(monitor.close)
        rules = Writer().array(4, ["type='method_call',member='AddMatch'"], Writer.s).u(0)
        monitor.call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus.Monitoring',
                     'BecomeMonitor', 'asu', bytes(rules.data))
        client = self.another_client()
        containers = [client.spawn(self.rootfs, ['/bin/sleep', '60'], WatchBus=True) for _ in range(8)]
        self.assertEqual({c.state for c in containers}, {'running'})
        waiting = client.call_async(containers[0].path, CONTAINER, 'Wait')
        monitor.socket.settimeout(0.5)
        seen = 0
        try:
            while True:
                seen += b'AddMatch' in monitor.message()[1]
        except TimeoutError:
            pass
        self.assertEqual(seen, 0)
        self.assertFalse(waiting)
        client.close()
        for container in containers:
            self.assertEqual(Container(self.root, container.path).wait(timeout=5), ('signal', 9))


class Limits(Hostile):
    def test_tasks(self):
        """D9, F25: a user gets as many tasks as the configuration has, not more; root may."""
        alice = self.user('alice')
        for surplus in (TASKS_MAX + 1, 2**64 - 1):
            with self.refused('LimitsExceeded', text='TasksMax'):
                alice.spawn(self.rootfs_of('alice'), ['/bin/true'], TasksMax=surplus)
        for number in (1, TASKS_MAX):
            self.spawn_output(['/bin/true'], client=alice, rootfs=self.rootfs_of('alice'), TasksMax=number)
        for number in (TASKS_MAX + 1, 2**64 - 1):
            self.spawn_output(['/bin/true'], TasksMax=number)


class Storm(Hostile):
    def attempt(self, client, path):
        with self.assertRaises(BusError) as caught:
            client.run(path, 0, ['/bin/true'])
        return caught.exception.name.rsplit('.', 1)[1]

    def test_refusals(self):
        """N6: after 100 refusals within 20 s, by polkit or before it, a user is told to wait; nobody else notices."""
        erin, burst = self.user('erin'), self.wire('erin')
        bodies = {path: run_body(path) for path in (self.rootfs, '/nonexistent')}

        def attempts(*paths):
            serials = [burst.send(NAME, PATH, RUNC, 'Run', 'stas', bodies[path]) for path in paths]
            children.update(self.world.strangers())
            errors = burst.replies(serials)
            return [errors[serial].rsplit('.', 1)[1] for serial in serials]
        children, started = set(), time.monotonic()
        for _ in range(REFUSALS // 4):
            self.assertEqual(attempts(*[self.rootfs, '/nonexistent'] * 2),
                             ['InteractiveAuthorizationRequired', 'RootfsInvalid'] * 2)
        self.assertEqual(self.attempt(erin, self.rootfs), 'Busy')
        self.assertLess(time.monotonic() - started, REFUSALS_SECONDS / 2)

        mark = self.log_mark()
        children.clear()
        for path in bodies:
            for _ in range(4):
                self.assertEqual(attempts(*[path] * CALLS_AT_ONCE), ['Busy'] * CALLS_AT_ONCE)
        self.assertEqual(children, set())
        self.assertLess(len(self.log_since(mark)), 1000)

        self.output(['/bin/true'], client=self.user('alice'), rootfs=self.rootfs_of('alice'))
        self.assertEqual(erin.containers(), [])  # what needs no judgement goes on
        with self.assertRaises(BusError) as caught:
            erin.get_container('none')
        self.assertIn('NoSuchContainer', caught.exception.name)

        while (refusal := self.attempt(erin, '/nonexistent')) == 'Busy':
            self.assertLess(time.monotonic() - started, REFUSALS_SECONDS + 10)
            time.sleep(0.5)
        self.assertEqual(refusal, 'RootfsInvalid')
        self.assertGreater(time.monotonic() - started, REFUSALS_SECONDS - 1)

    def test_leaving(self):
        """N6: who asks and leaves before polkit's answer, over and over, is told to wait as well."""
        attempts, told = 0, b''
        connected = [wire(self.world.address, USERS['mallory']) for _ in range(REFUSALS + 20)]  # bus: 128 questions
        with self.paused(self.world.polkit):
            while b'were refused' not in told and connected:
                callers, connected = connected[:7], connected[7:]
                for caller in callers:
                    caller.send(NAME, PATH, RUNC, 'Run', 'stas', run_body(self.rootfs))
                    attempts += 1
                time.sleep(0.05)
                for caller in callers:
                    caller.socket.settimeout(0.002)
                    with contextlib.suppress(TimeoutError):
                        while b'were refused' not in told:
                            told += caller.receive()[3]
                    caller.close()
                self.answers()
        for caller in connected:
            caller.close()
        self.assertIn(b'were refused', told)
        self.assertGreater(attempts, REFUSALS)


class Fds(Hostile):
    """N2, N3: file descriptors that nobody asked for."""

    def test_refused_by_the_bus(self):
        """N2: fds reach only the members that have a use for them; the bus itself refuses the other messages."""
        carol = self.impostor('carol')
        for path, interface, member, signature, arguments in (
                (PATH, RUNC, 'Run', 'stas', (self.rootfs, 0, ['/bin/true'])),
                (f'{PATH}/container/20003/x', CONTAINER, 'Wait', '()', ()),
                (PATH, PROPERTIES, 'GetAll', 's', (MANAGER,)),
                (PATH, MANAGER, 'GetContainer', 's', ('20003/x',)),
                (PATH, MANAGER, 'ListContainers', 'a{sv}', ({},)),
                (PATH, 'org.freedesktop.DBus.Introspectable', 'Introspect', '()', ()),
                (PATH, 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects', '()', ()),
                (PATH, 'org.freedesktop.DBus.Peer', 'Ping', '()', ())):
            for client in (self.root, carol):
                with self.subTest(member=member, client=client), self.refused('AccessDenied'):
                    client.call(path, interface, member, signature, arguments, fds=(0, 0))

    def test_slow_to_close(self):
        """N3: a socket whose last close() takes seconds does not come to the service by a call without use for it."""
        slow, other_end = lingering_socket(seconds=4)
        connection = self.wire('carol')
        with self.paused(self.world.service):  # the sender has closed its own before the service looks
            connection.send(NAME, PATH, 'org.freedesktop.DBus.Peer', 'Ping', flags=NO_REPLY_EXPECTED,
                            fds=[slow.fileno()])
            connection.bus('GetId')
            time.sleep(0.1)
            closing = threading.Thread(target=slow.close)
            closing.start()
            time.sleep(0.1)
        try:
            self.answers_for(0.5)
        finally:
            closing.join()
            other_end.close()

    def spawn_with(self, connection, path, sockets):
        """Asks for a container with these, of which the message's body names the first."""
        connection.send(NAME, PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', spawn_body(path, [(0, 0)]),
                        fds=[s.fileno() for s in sockets])

    def test_slow_to_close_by_spawn(self):
        """N3: nor does the service wait in close() for what Spawn brought, named or not, with the option set late."""
        fuse = self.silent_fuse('fuse', 'carol', lookups=0)
        connection = self.wire('carol')
        pairs = [lingering_socket(seconds=4) for _ in range(4)]
        slow = [pair[0] for pair in pairs]
        for pair in pairs:
            self.addCleanup(pair[1].close)
        self.spawn_with(connection, f'{fuse.where}/x', slow[:2])
        self.eventually(fuse.lookups, what='the lookup')
        # the service has seen them: set again what it might have cleared, and leave it the last copies
        for s in slow[:2]:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 4))
        shared = [s.detach() for s in slow[:2]]
        for fd in shared:
            os.close(fd)
        self.answers_for(6)  # the lookup is given up after five
        # what is refused at once
        with self.paused(self.world.service):
            self.spawn_with(connection, '', slow[2:])
            connection.send('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'GetId')
            closing = [threading.Thread(target=s.close) for s in slow[2:]]
            time.sleep(0.1)
            for thread in closing:
                thread.start()
            time.sleep(0.1)
        try:
            self.answers_for(1)
        finally:
            for thread in closing:
                thread.join()
