"""What hostile callers, trees and containers try. The ids are security.md's rows."""

import fcntl
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import threading
import time

from harness import rootfs
from harness.case import Case
from harness.client import (CONTAINER, MANAGER, NAME, PATH, PROPERTIES, RUNC, BusError, Container, RootClient,
                            pump)
from harness.hostile import Impostor, SilentFuse, lingering_socket, wire
from harness.wire import NO_REPLY_EXPECTED, Writer
from harness.world import USERS, wait_until

CALLS_AT_ONCE = 100     # a connection may have 128 calls without a reply
WAITING_PER_UID = 256   # service/limits.h
REFUSALS, REFUSALS_SECONDS = 100, 20
TASKS_MAX = 4096        # the configuration's default
# chown, dac_override, dac_read_search, fowner, fsetid, mknod, mac_override
FILE_CAPABILITIES = 0x1f | 1 << 27 | 1 << 32


class Hostile(Case):
    def impostor(self, name):
        client = Impostor(self.world.address, USERS[name])
        self.addCleanup(client.close)
        return client

    def wire(self, name):
        connection = wire(self.world.address, USERS[name])
        self.addCleanup(connection.close)
        return connection

    def answers(self):
        """The service answers somebody else as fast as ever."""
        started = time.monotonic()
        self.root.ping(timeout=15)
        self.assertLess(time.monotonic() - started, self.world.slowness, 'Ping')

    def answers_for(self, seconds, outcome=()):
        """All the while, or until there is an outcome."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not outcome:
            self.answers()
            pump(lambda: outcome, timeout=0.05)

    def run_async(self, client, path, argv=('/bin/true',)):
        return client.call_async(PATH, RUNC, 'Run', 'stas', (path, 0, list(argv)))

    def refusal(self, outcome, timeout):
        """The BusError that a call ends with; others are served meanwhile."""
        self.answers_for(timeout, outcome)
        self.assertTrue(outcome, f'no answer within {timeout} s')
        self.assertIsInstance(outcome[0], BusError)
        return outcome[0]

    def silent_fuse(self, name, user, lookups):
        fuse = SilentFuse(self.world, f'{self.world.directory}/{name}', USERS.get(user, 0), lookups)
        self.addCleanup(fuse.close)
        return fuse

    def tree_of(self, name):
        """A tree for one test, that may be written to."""
        path, uid = f'{self.world.directory}/{name}-tree', USERS.get(name, 0)
        if uid:
            path = f'{self.world.directory}/{name}/tree'
        rootfs.make(path, f'{self.world.directory}/programs', uid, uid)
        self.addCleanup(shutil.rmtree, path)
        return path

    def log_mark(self):
        return os.path.getsize(self.world.service_log)

    def log_since(self, mark):
        with open(self.world.service_log, 'rb') as f:
            f.seek(mark)
            return f.read()


class Terminal(Hostile):
    def test_fd_in_the_masters_place(self):
        """B10: an fd of the caller's, whatever its number, is not taken for the terminal: not read, not waited for."""
        alice = self.impostor('alice')
        for number in (3, 4, 5, 6):
            with self.subTest(number=number):
                reader, writer = os.pipe()
                try:
                    os.write(writer, b'the caller\'s own')
                    container = alice.spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', 'echo inside; sleep 60'],
                                            fds={number: reader}, Terminal=True)
                    self.eventually(lambda: b'inside' in container.log(), what='output')
                    self.assertEqual(container.log(), b'inside\r\n')
                    fcntl.fcntl(reader, fcntl.F_SETFL, 0)  # the same open file as the service's, if it has it
                    self.answers_for(0.3)
                    os.set_blocking(reader, False)
                    self.assertEqual(os.read(reader, 100), b'the caller\'s own')
                    fcntl.fcntl(reader, fcntl.F_SETFL, 0)
                    self.answers_for(0.3)
                    container.kill()
                    container.wait()
                    self.answers_for(0.3)
                finally:
                    os.close(reader)
                    os.close(writer)


