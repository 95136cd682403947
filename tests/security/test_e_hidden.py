"""Row E71: what a mount hides, where the kernel leaves that mount out of a copy, or its file system refuses."""

import os
import subprocess

from harness import rootfs
from harness.client import BusError
from harness.files import write
from harness.roots_case import Roots
from harness.world import USERS, mount


class Hidden(Roots):
    """A directory of alice's with a secret that a mount hides, as a root and as what is bound."""

    def setUp(self):
        super().setUp()
        self.tree = self.own_tree('alice')
        self.source = self.home('alice')
        for top in (f'{self.tree}/srv', f'{self.source}/below'):
            os.makedirs(top, exist_ok=True)
            write(f'{top}/secret', 'secret')

    def cover(self, path, *words, propagation=None):
        mount(*words, path)
        self.addCleanup(subprocess.run, ['umount', path], check=True)
        if propagation:
            mount(f'--make-{propagation}', path)

    def each(self):
        """(name of the error, what to say to Spawn) of each way to see the two directories."""
        whole = [(self.source, '/mnt', 'bind', ['ro'])]
        return [('RootfsInvalid', self.tree, {}), ('RootfsInvalid', self.tree, {'Volatile': True}),
                ('MountInvalid', '', {'EmptyRoot': True, 'Mounts': [*self.tools(), *whole]}),
                ('MountInvalid', self.rootfs_of('alice'), {'Mounts': whole})]

    def test_unbindable(self):
        """E71 A16: a tree is refused whose copy would lack a mount, whoever asks; where it is mounted only root is told."""
        for path in (f'{self.tree}/srv', f'{self.source}/below'):
            self.cover(path, '-t', 'tmpfs', 'tmpfs', propagation='unbindable')
        for client, text in ((self.root, 'unbindable'), (self.user('alice'), 'mounted in it')):
            for name, root, options in self.each():
                words = 'mounted in it' if 'Volatile' in options else text
                with self.subTest(root=root, options=options), self.refused(name, text=words):
                    client.spawn(root, ['/bin/true'], **options)
            with self.refused('MountInvalid', text=text):
                client.spawn('', ['/bin/true'], EmptyRoot=True, UserNamespace='keep-id' if client != self.root else 'auto',
                             Mounts=[*self.tools(), (self.source, '/mnt', 'bind', ['ro'])])

    def test_deeper(self):
        """E71: also below another mount, and with something mounted on it; what lies beside it can be used."""
        deep = f'{self.source}/on/it'
        self.cover(f'{self.source}/below', '--bind', self.tree)
        os.makedirs(f'{self.source}/below/srv', exist_ok=True)
        self.cover(f'{self.source}/below/srv', '-t', 'tmpfs', 'tmpfs', propagation='unbindable')
        os.makedirs(deep)
        bound = (self.source, '/mnt', 'bind', ['ro'])
        with self.refused('MountInvalid', text='unbindable'):
            self.root.spawn('', ['/bin/true'], EmptyRoot=True, Mounts=[*self.tools(), bound])
        self.cover(f'{self.source}/below/srv', '-t', 'tmpfs', 'tmpfs')
        with self.refused('MountInvalid', text='unbindable'):
            self.root.spawn('', ['/bin/true'], EmptyRoot=True, Mounts=[*self.tools(), bound])
        self.assertEqual(self.empty('ls /mnt', (f'{self.source}/on', '/mnt', 'bind', ['ro'])), 'it\n')

    def test_others(self):
        """E71 A16: mounts of any other propagation are copied, and what they hide is not seen."""
        for path in (f'{self.tree}/srv', f'{self.source}/below'):
            self.cover(path, '--bind', f'{self.rootfs}/etc')
        for propagation in ('private', 'shared', 'slave'):
            for path in (f'{self.tree}/srv', f'{self.source}/below'):
                mount(f'--make-{propagation}', path)
            for _, root, options in self.each():
                if 'Volatile' not in options:
                    log = self.said(self.root.spawn(root, ['/bin/sh', '-c', 'ls /srv /mnt/below; true'], **options))
                    self.assertIn('marker', log)
                    self.assertNotIn('secret', log)


class Racing(Roots):
    def test_renamed(self):
        """E71: a directory above the tree that is renamed all the time does not hide from the service what a mount hides."""
        above = self.home('alice')
        for name in ('with', 'without'):
            os.mkdir(f'{above}/{name}')
            os.chown(f'{above}/{name}', USERS['alice'], USERS['alice'])
            rootfs.make(f'{above}/{name}/tree', f'{self.world.directory}/programs')
            os.mkdir(f'{above}/{name}/tree/srv')
        write(f'{above}/with/tree/srv/secret', 'secret')
        mount('-t', 'tmpfs', 'tmpfs', f'{above}/with/tree/srv')
        mount('--make-unbindable', f'{above}/with/tree/srv')
        self.addCleanup(self.unmount, above)
        refused = ran = 0
        with self.swapping(f'{above}/with', f'{above}/without', user='alice', pause=200):
            for rounds in self.rounds(300, 30):
                try:
                    log = self.said(self.root.spawn(f'{above}/with/tree', ['/bin/ls', '/srv']))
                except BusError as error:
                    self.assertIn('RootfsInvalid', error.name)
                    refused += 1
                else:
                    self.assertNotIn('secret', log)
                    ran += 1
        self.race(rounds, min(refused, ran))

    def unmount(self, above):
        """Under whichever name it lies now."""
        for name in ('with', 'without'):
            if os.path.ismount(f'{above}/{name}/tree/srv'):
                subprocess.run(['umount', f'{above}/{name}/tree/srv'], check=True)
