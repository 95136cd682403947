"""The test case of roots without an image: empty and volatile ones, and the caller's own ids."""

import os
import shutil

from . import rootfs
from .files import write
from .hostile_case import Hostile
from .world import USERS


class Roots(Hostile):
    def setUp(self):
        super().setUp()
        self.place = f'{self.world.directory}/roots'
        os.mkdir(self.place)
        os.chmod(self.place, 0o755)
        self.addCleanup(shutil.rmtree, self.place)

    def tools(self):
        """Mounts by which an empty root has a shell."""
        return [(self.rootfs + '/bin', '/bin', 'bind', ['ro'])]

    def empty(self, script, *mounts, client=None, fds={}, **options):
        """What a shell says in an empty root with these mounts; it must succeed."""
        options.setdefault('EmptyRoot', True)
        return self.said((client or self.root).spawn('', ['/bin/sh', '-c', script], fds=fds,
                                                     Mounts=[*self.tools(), *mounts], **options))

    def volatile(self, script, *mounts, client=None, tree=None, **options):
        return self.spawn_output(['/bin/sh', '-c', script], client=client, rootfs=tree, Volatile=True, Mounts=mounts,
                                 **options)

    def home(self, name, files=()):
        path = f'{self.world.directory}/{name}/own'
        os.mkdir(path)
        self.addCleanup(shutil.rmtree, path, True)
        for file, (mode, text) in dict(files).items():
            write(f'{path}/{file}', text)
            os.chmod(f'{path}/{file}', mode)
        rootfs.chown_tree(path, USERS[name], USERS[name])
        return path

    def own_tree(self, name):
        path = f'{self.world.directory}/{name}/volatile'
        rootfs.make(path, None, USERS[name], USERS[name])
        os.makedirs(f'{path}/srv', exist_ok=True)
        os.chown(f'{path}/srv', USERS[name], USERS[name])
        self.addCleanup(shutil.rmtree, path, True)
        return path