class Plants(Hostile):
    """Files with rights, made inside, as the host sees them."""

    def plant(self, client, tree, **options):
        log = self.spawn_output(['/bin/plant', '/mnt'], client=client, rootfs=tree, ReadOnlyRoot=False, **options)
        return dict(line.split(': ') for line in log.splitlines())

    def files(self, tree):
        """[(name, mode, uid, gid, capability or None)] of all that has any right in it"""
        result = []
        for name in sorted(os.listdir(f'{tree}/mnt')):
            path = f'{tree}/mnt/{name}'
            status = os.lstat(path)
            capability = None
            if 'security.capability' in os.listxattr(path):
                capability = os.getxattr(path, 'security.capability')
            if status.st_mode & (stat.S_ISUID | stat.S_ISGID) or capability:
                result.append((name, oct(status.st_mode), status.st_uid, status.st_gid, capability))
        return result

    def test_root_leaves_none(self):
        """B6: in root's own tree a container makes no set-id file and none with capabilities, by no call."""
        tree = self.tree_of('root')
        tried = self.plant(self.root, tree)
        self.assertEqual(tried.pop('harmless'), 'ok')
        tried.pop('linkat', None)
        refusals = {'Operation not permitted', 'Function not implemented'}
        self.assertEqual({what: how for what, how in tried.items() if how not in refusals}, {})
        self.assertEqual(self.files(tree), [])
        self.assertTrue(os.path.exists(f'{tree}/mnt/file'))

    def test_user_leaves_only_its_own(self):
        """B6: what a user's container makes set-id is that user's own; capabilities in it hold for no host process."""
        tree = self.tree_of('alice')
        self.assertEqual(self.plant(self.user('alice'), tree)['chmod'], 'ok')
        found = self.files(tree)
        self.assertIn('open', [name for name, *_ in found])
        for name, mode, uid, gid, capability in found:
            self.assertEqual((uid, gid), (USERS['alice'], USERS['alice']), name)
            if capability:  # version 3, which names the user id whose namespaces it is for
                self.assertEqual(len(capability), 24, name)
                self.assertNotEqual(struct.unpack_from('<I', capability, 20), (0,), name)

    def test_read_only_root(self):
        """A15: with the root read-only, as it is by default, nothing is made at all."""
        container = self.root.spawn(self.rootfs, ['/bin/plant', '/mnt'])
        self.assertEqual(container.wait(), ('exit-code', 3))


class Hangs(Hostile):
    """B5: trees on a file system that stops answering. Others are served all the while."""

    def test_deleted_by_name(self):
        """A tree whose name looks deleted is RootfsInvalid for a user, as a rule would judge the name; root may."""
        path = f'{self.world.directory}/alice/tree (deleted)'
        shutil.copytree(self.rootfs_of('alice'), path, symlinks=True)
        self.addCleanup(shutil.rmtree, path)
        rootfs.chown_tree(path, USERS['alice'], USERS['alice'])
        with self.refused('RootfsInvalid', text='(deleted)'):
            self.user('alice').run(path, 0, ['/bin/true'])
        self.output(['/bin/true'], rootfs=path)

    def test_deleted_on_a_silent_one(self):
        """B5: the same name on a file system that answered once: the service does not look for itself."""
        fuse = self.silent_fuse('fuse', 'carol', lookups=1)
        outcome = self.run_async(self.impostor('carol'), f'{fuse.where}/x (deleted)')
        self.assertIn('RootfsInvalid', self.refusal(outcome, 8).name)
        self.assertEqual(fuse.lookups(), 1)
        self.answers_for(1)

    def test_never_answers(self):
        """B5: a tree that is never found ends in an error that says so, for a user and for root."""
        fuse = self.silent_fuse('fuse', 'carol', lookups=0)
        outcomes = [self.run_async(self.impostor('carol'), f'{fuse.where}/x'),
                    self.run_async(self.another_client(), f'{fuse.where}/y')]
        for outcome in outcomes:
            error = self.refusal(outcome, 9)
            self.assertIn('RootfsInvalid', error.name)
            self.assertIn('not answer', error.text)

    def test_cannot_be_mapped(self):
        """F34, B5: a tree that no mount can map is refused by name, without a walk along its path."""
        fuse = self.silent_fuse('alice/fuse', 'alice', lookups=1)
        outcome = self.run_async(self.impostor('alice'), f'{fuse.where}/x')
        error = self.refusal(outcome, 8)
        self.assertIn('RootfsInvalid', error.name)
        self.assertIn('(fuse) cannot be id-mapped', error.text)
        self.assertEqual(fuse.lookups(), 1)
        self.answers_for(1)

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

    def test_lookup_has_nothing(self):
        """A8, B12: what walks along a caller's path has no fd of the service's, and no right to others' files."""
        world = self.world
        fuse = self.silent_fuse('fuse', 'carol', lookups=0)
        outcome = self.run_async(self.impostor('carol'), f'{fuse.where}/x')
        self.eventually(fuse.lookups, what='the lookup')
        helper, = world.strangers()
        fds = os.listdir(f'/proc/{helper}/fd')
        self.assertEqual(len([fd for fd in fds if int(fd) > 2]), 1, fds)
        with open(f'/proc/{helper}/status') as f:
            status = dict(line.rstrip('\n').split(':\t', 1) for line in f if ':\t' in line)
        # root's for signals, so that carol cannot send it any; carol's for files
        self.assertEqual([int(uid) for uid in status['Uid'].split()], [0, 0, 0, USERS['carol']])
        self.assertEqual(int(status['CapEff'], 16) & FILE_CAPABILITIES, 0)
        self.refusal(outcome, 9)


class Waits(Hostile):
    """N5, N10: calls that are kept until a container ends."""

    def errors(self, connections, n):
        """The names of the errors among the first `n` replies to what was sent on these connections."""
        names = []
        for connection in connections:
            connection.socket.settimeout(0.3)
            try:
                while len(names) < n:
                    _, reply, name, body = connection.receive()
                    if reply:
                        names.append((name, body[4:-1].decode()))
            except TimeoutError:
                pass
        return names

    def test_bounded_for_each_user(self):
        """N5: 256 calls of one user wait, the next are LimitsExceeded; root's, others' and new ones' are served."""
        alice, bob = self.user('alice'), self.user('bob')
        target = alice.spawn(self.rootfs_of('alice'), ['/bin/sleep', '60'])
        other = bob.spawn(self.rootfs_of('bob'), ['/bin/sleep', '60'])
        connections = [self.wire('alice') for _ in range(3)]
        for connection in connections:
            for _ in range(CALLS_AT_ONCE):
                connection.send(NAME, target.path, CONTAINER, 'Wait')
        surplus = len(connections) * CALLS_AT_ONCE - WAITING_PER_UID
        errors = self.errors(connections, surplus + 1)
        self.assertEqual([name for name, _ in errors], ['org.freedesktop.DBus.Error.LimitsExceeded'] * surplus)
        self.assertIn('waiting', errors[0][1])
        self.answers()
        with self.refused('LimitsExceeded'):
            alice.call(target.path, CONTAINER, 'Wait')
        roots = self.root.call_async(target.path, CONTAINER, 'Wait')
        other.stop(timeout=0.2)
        self.assertEqual(other.wait(), ('timeout', 9))
        Container(self.root, target.path).stop(timeout=0.2)
        self.assertTrue(pump(lambda: roots))
        self.assertEqual(len(self.errors(connections, WAITING_PER_UID)), WAITING_PER_UID)  # all answered now
        self.assertEqual(self.spawn_output(['/bin/echo', 'x'], client=alice, rootfs=self.rootfs_of('alice')), 'x\n')

    def test_without_a_reply(self):
        """N10: a Wait that wants no reply is not kept; thousands of them change nothing for anybody."""
        target = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sleep', '60'])
        connection = self.wire('alice')
        before = self.memory()
        connection.socket.sendall(b''.join(connection.encode(NAME, target.path, CONTAINER, 'Wait',
                                                             flags=NO_REPLY_EXPECTED) for _ in range(4500)))
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
        with open(f'/proc/{self.world.service_pid}/statm') as f:
            return int(f.read().split()[1]) * os.sysconf('SC_PAGESIZE')


