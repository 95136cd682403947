"""Which limit a container has met, and the limits of time."""

import os
import time

from harness import invariants
from harness.case import Case
from harness.client import INFINITY
from harness.files import read, write
from harness.place import Place

# the grandchild is killed, and the command goes on to say that all is well
CHILD_KILLED = '(head -c 30000000 /dev/zero | tail) >/dev/null 2>&1; exit 0'
STUBBORN = 'trap "" TERM INT HUP; f() { (trap "" TERM; while :; do sleep .2; done) & }; f; f; f; while :; do sleep .1; f; done'


class Memory(Case):
    def test_child_killed(self):
        """A child that is killed for memory makes the end oom-kill, whatever the command says of itself."""
        for _ in range(8):
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', CHILD_KILLED], MemoryMax=8 << 20)
            self.assertEqual(container.wait(), ('oom-kill', 9))
            self.assertEqual(container.prop('LimitHit'), 'memory')
            self.assertGreaterEqual(container.prop('OOMKills'), 1)

    def test_owner(self):
        """What all of a user's containers have together is told apart from the container's own limit, and each container
        from those before it."""
        config = f'{self.world.directory}/naive-runc.conf'
        before = read(config)

        def start(more=''):
            write(config, before + more)
            self.world.restart_service()
            Case.baseline = invariants.baseline(self.world)
        self.addCleanup(start)
        start('UserMemoryMax=64M\n')
        alice, tree = self.user('alice'), self.rootfs_of('alice')
        for _ in range(2):
            container = alice.spawn(tree, ['/bin/sh', '-c', 'head -c 90000000 /dev/zero | tail >/dev/null'])
            self.assertEqual(container.wait()[0], 'oom-kill')
            self.assertEqual(container.prop('LimitHit'), 'memory-owner')
        container = alice.spawn(tree, ['/bin/sh', '-c', CHILD_KILLED], MemoryMax=8 << 20)
        self.assertEqual(container.wait()[0], 'oom-kill')
        self.assertEqual(container.prop('LimitHit'), 'memory')


class Others(Case):
    def test_none(self):
        """No limit was met by who ended, and by who still lives."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], MemoryMax=64 << 20, RuntimeMaxUSec=INFINITY)
        self.assertEqual(container.prop('LimitHit'), '')
        container.end()
        self.assertEqual(container.prop('LimitHit'), '')

    def test_tasks(self):
        """A fork that was refused is told, even if the command went on."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', '(sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait); exit 0'],
                                    TasksMax=4)
        container.wait()
        self.assertEqual(container.prop('LimitHit'), 'tasks')


class RunTime(Case):
    def test_stubborn(self):
        """The time ends what ignores signals and forks, all of it, and no sooner."""
        began = time.monotonic()
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', STUBBORN], RuntimeMaxUSec=700_000)
        self.assertEqual(container.wait(), ('timeout', 9))
        self.assertGreaterEqual(time.monotonic() - began, 0.7)
        props = container.props()
        self.assertEqual(props['LimitHit'], 'run-time')
        self.assertGreaterEqual(props['ExitedUSec'] - props['StartedUSec'], 690_000)

    def test_from_the_start(self):
        """A created container's time begins with its command."""
        container = self.root.create(self.rootfs, ['/bin/sleep', '60'], RuntimeMaxUSec=300_000)
        time.sleep(0.6)
        self.assertEqual(container.state, 'created')
        container.start()
        self.assertEqual(container.wait(), ('timeout', 9))

    def test_in_time(self):
        """Who ends in time ends as ever; 0 is no limit."""
        for usec in (0, 60_000_000, INFINITY - 1):
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'exit 3'], RuntimeMaxUSec=usec)
            self.assertEqual(container.wait(), ('exit-code', 3))
            self.assertEqual(container.prop('LimitHit'), '')

    def test_restart(self):
        """The time goes on while no service runs; what was over then, the next service ends."""
        place = Place(self, 'deadline')
        soon, later = (place.client.spawn(self.rootfs, ['/bin/sleep', '60'], RuntimeMaxUSec=usec)
                       for usec in (2_000_000, 6_000_000))
        time.sleep(0.3)  # records are written a little later
        place.process.kill()
        place.process.wait()
        time.sleep(2)
        place.start()
        for container in (soon, later):
            self.assertEqual(container.wait(), ('timeout', 9))
            self.assertEqual(container.prop('LimitHit'), 'run-time')

    def test_command_line(self):
        """naivec run --timeout takes seconds and times, and says so of what is neither."""
        for argument, script, expected in (('400ms', 'exec sleep 60', 137), ('0', 'exit 0', 0), ('1h', 'exit 3', 3),
                                           ('soon', 'exit 0', 2)):
            with self.subTest(argument=argument):
                done = self.command(self.world.naivec, 'run', f'--timeout={argument}', self.rootfs,
                                    '/bin/sh', '-c', script)
                self.assertEqual(done.returncode, expected, done.stderr)


class CPUTime(Case):
    BUSY = 'trap "" TERM; (while :; do :; done) & while :; do :; done'

    def test_busy(self):
        """All processes together are ended when the time is used up, and not before."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', self.BUSY], CPUTimeMaxUSec=500_000)
        self.assertEqual(container.wait(60), ('timeout', 9))
        self.assertEqual(container.prop('LimitHit'), 'cpu-time')
        props = container.props()
        self.assertGreaterEqual((props['ExitedUSec'] - props['StartedUSec']) * os.cpu_count(), 400_000)

    def test_idle(self):
        """Who does nothing uses nothing; 0 is no limit."""
        for usec in (200_000, 0, INFINITY):
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'sleep 1; exit 2'], CPUTimeMaxUSec=usec)
            self.assertEqual(container.wait(), ('exit-code', 2))

    def test_restart(self):
        """The next service goes on with it."""
        place = Place(self, 'cputime')
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', self.BUSY], CPUTimeMaxUSec=1_000_000)
        time.sleep(0.3)  # records are written a little later
        place.process.kill()
        place.process.wait()
        place.start()
        self.assertEqual(container.wait(60), ('timeout', 9))
