"""Rows E40 to E43: empty and volatile roots, and a caller's own ids."""

import os
import re
import subprocess

from harness import rootfs
from harness.client import BusError, GLib, raw
from harness.files import read, write
from harness.roots_case import Roots
from harness.world import USERS, mount


class Empty(Roots):
    def test_wrong(self):
        """E40: outside what is the container's own nothing is made; what cannot be is named, with the reason."""
        wrong = {
            "has no '/bin/new/x'": ('', '/bin/new/x', 'dir', []),
            "has no '/bin/new'": ('', '/bin/new', 'tmpfs', []),
            "its '/bin/sh' is there already": ('elsewhere', '/bin/sh', 'symlink', []),
            "its '/bin/busybox' is not a directory": ('', '/bin/busybox', 'dir', []),
            "its '/bin' is a directory": ('x', '/bin', 'data', []),
        }
        for text, mount in wrong.items():
            with self.refused('MountInvalid', text=text):
                self.root.spawn('', ['/bin/true'], Mounts=[*self.tools(), mount], EmptyRoot=True)

    def test_of_others(self):
        """E40: in a tree that a caller binds, to write, nothing is made, whoever may write there; also beside a swap."""
        source = self.home('alice', {'f': (0o644, 'text')})
        os.mkdir(f'{source}/d')
        os.mkdir(f'{source}/e')
        wanted = [('', '/w/d/new', 'dir', []), ('x', '/w/d/new', 'data', []), ('f', '/w/d/new', 'symlink', []),
                  ('', '/w/d/new', 'tmpfs', []), ('', '/w/d/new/deep', 'tmpfs', [])]
        with self.swapping(f'{source}/d', f'{source}/e'):
            for number, one in enumerate(wanted * 4):
                user = ('root', 'alice')[number % 2]
                with self.refused('MountInvalid'):
                    (self.root if user == 'root' else self.user(user)).spawn(
                        '', ['/bin/true'], EmptyRoot=True, Mounts=[*self.tools(), (source, '/w', 'bind', []), one])
        self.assertEqual(sorted(os.listdir(source)), ['d', 'e', 'f'])
        self.assertEqual(os.listdir(f'{source}/d') + os.listdir(f'{source}/e'), [])


class Terminals(Roots):
    def test_in_place_of_ptmx(self):
        """E40: a file of the caller's, bound on the name by which a terminal is made, is not even opened: the kernel says
        that the name leads to another mount."""
        mounts = [*self.tools(), ('', '/dev', 'dev', []), (f'{self.rootfs}/etc/marker', '/dev/pts/ptmx', 'bind', [])]
        with self.refused('SetupFailed', text='Invalid cross-device link'):
            self.root.spawn('', ['/bin/true'], EmptyRoot=True, Mounts=mounts, Terminal=True)
        container = self.root.spawn('', ['/bin/sleep', '60'], EmptyRoot=True, Mounts=mounts)
        with self.refused('SetupFailed', text='Invalid cross-device link'):
            container.call('Exec', 'aaya{uh}a{sv}', ([raw('/bin/true')], {}, {'Terminal': GLib.Variant('b', True)}))


class KeepId(Roots):
    def test_no_rights(self):
        """E41: it has no capability, cannot change its groups, and its writable bind of another's directory is no privilege."""
        shared = f'{self.place}/shared'
        os.mkdir(shared)
        os.chmod(shared, 0o1777)
        log = self.empty('grep -E "CapEff|CapPrm|CapAmb|NoNewPrivs" /p/self/status; cat /p/self/setgroups; touch /s/x',
                         ('', '/p', 'proc', []), (shared, '/s', 'bind', []), client=self.user('alice'),
                         UserNamespace='keep-id')
        self.assertEqual(re.findall(r'Cap\w+:\t(\w+)', log), ['0' * 16] * 3)
        self.assertIn('NoNewPrivs:\t1', log)
        self.assertIn('deny', log)
        self.assertEqual(os.stat(f'{shared}/x').st_uid, USERS['alice'])


class Volatile(Roots):
    def test_written(self):
        """E42: the root can be written to, moved in and removed from; the tree stays as it was."""
        tree = self.own_tree('alice')
        before = sorted(os.listdir(tree))
        log = self.volatile('echo new > /etc/marker; mv /etc/marker /etc/moved; rm -r /bin/sh; mkdir -p /opt/x; rmdir /srv; '
                            'mkdir /srv; ls /etc; id -u', client=self.user('alice'), tree=tree)
        self.assertEqual(log, 'moved\n0\n')
        self.assertEqual(sorted(os.listdir(tree)), before)
        self.assertEqual(read(f'{tree}/etc/marker'), 'this is the rootfs\n')

    def test_mounts_below(self):
        """E42, A16: what a mount in the tree hides stays hidden: such a tree is refused."""
        tree = self.own_tree('alice')
        mount('-t', 'tmpfs', 'tmpfs', f'{tree}/srv')
        self.addCleanup(subprocess.run, ['umount', f'{tree}/srv'], check=True)
        with self.refused('RootfsInvalid', text='mounted in it'):
            self.user('alice').spawn(tree, ['/bin/true'], Volatile=True)

    def test_noexec(self):
        """E42: what a mount of the host's does not let anybody execute is not executed."""
        tree = f'{self.place}/noexec'
        os.mkdir(tree)
        mount('-t', 'tmpfs', '-o', 'noexec,mode=755', 'tmpfs', tree)
        self.addCleanup(subprocess.run, ['umount', tree], check=True)
        subprocess.run(['cp', '-a', f'{self.rootfs}/.', tree], check=True)
        with self.refused('CommandNotExecutable'):
            self.root.spawn(tree, ['/bin/true'], Volatile=True)


class Renamed(Roots):
    """A tree of root's, in directories that a user may rename: in one of them a mount hides a file."""

    def setUp(self):
        super().setUp()
        self.above = self.home('alice')
        for name in ('with', 'without'):
            os.mkdir(f'{self.above}/{name}')
            os.chown(f'{self.above}/{name}', USERS['alice'], USERS['alice'])
            rootfs.make(f'{self.above}/{name}/tree', f'{self.world.directory}/programs')
            os.mkdir(f'{self.above}/{name}/tree/srv')
        self.tree = f'{self.above}/with/tree'
        write(f'{self.tree}/srv/secret', 'secret')
        mount('-t', 'tmpfs', 'tmpfs', f'{self.tree}/srv')
        self.addCleanup(subprocess.run, ['umount', f'{self.tree}/srv'], check=True)

    def race_for(self, start, refusal):
        """Whichever of the two trees it is, the secret is not seen."""
        refused = ran = 0
        with self.swapping(f'{self.above}/with', f'{self.above}/without', user='alice', pause=200):
            for rounds in self.rounds(300, 30):
                try:
                    log = start()
                except BusError as error:
                    self.assertIn(refusal, error.name)
                    refused += 1
                else:
                    self.assertNotIn('secret', log)
                    ran += 1
        self.race(rounds, min(refused, ran))

    def test_volatile(self):
        """E43: of a volatile root nothing that a mount hides is seen, though a directory above it is renamed all the time."""
        self.race_for(lambda: self.said(self.root.spawn(self.tree, ['/bin/ls', '/srv'], Volatile=True)),
                      'RootfsInvalid')
