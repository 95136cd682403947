"""Mounts stay inside: on a systemd machine everything is shared by default, so what a container mounts could appear
outside and in other containers."""

import time

import machine
from machine import ROOTFS, Case, naivec, output, run, wait_until


def mounts():
    """The host's mount table, without what logind and systemd's credentials come and go with."""
    return sorted(line for line in output('findmnt', '-rno', 'TARGET,FSTYPE').splitlines()
                  if not line.startswith(('/run/user', '/run/credentials')))


class Mounts(Case):
    def test_shared_machine(self):
        """the machine is one where mounts do propagate"""
        self.assertEqual(output('findmnt', '-no', 'PROPAGATION', '/run'), 'shared')

    def test_nothing_on_the_host(self):
        """the host's mount table is the same while containers run and after they have ended"""
        machine.start_service()
        before = mounts()
        naivec('run', '-d', '--name=lives', ROOTFS, '/bin/sleep', '100')
        naivec('run', '-d', '-t', '--read-only=no', '--name=writes', ROOTFS, '/bin/sleep', '100')
        naivec('run', ROOTFS, '/bin/true')
        self.assertEqual(mounts(), before)
        naivec('stop', '--all', '--time=0')
        self.assertEqual(mounts(), before)

    def test_nothing_in_another_container(self):
        """what a container puts into /dev/shm and /tmp is not in another's, whichever started first"""
        script = 'echo $0 > /dev/shm/$0; echo $0 > /tmp/$0; while sleep 0.2; do echo $(ls /dev/shm /tmp); done'
        for name in ('first', 'second'):
            naivec('run', '-d', f'--name={name}', ROOTFS, '/bin/sh', '-c', script, name)
        for name in ('first', 'second'):
            wait_until(lambda: len(naivec('logs', name).splitlines()) > 4, what='a few looks')
            lines = naivec('logs', name).splitlines()
            self.assertEqual(set(lines), {f'/dev/shm: {name} /tmp: {name}'})

    def test_later_mounts_of_the_host(self):
        """what the host mounts below a container's root file system later does not appear inside"""
        naivec('run', '-d', '--name=early', ROOTFS, '/bin/sh', '-c', 'while sleep 0.2; do ls /mnt; done')
        run('mount', '-t', 'tmpfs', 'tmpfs', f'{ROOTFS}/mnt')
        self.addCleanup(run, 'umount', f'{ROOTFS}/mnt')
        with open(f'{ROOTFS}/mnt/secret', 'w'):
            pass
        time.sleep(1.5)
        self.assertEqual(naivec('logs', 'early'), '')


class Volatile(Case):
    """A layer in memory on top of a tree, as this kernel takes its layers."""
    TREE = '/srv/volatile-rootfs'

    def setUp(self):
        super().setUp()
        run('cp', '-a', ROOTFS, self.TREE)
        self.addCleanup(run, 'rm', '-rf', self.TREE)

    def test_written(self):
        """all is written to and removed inside, in each user namespace, and the tree and the host's mounts stay as they were"""
        machine.start_service()
        before = mounts(), output('find', self.TREE, '-printf', '%p %s %m %U %T@\\n')
        for namespace in ('auto', 'self', 'host'):
            said = naivec('run', '--volatile', f'--userns={namespace}', self.TREE, '/bin/sh', '-c',
                          'echo new > /etc/new; mkdir -p /opt/d; mv /etc/new /opt/d/moved; rm -r /bin/sh; cat /opt/d/moved')
            self.assertEqual(said, 'new', namespace)
        self.assertEqual((mounts(), output('find', self.TREE, '-printf', '%p %s %m %U %T@\\n')), before)

    def test_hidden(self):
        """E42 E71: what a mount in the tree hides is not shown: such a tree, or one whose mount is unbindable, is refused"""
        run('mount', '-t', 'tmpfs', 'tmpfs', f'{self.TREE}/mnt')
        self.addCleanup(run, 'umount', f'{self.TREE}/mnt')
        self.assertIn('mounted in it', self.refusal('--volatile'))
        run('mount', '--make-unbindable', f'{self.TREE}/mnt')
        self.assertIn('unbindable', self.refusal())

    def refusal(self, *flags):
        done = run('naivec', 'run', *flags, self.TREE, '/bin/true', check=False)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr
