"""Sandboxes that are made in advance: who gets them, that limits hold in them, and that they leave nothing."""

import contextlib
import os
import signal
import time
import unittest

from harness.case import Case
from harness.client import MANAGER, PATH, BusError
from harness.invariants import cgroup_tree, descendants_of
from harness.place import Place
from harness.world import wait_until

MIB = 1 << 20
HOLD_SECONDS = 15  # limits.h: PREPARED_HOLD_MSEC


class Prepared(Case):
    """A service of its own, with a pool whatever the shared one has."""

    def setUp(self):
        super().setUp()
        self.config = f'{self.world.directory}/prepared.conf'

    def place(self, name, prepared=4):
        with open(self.config, 'w') as f:
            f.write(f'[Service]\nPreparedSandboxes={prepared}\n')
        place = Place(self, name, arguments=[f'--config={self.config}'])
        self.assertTrue(place.owner(), place.words())
        return place

    def waiting(self, place):
        """The pids of those that wait."""
        found = set()
        for pid in descendants_of(place.process.pid):
            try:
                with open(f'/proc/{pid}/comm') as f:
                    if f.read() == '(naive-runc)\n':
                        found.add(pid)
            except OSError:
                pass
        return found

    def leaves(self, place):
        return [path for path in cgroup_tree(place.parent) if path.split(place.parent)[1].count('/') > 1]

    def run_one(self, place, *argv, memory=0, client=None, rootfs=None):
        container = (client or place.client).run(rootfs or self.rootfs, memory, argv or ['/bin/sleep', '60'])
        self.addCleanup(self.end, place, container)
        return container

    def end(self, place, container):
        with contextlib.suppress(BusError):
            if place.process.poll() is None and container.state == 'running':
                container.kill(signal.SIGKILL, 'all')
                container.wait()

    def prepare(self, place):
        """Runs one, and awaits the one that is made for the next."""
        self.assertEqual(self.run_one(place, '/bin/true').wait(), ('success', 0))
        self.eventually(lambda: len(self.waiting(place)) == 1, what='a prepared sandbox')
        pid, = self.waiting(place)
        return pid


class Use(Prepared):
    def test_none_before_the_first_run(self):
        """A service that nobody has asked for anything has made nothing."""
        place = self.place('fresh')
        place.client.ping()
        time.sleep(0.1)
        self.assertEqual(descendants_of(place.process.pid), set())

    def test_taken(self):
        """The next run is served by the process that waited; it is counted and listed as a container only then."""
        place = self.place('taken')
        pid = self.prepare(place)
        self.assertEqual(place.client.prop(PATH, MANAGER, 'NContainers'), 1)
        self.assertEqual([state for _, state, *_ in place.client.containers()], ['stopped'])
        container = self.run_one(place)
        self.assertEqual(container.pid, pid)
        self.assertEqual(place.client.prop(PATH, MANAGER, 'NContainers'), 2)
        self.eventually(lambda: len(self.waiting(place)) == 1, what='another one')

    def test_limits(self):
        """The limits of the call hold in one that was made without: of memory, and of tasks."""
        place = self.place('limits')
        pid = self.prepare(place)
        container = self.run_one(place, '/bin/sh', '-c', 'head -c 60m /dev/zero | tail', memory=10 * MIB)
        self.assertEqual(container.prop('Pid') or pid, pid)
        self.assertEqual(container.wait()[0], 'oom-kill')
        self.prepare(place)
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'sleep 1 & sleep 1 & sleep 1 & wait'], TasksMax=2)
        self.assertEqual(container.wait()[0], 'exit-code')

    def test_limit_too_low(self):
        """A limit below what waiting has cost already is MemoryTooLow, as without."""
        place = self.place('low')
        self.prepare(place)
        with self.refused('MemoryTooLow'):
            self.run_one(place, '/bin/true', memory=4096)

    def test_arguments(self):
        """Whatever is in the call arrives, up to the most that it may have."""
        place = self.place('arguments')
        pid = self.prepare(place)
        container = self.run_one(place, '/bin/sh', '-c', 'echo "$#" "$@" | wc -c', 'sh', *['x' * 100000] * 9)
        self.assertEqual(container.prop('Pid') or pid, pid)
        self.assertEqual(container.wait(), ('success', 0))
        self.assertEqual(container.log(), b'900011\n')
        pid = self.prepare(place)
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'echo $HOME; hostname'], Hostname='other',
                                       Environment=[b'HOME=/tmp'])
        self.assertEqual(container.prop('Pid') or pid, pid)
        self.assertEqual(container.wait(), ('success', 0))
        self.assertEqual(container.log(), b'/tmp\nother\n')

    def test_nothing_below(self):
        """The root that it had while it waited is out of reach: for one that climbs out of a chroot, and for one that
        has rights over a copy of the mounts. All is as in one that was not prepared."""
        said = []
        for prepared in 0, 4:
            place = self.place(f'below{prepared}', prepared)
            pid = self.prepare(place) if prepared else None
            container = place.client.spawn(self.rootfs, ['/bin/probe', 'climb'], Seccomp='unconfined')
            self.assertIn(pid, (None, container.prop('Pid') or pid))
            self.assertEqual(container.wait(), ('success', 0))
            said.append(container.log().decode())
        self.assertEqual(said[0], said[1])
        for word in 'chroot', 'chroot to the top', 'marker at the top', 'unshare', 'marker':
            self.assertIn(f'{word}: ok', said[1].splitlines())
        for word in 'umount', 'umount .', 'open_tree':
            self.assertIn(f'{word}: Invalid argument', said[1].splitlines())

    def test_another_kind(self):
        """What shares a namespace with the host takes another way, and what waits goes on waiting."""
        place = self.place('kind')
        pid = self.prepare(place)
        for options in ({'Network': 'host'}, {'UserNamespace': 'self'}, {'Capabilities': ['CAP_SYS_ADMIN']}):
            with self.subTest(**options):
                container = place.client.spawn(self.rootfs, ['/bin/true'], **options)
                self.assertEqual(container.wait(), ('success', 0))
                self.assertIn(pid, self.waiting(place))

    def test_order(self):
        """Containers are listed in the order of their creation, though one has waited before another was asked for."""
        place = self.place('order')
        self.prepare(place)
        ids = [place.client.spawn(self.rootfs, ['/bin/true'], Id=name, **options).id
               for name, options in (('one', {'UserNamespace': 'self'}), ('two', {}))]
        self.assertEqual([name for name, *_ in place.client.containers()][1:], ids)

    def test_off(self):
        """PreparedSandboxes=0: nothing ever waits, and runs run."""
        place = self.place('off', prepared=0)
        for _ in range(3):
            self.assertEqual(self.run_one(place, '/bin/true').wait(), ('success', 0))
        time.sleep(0.1)
        self.assertEqual(descendants_of(place.process.pid), set())

    def test_many(self):
        """Back to back and at once, no two containers share a process, ids or a leaf."""
        place = self.place('many')
        containers = [self.run_one(place) for _ in range(12)]
        for key in ('Pid', 'ControlGroup'):
            self.assertEqual(len({container.prop(key) for container in containers}), 12)
        bases = set()
        for container in containers:
            with open(f'/proc/{container.pid}/uid_map') as f:
                bases.add(f.read())
        self.assertEqual(len(bases), 12)
        self.assertLessEqual(len(self.waiting(place)), 4)


