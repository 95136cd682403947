"""Rows B7 to B14: what a call says, and whose it is."""

import fcntl
import os
import select
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET

from harness import rootfs
from harness.client import CONTAINER, INTERACTIVE, MANAGER, PATH, PROPERTIES, BusError, Container, GLib, pump
from harness.files import as_user, read_bytes, status_of
from harness.hostile_case import Hostile
from harness.invariants import cgroup_tree, file_list
from harness.wire import spawn_body
from harness.world import USERS


def members(client, path):
    """{(interface, kind, name): [types of the arguments]} of ours at the object."""
    text, = client.call(path, 'org.freedesktop.DBus.Introspectable', 'Introspect')
    return {(interface.get('name'), member.tag, member.get('name')):
            [a.get('type') for a in member.iter('arg') if a.get('direction', 'in') == 'in']
            for interface in ET.fromstring(text).iter('interface') if interface.get('name').startswith('org.naive.')
            for member in interface if member.tag in ('method', 'property')}


class EveryMember(Hostile):
    EXAMPLES = {'s': '"x"', 'i': '9', 't': '1', 'u': '1', 'q': '1', 'a{sv}': '{}', 'ay': '[]', 'aay': '[]', 'as': '[]',
                'a{uh}': '{}', 'h': '0', 'b': 'false'}
    # to all; of the second the answer is empty, of the third the same for everybody
    OPEN = {'GetContainer': 'NoSuchContainer', 'ListContainers': None, 'GetFeatures': None,
            'GetContainerByPIDFD': 'InvalidArgs'}

    def attempt(self, client, path, interface, name, types, words):
        text = '(' + ', '.join(f'@{t} {word}' for t, word in zip(types, words)) + (',)' if len(types) == 1 else ')')
        for flags in (0, INTERACTIVE):
            try:
                yield client.call_text(path, interface, name, '(' + ''.join(types) + ')', text, timeout=5, flags=flags)
            except BusError as error:
                yield error

    @staticmethod
    def refusal(client, path, *call):
        """The words that a call of an object is refused with, whatever its path."""
        try:
            client.call(path, *call)
        except BusError as error:
            return error.name, error.text.replace(path, 'PATH')

    def test_denied(self):
        """B7 CVE-2026-26103 CVE-2026-26104: whatever can be called, one whom polkit denies is denied; nothing is set."""
        dave, tree = self.user('dave'), self.rootfs_of('dave')
        arguments = {'Run': [f'"{tree}"', '0', '["/bin/true"]']}
        arguments['Spawn'] = arguments['Create'] = [f'b"{tree}"', '[b"/bin/true"]', '{}', '{}']
        tried = 0
        self.features = self.root.call(PATH, MANAGER, 'GetFeatures')
        for (interface, kind, name), types in members(dave, PATH).items():
            with self.subTest(member=name):
                if kind == 'property':
                    dave.prop(PATH, interface, name)  # tells nothing of anybody: see Strangers
                    with self.refused('AccessDenied', 'PropertyReadOnly'):
                        dave.call(PATH, PROPERTIES, 'Set', 'ssv', (interface, name, GLib.Variant('u', 7)))
                    continue
                words = arguments.get(name) or [self.EXAMPLES[t] for t in types]
                for answer in self.attempt(dave, PATH, interface, name, types, words):
                    tried += 1
                    expected = self.OPEN.get(name, 'AccessDenied')
                    answer = answer.name.rsplit('.', 1)[1] if isinstance(answer, BusError) else answer
                    self.assertIn(answer, ('UnknownMethod', expected) if name not in self.OPEN | arguments else
                                  (([],), self.features) if expected is None else (expected,))
        self.assertGreaterEqual(tried, 10)
        self.nothing_started()
        self.output(['/bin/true'])

    def test_of_anothers_container(self):
        """B7, B11: whatever member a container has or will have, a stranger is told what it would be of none."""
        container = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sleep', '60'])
        before, unknown = container.props(), container.path[:-1] + 'x'
        tried = 0
        told = self.refusal(self.user('bob'), unknown, CONTAINER, 'Start')
        self.assertEqual(told[0], 'org.freedesktop.DBus.Error.UnknownObject')
        for (interface, kind, name), types in members(self.root, container.path).items():
            for user in ('bob', 'dave', 'mallory'):
                with self.subTest(member=name, user=user):
                    client = self.user(user)
                    if kind == 'property':
                        for call in (('Get', 'ss', (interface, name)), ('GetAll', 's', (interface,)),
                                     ('Set', 'ssv', (interface, name, GLib.Variant('u', 7)))):
                            self.assertEqual(self.refusal(client, container.path, PROPERTIES, *call), told)
                        continue
                    words = [self.EXAMPLES[t] for t in types]
                    for answer in self.attempt(client, container.path, interface, name, types, words):
                        tried += 1
                        self.assertEqual((answer.name, answer.text.replace(container.path, 'PATH')), told)
        self.assertGreater(tried, 50)
        self.assertEqual(container.props(), before)
        self.addCleanup(self.fresh_service)  # that has not refused so many