class MatchRules(Hostile):
    def test_one_for_each_client(self):
        """N12: containers that end with their caller cost one match rule for each caller, not each container."""
        monitor = wire(self.world.address, 0)
        self.addCleanup(monitor.close)
        rules = Writer().array(4, ["type='method_call',member='AddMatch'"], Writer.s).u(0)
        monitor.call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus.Monitoring',
                     'BecomeMonitor', 'asu', bytes(rules.data))
        client = self.another_client()
        containers = [client.spawn(self.rootfs, ['/bin/sleep', '60'], WatchBus=True) for _ in range(8)]
        self.assertEqual({c.state for c in containers}, {'running'})
        monitor.socket.settimeout(0.5)
        seen = 0
        try:
            while True:
                seen += f"arg0='{client.name}'".encode() in monitor.receive()[3]
        except TimeoutError:
            pass
        self.assertEqual(seen, 1)
        client.close()
        for container in containers:
            self.assertEqual(Container(self.root, container.path).wait(timeout=5), ('signal', 9))

    def service_on(self, bus_config):
        """A second bus and service; a client of it."""
        world = self.world
        directory = f'{world.directory}/second'
        os.mkdir(directory)
        self.addCleanup(shutil.rmtree, directory)
        with open(f'{directory}/bus.conf', 'w') as f:
            f.write(bus_config.replace(world.bus.socket, f'{directory}/socket'))
        address, parent = f'unix:path={directory}/socket', f'{world.cgroup_parent}-second'

        def start(*line):
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd='/')
            world.extra.append(process)
            self.addCleanup(world.extra.remove, process)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
        with open(f'{directory}/log', 'w') as log:
            self.addCleanup(world.remove_cgroups, parent)
            start('dbus-daemon', f'--config-file={directory}/bus.conf', '--nofork', '--nopidfile', '--nosyslog')
            wait_until(lambda: os.path.exists(f'{directory}/socket'), what='the bus')
            start(world.daemon, *world.service_arguments(address, f'{directory}/state', parent))
        client = RootClient(address)
        self.addCleanup(client.close)
        wait_until(lambda: NAME in client.call('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'ListNames',
                                               destination='org.freedesktop.DBus')[0], what='the second service')
        return address, client

    def test_exhausted(self):
        """N12, N8: with no rule left a container ends that cannot be watched, and a user is told LimitsExceeded."""
        with open(f'{self.world.bus.directory}/bus.conf') as f:
            config = f.read()
        limit = '<limit name="max_match_rules_per_connection">12</limit>'
        address, root = self.service_on(config.replace('<policy ', f'{limit}\n  <policy ', 1))
        clients = [RootClient(address) for _ in range(16)]
        containers = [client.spawn(self.rootfs, ['/bin/sleep', '60'], WatchBus=True) for client in clients]
        pump(lambda: False, timeout=0.5)
        states = [Container(root, c.path).state for c in containers]
        self.assertIn('running', states)
        alice = Impostor(address, USERS['alice'])
        outcome = self.run_async(alice, self.rootfs_of('alice'))
        self.assertTrue(pump(lambda: outcome, timeout=10), 'the call is not answered')
        if 'stopped' in states:  # a bus that has such a limit
            self.assertIn('LimitsExceeded', outcome[0].name)
        alice.close()
        for client in clients:
            client.close()
        for container in containers:
            self.assertEqual(Container(root, container.path).wait(timeout=5), ('signal', 9))


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
        started = time.monotonic()
        for i in range(REFUSALS):
            refusal = self.attempt(erin, self.rootfs if i % 2 else '/nonexistent')
            self.assertEqual(refusal, 'InteractiveAuthorizationRequired' if i % 2 else 'RootfsInvalid')
        self.assertEqual(self.attempt(erin, self.rootfs), 'LimitsExceeded')
        self.assertLess(time.monotonic() - started, REFUSALS_SECONDS / 2)

        mark, children = self.log_mark(), set()
        for path in (self.rootfs, '/nonexistent'):
            body = bytes(Writer().s(path).t(0).array(4, ['/bin/true'], Writer.s).data)
            for _ in range(4):
                serials = [burst.send(NAME, PATH, RUNC, 'Run', 'stas', body) for _ in range(CALLS_AT_ONCE)]
                children |= set(self.world.strangers())
                self.assertEqual(set(burst.replies(serials).values()), {'org.freedesktop.DBus.Error.LimitsExceeded'})
        self.assertEqual(children, set())
        self.assertLess(len(self.log_since(mark)), 1000)

        self.output(['/bin/true'], client=self.user('alice'), rootfs=self.rootfs_of('alice'))
        self.assertEqual(erin.containers(), [])  # what needs no judgement goes on
        with self.assertRaises(BusError) as caught:
            erin.get_container('none')
        self.assertIn('NoSuchContainer', caught.exception.name)

        while (refusal := self.attempt(erin, '/nonexistent')) == 'LimitsExceeded':
            self.assertLess(time.monotonic() - started, REFUSALS_SECONDS + 10)
            time.sleep(0.5)
        self.assertEqual(refusal, 'RootfsInvalid')
        self.assertGreater(time.monotonic() - started, REFUSALS_SECONDS - 1)


