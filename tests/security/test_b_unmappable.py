"""Row B3: what the error says of a tree in which something cannot be id-mapped."""

import os
import subprocess

from harness.hostile_case import Hostile


class Unmappable(Hostile):
    def mounted(self, name, mode):
        """A ramfs in alice's tree, in a directory of root's."""
        tree = self.tree_of('alice')
        where = f'{tree}/{name}/secret'
        os.makedirs(where)
        os.chmod(f'{tree}/{name}', mode)
        subprocess.run(['mount', '-t', 'ramfs', 'none', where], check=True)
        self.addCleanup(subprocess.run, ['umount', '--lazy', where], check=True)
        return tree, where

    def test_closed(self):
        """B3, F34: a mount in a tree, where its caller may not look, is told of without place or type; root is told."""
        tree, where = self.mounted('closed', 0o700)
        alice = self.impostor('alice')
        refusals = (lambda: alice.run(tree, 0, ['/bin/true']),
                    lambda: alice.spawn(self.rootfs_of('alice'), ['/bin/true'], Mounts=[(tree, '/mnt', 'bind', ['ro'])]))
        for refused in refusals:
            with self.refused('RootfsInvalid', 'MountInvalid', text='what is mounted in it') as caught:
                refused()
            for word in ('secret', 'closed', 'ramfs'):
                self.assertNotIn(word, caught.exception.text)
        with self.refused('RootfsInvalid', text=f"'{where}' (ramfs) cannot be id-mapped"):
            self.root.run(tree, 0, ['/bin/true'])

    def test_open(self):
        """F34: where its caller may look, it is named, and so is a way out, which works."""
        tree, where = self.mounted('open', 0o755)
        alice = self.impostor('alice')
        with self.refused('RootfsInvalid', text=f"'{where}' (ramfs) cannot be id-mapped") as caught:
            alice.run(tree, 0, ['/bin/true'])
        self.assertIn('UserNamespace=keep-id or self', caught.exception.text)
        for way in 'keep-id', 'self':
            self.assertEqual(alice.spawn(tree, ['/bin/true'], UserNamespace=way).wait(), ('success', 0))
