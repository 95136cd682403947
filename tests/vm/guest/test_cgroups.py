"""The unified tree: leaves, limits, births, ends."""

import os
import re
import subprocess
import time

import machine
from machine import CGROUPS, CONTAINERS, ROOTFS, UNIT, Case, naivec, output, run, wait_until


def read(group, file):
    with open(f'{CGROUPS}{group}/{file}') as f:
        return f.read().strip()


def own_group(pid):
    with open(f'/proc/{pid}/cgroup') as f:
        return f.read().strip().removeprefix('0::')


class Leaf(Case):
    def test_mode(self):
        """the service found the unified tree"""
        self.assertEqual(output('busctl', 'get-property', machine.NAME, machine.PATH, 'org.naive.Runc.Manager1',
                                'CgroupMode'), 's "unified"')

    def test_below_the_unit(self):
        """a container has a leaf of its own below the containers' unit, which alone is delegated, beside the keeper's"""
        name = naivec('run', '-d', ROOTFS, '/bin/sleep', '60')
        container = self.container(name)
        group, pid = container.prop('ControlGroup'), container.pid
        top = f'/system.slice/{CONTAINERS}'
        self.assertTrue(group.startswith(top + '/'), group)
        self.assertEqual(own_group(pid), group)
        self.assertEqual(read(group, 'cgroup.procs').split(), [str(pid)])
        self.assertEqual(own_group(machine.unit('MainPID')), f'/system.slice/{UNIT}')
        self.assertEqual(own_group(machine.unit('MainPID', CONTAINERS)), f'{top}/keeper')
        self.assertEqual(read(top, 'cgroup.procs'), '')
        self.assertEqual([machine.unit('Delegate', name) for name in (UNIT, CONTAINERS)], ['no', 'yes'])

    def test_keeper_is_small(self):
        """the keeper has 200 KiB of memory of its own at most, and no rights"""
        machine.start_service()
        pid = machine.unit('MainPID', CONTAINERS)
        with open(f'/proc/{pid}/smaps_rollup') as f:
            own = sum(int(size) for size in re.findall(r'^Private_\w+: +(\d+) kB', f.read(), re.MULTILINE))
        self.assertLessEqual(own, 200)
        with open(f'/proc/{pid}/status') as f:
            self.assertIn('CapEff:\t0000000000000000\n', f.read())

    def test_limits_before_exec(self):
        """memory, swap and task limits are in place before the command's exec"""
        name = naivec('create', '--memory=10M', ROOTFS, '/bin/sleep', '60')
        container = self.container(name)
        group = container.prop('ControlGroup')
        self.assertEqual(container.state, 'created')
        self.assertIn(str(container.pid), read(group, 'cgroup.procs').split())
        self.assertEqual([read(group, file) for file in ('memory.max', 'memory.swap.max', 'pids.max',
                                                         'memory.oom.group')],
                         ['10485760', '0', '4096', '1'])
        naivec('start', name)
        self.assertEqual(read(group, 'memory.max'), '10485760')

    def test_born_inside(self):
        """the child is cloned into its leaf"""
        machine.start_service()
        tracer = subprocess.Popen(['strace', '-f', '-qq', '-e', 'trace=clone3', '-p', machine.unit('MainPID')],
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (tracer.kill(), tracer.wait(), tracer.stderr.close()))
        wait_until(lambda: re.search(r'TracerPid:\t[1-9]', open(f'/proc/{machine.unit("MainPID")}/status').read()),
                   what='strace')
        naivec('run', '--userns=self', ROOTFS, '/bin/true')  # which is never prepared
        tracer.terminate()
        self.assertIn('CLONE_INTO_CGROUP', tracer.communicate(timeout=20)[1])

    def test_cgroup_namespace(self):
        """the container's cgroup namespace is rooted at its leaf"""
        self.assertEqual(naivec('run', ROOTFS, '/bin/cat', '/proc/self/cgroup'), '0::/')

    def test_systemd_cgls(self):
        """systemd-cgls shows the container's processes"""
        name = naivec('run', '-d', ROOTFS, '/bin/sleep', '4321')
        group = self.container(name).prop('ControlGroup')
        text = output('systemd-cgls', '--no-pager', '--full', '/system.slice')
        self.assertIn('4321', text)
        self.assertIn(os.path.basename(group), text)

    def test_service_restart_with_past_controllers(self):
        """the unit can be stopped and started again however often its tree was used"""
        for _ in range(3):
            self.assertEqual(naivec('run', '--memory=10M', ROOTFS, '/bin/echo', 'on'), 'on')
            machine.stop_service()
            self.assertNotEqual(machine.unit('Result'), 'exec-condition')


