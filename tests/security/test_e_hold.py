"""Row E36: who can make a container wait for a reader of its output."""

import os

from gi.repository import GLib
from harness.case import Case
from harness.client import CONTAINER

MUCH = 1 << 20  # more than the log and all that lies between have room for


class Hold(Case):
    def open_log(self, client, container, **options):
        """The reader's end, of which nobody reads."""
        options = {name: GLib.Variant('b', value) for name, value in options.items()}
        client.call(container.path, CONTAINER, 'OpenLog', 'a{sv}', (options,))
        fd, = client.fds
        self.addCleanup(os.close, fd)

    def printing(self):
        """A container of alice's that prints much once it is started."""
        return self.user('alice').create(self.rootfs_of('alice'), ['/bin/sh', '-c', f'head -c {MUCH} /dev/zero'])

    def test_not_by_inspecting(self):
        """E36: who may only inspect a container cannot make it wait: with Hold there is no log, and without it nothing waits."""
        container, erin = self.printing(), self.user('erin')
        for others in ({}, {'Follow': True}, {'Follow': True, 'Packets': True}):
            with self.subTest(others=others), self.refused('AccessDenied', text='Hold'):
                erin.call(container.path, CONTAINER, 'OpenLog', 'a{sv}',
                          ({name: GLib.Variant('b', True) for name in ('Hold', *others)},))
            self.open_log(erin, container, Hold=False, **others)
        container.start()
        self.assertEqual(container.wait(), ('success', 0))

    def test_by_owner_and_root(self):
        """E36: the owner and root can; another container of the owner's does not wait with it."""
        for client in (self.user('alice'), self.root):
            held, free = self.printing(), self.printing()
            self.open_log(client, held, Follow=True, Hold=True)
            held.start()
            free.start()
            self.assertEqual(free.wait(), ('success', 0))
            self.assertEqual(held.state, 'running')
            self.doCleanups()  # the reader leaves
            self.assertEqual(held.wait(), ('success', 0))