class Words(Hostile):
    """B13: what a caller names, in the log and in polkit's details."""

    FORGED = '\n** Message: 00:00:00.000: user 0, org.naive.Runc.run: authorized by polkit\r\x1b[2J\u202etxt'

    def check_log(self, mark):
        log = self.log_since(mark)
        self.assertIn(b'authorized by polkit', log.replace(b'\r', b''))  # it is told of, in one way or another
        for line in log.split(b'\n'):
            self.assertFalse(line.startswith(b'** Message: 00:00:00'), line)
            for bad in (b'\x1b', '\u202e'.encode(), b'\r'):
                self.assertNotIn(bad, line)

    def test_path_that_is_not_there(self):
        """B13: a path with newlines and control characters makes one line in the log, and no other's."""
        mark = self.log_mark()
        with self.refused('RootfsInvalid'):
            self.user('carol').run('/nonexistent' + self.FORGED, 0, ['/bin/true'])
        with self.refused('RootfsInvalid'):
            self.root.run('/nonexistent' + self.FORGED, 0, ['/bin/true'])
        with self.refused('RootfsInvalid'):
            self.user('carol').spawn('/nonexistent' + self.FORGED, ['/bin/true'])
        self.check_log(mark)

    def test_path_that_is_there(self):
        """B13: nor does such a tree that is run, or refused by polkit."""
        name = self.FORGED.replace('/', '')
        path = f'{self.world.directory}/alice/{name}'
        shutil.copytree(self.rootfs_of('alice'), path, symlinks=True)
        self.addCleanup(shutil.rmtree, path)
        rootfs.chown_tree(path, USERS['alice'], USERS['alice'])
        mark = self.log_mark()
        self.output(['/bin/echo', self.FORGED], client=self.user('alice'), rootfs=path)
        with self.refused('InteractiveAuthorizationRequired'):
            self.user('carol').run(path, 0, ['/bin/true' + self.FORGED])
        with self.refused('CommandNotFound'):
            self.user('alice').run(path, 0, ['/bin/true' + self.FORGED])
        self.check_log(mark)

    def test_command_line(self):
        """B13, C5: polkit's command_line tells apart what a shell would: a rule for one command is for no other."""
        erin = self.user('erin')
        self.assertEqual(self.output(['/bin/sh', '-c', 'echo a b'], client=erin), 'a b\n')
        for argv in (['/bin/sh', '-c', 'echo', 'a', 'b'], ['/bin/sh', '-c', "'echo a b'"],
                     ['/bin/sh', "-c 'echo a b'"], ["/bin/sh -c 'echo a b'"], ['/bin/sh', '-c', 'echo a b', ''],
                     ['/bin/sh', '-c', 'echo a\nb'],
                     ['/bin/sh', '-c', 'echo a b '], ['/bin/sh', '', '-c', 'echo a b']):
            with self.subTest(argv=argv), self.refused('InteractiveAuthorizationRequired'):
                erin.run(self.rootfs, 0, argv)


class Fds(Hostile):
    """N2, N3: file descriptors that nobody asked for."""

    def test_refused_by_the_bus(self):
        """N2: fds reach only the interface that has a use for them; the bus itself refuses the other messages."""
        carol = self.impostor('carol')
        for path, interface, member, signature, arguments in (
                (PATH, RUNC, 'Run', 'stas', (self.rootfs, 0, ['/bin/true'])),
                (f'{PATH}/container/20003/x', CONTAINER, 'Wait', '()', ()),
                (PATH, PROPERTIES, 'GetAll', 's', (MANAGER,)),
                (PATH, 'org.freedesktop.DBus.Introspectable', 'Introspect', '()', ()),
                (PATH, 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects', '()', ()),
                (PATH, 'org.freedesktop.DBus.Peer', 'Ping', '()', ())):
            for client in (self.root, carol):
                with self.subTest(member=member, client=client), self.refused('AccessDenied'):
                    client.call(path, interface, member, signature, arguments, fds=(0, 0))

    def test_spawn_takes_them(self):
        """N2: Spawn and Create still do, for everybody."""
        reader, writer = os.pipe()
        container = self.impostor('alice').spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', 'echo through >&5'],
                                                 fds={5: writer})
        os.close(writer)
        self.assertEqual(container.wait(), ('success', 0))
        self.assertEqual(os.read(reader, 100), b'through\n')
        os.close(reader)

    def test_slow_to_close(self):
        """N3: a socket whose last close() takes seconds does not come to the service by a call without use for it."""
        slow, other_end = lingering_socket(seconds=4)
        connection = self.wire('carol')
        self.world.service.send_signal(signal.SIGSTOP)  # the sender has closed its own before the service looks
        try:
            connection.send(NAME, PATH, 'org.freedesktop.DBus.Peer', 'Ping', flags=NO_REPLY_EXPECTED,
                            fds=[slow.fileno()])
            connection.call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'GetId')
            time.sleep(0.1)
            closing = threading.Thread(target=slow.close)
            closing.start()
            time.sleep(0.1)
        finally:
            self.world.service.send_signal(signal.SIGCONT)
        try:
            self.answers_for(0.5)
        finally:
            closing.join()
            other_end.close()


