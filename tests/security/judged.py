"""Tests with a service of their own whose polkit is the test's."""

import contextlib
import os
import shutil
import time

from harness import rootfs
from harness.case import Case
from harness.client import PATH, RUNC, BusError, Container, UserClient, pump
from harness.fake_polkit import YES, FakePolkit, always
from harness.files import write
from harness.invariants import RECEIVER, descendants_of, leaves, processes
from harness.place import Place
from harness.world import USERS


class Judged(Case):
    """`self.place` has the service, `self.polkit` its judge, who says yes to all at first."""

    def setUp(self):
        super().setUp()
        name = self.id().rsplit('.', 1)[1]
        # with nothing prepared: every process, leaf and fd of the service's belongs to a call
        plain = f'{self.world.directory}/{name}.conf'
        write(plain, '[Service]\nPreparedSandboxes=0\n')
        self.place = Place(self, name, arguments=[f'--config={plain}'])
        self.polkit = FakePolkit(self.place.bus.address, always(YES))
        self.addCleanup(self.polkit.close)
        # what is opened once and kept
        for client in (self.place.client, self.impostor('alice')):
            with open('/dev/null') as null:
                container = client.spawn(self.rootfs_of('alice'), ['/bin/true'], fds={0: null.fileno()})
            container.wait()
            container.delete()
        self.polkit.checks.clear()
        self.fds = self.service_fds()
        self.addCleanup(self.assert_clean)

    def assert_clean(self):
        """Nothing of it is left in the second service either."""
        if self.place.process.poll() is not None:
            self.fail(f'the service has ended: {self.place.process.returncode}\n{self.place.words()[-2000:]}')
        for _, _, _, _, path in self.place.client.containers():
            container = Container(self.place.client, path)
            with contextlib.suppress(BusError):
                container.kill()
            with contextlib.suppress(BusError):
                container.wait(timeout=10)
            with contextlib.suppress(BusError):
                container.delete()
        self.eventually(lambda: not self.left(), what='the end of its processes')
        self.eventually(lambda: not leaves(self.place.parent), what='the end of its cgroups')
        self.eventually(lambda: self.service_fds() <= self.fds + 1, what='the number of its fds')
        self.assertEqual(self.polkit.failures, [])
        for word in ('CRITICAL', 'assertion'):
            self.assertNotIn(word, self.place.words())

    def left(self):
        """Its processes, but for who closes callers' descriptors and waits for the next ones."""
        helpers = {pid for pid, name, _, _ in processes() if name == RECEIVER}
        return descendants_of(self.place.process.pid) - helpers

    def service_fds(self):
        """But for the namespaces that it keeps for the next container."""
        directory = f'/proc/{self.place.process.pid}/fd'
        count = 0
        for fd in os.listdir(directory):
            with contextlib.suppress(OSError):
                count += not os.readlink(f'{directory}/{fd}').startswith('user:')
        return count

    def impostor(self, name):
        client = UserClient(self.place.bus.address, USERS[name] if name in USERS else name)
        self.addCleanup(lambda: client.connection.is_closed() or client.close())
        return client

    def run_async(self, client, path, argv=('/bin/true',), **kwargs):
        return client.call_async(PATH, RUNC, 'Run', 'stas', (path, 0, list(argv)), **kwargs)

    def asked(self, n=1, timeout=5.0):
        """The n-th question; it has come, or comes now."""
        self.eventually(lambda: len(self.polkit.checks) >= n, timeout, what=f'question {n}')
        return self.polkit.checks[n - 1]

    def outcome(self, outcomes, timeout=10):
        self.assertTrue(pump(lambda: outcomes, timeout), 'no answer')
        return outcomes[0]

    def assert_refused(self, outcomes, *names, timeout=10):
        error = self.outcome(outcomes, timeout)
        self.assertIsInstance(error, BusError)
        self.assertIn(error.name.rsplit('.', 1)[1], names, error.text)
        return error

    def started(self):
        """How many containers there are, of anybody."""
        return len(self.place.client.containers())

    def assert_nothing_starts(self, seconds=0.3):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.assertEqual(self.place.client.containers(), [])
            time.sleep(0.02)
        self.place.client.ping()

    def tree(self, name, marker, owner='alice'):
        """A tree that tells which it is."""
        path = f'{self.world.directory}/{owner}/{name}'
        rootfs.make(path, f'{self.world.directory}/programs', USERS[owner], USERS[owner])
        self.addCleanup(lambda: os.path.exists(path) and shutil.rmtree(path))
        write(f'{path}/etc/which', marker)
        return path
