"""Row D: code in a container against the kernel, the host and its neighbours."""

import os
import pty
import re
import select
import signal
import socket
import sys

import test_d_inherited
from harness import record
from harness.case import TELLS_EXIT, Case
from harness.client import Container
from harness.files import id_map_of, read, write
from harness.place import Place
from harness.world import USERS

REFUSALS = {'EPERM', 'ENOSYS', 'signal 31', 'signal 11'}  # the last where the kernel has no 32-bit calls


class Attempts(Case):
    """`/bin/attempt` tries it, and says what came of it."""

    def outcomes(self, *arguments, client=None, rootfs=None, **options):
        log = self.spawn_output(['/bin/attempt', *arguments], client=client, rootfs=rootfs, **options)
        return dict(line.split(': ') for line in log.splitlines())

    def as_user(self, *arguments):
        """The same on the host, as alice."""
        done = self.command(f'{self.world.directory}/programs/attempt', *arguments, user='alice')
        return dict(line.split(': ') for line in done.stdout.decode().splitlines())

    def test_typing_into_the_callers_terminal(self):
        """D1 CVE-2017-5226 CVE-2019-10063 CVE-2023-28100: nothing is typed into a terminal that the caller lends, by no spelling of the ioctl."""
        master, slave = pty.openpty()
        reader, writer = os.pipe()
        try:
            container = self.root.spawn(self.rootfs, ['/bin/attempt', 'type'], fds={0: slave, 1: writer})
            os.close(writer)
            writer = -1
            self.assertEqual(container.wait(), ('success', 0))
            outcomes = dict(line.split(': ') for line in os.read(reader, 4096).decode().splitlines())
            # it has got the terminal for its own: the kernel alone would let it type here, if it lets anybody
            self.assertEqual(outcomes.pop('TIOCSCTTY'), 'ok')
            self.assertEqual(set(outcomes.values()), {'EPERM'}, outcomes)
            self.assertFalse(select.select([slave], [], [], 0.1)[0], 'something was typed')
            os.write(master, b'y\n')  # what is typed would be seen
            self.assertEqual(os.read(slave, 10), b'y\n')
        finally:
            for fd in (master, slave, reader, writer):
                if fd >= 0:
                    os.close(fd)

    def test_typing_into_its_own(self):
        """D1: nor into the container's own terminal, whose other side is the caller's."""
        container = self.root.spawn(self.rootfs, ['/bin/attempt', 'type'], Terminal=True)
        container.wait()
        lines = dict(line.split(': ') for line in container.log().decode().split('\r\n') if line)
        lines.pop('TIOCSCTTY')
        self.assertEqual(set(lines.values()), {'EPERM'}, lines)

    def test_groups(self):
        """D3 CVE-2014-8989: it starts without groups and may choose among its own; where only the caller is mapped it keeps what it has."""
        alice, tree = self.user('alice'), self.rootfs_of('alice')
        self.assertEqual(self.outcomes('groups', client=alice, rootfs=tree),
                         {'getgroups': '0', 'setgroups to none': 'ok', 'setgroups': 'ok'})
        self.assertEqual(self.outcomes('groups', client=alice, rootfs=tree, UserNamespace='self'),
                         {'getgroups': '0', 'setgroups to none': 'EPERM', 'setgroups': 'EPERM'})

    def test_namespaces(self):
        """D5 CVE-2022-0185 CVE-2024-1086 CVE-2016-3135: no call of any ABI gives it a user namespace or lets it into another."""
        for options in ({}, {'UserNamespace': 'self'}):
            with self.subTest(**options):
                outcomes = self.outcomes('namespaces', client=self.user('alice'), rootfs=self.rootfs_of('alice'),
                                         **options)
                self.assertIn('unshare', outcomes)
                self.assertEqual({what: how for what, how in outcomes.items() if how not in REFUSALS}, {})

    def test_sockets_of_the_host(self):
        """D6 CVE-2020-15257: it reaches no abstract socket, no localhost and no other address of the host's."""
        with socket.socket(socket.AF_UNIX) as abstract, socket.socket() as tcp:
            name = f'naive-test-{os.getpid()}'
            abstract.bind('\0' + name)
            abstract.listen(16)
            tcp.bind(('0.0.0.0', 0))
            tcp.listen(16)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as routed:
                try:
                    routed.connect(('192.0.2.1', 9))
                    address = routed.getsockname()[0]
                except OSError:  # a host without a network has no other address
                    address = '127.0.0.1'
            where = ('connect', name, str(tcp.getsockname()[1]), address)
            self.assertEqual(set(self.as_user(*where).values()), {'ok'})
            for options in ({}, {'UserNamespace': 'self'}):
                outcomes = self.outcomes(*where, client=self.user('alice'), rootfs=self.rootfs_of('alice'), **options)
                self.assertEqual(outcomes['abstract socket'], 'ECONNREFUSED')
                self.assertEqual(outcomes['127.0.0.1'], 'ECONNREFUSED')
                self.assertIn(outcomes["the host's address"], ('ENETUNREACH', 'ECONNREFUSED'))

    def test_keys(self):
        """D7: the service's session keyring is out of reach: no key call works, and its own is an empty one."""
        place = Place(self, 'keys', prefix=(sys.executable, '-c', test_d_inherited.ODD))
        container = place.client.spawn(self.rootfs, ['/bin/attempt', 'keys'])
        container.wait()
        self.assertEqual({line.split(': ')[1] for line in container.log().decode().splitlines()}, {'EPERM'})
        self.assertEqual(self.spawn_output(['/bin/cat', '/proc/keys'], client=place.client), '')
        if not os.path.exists('/proc/key-users'):
            return  # a kernel without keyrings
        container = place.client.spawn(self.rootfs, ['/bin/sleep', '60'])
        uid = str(id_map_of(container.pid)[1])
        owners = [line.split(':')[0].strip() for line in read('/proc/key-users').splitlines()]
        container.end()
        self.assertIn(uid, owners, 'it has no session keyring of its own')

    def test_core_dumps(self):
        """D10 CVE-2025-4598: a crash leaves no core file and starts no handler."""
        for command in ('/bin/attempt crash', '(ulimit -c unlimited) 2>/dev/null; /bin/attempt crash'):
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'cd /tmp; {command}; s=$?; ls -A; exit $s'])
            self.assertEqual((container.wait(), container.log()), (('exit-code', 139), b'Segmentation fault\n'))
        # The machine's core_pattern is not the test's to set: by the limit that keeps the kernel from a pipe as well.
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        with open(f'/proc/{container.pid}/limits') as f:
            self.assertRegex(f.read(), r'Max core file size +1 +1 ')