class Environment(Hostile):
    NAMES = ('LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH', 'GCONV_PATH', 'NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID',
             'DBUS_SYSTEM_BUS_ADDRESS', 'DBUS_STARTER_ADDRESS', 'G_DEBUG', 'GLIBC_TUNABLES', 'WATCHDOG_USEC')

    def service_environment(self):
        return read_bytes(f'/proc/{self.world.service_pid}/environ')

    def test_only_the_callers(self):
        """B8 CVE-2021-21261: a caller's variables are the command's alone, and the service's are none of them."""
        canary = f'{self.world.canary}/preloaded.so'
        given = [f'{name}={canary}' for name in self.NAMES]
        before = self.service_environment()
        self.assertIn(b'DBUS_SYSTEM_BUS_ADDRESS=', before)
        for client, tree in ((self.root, self.rootfs), (self.user('alice'), self.rootfs_of('alice'))):
            container = client.create(tree, ['/bin/env'], Environment=given)
            self.assertNotIn(canary.encode(), read_bytes(f'/proc/{container.pid}/environ'))  # before exec
            container.start()
            self.assertEqual(container.wait(), ('success', 0))
            # the command's own libc may remark on them
            lines = {line for line in container.log().decode().splitlines() if not line.startswith('WARNING: ld.so: ')}
            self.assertEqual({line for line in lines if line.split('=')[0] not in ('HOME', 'PATH', 'PS1')}, set(given))
            self.assertEqual({line.split('=')[0] for line in self.output(['/bin/env'], client=client,
                                                                         rootfs=tree).splitlines()},
                             {'HOME', 'PATH', 'PS1'})
        self.assertEqual(self.service_environment(), before)


class Arguments(Hostile):
    def exact(self, argv, **kwargs):
        self.assertEqual(self.output(['/bin/sh', '-c', 'for a; do printf "%s\\0" "$a"; done', 'sh', *argv], **kwargs)
                         .split('\0')[:-1], argv)

    def test_never_options(self):
        """B9 CVE-2024-32462 CVE-2021-4034: no argument is an option of anybody's, and none is missing or made up."""
        for argv in ([], ['']):
            with self.refused('InvalidArgs', text='argv'):
                self.root.run(self.rootfs, 0, argv)
            with self.refused('InvalidArgs', text='argv'):
                self.root.spawn(self.rootfs, argv)
        for argv in (['--bind'], ['-c'], ['--'], ['--bind', '/', '/']):
            with self.subTest(argv=argv), self.refused('CommandNotFound'):
                self.root.run(self.rootfs, 0, argv)
        self.exact(['--bind', '--', '-c', '', '--help', '', '=', '$(id)', '`id`', '*', ';id', '\n'])
        self.exact([' a b ', '"', "'", 'ü'])
        self.exact(['x'] * 1000)
        self.exact(['x' * (128 * 1024 - 1)])
        for big in ('x' * (128 * 1024), 'x' * (1 << 20)):
            with self.refused('InvalidArgs'):
                self.root.run(self.rootfs, 0, ['/bin/true', big])

    def test_command_line(self):
        """B9 CVE-2024-32462: naivec takes nothing after the tree for an option of its own, with or without "--"."""
        for line in (['run', self.rootfs, '/bin/echo', '--rm=no', '--help', '--'],
                     ['run', '--', self.rootfs, '/bin/echo', '--rm=no', '--help', '--']):
            done = self.command(self.world.naivec, *line)
            self.assertEqual((done.stdout, done.returncode), (b'--rm=no --help --\n', 0), done.stderr)
        for line in (['run', '--', '--help'], ['run', '--', '--memory=1', '/bin/true'], ['stop', '--', '--all']):
            done = self.command(self.world.naivec, *line)
            self.assertNotEqual(done.returncode, 0)
            self.assertNotIn(b'Usage', done.stdout)