class Memory(Case):
    """With a swap file on: without a limit of swap, a limit of memory would be none."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not output('swapon', '--show', '--noheadings'):
            run('dd', 'if=/dev/zero', 'of=/swap', 'bs=1M', 'count=256')
            os.chmod('/swap', 0o600)
            run('mkswap', '/swap')
            run('swapon', '/swap')

    @classmethod
    def tearDownClass(cls):
        run('swapoff', '/swap')

    def test_run_allows_no_swap(self):
        """the limit of Run is one: org.naive.Runc.Run with 16 MiB, 64 touched"""
        path = machine.busctl_run(ROOTFS, 16 << 20, '/bin/touchmem', '64')
        self.assertEqual(machine.Container(self.client, path).wait(), ('oom-kill', 9))

    def test_swap_where_asked_for(self):
        """with MemorySwapMax the rest goes to swap and the command lives"""
        self.assertEqual(naivec('run', '--memory=16M', '--memory-swap-max=100M', ROOTFS, '/bin/touchmem', '64'),
                         'touched 64 MiB')

    def test_group_dies_together(self):
        """one process too greedy: the whole container ends, not a part of it"""
        name = naivec('run', '-d', '--memory=24M', ROOTFS, '/bin/sh', '-c', '/bin/touchmem 64 & sleep 600 & wait; wait; sleep 600')
        group = self.container(name).prop('ControlGroup')
        self.assertEqual(naivec('wait', name, check=False), f'{name} oom-kill 9')
        wait_until(lambda: not machine.leaves().get(group), what='an empty leaf')

    def test_service_survives(self):
        """a container out of memory is no failure of the unit"""
        pid = machine.unit('MainPID') if machine.is_active() else (machine.start_service(), machine.unit('MainPID'))[1]
        naivec('run', '--memory=16M', ROOTFS, '/bin/touchmem', '64', check=False)
        self.assertEqual((machine.unit('ActiveState'), machine.unit('MainPID')), ('active', pid))


class End(Case):
    FORKS = 'trap "" TERM; i=0; while [ $i -lt 50 ]; do (trap "" TERM; while :; do sleep 1; done) & i=$((i+1)); done; wait'

    def test_kill_all(self):
        """cgroup.kill ends every process of a container that ignores SIGTERM and forks; nothing is left"""
        name = naivec('run', '-d', ROOTFS, '/bin/sh', '-c', self.FORKS)
        group = self.container(name).prop('ControlGroup')
        wait_until(lambda: len(read(group, 'cgroup.procs').split()) > 50, timeout=60, what='50 processes')
        tracer = subprocess.Popen(['strace', '-f', '-qq', '-e', 'trace=openat,write', '-p', machine.unit('MainPID')],
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (tracer.kill(), tracer.wait(), tracer.stderr.close()))
        time.sleep(1)
        naivec('kill', '--all', '-s', 'KILL', name)
        self.assertEqual(naivec('wait', name, check=False), f'{name} signal 9')
        tracer.terminate()
        self.assertIn('"cgroup.kill"', tracer.communicate(timeout=20)[1])
        naivec('delete', name)
        self.assertFalse(os.path.exists(CGROUPS + group))
        self.assertEqual(machine.leaves(), {})