class Ranges(Case):
    """D9: the ids of containers on the host."""

    def range_of(self, container):
        inside, first, size = id_map_of(container.pid)
        self.assertEqual(inside, 0)
        return range(first, first + size)

    def assert_apart(self, ranges):
        for first, second in zip(sorted(ranges, key=lambda r: r.start), sorted(ranges, key=lambda r: r.start)[1:]):
            self.assertGreaterEqual(second.start, first.stop, ranges)

    def test_of_two_users(self):
        """D9: containers of two users share no id, and none is an id of the host's users."""
        ranges = [self.range_of(client.spawn(self.rootfs_of(name), ['/bin/sleep', '60']))
                  for _ in range(3) for name, client in (('alice', self.user('alice')), ('bob', self.user('bob')))]
        self.assert_apart(ranges)
        for one in ranges:
            self.assertGreater(one.start, 65536 * 2)
            self.assertEqual(set(USERS.values()) & set(one), set())

    def test_over_restarts(self):
        """D9 F1: of 300 containers in sequence, with the service killed at times, no two that live at a time share an id."""
        place = Place(self, 'ranges')
        alive = []
        for i in range(300):
            container = place.client.spawn(self.rootfs, ['/bin/sleep', '600'])
            alive.append((container.path, self.range_of(container)))
            self.assert_apart([one for _, one in alive])
            if i % 50 == 49:
                self.eventually(lambda: all(self.has_record(place, path) for path, _ in alive), what='the records')
                place.process.kill()
                place.process.wait()
                place.start()
                for path, expected in alive:
                    self.assertEqual(self.range_of(Container(place.client, path)), expected)
            if len(alive) > 6:
                path, _ = alive.pop(i % len(alive))
                self.end(place, path)
        for path, _ in alive:
            self.end(place, path)

    def end(self, place, path):
        container = Container(place.client, path)
        container.kill(signal.SIGKILL)
        container.wait()
        container.delete()

    def has_record(self, place, path):
        name = path.rsplit('/', 1)[1].replace('_2d', '-')
        return any(f'\nId={name}\n' in read(entry.path) for entry in os.scandir(f'{place.state}/containers')
                   if entry.name.endswith('.conf'))