class Descriptors(Hostile):
    """B10: fds and their numbers."""

    def test_index_that_is_none(self):
        """B10 CVE-2025-8067: an index that no fd came for is an error of the message, whatever its number."""
        for client in ('alice', 'carol'):
            connection = self.wire(client)
            for index in (0xffffffff, 1, 2, 7, 0xc0000000, 0x7fffffff):
                with self.subTest(client=client, index=index), open('/dev/null', 'rb') as f:
                    name = connection.call('org.naive.Runc', PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}',
                                           spawn_body(self.rootfs_of(client), [(1, index)]), fds=[f.fileno()])
                    self.assertIn(name.rsplit('.', 1)[1], ('InvalidArgs', 'InconsistentMessage'))
        self.nothing_started()

    def test_kinds(self):
        """B10: what leads on to other files is refused as stdio or above; whatever else is the caller's own to give."""
        here = {
            'directory': os.open('/', os.O_RDONLY), 'directory as a path': os.open('/', os.O_PATH),
            'file as a path': os.open('/etc/passwd', os.O_PATH), 'link as a path': os.open('/proc/self/exe', os.O_PATH),
            'own namespaces': os.open('/proc/self/ns', os.O_RDONLY),
        }
        poll = select.epoll()
        self.addCleanup(poll.close)
        harmless = {
            'epoll': os.dup(poll.fileno()), 'memfd': os.memfd_create('x'), 'pidfd': os.pidfd_open(os.getpid()),
            'socket': socket.socket(socket.AF_UNIX).detach(), 'null': os.open('/dev/null', os.O_RDWR),
            'file': os.open('/etc/passwd', os.O_RDONLY),
        }
        alice = self.impostor('alice')
        for kind, fd in here.items():
            for number in (0, 2, 5):
                with self.subTest(kind=kind, number=number), self.refused('InvalidArgs', text=f'fd {number}'):
                    alice.spawn(self.rootfs_of('alice'), ['/bin/true'], fds={number: fd})
        for kind, fd in harmless.items():
            for number in (0, 5):
                with self.subTest(kind=kind, number=number):
                    container = alice.spawn(self.rootfs_of('alice'), ['/bin/true'], fds={number: fd})
                    self.assertEqual(container.wait(), ('success', 0))
                    container.delete()
        for fd in [*here.values(), *harmless.values()]:
            os.close(fd)

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
                    container.end()
                    self.answers_for(0.3)
                finally:
                    os.close(reader)
                    os.close(writer)


class Strangers(Hostile):
    """B11: another user's containers look like none at all."""

    def setUp(self):
        super().setUp()
        self.container = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', 'sleep 60', 'very-secret'],
                                                  Id='web', Environment=['PASSWORD=very-secret'])
        self.bob = self.user('bob')
        self.theirs = Container(self.bob, self.container.path)
        self.unknown = Container(self.bob, self.container.path[:-3] + 'xyz')

    def same(self, action):
        """What bob gets for alice's container is what he gets for one that does not exist."""
        answers = []
        for container in (self.theirs, self.unknown):
            with self.assertRaises(BusError) as caught:
                action(container)
            error = caught.exception
            answers.append((error.name, error.text.replace(container.path, 'PATH').replace('web', 'NAME')
                            .replace('xyz', 'NAME')))
        self.assertEqual(*answers)

    def test_list(self):
        """B11 CVE-2016-6349: a stranger lists its own only."""
        self.assertEqual(self.bob.containers(), [])
        self.assertEqual(self.user('carol').containers(), [])
        self.assertEqual([c[0] for c in self.root.containers()], ['web'])

    def test_names_are_per_owner(self):
        """B11: two users may both have `web`."""
        own = self.bob.spawn(self.rootfs_of('bob'), ['/bin/sleep', '60'], Id='web')
        self.assertNotEqual(own.path, self.container.path)
        self.assertEqual(self.bob.get_container('web').path, own.path)
        self.assertEqual(self.root.get_container(f'{USERS["alice"]}/web').path, self.container.path)

    def test_get(self):
        """B11: GetContainer answers a stranger as for an unknown one."""
        answers = []
        for name in ('web', 'xyz'):
            with self.assertRaises(BusError) as caught:
                self.bob.get_container(f'{USERS["alice"]}/{name}')
            answers.append((caught.exception.name, caught.exception.text.replace('web', 'xyz')))
        self.assertEqual(*answers)
        self.assertEqual(answers[0][0], 'org.naive.Runc.Error.NoSuchContainer')

    def test_objects(self):
        """B11: ObjectManager, Introspect and the tree show each caller its own."""
        self.assertEqual([p for p in self.bob.managed() if '/container/' in p], [])
        self.assertIn(self.container.path, self.user('alice').managed())
        self.assertIn(self.container.path, self.root.managed())

    def test_secrets(self):
        """B11 CVE-2016-6349: neither argv nor environment stand in any property or managed object, not even for the owner."""
        self.assertNotIn('very-secret', str(self.container.props()))
        self.assertNotIn('very-secret', str(self.user('alice').managed()))

    def test_signals_say_no_more(self):
        """B11: what a stranger hears of a container's life holds no argv, environment or rootfs."""
        heard = self.another_client().subscribe()
        other = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/echo', 'very-secret'],
                                         Environment=['PASSWORD=very-secret'])
        other.wait()
        other.delete()
        pump(lambda: any(m == 'ContainerRemoved' for _, _, m, _ in heard))
        self.assertNotIn('very-secret', str(heard))
        self.assertNotIn(self.world.directory, str(heard))

    def test_introspection(self):
        """B11: Introspect of it answers as of an unknown one, and its parent lists nothing."""
        self.same(lambda c: self.properties_of(c))
        for path in (self.container.path.rsplit('/', 1)[0], f'{PATH}/container', PATH):
            try:
                text, = self.bob.call(path, 'org.freedesktop.DBus.Introspectable', 'Introspect')
            except BusError as error:  # a branch with nothing for bob on it
                text = error.text
            self.assertNotIn('web', text)

    def properties_of(self, container):
        """As an error, for what is not there may well be introspected by its path."""
        text, = self.bob.call(container.path, 'org.freedesktop.DBus.Introspectable', 'Introspect')
        raise BusError('introspected', text)