class Owners(Case):
    def test_not_for_another(self):
        """What waits for one user is in that user's cgroup, and nobody else's run gets it."""
        if self.world.prepared == 0:
            raise unittest.SkipTest('without prepared sandboxes')
        alice, bob = self.user('alice'), self.user('bob')
        for client, name in ((alice, 'alice'), (bob, 'bob'), (alice, 'alice'), (bob, 'bob')):
            container = client.run(self.rootfs_of(name), 0, ['/bin/sleep', '60'])
            uid = container.prop('OwnerUID')
            with open(f'/proc/{container.pid}/cgroup') as f:
                leaves = [line.split(':', 2)[2] for line in f if self.world.cgroup_parent in line]
            self.assertTrue(leaves)
            for leaf in leaves:
                self.assertIn(f'/{uid}/', leaf)
            container.kill(signal.SIGKILL, 'all')
            container.wait()


class End(Prepared):
    def gone(self, place, pid):
        wait_until(lambda: not os.path.exists(f'/proc/{pid}/exe'), 5, 'the end of what waited')

    def test_stop(self):
        """With the service what waits goes, too, and so do its cgroups."""
        place = self.place('stop')
        pid = self.prepare(place)
        place.process.terminate()
        self.assertEqual(place.process.wait(timeout=10), 0, place.words())
        self.gone(place, pid)
        self.assertEqual(cgroup_tree(place.parent), set())

    def test_crash(self):
        """After a crash it ends by itself, without having executed anything; the next start removes its cgroups."""
        place = self.place('crash')
        pid = self.prepare(place)
        place.process.kill()
        place.process.wait()
        self.gone(place, pid)
        place.start()
        place.client.ping()
        self.assertEqual(self.leaves(place), [])

    def test_killed(self):
        """One that somebody has killed meanwhile is replaced, and the next run does not notice."""
        place = self.place('killed')
        pid = self.prepare(place)
        os.kill(pid, signal.SIGKILL)
        self.eventually(lambda: not self.waiting(place), what='the end of it')
        self.assertEqual(self.run_one(place, '/bin/true').wait(), ('success', 0))
        self.eventually(lambda: len(self.waiting(place)) == 1, what='another one')
        self.assertNotIn(pid, self.waiting(place))

    def test_let_go(self):
        """While it waits the service sleeps; after a while without a run nothing waits any more."""
        place = self.place('letgo')
        pid = self.prepare(place)

        def switches(process):
            with open(f'/proc/{process}/status') as f:
                return [line for line in f if 'ctxt_switches' in line]
        time.sleep(0.5)
        before = switches(place.process.pid), switches(pid)
        time.sleep(2)
        self.assertEqual((switches(place.process.pid), switches(pid)), before)
        self.eventually(lambda: not self.waiting(place), timeout=HOLD_SECONDS + 5, what='the end of what waited')
        self.eventually(lambda: not self.leaves(place), what='the end of its cgroups')
        before = switches(place.process.pid)
        time.sleep(2)
        self.assertEqual(switches(place.process.pid), before)
