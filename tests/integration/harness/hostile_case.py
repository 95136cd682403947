"""The test case of those who attack."""

import os
import shutil
import stat
import time

from . import rootfs
from .case import Case
from .client import PATH, RUNC, BusError, pump
from .hostile import Fuse, wire
from .world import USERS


class Hostile(Case):
    def fresh_service(self, pass_fds=()):
        """Another service, that has not refused anybody yet, with a baseline of its own."""
        self.world.restart_service(pass_fds)
        Case.baseline = None
        Case.setUp(self)

    def wire(self, name):
        connection = wire(self.world.address, USERS[name])
        self.addCleanup(connection.close)
        return connection

    def answers(self):
        """The service answers somebody else as fast as ever."""
        started = time.monotonic()
        self.root.ping(timeout=15)
        self.assertLess(time.monotonic() - started, self.world.slowness, 'Ping')

    def answers_for(self, seconds, outcome=()):
        """All the while, or until there is an outcome."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not outcome:
            self.answers()
            pump(lambda: outcome, timeout=0.05)

    def run_async(self, client, path, argv=('/bin/true',)):
        return client.call_async(PATH, RUNC, 'Run', 'stas', (path, 0, list(argv)))

    def refusal(self, outcome, timeout):
        """The BusError that a call ends with; others are served meanwhile."""
        self.answers_for(timeout, outcome)
        self.assertTrue(outcome, f'no answer within {timeout} s')
        self.assertIsInstance(outcome[0], BusError)
        return outcome[0]

    def silent_fuse(self, name, user, lookups):
        """With lookups(): how many have come up to now. See silent_fuse.py."""
        fuse = Fuse(self.world, f'{self.world.directory}/{name}', 'silent_fuse.py', USERS.get(user, 0), lookups)
        fuse.lookups = fuse.told
        self.addCleanup(fuse.close)
        return fuse

    def deaf_fuse(self, user):
        """See deaf_fuse.py."""
        fuse = Fuse(self.world, f'{self.world.directory}/deaf', 'deaf_fuse.py', USERS[user])
        self.addCleanup(fuse.close)
        return fuse

    def assert_no_rights_in(self, directory):
        """Of what is in it nothing is set-id or a disk, or has capabilities."""
        names = os.listdir(directory)
        self.assertTrue(names)
        for name in names:
            mode = os.lstat(f'{directory}/{name}').st_mode
            self.assertFalse(mode & (stat.S_ISUID | stat.S_ISGID) or stat.S_ISBLK(mode), name)
            self.assertNotIn('security.capability', os.listxattr(f'{directory}/{name}', follow_symlinks=False))

    def tree_of(self, name):
        """A tree for one test, that may be written to."""
        path, uid = f'{self.world.directory}/{name}-tree', USERS.get(name, 0)
        if uid:
            path = f'{self.world.directory}/{name}/tree'
        rootfs.make(path, f'{self.world.directory}/programs', uid, uid)
        self.addCleanup(shutil.rmtree, path)
        return path