class Signals(Hostile):
    """B12: the service and its helpers are nobody's to signal."""

    def test_of_the_service(self):
        """B12 CVE-2020-16126 CVE-2020-16127: a user who signals all that the service makes reaches none of it."""
        script = """
import os, signal, sys
service, reached = int(sys.argv[1]), set()
print("ready", flush=True)
while True:
    try:
        with open(f"/proc/{service}/task/{service}/children") as f:
            children = [int(word) for word in f.read().split()]
    except OSError:
        break
    for pid in [service] + children:
        for number in (0, signal.SIGCONT, signal.SIGSTOP):
            try:
                os.kill(pid, number)
            except (PermissionError, ProcessLookupError):
                continue
            with open(f"/proc/{pid}/status") as f:
                print("reached", pid, number, f.read(), flush=True)
            sys.exit(1)
"""
        # in a session of its own: SIGCONT goes to anybody within one
        spy = self.started(*as_user(USERS['alice']), sys.executable, '-c', script, str(self.world.service_pid),
                           stdout=subprocess.PIPE, start_new_session=True)
        self.assertEqual(spy.stdout.readline(), b'ready\n')
        for _ in range(200):
            for client, tree in ((self.user('alice'), self.rootfs_of('alice')), (self.root, self.rootfs)):
                container = client.run(tree, 0, ['/bin/true'])
                self.assertEqual(container.wait(), ('success', 0))
                container.delete()
        self.assertFalse(select.select([spy.stdout], [], [], 0)[0] and os.read(spy.stdout.fileno(), 4096))
        self.assertEqual(set(status_of(self.world.service_pid)['Uid'].split()), {'0'})


