"""Row D9: what all containers of a user have together, by the configuration."""

import os
import shutil

from harness import invariants
from harness.case import Case
from harness.files import read, write
from harness.world import USERS


class Ceilings(Case):

    def setUp(self):
        super().setUp()
        self.config = f'{self.world.directory}/naive-runc.conf'
        self.before = read(self.config)

    def configure(self, *lines):
        """The service, started anew with that; the old one is back after the test."""
        def start(*all_lines):
            write(self.config, self.before + ''.join(f'{line}\n' for line in all_lines))
            self.world.restart_service()
            Case.baseline = invariants.baseline(self.world)
        self.addCleanup(start)
        start(*lines)

    def test_memory(self):
        """D9: without limits of their own, two containers of a user have no more memory than that user may, in tmpfs too."""
        self.configure('UserMemoryMax=64M')
        alice, tree = self.user('alice'), self.rootfs_of('alice')
        hold = ['/bin/sh', '-c', 'head -c 40000000 /dev/zero > /tmp/f && echo full && exec sleep 60']
        one = alice.spawn(tree, hold)
        self.eventually(lambda: b'full' in one.log() or one.state == 'stopped', what='the first one')
        self.assertEqual(one.state, 'running', one.log())
        other = alice.spawn(tree, hold)
        self.eventually(lambda: 'stopped' in (one.state, other.state), what='an end')
        ended = one if one.state == 'stopped' else other
        self.assertEqual(ended.wait()[0], 'oom-kill')
        # root has none of that
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'head -c 90000000 /dev/zero > /tmp/f && echo full'])
        self.assertEqual(container.wait(), ('success', 0), container.log())

    def test_no_memory_left(self):
        """Who can start nothing for its ceiling is told of that, and not of the container's own limit alone."""
        # with the least of them not even a cgroup can be made
        for ceiling, text in (('4K', ''), ('76K', 'all of your containers')):
            self.configure(f'UserMemoryMax={ceiling}')
            for options in ({}, {'MemoryMax': 1 << 30}):
                with self.subTest(ceiling=ceiling, options=options), \
                        self.refused('MemoryTooLow', text=text):
                    self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/true'], **options)

    def test_tasks(self):
        """D9, F25: nor more processes; another user is not touched by that."""
        self.configure('UserTasksMax=40')
        # only once the next one is prepared: whoever enters a v1 leaf is counted there, and not refused
        script = 'sleep .3; for i in $(seq 100); do sleep 60 & done; exec sleep 60'
        alice, tree = self.user('alice'), self.rootfs_of('alice')
        # a shell that cannot fork ends, and so does its container: another one keeps what it has
        keeper = alice.spawn(tree, ['/bin/sh', '-c', 'for i in $(seq 20); do sleep 60 & done; echo full; exec sleep 60'])
        self.eventually(lambda: b'full' in keeper.log(), what='the first twenty')
        container = alice.spawn(tree, ['/bin/sh', '-c', script])
        pids, most = self.owner_file('alice', 'pids.current'), 0
        while container.state == 'running':
            most = max(most, int(open(pids).read()))
        self.assertLessEqual(most, 40)
        self.assertEqual(container.wait()[0], 'exit-code')
        self.assertIn(b'fork', container.log())
        self.assertEqual(keeper.state, 'running')
        self.shell('for i in $(seq 30); do sleep 0.1 & done; wait; echo ok', client=self.user('bob'),
                   rootfs=self.rootfs_of('bob'))

    def owner_file(self, name, file):
        for root in invariants.cgroup_roots():
            path = f'{root}{self.world.cgroup_parent}/{USERS[name]}/{file}'
            if os.path.exists(path):
                return path
        self.fail(f'no {file} of {name}')

    def test_default(self):
        """D9: the default bounds a user's tasks, and root's not."""
        self.shell('true', client=self.user('alice'), rootfs=self.rootfs_of('alice'))
        self.assertEqual(open(self.owner_file('alice', 'pids.max')).read(), '16384\n')

    def test_configuration(self):
        """A ceiling that makes no sense stops the service from starting, by its key."""
        place = f'{self.world.directory}/ceilings'
        os.mkdir(place)
        self.addCleanup(shutil.rmtree, place)
        write(f'{place}/conf', '[Service]\nUserMemoryMax=lots\n')
        result = self.command(self.world.daemon, *self.world.service_arguments(state=f'{place}/state'),
                              f'--config={place}/conf')
        self.assertEqual(result.returncode, 1)
        self.assertIn(b'UserMemoryMax=lots', result.stderr)
