"""apt remove and purge, while containers run."""

import os

import machine
from machine import APT_LIMIT, ROOTFS, Case, naivec, output, run, wait_until


def traces():
    """What is on the machine with our name in it."""
    found = output('find', '/usr', '/etc', '/run', '/var', '/sys/fs/cgroup', '/tmp', '-xdev', '-iname', '*naive?runc*',
                   '-not', '-path', '/var/log/apt/*', '-not', '-path', '/run/credentials/*')
    return sorted(found.split())


class Removal(Case):
    wants_package = False

    def setUp(self):
        super().setUp()
        machine.install()
        self.pids = []
        for name in ('one', 'two'):
            naivec('run', '-d', f'--name={name}', ROOTFS, '/bin/sleep', '1000')
            self.pids.append(self.container(name).pid)
        naivec('run', '-d', '--name=past', ROOTFS, '/bin/true')

    def gone(self):
        for pid in self.pids:
            wait_until(lambda: not os.path.exists(f'/proc/{pid}'), what='the end of a container')
        self.assertEqual(run('pgrep', '-x', 'naive-runcd', check=False).stdout, '')
        self.assertEqual(machine.unit('LoadState'), 'not-found')
        self.assertNotIn('org.naive.Runc', output('busctl', '--no-legend', 'list'))
        self.assertEqual(machine.leaves(), {})

    def test_purge(self):
        """purge ends everything and leaves nothing"""
        done = machine.apt('purge', 'naive-runc')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.gone()
        self.assertEqual(traces(), [])
    test_purge.limit = APT_LIMIT

    def test_remove(self):
        """remove ends everything and keeps the configuration files, of which one comes back as it was changed"""
        with open(machine.CONFIG, 'a') as f:
            f.write('# kept\n')
        done = machine.apt('remove', 'naive-runc')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.gone()
        self.assertEqual(traces(), [machine.CONFIG, machine.NEEDRESTART, '/var/lib/dpkg/info/naive-runc.list',
                                    '/var/lib/dpkg/info/naive-runc.postrm'])
        machine.install()
        with open(machine.CONFIG) as f:
            self.assertIn('# kept\n', f.read())
        self.assertEqual(naivec('run', ROOTFS, '/bin/echo', 'back'), 'back')
        machine.apt('purge', 'naive-runc')
    test_remove.limit = APT_LIMIT
