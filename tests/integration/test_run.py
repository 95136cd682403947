"""Run: what the original page of Go did, seen from inside a container and from outside."""

import os
import subprocess
import time

from harness.case import Case
from harness.client import INFINITY, Container
from harness.files import read

MIB = 1 << 20


class Memory(Case):
    def test_over_the_limit(self):
        """A command that touches 32 MiB under memMax 10 MiB ends with result oom-kill, by signal 9."""
        container = self.root.run(self.rootfs, 10 * MIB, ['/bin/touchmem', '32'])
        self.assertEqual(container.wait(), ('oom-kill', 9))
        self.assertGreaterEqual(container.prop('OOMKills'), 1)
        self.assertEqual(container.prop('Result'), 'oom-kill')

    def test_under_the_limit(self):
        """A command that touches 4 MiB under memMax 10 MiB succeeds."""
        self.assertIn('touched 4 MiB', self.output(['/bin/touchmem', '4'], memory=10 * MIB))

    def test_death_seen_late(self):
        """A command that was executed and killed before the service could look is oom-kill, not MemoryTooLow."""
        service = self.world.service_pid
        for _ in range(15):
            call = subprocess.Popen(
                ['busctl', f'--address={self.world.address}', 'call', 'org.naive.Runc', '/org/naive/Runc',
                 'org.naive.Runc', 'Run', 'stas', self.rootfs, str(10 * MIB), '2', '/bin/touchmem', '32'],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:  # for the child, which goes on to exec by itself
                if read(f'/proc/{service}/task/{service}/children'):
                    break
            time.sleep(0.001)
            with self.paused(self.world.service):
                time.sleep(0.15)
            reply, words = call.communicate(timeout=20)
            self.assertEqual(call.returncode, 0, words)
            self.assertEqual(Container(self.root, reply.split('"')[1]).wait(), ('oom-kill', 9))

    def test_born_inside(self):
        """The first instruction runs inside the limits: /bin/true never ran in the service's own cgroup."""
        container = self.root.create(self.rootfs, ['/bin/true'], MemoryMax=10 * MIB)
        inside, service = (read(f'/proc/{pid}/cgroup') for pid in (container.pid, self.world.service_pid))
        self.assertIn(self.world.cgroup_parent + '/', inside)
        has_v2 = self.root.prop('/org/naive/Runc', 'org.naive.Runc.Manager1', 'CgroupMode') != 'legacy'
        for line in inside.splitlines():
            if ':memory:' in line or (has_v2 and line.startswith('0::')):
                self.assertNotIn(line, service.splitlines())

    def test_no_limit(self):
        """memMax 0 and UINT64_MAX mean no limit, and the property then says UINT64_MAX."""
        for value in (0, INFINITY):
            with self.subTest(memMax=value):
                container = self.root.run(self.rootfs, value, ['/bin/touchmem', '64'])
                self.assertEqual(container.wait(), ('success', 0))
                self.assertEqual(container.prop('MemoryMax'), INFINITY)

    def test_too_low(self):
        """memMax 1 and 4096 are refused as MemoryTooLow: the command cannot even be executed."""
        for value in (1, 4096):
            with self.subTest(memMax=value), self.refused('MemoryTooLow'):
                self.root.run(self.rootfs, value, ['/bin/true'])
        self.nothing_started()


class Namespaces(Case):
    def test_cgroup_shows_root(self):
        """/proc/self/cgroup shows "/" inside for the hierarchies that a container has a leaf in."""
        lines = self.shell('cat /proc/self/cgroup').splitlines()
        unified = [line for line in lines if line.startswith('0::')]
        self.assertEqual(unified, ['0::/'] if unified else [])
        for line in lines:
            self.assertNotIn(self.world.cgroup_parent, line)

    def test_standard_streams_open_anew(self):
        """/dev/stdout and /dev/stderr can be opened by name, in each user namespace, as daemons' images do."""
        for mode in ('auto', 'self', 'host'):
            with self.subTest(mode=mode):
                log = self.spawn_output(['/bin/sh', '-c', 'echo out >/dev/stdout; echo err >/proc/self/fd/2'],
                                        UserNamespace=mode)
                self.assertEqual(log, 'out\nerr\n')

    def test_network(self):
        """The network has loopback, up, and nothing else."""
        output = self.shell('ls /sys/class/net 2>/dev/null || ifconfig -a; ping -c1 -W1 127.0.0.1 >/dev/null '
                            '&& echo loopback up || { nc -l -p 7 & sleep .3; nc 127.0.0.1 7 </dev/null '
                            '&& echo loopback up; }')
        self.assertIn('loopback up', output)
        self.assertNotIn('eth', output)


class Files(Case):
    def test_proc_of_its_own(self):
        """/proc shows the container's processes and no other."""
        pids = [name for name in self.shell('ls /proc').split() if name.isdigit()]
        self.assertLessEqual(set(pids), {'1', '2', '3'})
        self.assertIn('1', pids)

    def test_host_mounts_while_running(self):
        """The host's mount table is the same before, during and after."""
        before = self.world.mountinfo()
        container = self.root.run(self.rootfs, 0, ['/bin/sleep', '60'])
        self.assertEqual(self.world.mountinfo(), before)
        self.assertEqual(self.world.mounts_of(self.world.service_pid), self.world.mounts_of('self'))
        container.end()
        self.assertEqual(self.world.mountinfo(), before)

    def test_own_mounts_only(self):
        """/proc/self/mountinfo inside tells no mount point and no source of the host's."""
        inside = self.shell('cat /proc/self/mountinfo')
        for line in inside.splitlines():
            fields, source = line.split(' - ')[0].split(), line.split(' - ')[1].split()[1]
            # (the fourth field, where in its file system a mount begins, is the kernel's to tell)
            self.assertNotIn(self.world.directory, f'{fields[4]} {source}')
        self.assertNotIn('/etc/passwd', inside)

    def test_private_tmp(self):
        """/tmp is writable, empty at first, and gone afterwards."""
        self.assertEqual(self.shell('ls -A /tmp; echo data > /tmp/file; cat /tmp/file'), 'data\n')
        self.assertEqual(self.shell('ls -A /tmp'), '')
        self.assertEqual(os.listdir(f'{self.rootfs}/tmp'), [])

    def test_dev(self):
        """/dev has the usual nodes and they work."""
        output = self.shell('for n in null zero full random urandom tty ptmx; do [ -e /dev/$n ] || echo no $n; done;'
                            'head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c;'
                            'echo x > /dev/null; [ -d /dev/pts ] && [ -d /dev/shm ] && echo dirs;'
                            'echo y > /dev/shm/f && cat /dev/shm/f; [ -L /dev/fd ] && [ -L /dev/stdin ] && echo links')
        self.assertEqual(output, '4\n4\ndirs\ny\nlinks\n')


class Process(Case):
    def test_home_that_cannot_be_entered(self):
        """HOME falls back to / where /root cannot be entered."""
        os.rename(f'{self.rootfs_of("alice")}/root', f'{self.rootfs_of("alice")}/root.gone')
        try:
            output = self.output(['/bin/env'], client=self.user('alice'), rootfs=self.rootfs_of('alice'))
        finally:
            os.rename(f'{self.rootfs_of("alice")}/root.gone', f'{self.rootfs_of("alice")}/root')
            os.utime(self.rootfs_of('alice'), ns=(1, Case.baseline.trees[self.rootfs_of('alice')]['.'][3]))
        self.assertIn('HOME=/\n', output)

    def test_both_streams_in_the_log(self):
        """Output and errors go to the container's log, in order."""
        self.assertEqual(self.shell('echo one; echo two >&2; echo three'), 'one\ntwo\nthree\n')

    def test_exit_codes(self):
        """Wait tells the exit code, and the signal that ended the command."""
        for argv, expected in ((['/bin/true'], ('success', 0)), (['/bin/false'], ('exit-code', 1)),
                               (['/bin/sh', '-c', 'exit 255'], ('exit-code', 255))):
            with self.subTest(argv=argv):
                self.assertEqual(self.root.run(self.rootfs, 0, argv).wait(), expected)

    def test_ended_by_signal(self):
        """A command that a signal ends has result signal and the signal's number."""
        container = self.root.run(self.rootfs, 0, ['/bin/sleep', '60'])
        container.kill(15)
        # PID 1 ignores what it has no handler for, except KILL from outside.
        time.sleep(0.2)
        self.assertEqual(container.state, 'running')
        container.kill(9)
        self.assertEqual(container.wait(), ('signal', 9))

    def test_path_search(self):
        """A command without a slash is looked up along PATH."""
        self.assertEqual(self.output(['echo', 'found']), 'found\n')

    def test_replies_after_exec(self):
        """Run replies once exec has succeeded, long before the command ends."""
        started = time.monotonic()
        container = self.root.run(self.rootfs, 0, ['/bin/sleep', '60'])
        self.assertLess(time.monotonic() - started, 10)
        self.assertEqual(container.state, 'running')
        self.assertEqual(read(f'/proc/{container.pid}/cmdline'), '/bin/sleep\00060\0')

    def test_orphans_die(self):
        """What the command leaves behind ends with it."""
        container = self.root.run(self.rootfs, 0, ['/bin/sh', '-c', 'sleep 600 & sleep 600 & exit 3'])
        self.assertEqual(container.wait(), ('exit-code', 3))

    def test_hundred_runs(self):
        """A hundred Runs leave nothing: no fd, no cgroup, no mount, no process."""
        before = len(self.world.own_fds())
        for _ in range(100):
            container = self.root.run(self.rootfs, 10 * MIB, ['/bin/true'])
            self.assertEqual(container.wait(), ('success', 0))
            container.delete()
        self.eventually(lambda: len(self.world.own_fds()) <= before + 1, what='the number of fds')
