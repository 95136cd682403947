"""A line of shell, run by a user in a directory of its own once with bubblewrap and once with naive-bwrap."""

import os
import shutil
import subprocess

from harness.case import Case
from harness.files import as_user
from harness.world import USERS

USER = 'alice'
# what nearly every line begins with
TREE = ('--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 '
        '--symlink usr/sbin /sbin --proc /proc --dev /dev --tmpfs /tmp')


class SideCase(Case):
    def setUp(self):
        super().setUp()
        self.programs = f'{self.world.directory}/bwrap-path'
        os.makedirs(f'{self.programs}/ours', exist_ok=True)
        os.makedirs(f'{self.programs}/theirs', exist_ok=True)
        for name, target in (('ours', f'{self.world.build}/cli/naive-bwrap'), ('theirs', shutil.which('bwrap'))):
            if target and not os.path.lexists(f'{self.programs}/{name}/bwrap'):
                os.symlink(target, f'{self.programs}/{name}/bwrap')
        self.home = f'{self.world.directory}/{USER}'

    def said(self, which, script, timeout=60):
        """(status, output) of the script, in an empty directory of the user's. $S: bubblewrap with a tree and no
        network; $B: without a word; $D: the directory."""
        directory = f'{self.home}/side'
        shutil.rmtree(directory, ignore_errors=True)
        os.mkdir(directory)
        os.chown(directory, USERS[USER], USERS[USER])
        environment = {'PATH': f'{self.programs}/{which}:/usr/local/bin:/usr/bin:/bin', 'HOME': self.home, 'LANG': 'C.UTF-8',
                       'DBUS_SYSTEM_BUS_ADDRESS': self.world.address, 'B': 'bwrap', 'D': directory, 'USER': USER,
                       'S': f'bwrap {TREE} --unshare-all --die-with-parent',
                       'W': f'bwrap {TREE} --bind {directory} {directory} --unshare-all --die-with-parent'}
        done = subprocess.run([*as_user(USERS[USER]), '/bin/bash', '-c', script], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=directory, timeout=timeout)
        self.errors = done.stderr.decode(errors='replace')
        return done.returncode, done.stdout.decode(errors='replace')

    def same(self, script):
        """The same output and status from both; what they were."""
        theirs = self.said('theirs', script)
        words = self.errors
        ours = self.said('ours', script)
        self.assertEqual(ours, theirs, f'{script}\nours: {self.errors}\ntheirs: {words}')
        return ours