class Sizes(Case):
    def test_arguments(self):
        """D11 CVE-2021-43784: arguments, environment and ids arrive whole at the sizes where a length may overflow, or are refused."""
        for size in (0, 1, 255, 256, 32767, 32768, 65534, 65535, 65536, 65537, 131071):
            with self.subTest(size=size):
                self.assertEqual(self.output(['/bin/sh', '-c', 'echo ${#1} ${#2}', 'sh', 'x' * size, 'end']),
                                 f'{size} 3\n')
        for size in (0, 65535, 65536, 131069):
            with self.subTest(environment=size):
                self.assertEqual(self.spawn_output(['/bin/sh', '-c', 'echo ${#V}'],
                                                   Environment=['PATH=/bin', 'V=' + 'x' * size]), f'{size}\n')
        for n in (1, 255, 256, 1020):  # and as many of them as there may be
            with self.subTest(n=n):
                log = self.spawn_output(['/bin/sh', '-c', 'echo $#; env | grep -c ^V', 'sh', *['x'] * n],
                                        Environment=['PATH=/bin', *(f'V{i}=' for i in range(n))])
                self.assertEqual(log, f'{n}\n{n}\n')
        for words in (['x' * 131072], ['x' * 131071] * 17, ['x'] * 250000):
            with self.subTest(words=len(words)), self.refused('InvalidArgs'):
                self.root.run(self.rootfs, 0, ['/bin/true', *words])

    def test_names(self):
        """D11: ids, host names and paths of the greatest length are taken whole, one more is refused."""
        container = self.root.spawn(self.rootfs, ['/bin/hostname'], Id='i' * 64, Hostname='h' * 64)
        container.wait()
        self.assertEqual((container.id, container.log()), ('i' * 64, b'h' * 64 + b'\n'))
        for options in ({'Id': 'i' * 65}, {'Id': 'i' * 65536}, {'Hostname': 'h' * 65}, {'Hostname': 'h' * 65600},
                        {'WorkingDirectory': '/' + 'w' * 70000}):
            with self.subTest(options=list(options)), self.refused('InvalidArgs', 'LimitsExceeded'):
                self.root.spawn(self.rootfs, ['/bin/true'], **options)
        for length in (4096, 65535, 65536):
            with self.refused('InvalidArgs', 'LimitsExceeded', 'RootfsInvalid'):
                self.root.spawn('/' + 'r' * (length - 1), ['/bin/true'])


