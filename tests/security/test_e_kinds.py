"""Rows A1 to A17 and E44 for roots that are the container's own: a volatile one, and an empty one on whose "/" a tree is bound."""

import os
import shutil
import socket

from harness import rootfs
from harness.client import BusError
from harness.files import read, write
from harness.roots_case import Roots
from harness.world import USERS

OWN = [('', '/proc', 'proc', []), ('', '/dev', 'dev', []), ('', '/tmp', 'tmpfs', [])]
# what may come of a tree in which names are swapped meanwhile
TROUBLE = ('RootfsInvalid', 'MountInvalid', 'SetupFailed', 'CommandNotFound', 'CommandNotExecutable')
BY_KIND = {'volatile': lambda tree, mounts, access: (tree, {'Volatile': True, 'Mounts': mounts}),
           'bound': lambda tree, mounts, access: ('', {'EmptyRoot': True, 'Mounts': [(tree, '/', 'bind', access), *OWN, *mounts]})}


class Kinds(Roots):
    def make(self, without=()):
        shutil.rmtree(f'{self.place}/r', ignore_errors=True)
        return rootfs.make(f'{self.place}/r', f'{self.world.directory}/programs', without=without)

    def spawn(self, kind, tree, argv, *mounts, access=('ro',), client=None, **options):
        root, more = BY_KIND[kind](tree, list(mounts), list(access))
        return (client or self.root).spawn(root, argv, **more, **options)

    def tries(self, *words, **options):
        """The container's result and log, or the error's name and text."""
        try:
            container = self.spawn(*words, **options)
        except BusError as error:
            self.assertIn(error.name.rsplit('.', 1)[1], TROUBLE, error.text)
            return error.name, error.text
        result = container.wait()
        log = container.log().decode(errors='replace')
        container.delete()
        return result, log

    def each(self, **kwargs):
        """Each kind, with a tree of its own."""
        for kind in BY_KIND:
            yield kind, self.make(**kwargs)


