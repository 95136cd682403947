"""Roots without an image: empty and volatile ones, what Mounts makes in them, and the caller's own ids."""

import glob
import os
import subprocess

from harness.exec_case import ExecCase
from harness.files import read, write
from harness.place import Place
from harness.roots_case import Roots
from harness.world import USERS, mount


class Empty(Roots):
    def test_what_is_made(self):
        """Directories, links and files are made in order, with what leads to them; nothing else is there."""
        source = self.home('alice', {'f': (0o644, 'text')})
        log = self.empty('ls -A /; stat -c "%a %F %n" /a/b /usr/x /d/file; cat /lib/f /usr/x; readlink /lib; ls -A /a/b/c',
                         ('', '/a/b/c', 'dir', ['mode=0700']), (source, '/usr/lib', 'bind', ['ro']),
                         ('usr/lib', '/lib', 'symlink', []), ('x\n', '/usr/x', 'data', ['mode=640']),
                         ('', '/d', 'tmpfs', ['mode=0700']), ('', '/d/file', 'data', []))
        self.assertEqual(log, 'a\nbin\nd\nlib\nusr\n755 directory /a/b\n640 regular file /usr/x\n'
                              '644 regular empty file /d/file\ntextx\nusr/lib\n')

    def test_no_mode(self):
        """A mode of 0 is one: of a directory, a file and a tmpfs."""
        log = self.empty('stat -c %a /d /f /t; stat -c %a /p', ('', '/d', 'dir', ['mode=0']), ('', '/f', 'data', ['mode=0']),
                         ('', '/t', 'tmpfs', ['mode=0']), ('', '/p/t', 'tmpfs', ['mode=0']))
        self.assertEqual(log, '0\n0\n0\n755\n')

    def test_read_only(self):
        """The root is read-only once it is set up, and a tmpfs where that is said; ReadOnlyRoot=no keeps it."""
        mounts = (('', '/t', 'tmpfs', ['ro']), ('', '/t/in', 'dir', []), ('', '/w', 'tmpfs', []))
        self.empty('! touch /x && ! touch /t/x && test -d /t/in && touch /w/x', *mounts)
        self.empty('touch /x', ReadOnlyRoot=False)

    def test_size(self):
        """RootSize is the most that the root holds, and it counts as the container's memory."""
        log = self.empty('head -c 300000 /bin/busybox > /x; stat -c %s /x', ReadOnlyRoot=False, RootSize=131072)
        self.assertEqual(log.splitlines()[-1], '131072')
        container = self.root.spawn('', ['/bin/sh', '-c', 'cat /bin/busybox /bin/busybox /bin/busybox /bin/busybox '
                                         '/bin/busybox /bin/busybox /bin/busybox /bin/busybox > /x'],
                                    Mounts=self.tools(), EmptyRoot=True, ReadOnlyRoot=False, MemoryMax=6 << 20)
        self.assertEqual(container.wait()[0], 'oom-kill')

    def test_own_file_systems(self):
        """proc, dev and mqueue are those of every container, masked alike, wherever they are asked for."""
        self.assertEqual(self.empty('ls /'), 'bin\n')
        log = self.empty('cat /p/self/comm; ls /p/1/root > /dev/null; (echo x > /p/sys/kernel/hostname) 2> /dev/null || '
                         'echo ro; wc -c < /p/interrupts; ls -d /dev/shm /dev/pts/ptmx /q',
                         ('', '/p', 'proc', []), ('', '/dev', 'dev', []), ('', '/q', 'mqueue', []))
        self.assertEqual(log, 'cat\nro\n0\n/dev/pts/ptmx\n/dev/shm\n/q\n')

    def test_whole_root(self):
        """A bind of "/" is the root from then on, and later mounts lie in it."""
        log = self.empty('cat /etc/marker; ls /tmp; cat /mnt/f; ! touch /etc/x 2>&1 | grep -v Read-only', (self.rootfs, '/', 'bind', ['ro']),
                         ('', '/tmp', 'tmpfs', []), ('t', '/tmp/f', 'data', []), ('', '/mnt', 'tmpfs', []),
                         ('t\n', '/mnt/f', 'data', ['ro']))
        self.assertEqual(log, 'this is the rootfs\nf\nt\n')

    def test_try(self):
        """An absent source that may be absent is skipped; otherwise it is an error that names it."""
        absent = f'{self.place}/absent'
        self.assertEqual(self.empty('ls /', (absent, '/x', 'bind', ['try'])), 'bin\n')
        with self.refused('MountInvalid', text=absent):
            self.root.spawn('', ['/bin/true'], Mounts=[(absent, '/x', 'bind', [])], EmptyRoot=True)

    def test_bind_one(self):
        """bind-one leaves out what is mounted below: without the right to uncover that, a user has it where nothing is."""
        source = self.home('alice', {'f': (0o644, 'text')})
        os.mkdir(f'{source}/below')
        write(f'{source}/below/hidden', '')
        one, all_of_it = ((source, '/w', kind, ['ro']) for kind in ('bind-one', 'bind'))
        self.assertEqual(self.empty('ls /w/below', one, client=self.user('alice')), 'hidden\n')
        self.assertEqual(self.empty('cat /w', (f'{source}/f', '/w', 'bind-one', ['ro']), client=self.user('alice')), 'text')
        mount('-t', 'tmpfs', 'tmpfs', f'{source}/below')
        self.addCleanup(subprocess.run, ['umount', f'{source}/below'], check=True)
        self.assertEqual(self.empty('ls /w/below', one), 'hidden\n')
        for client in (self.root, self.user('alice')):
            self.assertEqual(self.empty('ls /w/below', all_of_it, client=client), '')
        with self.refused('InteractiveAuthorizationRequired'):
            self.user('alice').spawn('', ['/bin/true'], Mounts=[*self.tools(), one], EmptyRoot=True)

    def test_data(self):
        """A file's content is any bytes; ro covers a file of any tree, and nobody can write to it; rw is a plain file."""
        content = bytes(range(256)) * 4
        log = self.empty('wc -c < /tree/etc/marker; md5sum < /a; ! echo x > /tree/etc/marker; ! echo x > /t/r; echo x > /t/w; '
                         'mv /t/w /t/v; cat /t/v', (self.rootfs, '/tree', 'bind', ['ro']),
                         (content, '/tree/etc/marker', 'data', ['ro']), (content, '/a', 'data', []),
                         ('', '/t', 'tmpfs', []), ('r', '/t/r', 'data', ['ro']), ('w', '/t/w', 'data', []))
        self.assertEqual(log.split('\n')[0], '1024')
        self.assertIn(subprocess.run(['md5sum'], input=content, capture_output=True).stdout.decode(), log)
        self.assertTrue(log.endswith('x\n'))
        self.assertEqual(read(f'{self.rootfs}/etc/marker'), 'this is the rootfs\n')

    def test_data_fd(self):
        """The content may come from one of the fds, a pipe too, and the command does not get that fd."""
        reading, writing = os.pipe()
        with os.fdopen(writing, 'wb') as file:
            file.write(b'piped' * 1000)
        log = self.empty('wc -c < /f; ls /p/self/fd', ('9', '/f', 'data-fd', ['ro']), ('', '/p', 'proc', []),
                         fds={9: reading})
        os.close(reading)
        self.assertTrue(log.startswith('5000\n'), log)
        self.assertNotIn('9', log.split())

    def test_many(self):
        """As many mounts as there may be, each with a source."""
        paths = [(f'{self.rootfs}/etc', f'/m/{i}', 'bind', ['ro']) for i in range(255)]
        self.assertEqual(self.empty('ls /m | wc -l; cat /m/254/marker', *paths), '255\nthis is the rootfs\n')

    def test_terminal(self):
        """A terminal needs no /dev in the root."""
        container = self.root.spawn('', ['/bin/sh', '-c', 'test -t 0 && echo yes'], Mounts=self.tools(), EmptyRoot=True,
                                    Terminal=True)
        self.assertEqual(container.wait(), ('success', 0))
        self.assertIn(b'yes', container.log())



