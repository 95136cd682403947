"""Rows E30 to E33: what the kernel shares beside namespaces, between a container and everybody else."""

import ctypes
import fcntl
import glob
import os
import signal

from harness.case import Case
from harness.files import read
from harness.place import Place
from harness.world import USERS

libc = ctypes.CDLL(None, use_errno=True)


def instances():
    """How many inotify instances root can have on the host now."""
    fds = []
    while len(fds) < 64 and (fd := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
        fds.append(fd)
    for fd in fds:
        os.close(fd)
    return len(fds)


class Shared(Case):
    def hold(self, name, *arguments, **options):
        """Starts `/bin/attempt` as the user, and waits until it has got what it wants."""
        container = self.user(name).spawn(self.rootfs_of(name), ['/bin/attempt', *arguments], **options)
        self.eventually(lambda: b'ready' in container.log(), what=f'{arguments} in a container')
        return container

    def test_inotify(self):
        """E30: a container that takes all inotify instances takes none from root, nor from another container."""
        free = instances()
        for namespace in ('auto', 'self'):
            with self.subTest(namespace=namespace):
                greedy = self.hold('alice', 'take', 'inotify', UserNamespace=namespace)
                self.assertGreater(int(greedy.log().split()[1]), 32)
                self.assertGreaterEqual(instances(), free - 4)  # others on the machine take some, too
                other = self.hold('bob', 'take', 'inotify', UserNamespace=namespace)
                self.assertEqual(other.log(), greedy.log())
                other.end()
                greedy.end()

    def test_inotify_over_restarts(self):
        """E30: nor does a container that outlives the service take them from its user's next one."""
        place = Place(self, 'outlived')
        first = place.client.spawn(self.rootfs, ['/bin/attempt', 'take', 'inotify'], UserNamespace='self')
        self.eventually(lambda: b'ready' in first.log(), what='a container with all instances')
        taken = first.log()
        place.process.terminate()
        place.process.wait()
        place.start()
        second = place.client.spawn(self.rootfs, ['/bin/attempt', 'take', 'inotify'])
        self.eventually(lambda: b'ready' in second.log(), what='another one')
        self.assertEqual(second.log(), taken)
        for container in (first, second):
            container.kill(signal.SIGKILL)
            container.wait()

    def test_queues(self):
        """E30: how many signals and messages may be queued is the container's own limit, not the service's."""
        container = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sleep', '60'])
        limits = read(f'/proc/{container.pid}/limits')
        container.end()
        self.assertRegex(limits, 'Max pending signals +16384 +16384 ')
        self.assertRegex(limits, 'Max msgqueue size +819200 +819200 ')

    def test_aio(self):
        """E30: a container takes nothing of fs.aio-max-nr, which is one number for the whole machine."""
        greedy = self.hold('alice', 'take', 'aio')
        self.assertEqual(greedy.log().split()[1], b'0')
        greedy.end()

    def test_terminals(self):
        """E31: a container that opens all terminals leaves others theirs, and so would 64 of them."""
        greedy = self.hold('alice', 'take', 'terminals')
        taken = int(greedy.log().split()[1])
        self.assertLess(64 * taken, 4096 - 1024)  # kernel.pty.max less kernel.pty.reserve
        self.assertGreaterEqual(taken, 16)
        other = self.user('bob').spawn(self.rootfs_of('bob'), ['/bin/true'], Terminal=True)
        self.assertEqual(other.wait(), ('success', 0))
        greedy.end()

    def test_devices(self):
        """E32: a lock or a watch on /dev and its files tells nothing of another user's containers."""
        paths = ['/dev', '/dev/null', '/dev/urandom', '/dev/tty']
        first, second = self.hold('alice', 'watch', *paths), self.hold('bob', 'watch', *paths)
        self.assertIn(b'locks: /dev/null', first.log())
        self.assertNotIn(b'is locked', second.log())
        self.shell('exec cat /dev/null', client=self.user('bob'), rootfs=self.rootfs_of('bob'))
        self.eventually(lambda: b'saw' in second.log(), what='a watch')  # they are the same user's
        self.assertNotIn(b'saw', first.log())
        for container in (first, second):
            container.end()

    def test_covers(self):
        """E32: nor does one on what covers a file of /proc tell of the host."""
        cover = next(path for path in ('/proc/kcore', '/proc/interrupts', '/proc/keys') if os.path.exists(path))
        spy = self.hold('alice', 'watch', cover)
        self.assertIn(f'locks: {cover}'.encode(), spy.log())
        with open('/dev/null', 'rb') as null:
            fcntl.flock(null, fcntl.LOCK_EX | fcntl.LOCK_NB)
        other = self.hold('bob', 'watch', cover)
        self.assertNotIn(b'is locked', other.log())
        self.assertNotIn(b'saw', spy.log())
        for container in (spy, other):
            container.end()

    def test_processors(self):
        """E33: the containers of each user are one group of the scheduler's, with the same weight as another user's."""
        container = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sleep', '60'])
        paths = {controllers: path for _, controllers, path in
                 (line.split(':', 2) for line in read(f'/proc/{container.pid}/cgroup').splitlines())}
        legacy = [path for controllers, path in paths.items() if 'cpu' in controllers.split(',')]
        path, file = (legacy[0], 'cpu.shares') if legacy else (paths[''], 'cpu.weight')
        self.assertTrue(path.startswith(f'{self.world.cgroup_parent}/{USERS["alice"]}/'), path)
        owner = os.path.dirname(path)
        weights = {read(found).strip() for top in ('', '/cpu', '/cpu,cpuacct', '/unified')
                   for found in glob.glob(f'/sys/fs/cgroup{top}{owner}/{file}')}
        self.assertEqual(weights, {'1024' if legacy else '100'})
        container.end()