class Words(Hostile):
    """B13: what a caller names, in the log, in polkit's details and in what naivec prints."""

    FORGED = '\n** Message: 00:00:00.000: user 0, org.naive.Runc.run: authorized by polkit\r\x1b[2J\u202etxt'

    def check_log(self, mark):
        log = self.log_since(mark)
        self.assertIn(b'authorized by polkit', log.replace(b'\r', b''))  # it is told of, in one way or another
        for line in log.split(b'\n'):
            self.assertFalse(line.startswith(b'** Message: 00:00:00'), line)
            for bad in (b'\x1b', '\u202e'.encode(), b'\r'):
                self.assertNotIn(bad, line)

    def test_path_that_is_not_there(self):
        """B13 CVE-2023-28101: a path with newlines and control characters makes one line in the log, and no other's."""
        mark = self.log_mark()
        with self.refused('RootfsInvalid'):
            self.user('carol').run('/nonexistent' + self.FORGED, 0, ['/bin/true'])
        with self.refused('RootfsInvalid'):
            self.root.run('/nonexistent' + self.FORGED, 0, ['/bin/true'])
        with self.refused('RootfsInvalid'):
            self.user('carol').spawn('/nonexistent' + self.FORGED, ['/bin/true'])
        self.check_log(mark)

    def forged_tree(self):
        """A tree of alice's by that name."""
        path = f'{self.world.directory}/alice/{self.FORGED.replace("/", "")}'
        shutil.copytree(self.rootfs_of('alice'), path, symlinks=True)
        self.addCleanup(shutil.rmtree, path)
        rootfs.chown_tree(path, USERS['alice'], USERS['alice'])
        return path

    def test_path_that_is_there(self):
        """B13: nor does such a tree that is run, or refused by polkit."""
        path = self.forged_tree()
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

    def test_naivec(self):
        """B13 CVE-2023-28101: naivec prints no control character of a path, an argument or an error."""
        path = self.forged_tree()
        odd = ['/bin/sleep', '60', self.FORGED, '$(id)', '<b>bold</b>']
        with self.refused('CommandNotFound', 'CommandNotExecutable', 'InvalidArgs'):
            self.user('alice').spawn(path, ['/bin/none' + self.FORGED])
        odd = self.user('alice').spawn(path, ['/bin/sh', '-c', 'printf "%s\\n" "$@"; sleep 60', *odd], Id='odd',
                                       Environment=['X=' + self.FORGED])
        self.eventually(lambda: b'bold' in odd.log(), what='output')
        for user, words in (('alice', ['list']), ('alice', ['status', 'odd']), ('alice', ['show', 'odd']),
                            (None, ['list']), (None, ['status', '20001/odd']),
                            ('alice', ['run', path, '/bin/none' + self.FORGED]), ('alice', ['run', '/no' + self.FORGED])):
            done = self.command(self.world.naivec, *words, user=user)
            for bad in (b'\x1b', b'\r', '\u202e'.encode()):
                self.assertNotIn(bad, done.stdout + done.stderr, words)
            for line in (done.stdout + done.stderr).split(b'\n'):
                # status ends with the container's last lines
                self.assertFalse(words[0] != 'status' and line.startswith(b'** Message'), words)


class Labels(Hostile):
    """B14: names that callers choose are text, never part of a path of the service's."""

    BAD = ('..', '.', '', 'a/b', '/a', 'a/', '../../x', '.hidden', '-x', '_x', 'a b', 'a\n', 'ü', 'a\\', 'x' * 65, 'x' * 255,
           'x' * 65536, 'a*', 'a\nOwner=0', 'a=b', 'a\n[Container]\nId=b', '[Container]', '#a', 'a;b', ' a', 'a\\n')
    GOOD = ('cgroup.procs', 'a..b', '0', 'container-1', 'dev', 'tasks', 'memory.max', 'x' * 64, 'a' + '.' * 63, 'supervisor')

    def leaves(self):
        return {os.path.basename(path) for path in cgroup_tree(self.world.cgroup_parent)}

    def state_files(self):
        return {os.path.basename(name) for name in file_list(self.world.state_dir)}

    def test_refused(self):
        """B14, D12: an id or host name that is no plain word, or could end a field of a record, is refused."""
        for name in self.BAD:
            with self.subTest(id=name[:80]), self.refused('InvalidArgs', text='Id'):
                self.root.spawn(self.rootfs, ['/bin/true'], Id=name)
            with self.subTest(get=name[:80]), self.refused('NoSuchContainer', 'InvalidArgs'):
                self.root.get_container(name)
        for name in ('', 'a/b', 'a b', 'a\n', 'x' * 65, 'x' * 65536, '../x', 'ü'):
            with self.subTest(hostname=name[:80]), self.refused('InvalidArgs', text='Hostname'):
                self.root.spawn(self.rootfs, ['/bin/true'], Hostname=name)
        self.nothing_started()

    def test_text_only(self):
        """B14: one that is like a file of the service's or the kernel's names no cgroup and no state file."""
        for client, tree in ((self.root, self.rootfs), (self.user('alice'), self.rootfs_of('alice'))):
            before = self.leaves(), self.state_files()
            for name in self.GOOD:
                with self.subTest(name=name):
                    container = client.create(tree, ['/bin/sleep', '60'], Id=name, Hostname=name)
                    self.assertEqual(container.id, name)
                    self.assertEqual(client.get_container(name).path, container.path)
                    for there, now in zip(before, (self.leaves(), self.state_files())):
                        self.assertFalse({entry for entry in now - there if name in entry and len(name) > 1})
                    container.end()
                    container.delete()