class Records(Case):
    """D12: what the service finds written when it starts."""

    def test_every_byte(self):
        """D12 CVE-2018-15686: records of which a byte has changed, or the end is lost, are set aside, and a running container is nobody else's."""
        place, victim, path, whole = self.orphan('records-flipped')
        where, name = os.path.split(path)
        self.assertEqual(record.sealed(name, record.body_of(whole)), whole)
        # each under a serial of its own, whole but for one byte: so with the victim's process, cgroup and range
        bad = 0
        for serial, (at, flip) in enumerate(((at, flip) for at in range(len(whole)) for flip in (1, 0xff)), 1000):
            data = bytearray(record.sealed(f'{serial}.conf', record.body_of(whole)).encode())
            data[at] ^= flip
            write(f'{where}/{serial}.conf', data)
            bad += 1
        for length in range(0, len(whole), 7):
            write(f'{where}/{5000 + length}.conf', record.sealed(f'{5000 + length}.conf', record.body_of(whole))[:length])
            bad += 1
        place.start()
        self.assertEqual([(c[0], c[1], c[2]) for c in place.client.containers()], [('victim', 'running', 0)])
        self.assertIn(f'ControlGroup={victim.prop("ControlGroup")}\n', whole)
        self.assertEqual((f'Pid={victim.pid}\n' in whole, victim.prop('OwnerUID')), (True, 0))
        self.assertEqual(len([name for name in os.listdir(where) if name.endswith('.bad')]), bad)
        self.assertEqual(victim.end(), ('signal', 9) if TELLS_EXIT else ('unknown', 0))

    def orphan(self, name):
        """(place, container, path of its record, what that says): it runs, and no service does."""
        place = Place(self, name)
        victim = place.client.spawn(self.rootfs, ['/bin/sleep', '600'], Id='victim')
        where = f'{place.state}/containers'
        self.eventually(lambda: any(name.endswith('.conf') for name in os.listdir(where)), what='its record')
        place.process.kill()
        place.process.wait()
        path, = [f'{where}/{name}' for name in os.listdir(where) if name.endswith('.conf')]
        return place, victim, path, read(path)

    def write(self, path, body):
        write(path, record.sealed(os.path.basename(path), body))

    def test_forged(self):
        """D12: a record that is whole and claims another container's process is not believed."""
        place, victim, path, text = self.orphan('records-forged')
        forged = record.body_of(text).replace('Id=victim', 'Id=thief').replace('Owner=0', f'Owner={USERS["alice"]}')
        self.write(f'{os.path.dirname(path)}/77.conf', forged)
        place.start()
        states = {c[0]: (c[1], c[2]) for c in place.client.containers()}
        self.assertEqual(states, {'victim': ('running', 0), 'thief': ('stopped', USERS['alice'])})
        place.client.get_container(f'{USERS["alice"]}/thief').delete()
        self.assertEqual(victim.state, 'running')
        self.assertEqual(victim.end(), ('signal', 9) if TELLS_EXIT else ('unknown', 0))

    def test_number_of_another_process(self):
        """D12 F4: a process that has the number of a record's and began at another time is not that container."""
        place, victim, path, text = self.orphan('records-number')
        self.write(path, re.sub('StartTime=([0-9]*)', 'StartTime=1\\1', record.body_of(text)))
        place.start()
        self.assertEqual([(c[0], c[1]) for c in place.client.containers()], [('victim', 'stopped')])
        self.assertEqual((victim.pid, victim.wait()[0]), (0, 'unknown'))

    def test_modes(self):
        """D12: the state is root's alone; a directory that others can look into, or a link, is none to start with."""
        place = Place(self, 'records-modes')
        place.client.run(self.rootfs, 0, ['/bin/true']).wait()
        place.process.terminate()
        place.process.wait()
        for top, directories, files in os.walk(place.state):
            if 'dev' in directories:
                directories.remove('dev')  # every container's, behind a directory that is closed
            self.assertEqual((os.stat(top).st_mode & 0o7777, os.stat(top).st_uid), (0o700, 0), top)
            for name in files:
                self.assertEqual(os.stat(f'{top}/{name}').st_mode & 0o7777, 0o600, name)
        os.chmod(place.state, 0o711)
        refusal = self.command(self.world.daemon, *place.arguments)
        self.assertNotEqual(refusal.returncode, 0)
        self.assertIn(b'0700', refusal.stderr)
        os.rename(place.state, f'{place.state}-real')
        os.chmod(f'{place.state}-real', 0o700)
        os.symlink(f'{place.state}-real', place.state)
        self.assertNotEqual(self.command(self.world.daemon, *place.arguments).returncode, 0)
