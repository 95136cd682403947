"""Rows E13, E21 and A7: a PID 1 of the service's, networks that a caller holds, settings of the kernel."""

import os

from harness import rootfs
from harness.case import Case
from harness.files import as_user, write
from harness.world import USERS

LOOK = '''
for f in mem environ maps auxv syscall io; do head -c 1 /proc/1/$f >/dev/null 2>&1 && echo read $f; done
for f in fd root cwd map_files; do [ -n "$(ls /proc/1/$f/ 2>/dev/null)" ] && echo listed $f; done
for f in exe root cwd ns/user ns/mnt fd/0; do readlink /proc/1/$f >/dev/null 2>&1 && echo followed $f; done
/proc/1/exe --version 2>/dev/null && echo executed
(: >/proc/1/exe) 2>/dev/null && echo opened
kill -KILL 1; kill -STOP 1
cat /proc/1/comm /proc/1/cmdline | tr -d "\\0"
'''


class Init(Case):
    def test_closed(self):
        """E13, E12: PID 1 shows nobody inside its memory, program, files or the service's command line, and stays."""
        for client, tree in ((self.user('alice'), self.rootfs_of('alice')), (self.root, self.rootfs)):
            for options in ({}, {'UserNamespace': 'self'}, {'UserNamespace': 'host'}, {'User': (1000, 1000)},
                            {'Capabilities': ['CAP_SYS_PTRACE', 'CAP_SYS_ADMIN'], 'Seccomp': 'unconfined'}):
                if client is not self.root and ('Capabilities' in options or 'host' in options.values()):
                    continue  # for root alone
                with self.subTest(str(options)):
                    self.assertEqual(self.spawn_output(['/bin/sh', '-c', LOOK], client=client, rootfs=tree, Init=True,
                                                       **options), 'naive-init\nnaive-init')

    def test_tree(self):
        """E13: no program of the tree is executed for it, whatever names the tree has."""
        tree = f'{self.world.directory}/init-tree'
        rootfs.make(tree, f'{self.world.directory}/programs')
        for name in ('sbin/init', 'init', 'dev/init', 'bin/init', 'sbin/tini', 'run/podman-init', 'naive-init'):
            os.makedirs(os.path.dirname(f'{tree}/{name}'), exist_ok=True)
            if os.path.lexists(f'{tree}/{name}'):
                os.unlink(f'{tree}/{name}')
            write(f'{tree}/{name}', '#!/bin/sh\necho hijacked\n')
            os.chmod(f'{tree}/{name}', 0o755)
        self.assertEqual(self.spawn_output(['/bin/echo', 'mine'], rootfs=tree, Init=True), 'mine\n')


class Network(Case):
    def held(self, *line, user=None):
        """A descriptor of the network of a process that was started so."""
        process = self.started(*(as_user(USERS[user]) if user else []), *line, 'sh', '-c', 'echo on; exec sleep 600', stdout=-1)
        if process.stdout.readline() != b'on\n':
            self.skipTest('no such namespace can be made here')
        return self.opened(f'/proc/{process.pid}/ns/net')

    def opened(self, path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.addCleanup(os.close, fd)
        return fd

    def test_proves_nothing(self):
        """E21: the host's network, one of root's, of another user's and of a container are run-privileged, whoever
        holds them."""
        alice = self.impostor('alice')
        container = alice.spawn(self.rootfs_of('alice'), ['/bin/sleep', '600'])
        for words, fd in (('host', self.opened('/proc/self/ns/net')), ('root', self.held('unshare', '-n')),
                          ('root in a user namespace', self.held('unshare', '-U', '-r', '-n')),
                          ('bob', self.held('unshare', '-U', '-r', '-n', user='bob')),
                          ('container', self.opened(f'/proc/{container.pid}/ns/net'))):
            for member in ('spawn', 'create'):
                with self.subTest(words), self.refused('InteractiveAuthorizationRequired'):
                    getattr(alice, member)(self.rootfs_of('alice'), ['/bin/true'], NetworkNamespaceFD=fd)
        container.end()

    def test_own(self):
        """E21: what a user has made by a user namespace of its own is that user's, needs no more than `run`, and gives no
        right over it to the command."""
        fd = self.held('unshare', '-U', '-r', '-n', user='alice')
        alice = self.impostor('alice')
        container = alice.spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', 'readlink /proc/self/ns/net; '
                                                          'ip link set lo up 2>/dev/null && echo changed'],
                                NetworkNamespaceFD=fd)
        container.wait()
        self.assertEqual(container.log().decode(), os.readlink(f'/proc/self/fd/{fd}') + '\n')
        self.assertEqual(container.prop('Deviations'), [])


class Settings(Case):
    def test_fake_proc(self):
        """A7 CVE-2025-52881: a setting is written to the kernel's own file, not to one that the tree brings or leads to."""
        tree = f'{self.world.directory}/settings-tree'
        rootfs.make(tree, f'{self.world.directory}/programs')
        os.makedirs(f'{tree}/proc/sys/kernel')
        write(f'{tree}/proc/sys/kernel/msgmax', 'fake')
        os.symlink('kernel', f'{tree}/proc/sys/net')
        kept = rootfs.fingerprint(tree)
        said = self.spawn_output(['/bin/cat', '/proc/sys/kernel/msgmax', '/proc/sys/net/ipv4/ip_forward'], rootfs=tree,
                                 Sysctl={'kernel.msgmax': '5000', 'net.ipv4.ip_forward': '1'})
        self.assertEqual(said, '5000\n1\n')
        self.assertEqual(rootfs.fingerprint(tree), kept)
