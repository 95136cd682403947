"""Limits and pauses on the unified tree, below a unit that systemd has delegated. What each option means is shown in
tests/integration; here that the kernel's files have it, over a restart by systemd."""

from machine import CGROUPS, ROOTFS, UNIT, Case, naivec, run

MIB = 1 << 20


def read(container, file):
    with open(f'{CGROUPS}{container.prop("ControlGroup")}/{file}') as f:
        return f.read().strip()


class Resources(Case):
    def test_files(self):
        """weight, quota and memory are in the leaf's files, beside a leaf of the same owner that has none of them"""
        plain = self.container(naivec('run', '-d', ROOTFS, '/bin/sleep', '600'))
        container = self.container(naivec('run', '-d', '--cpus=0.5', '--cpu-shares=2048', '--memory-high=50M',
                                          '--memory-reservation=20M', ROOTFS, '/bin/sleep', '600'))
        self.assertEqual([read(container, file) for file in ('cpu.max', 'cpu.weight', 'memory.high', 'memory.low')],
                         ['50000 100000', '174', str(50 * MIB), str(20 * MIB)])
        self.assertEqual([read(plain, file) for file in ('cpu.max', 'cpu.weight', 'memory.high')],
                         ['max 100000', '100', 'max'])
        naivec('update', '--cpus=2', '--memory=200M', '--memory-high=infinity', container.id)
        self.assertEqual([read(container, file) for file in ('cpu.max', 'memory.max', 'memory.swap.max', 'memory.high')],
                         ['200000 100000', str(200 * MIB), '0', 'max'])

    def test_pause(self):
        """what is paused stays so while systemd starts the service again, and goes on when it is resumed"""
        container = self.container(naivec('run', '-d', ROOTFS, '/bin/sleep', '600'))
        name = container.id
        naivec('pause', name)
        self.assertIn('frozen 1', read(container, 'cgroup.events'))
        run('systemctl', 'restart', UNIT)
        self.assertEqual(container.state, 'paused')
        self.assertIn('frozen 1', read(container, 'cgroup.events'))
        naivec('resume', name)
        self.assertIn('frozen 0', read(container, 'cgroup.events'))
        naivec('pause', name)
        naivec('stop', '--time=0', name)
        self.assertEqual(container.state, 'stopped')