class Joined(Roots, ExecCase):
    def test_bare_root(self):
        """A process joins a root that has neither /dev nor /proc; its input is empty."""
        container = self.root.spawn('', ['/bin/sleep', '600'], Mounts=self.tools(), EmptyRoot=True)
        self.assertEqual(self.says(container, 'cat; ls /'), 'bin\n')
        with self.refused('SetupFailed', text='terminal'):
            self.execute(container, ['/bin/true'], Terminal=True)


class KeepId(Roots, ExecCase):
    def test_own_access(self):
        """A user is itself: its uid, group and files, by the rights it has outside, and nobody else's."""
        source = self.home('alice', {'f': (0o600, 'mine')})
        uid = USERS['alice']
        log = self.empty('id -u; id -g; cat /own/f; echo new > /own/new; stat -c %u /own/f; cat /s/secret 2>&1 || echo refused; '
                         'chmod 777 /etc; ls / ', (source, '/own', 'bind', []), (self.secret_directory(), '/s', 'bind', ['ro']),
                         ('', '/etc', 'dir', []), client=self.user('alice'), UserNamespace='keep-id')
        self.assertTrue(log.startswith(f'{uid}\n{uid}\nmine{uid}\n'), log)
        self.assertIn('refused', log)
        self.assertEqual(os.stat(f'{source}/new').st_uid, uid)

    def secret_directory(self):
        path = f'{self.place}/secret'
        os.mkdir(path)
        os.chmod(path, 0o755)
        write(f'{path}/secret', 'hidden')
        os.chmod(f'{path}/secret', 0o600)
        return path

    def test_other_number(self):
        """User says under which number the caller is there."""
        source = self.home('alice', {'f': (0o600, 'mine')})
        for user in ((0, 0), (7, 8)):
            log = self.empty('id -u; id -g; stat -c "%u %g" /own/f; cat /own/f', (source, '/own', 'bind', []),
                             client=self.user('alice'), UserNamespace='keep-id', User=user)
            self.assertEqual(log, '{0}\n{1}\n{0} {1}\nmine'.format(*user))

    def test_image(self):
        """It works with a root tree as well."""
        self.assertEqual(self.spawn_output(['/bin/sh', '-c', 'id -u; cat /etc/marker'], client=self.user('alice'),
                                           rootfs=self.rootfs_of('alice'), UserNamespace='keep-id'),
                         f'{USERS["alice"]}\nthis is the rootfs\n')

    def test_restart(self):
        """After a restart of the service, too, what joins can open its output by name."""
        place = Place(self, 'keep-id')
        for mode in ('keep-id', 'self'):
            container = self.container(client=place.client, UserNamespace=mode)
            self.eventually(lambda: glob.glob(f'{place.state}/**/*.conf', recursive=True), what='the record')
            place.process.terminate()
            place.process.wait(timeout=20)
            place.start()
            try:
                self.assertEqual(self.says(container, 'echo said > /proc/self/fd/1'), 'said\n')
                with self.refused('InvalidArgs', text='User'):
                    self.execute(container, ['/bin/true'], User=(5, 5))
            finally:
                container.end()
                container.delete()

    def test_groups(self):
        """No SupplementaryGroups beside the caller's own."""
        with self.refused('NotSupported', text='keep-id'):
            self.root.spawn(self.rootfs, ['/bin/true'], UserNamespace='keep-id', SupplementaryGroups=[7])


