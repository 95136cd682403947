"""Row E46: a process whose first thread has ended."""

import signal

from harness.client import Container
from harness.roots_case import Roots
from harness.world import wait_until

HEADLESS = ('import ctypes, platform, threading, time\n'
            'threading.Thread(target=time.sleep, args=(600,)).start()\n'
            'ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)\n')


class FirstThread(Roots):
    def headless(self):
        """A container whose only process goes on without its first thread."""
        mounts = [('/usr', '/usr', 'bind', ['ro']), ('usr/lib', '/lib', 'symlink', []),
                  ('usr/lib64', '/lib64', 'symlink', []), ('', '/proc', 'proc', [])]
        spawned = self.user('alice').spawn('', ['/usr/bin/python3', '-c', HEADLESS], EmptyRoot=True, Mounts=mounts)
        container = Container(self.root, spawned.path)
        pid = container.pid
        wait_until(lambda: open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0] == 'Z', 60)
        self.assertEqual(container.state, 'running')
        return container

    def test_killed(self):
        """E46: Kill of all ends a container whose first process has no first thread any more."""
        container = self.headless()
        container.kill(whom='all')
        self.assertEqual(container.wait(), ('signal', signal.SIGKILL))

    def test_stopped(self):
        """E46: and so does Stop."""
        container = self.headless()
        container.call('Stop', 'it', (0, 0))
        self.assertEqual(container.wait(), ('signal', signal.SIGKILL))
