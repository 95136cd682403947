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
        with self.refused('InvalidArgs', text='empty'):
            self.root.run('', 0, ['/bin/true'])

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