class Volatile(Roots):
    def test_read_only(self):
        """With ReadOnlyRoot only the service writes: it makes mount points."""
        source = self.home('alice', {'f': (0o644, 'text')})
        log = self.volatile('cat /new/deep/f; ! touch /x', (source, '/new/deep', 'bind', ['ro']), ReadOnlyRoot=True)
        self.assertIn('text', log)
        self.assertFalse(os.path.exists(f'{self.rootfs}/new'))

    def test_in_use(self):
        """A14: a tree in which others have mounted proc, sys and dev runs, volatile or not, and keeps those mounts."""
        tree = self.own_tree('alice')
        for kind, name in (('proc', 'proc'), ('sysfs', 'sys'), ('tmpfs', 'dev')):
            mount('-t', kind, kind, f'{tree}/{name}')
            self.addCleanup(subprocess.run, ['umount', f'{tree}/{name}'], check=True)
        for options in ({}, {'Volatile': True}):
            log = self.spawn_output(['/bin/sh', '-c', 'cat /proc/self/comm; id -u; ls -d /dev/null'],
                                    client=self.user('alice'), rootfs=tree, **options)
            self.assertEqual(log, 'cat\n0\n/dev/null\n')
        self.assertTrue(os.path.exists(f'{tree}/proc/1') and os.path.exists(f'{tree}/sys/kernel'))

    def test_size(self):
        """RootSize is the most that is written."""
        log = self.volatile('head -c 300000 /bin/busybox > /x; stat -c %s /x', RootSize=131072)
        self.assertLess(int(log.splitlines()[-1]), 131073)

    def test_others_files(self):
        """What is another's is read as ever, and cannot be changed."""
        tree = self.own_tree('alice')
        os.chown(f'{tree}/etc/marker', 0, 0)
        log = self.volatile('cat /etc/marker; echo x >> /etc/marker || echo refused; rm -f /etc/marker || echo kept',
                            client=self.user('alice'), tree=tree)
        self.assertIn('this is the rootfs', log)
        self.assertIn('refused', log)
        self.assertEqual(read(f'{tree}/etc/marker'), 'this is the rootfs\n')


if __name__ == '__main__':
    import unittest
    unittest.main()
