"""Root file systems that cannot be used: each has its named error, and nothing is left behind."""

import os
import shutil

from harness import rootfs as rootfs_maker
from harness.case import Case


class BadRootfs(Case):
    starts_nothing = True

    def setUp(self):
        super().setUp()
        self.place = f'{self.world.directory}/bad'
        os.mkdir(self.place)
        self.addCleanup(shutil.rmtree, self.place)

    def bad(self, path, text=None, client=None):
        with self.refused('RootfsInvalid', text=text) as caught:
            (client or self.root).run(path, 10 << 20, ['/bin/true'])
        return caught.exception

    def test_missing(self):
        """A missing rootfs is RootfsInvalid naming the path."""
        self.bad(f'{self.place}/none', text=f'{self.place}/none')

    def test_file(self):
        """A file is no rootfs."""
        path = f'{self.place}/file'
        open(path, 'w').close()
        self.bad(path, text=path)

    def test_file_component(self):
        """A path through a file leads nowhere."""
        path = f'{self.place}/file'
        open(path, 'w').close()
        self.bad(f'{path}/rootfs', text=path)

    def test_symlink_loop(self):
        """A loop of symlinks ends in an error."""
        os.symlink('b', f'{self.place}/a')
        os.symlink('a', f'{self.place}/b')
        self.bad(f'{self.place}/a', text=f'{self.place}/a')

    def test_empty(self):
        """The empty string is no path."""
        self.bad('')

    def test_long(self):
        """A path of 5,000 bytes is refused."""
        self.bad('/' + 'x/' * 2500)
        self.bad('/' + 'x' * 5000)

    def test_relative(self):
        """A relative path is refused: relative to what?"""
        self.bad('rootfs')

    def test_proc(self):
        """/proc is no rootfs."""
        self.bad('/proc', text='/proc')

    def test_fifo_and_socket(self):
        """A FIFO is refused without waiting for a writer."""
        os.mkfifo(f'{self.place}/fifo')
        self.bad(f'{self.place}/fifo', text='fifo')

    def test_without_proc(self):
        """A rootfs without /proc is refused by name, and none is made in it."""
        path = rootfs_maker.make(f'{self.place}/r', without=('proc',))
        self.bad(path, text='proc')
        self.assertFalse(os.path.exists(f'{path}/proc'))

    def test_without_dev(self):
        """A rootfs without /dev is refused by name, and none is made in it."""
        path = rootfs_maker.make(f'{self.place}/r', without=('dev',))
        self.bad(path, text='dev')
        self.assertFalse(os.path.exists(f'{path}/dev'))

    def test_proc_that_is_no_directory(self):
        """/proc or /dev as a symlink, also one out of the tree, or a file, is refused; nothing follows it."""
        canary = f'{self.place}/canary'
        os.makedirs(f'{canary}/sub')
        before = rootfs_maker.fingerprint(canary)
        for name in ('proc', 'dev', 'sys', 'tmp'):
            for target in (canary, '../../canary', 'etc', None):
                with self.subTest(name=name, target=target):
                    path = rootfs_maker.make(f'{self.place}/r', without=(name,))
                    if target:
                        os.symlink(target, f'{path}/{name}')
                    else:
                        open(f'{path}/{name}', 'w').close()
                    self.bad(path, text=name)
                    shutil.rmtree(path)
        self.assertEqual(rootfs_maker.fingerprint(canary), before)

    def test_unreadable(self):
        """A user learns nothing about a closed directory: absent, file or rootfs, the words are the same."""
        home = f'{self.world.directory}/alice'
        closed = f'{home}/closed'
        os.mkdir(closed, 0o700)
        self.addCleanup(shutil.rmtree, closed)
        os.mkdir(f'{closed}/a-tree')
        open(f'{closed}/a-file', 'w').close()
        os.symlink('/', f'{closed}/linked')
        words = set()
        for name in ('a-tree', 'a-file', 'linked', 'absent'):
            error = self.bad(f'{closed}/{name}', client=self.user('alice'))
            words.add((error.name, error.text.replace(name, 'NAME')))
        self.assertEqual(len(words), 1, words)

    def test_user_cannot_reach_roots_files(self):
        """With rootfs=/ a user fails to read /etc/shadow from inside, if it runs at all."""
        # The rule lets alice run only what lies in her own directory, so the tree is shown to her there.
        tree = f'{self.world.directory}/alice/tree'
        rootfs_maker.make(tree)
        self.addCleanup(shutil.rmtree, tree)
        with open(f'{tree}/etc/shadow', 'w') as f:
            f.write('secret\n')
        os.chmod(f'{tree}/etc/shadow', 0o600)
        os.mkdir(f'{tree}/closed', 0o700)
        with open(f'{tree}/closed/file', 'w') as f:
            f.write('secret\n')
        container = self.user('alice').run(tree, 0, ['/bin/sh', '-c', 'cat /etc/shadow /closed/file; id; true'])
        container.wait()
        log = container.log()
        self.assertNotIn(b'secret', log)
        self.assertIn(b'uid=0', log)
        self.discard(container.path)

    def test_devices_of_the_tree(self):
        """Device nodes and set-id bits in the tree give nothing."""
        path = rootfs_maker.make(f'{self.place}/r', f'{self.world.directory}/programs')
        os.mknod(f'{path}/node', 0o666 | 0o020000, os.makedev(1, 3))
        container = self.root.run(path, 0, ['/bin/sh', '-c', 'echo x > /node && echo opened; true'])
        container.wait()
        self.assertNotIn(b'opened', container.log())
        self.discard(container.path)