SPY = '''
import ctypes, os, sys
pid = int(sys.argv[1])
def attempt(name, function):
    try:
        function()
    except OSError:
        return
    print(name)
for name in ("mem", "environ", "maps", "auxv", "syscall", "stack", "io"):
    attempt(name, lambda: open(f"/proc/{pid}/{name}", "rb").read(64))
for name in ("fd", "root", "cwd", "map_files"):
    attempt(name, lambda: os.listdir(f"/proc/{pid}/{name}/"))
for name in ("exe", "root", "cwd", "ns/user", "ns/mnt", "fd/0"):
    attempt(name, lambda: os.readlink(f"/proc/{pid}/{name}"))
libc = ctypes.CDLL(None, use_errno=True)
def ptrace(request):
    if libc.ptrace(request, pid, 0, 0) < 0:
        raise OSError
attempt("ptrace attach", lambda: ptrace(16))
attempt("ptrace seize", lambda: ptrace(0x4206))
word = ctypes.create_string_buffer(8)
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def read_memory():
    here, there = Piece(ctypes.addressof(word), 8), Piece(0x400000, 8)
    if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) < 0 and ctypes.get_errno() == 1:
        raise OSError
attempt("process_vm_readv", read_memory)
print("tried")
'''


class Spies(Hostile):
    @staticmethod
    def cmdline(pid):
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            return f.read()

    def test_created_container(self):
        """A9: the owner of a container that waits for its start cannot look into it from the host, in any namespace."""
        own = subprocess.Popen(['setpriv', '--reuid=20001', '--regid=20001', '--clear-groups', 'sleep', '60'], cwd='/')
        try:  # the spy does see what is to be seen
            self.eventually(lambda: b'setpriv' not in self.cmdline(own.pid), what='sleep')
            done = self.command(sys.executable, '-c', SPY, str(own.pid), user='alice')
            seen = set(done.stdout.decode().split('\n'))
            self.assertLessEqual({'environ', 'maps', 'fd', 'root', 'exe', 'ptrace attach'}, seen, done.stderr)
        finally:
            own.kill()
            own.wait()
        for namespace in ('auto', 'self'):
            with self.subTest(namespace=namespace):
                container = self.user('alice').create(self.rootfs_of('alice'), ['/bin/sleep', '60'],
                                                      UserNamespace=namespace)
                self.assertEqual(container.state, 'created')
                done = self.command(sys.executable, '-c', SPY, str(container.pid), user='alice')
                self.assertEqual(done.stdout.decode(), 'tried\n', done.stderr)
                container.start()
                self.assertEqual(container.state, 'running')

    def test_host_tree(self):
        """B2, A16: run on the host's own tree, a user reads and writes nothing there that it could not before."""
        host = f'{self.world.directory}/alice/host'
        os.mkdir(host)
        self.addCleanup(os.rmdir, host)
        subprocess.run(['mount', '--bind', '/', host], check=True)
        self.addCleanup(subprocess.run, ['umount', '--lazy', host], check=True)
        script = ('cat /etc/shadow; ls /root; for x in / /etc /etc/passwd /usr/bin /var/lib /root; do '
                  'test -w $x && echo "writes $x"; done; echo done')
        # what there is to be seen: root's container shows it
        self.assertIn('root:', self.spawn_output(['/bin/sh', '-c', script], rootfs=host))
        for namespace in ('auto', 'self'):
            for read_only in (True, False):
                with self.subTest(namespace=namespace, read_only=read_only):
                    try:
                        log = self.spawn_output(['/bin/sh', '-c', f'({script}) 2>/dev/null'], client=self.user('alice'),
                                                rootfs=host, UserNamespace=namespace, ReadOnlyRoot=read_only)
                    except BusError as error:
                        self.assertIn('cannot be id-mapped', error.text)
                        continue
                    self.assertEqual(log, 'done\n')