class Trees(Kinds):
    def test_what_is_no_directory(self):
        """A1 A2 A4: what lies in place of /dev, /proc and /tmp leads nothing out of the tree, and nothing is made in it."""
        def listen(path):
            with socket.socket(socket.AF_UNIX) as listener:
                directory = os.getcwd()
                os.chdir(os.path.dirname(path))
                listener.bind(os.path.basename(path))
                os.chdir(directory)
        makers = {
            'link out': lambda path: os.symlink(self.world.canary, path),
            'link up': lambda path: os.symlink('../../canary', path),
            'link to a process': lambda path: os.symlink(f'/proc/1/root{self.world.canary}', path),
            'link to itself': lambda path: os.symlink(os.path.basename(path), path),
            'dangling link': lambda path: os.symlink('no/such', path),
            'file': lambda path: open(path, 'w').close(),
            'fifo': os.mkfifo,
            'socket': listen,
            'nothing': lambda path: None,
        }
        canary = rootfs.fingerprint(self.world.canary)
        for name in ('dev', 'proc', 'tmp'):
            for what, make in makers.items():
                for kind, tree in self.each(without=(name,)):
                    make(f'{tree}/{name}')
                    before = rootfs.fingerprint(tree)
                    result, text = self.tries(kind, tree, ['/bin/true'])
                    if (kind, name, what) not in (('volatile', 'tmp', 'nothing'), ('volatile', 'tmp', 'link up'),
                                                  ('volatile', 'tmp', 'link out'), ('volatile', 'tmp', 'dangling link'),
                                                  ('volatile', 'tmp', 'link to a process')):
                        self.assertIn(f"{name}'", text, (what, result))
                    self.assertEqual(rootfs.fingerprint(tree), before, (kind, what))
        self.assertEqual(rootfs.fingerprint(self.world.canary), canary)

    def test_swapped(self):
        """A3 A4: a directory that is swapped for a link meanwhile gets no mount outside the root, and nothing is made there."""
        canary = rootfs.fingerprint(self.world.canary)
        for kind, tree in self.each():
            for name, target in (('dev', '../../canary'), ('proc', 'etc')):
                os.symlink(target, f'{tree}/{name}.link')
                with self.swapping(f'{tree}/{name}', f'{tree}/{name}.link', pause=300):
                    for _ in self.rounds(30, 4):
                        self.tries(kind, tree, ['/bin/true'])
                os.unlink(f'{tree}/{name}.link')
            self.assertEqual(os.listdir(f'{tree}/etc'), ['marker'])
            self.assertEqual(os.listdir(f'{tree}/dev') + os.listdir(f'{tree}/proc'), [])
        self.assertEqual(rootfs.fingerprint(self.world.canary), canary)

    def test_decoys(self):
        """A5 A6 A7: what the tree has in place of null, of terminals and of files of /proc is neither used nor changed."""
        before = read('/proc/sys/kernel/core_pattern')
        for kind, tree in self.each():
            for name in ('null', 'ptmx', 'console', 'tty'):
                os.symlink('/proc/sys/kernel/core_pattern', f'{tree}/dev/{name}')
            for pid in ('self', '1', '2'):
                os.makedirs(f'{tree}/proc/{pid}')
                for name in ('uid_map', 'gid_map', 'setgroups', 'oom_score_adj'):
                    write(f'{tree}/proc/{pid}/{name}', 'fake')
            kept = rootfs.fingerprint(tree)
            result, log = self.tries(kind, tree, ['/bin/sh', '-c', 'tty; stat -c "%t %T" $(tty); cat /proc/interrupts | wc -c; '
                                                  'echo lost >/dev/null; cat /proc/self/uid_map'], Terminal=True)
            self.assertEqual(result, ('success', 0), log)
            lines = log.replace('\r', '').split('\n')
            self.assertEqual(lines[:3], ['/dev/pts/0', '88 0', '0'])
            self.assertIn('65536', lines[3])
            self.assertEqual(rootfs.fingerprint(tree), kept)
        self.assertEqual(read('/proc/sys/kernel/core_pattern'), before)

    def test_rights(self):
        """A15 A16: no set-id bit or device of the tree counts; read-only binds and their mounts cannot be made writable."""
        for kind, tree in self.each():
            os.mknod(f'{tree}/node', 0o020666, os.makedev(1, 3))
            for options in ({}, {'Capabilities': ['CAP_SYS_ADMIN'], 'Seccomp': 'unconfined'}):
                result, log = self.tries(kind, tree, ['/bin/sh', '-c', '''
                    (echo x >/node) 2>/dev/null && echo opened
                    awk '$5 != "/dev" && $5 !~ "^/dev/" && $6 !~ /nodev/ {print "devices on", $5}' /proc/self/mountinfo
                    awk '$6 !~ /nosuid/ {print "set-id on", $5}' /proc/self/mountinfo
                    for way in "umount -l /" "umount /proc" "mount -o remount,rw,bind /data"; do
                        $way 2>/dev/null && echo "$way: done"
                    done
                    (echo x >/data/new) 2>/dev/null && echo wrote
                    for f in kcore keys interrupts; do ! [ -e /proc/$f ] || [ $(wc -c </proc/$f) = 0 ] || echo shown $f; done
                    echo end'''], (self.rootfs + '/etc', '/data' if kind == 'volatile' else '/tmp/data', 'bind', ['ro']), **options)
                self.assertEqual((result, log), (('success', 0), 'end\n'), kind)
            write(f'{tree}/etc/new', 'x')  # the host's stays writable
            self.assertFalse(os.path.exists(f'{self.rootfs}/etc/new'))

    def test_out_of_reach(self):
        """A8 A12 A17: neither the old root, nor a descriptor of the service's, nor a file of cgroups that can be written."""
        for kind, tree in self.each():
            for options in ({}, {'Capabilities': ['CAP_SYS_ADMIN', 'CAP_SYS_CHROOT'], 'Seccomp': 'unconfined'}):
                result, log = self.tries(kind, tree, ['/bin/sh', '-c', '''
                    cd /; cd ../../..; cat etc/marker; ls /proc/self/fd | tr "\\n" " "
                    umount -l / 2>/dev/null; ls -d /usr/lib/systemd 2>/dev/null
                    find / -xdev -name "cgroup.procs" 2>/dev/null; chroot / ls ../../../etc'''], **options)
                self.assertEqual((result, log), (('success', 0), 'this is the rootfs\n0 1 2 3 marker\n'), kind)

    def test_lures(self):
        """A13: a FIFO in place of a file that a set-up might read is not opened."""
        for kind, tree in self.each():
            for name in ('etc/passwd', 'etc/group', 'etc/ld.so.preload', 'etc/resolv.conf'):
                os.mkfifo(f'{tree}/{name}')
            for options in ({}, {'Terminal': True}, {'Init': True}):
                self.assertEqual(self.tries(kind, tree, ['/bin/true'], **options)[0], ('success', 0))


