"""Row D: code in a container against the kernel, the host and its neighbours."""

import os
import pty
import resource
import select
import socket
import sys

import test_d_inherited
from harness.case import Case
from harness.place import Place

REFUSALS = {'EPERM', 'ENOSYS', 'signal 31'}


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
        with open(f'/proc/{container.pid}/uid_map') as f:
            uid = f.read().split()[1]
        with open('/proc/key-users') as f:
            owners = [line.split(':')[0].strip() for line in f]
        container.kill()
        container.wait()
        self.assertIn(uid, owners, 'it has no session keyring of its own')

    def test_core_dumps(self):
        """D10 CVE-2025-4598: a crash leaves no core file and starts no handler."""
        for command in ('/bin/attempt crash', '(ulimit -c unlimited) 2>/dev/null; /bin/attempt crash'):
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'cd /tmp; {command}; s=$?; ls -A; exit $s'])
            self.assertEqual((container.wait(), container.log()), (('exit-code', 139), b'Segmentation fault\n'))
        # The machine's core_pattern is not the test's to set: by the limit that keeps the kernel from a pipe as well.
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        self.assertEqual(resource.prlimit(container.pid, resource.RLIMIT_CORE), (1, 1))