class Racing(Kinds):
    """Whoever owns what is bound swaps it meanwhile."""

    def test_targets(self):
        """E44: where a part of a target is swapped for a link, mount points are made in the root's own mounts or nowhere."""
        source = self.home('alice')
        for name in ('real', 'other'):
            os.mkdir(f'{source}/{name}')
            os.chown(f'{source}/{name}', USERS['alice'], USERS['alice'])
        os.symlink('/own', f'{source}/link')
        os.symlink('/w/other', f'{source}/near')
        made = refused = 0
        for swapped in ('link', 'near'):
            with self.swapping(f'{source}/real', f'{source}/{swapped}', user='alice', pause=100):
                for number in self.rounds(80, 8):
                    new = ('', f'/w/real/{number}/deep', ('tmpfs', 'dir')[number % 2], [])
                    mounts = [*self.tools(), (source, '/w', 'bind', []), ('', '/own', 'tmpfs', []), new]
                    try:
                        log = self.said(self.root.spawn('', ['/bin/ls', '/own'], EmptyRoot=True, Mounts=mounts))
                    except BusError as error:
                        self.assertIn('MountInvalid', error.name)
                        refused += 1
                    else:
                        self.assertEqual(log, f'{number}\n')
                        made += 1
        self.assertEqual(sorted(os.listdir(source)), ['link', 'near', 'other', 'real'])
        self.assertEqual(os.listdir(f'{source}/real') + os.listdir(f'{source}/other'), [])
        self.race(made + refused, min(made, refused))

    def test_lower_tree(self):
        """E44: of a volatile root whose tree is swapped below it, the tree and what else is bound stay as they are."""
        tree, source = self.own_tree('alice'), self.home('alice')
        os.symlink('/w', f'{tree}/srv.link')
        with self.swapping(f'{tree}/srv', f'{tree}/srv.link', user='alice', pause=100):
            for number in self.rounds(40, 5):
                self.tries('volatile', tree, ['/bin/true'], (source, '/w', 'bind', []), ('', f'/srv/{number}/deep', 'dir', []))
        self.assertEqual(os.listdir(f'{tree}/srv') + os.listdir(source), [])

    def test_sources(self):
        """E44: a source that is swapped for a link to what its caller cannot enter never comes to be seen."""
        source, secret = self.home('alice', {'f': (0o644, 'mine')}), f'{self.place}/secret'
        os.mkdir(secret, 0o700)
        write(f'{secret}/f', 'secret')
        parent = os.path.dirname(source)
        os.symlink(secret, f'{parent}/link')
        self.addCleanup(os.unlink, f'{parent}/link')
        with self.swapping(source, f'{parent}/link', user='root', pause=100):
            for kind in BY_KIND:
                for _ in self.rounds(25, 6):  # a user who is refused too often has to wait
                    result, log = self.tries(kind, self.rootfs_of('alice'), ['/bin/cat', '/tmp/s/f'],
                                             (source, '/tmp/s', 'bind', ['ro']), client=self.user('alice'))
                    self.assertNotIn('secret', log if isinstance(result, tuple) else '')
