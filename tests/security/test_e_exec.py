"""Row E37: what a process may do that joins a container."""

from harness.client import BusError
from harness.exec_case import SLEEP, ExecCase, rights_of


class Rights(ExecCase):
    def compare(self, container):
        joined = self.execute(container, SLEEP)
        self.maxDiff = None
        self.assertEqual(rights_of(joined.pid), rights_of(container.pid))
        return joined

    def test_default(self):
        """E37: the process has what the first one has, field by field, whoever owns the container."""
        self.compare(self.container())
        self.compare(self.container(client=self.user('alice'), rootfs=self.rootfs_of('alice')))

    def test_options(self):
        """E37: so it has with any options of the first one: fewer rights, other ids, and more as root gives them."""
        for options in ({'User': (1000, 1001), 'SupplementaryGroups': [5, 77]},
                        {'User': (1000, 0), 'Capabilities': ['CAP_CHOWN', 'CAP_NET_ADMIN']},
                        {'User': (0, 7)},
                        {'CapabilityBoundingSet': ['CAP_CHOWN']}, {'CapabilityBoundingSet': []},
                        {'Seccomp': 'unconfined'}, {'NoNewPrivileges': False}, {'Capabilities': ['CAP_SYS_ADMIN']},
                        {'LimitNOFILE': (50, 60), 'LimitFSIZE': (1 << 20, 1 << 21), 'OOMScoreAdjust': 500},
                        {'LimitNPROC': (20, 30), 'UserNamespace': 'host'}, {'UserNamespace': 'self'},
                        {'LimitNOFILE': (1 << 19, 1 << 19), 'OOMScoreAdjust': -500}):
            with self.subTest(str(options)):
                try:
                    container = self.container(**options)
                except BusError as error:  # a machine may not let root have more than it has
                    self.assertTrue(error.name.endswith('.NotSupported'), error)
                    continue
                self.compare(container)
                container.end()

    def test_more_is_refused(self):
        """E37: what the first process does not have is refused by its name, and so is a key that only Spawn takes."""
        user = self.container(User=(1000, 1000), SupplementaryGroups=[5])
        weak = self.container(CapabilityBoundingSet=['CAP_CHOWN'], LimitNOFILE=(50, 60))
        for container, key, value in ((user, 'User', (0, 0)), (user, 'User', (1000, 0)), (user, 'User', (1001, 1000)),
                                      (user, 'SupplementaryGroups', []), (user, 'SupplementaryGroups', [5, 6]),
                                      (user, 'Capabilities', ['CAP_CHOWN']), (weak, 'Capabilities', ['CAP_KILL']),
                                      (weak, 'User', (1, 1)), (weak, 'SupplementaryGroups', [1]),
                                      (weak, 'LimitNOFILE', (50, 61)), (weak, 'LimitNOFILE', (2, 1)),
                                      (weak, 'User', (0, 65536))):
            with self.subTest(f'{key}={value}'), self.refused('InvalidArgs', text=key):
                self.execute(container, ['/bin/true'], **{key: value})
        for key, value in (('Seccomp', 'unconfined'), ('CapabilityBoundingSet', []), ('OOMScoreAdjust', -1),
                           ('LimitCORE', (2, 2)), ('UserNamespace', 'host'), ('MemoryMax', 1 << 40)):
            with self.subTest(key), self.refused('InvalidArgs', text=f"unknown option '{key}'"):
                self.execute(user, ['/bin/true'], **{key: value})

    def test_dev_null(self):
        """E37: nothing is opened in the place of /dev/null: who may mount could lay a file there that the command must
        not read."""
        container = self.root.spawn(self.rootfs, [
            '/bin/sh', '-c', 'echo secret > /tmp/s && mount -o bind /tmp/s /dev/null && echo laid; sleep 600'],
            Capabilities=['CAP_SYS_ADMIN'], Terminal=True)
        self.eventually(lambda: container.log())
        if b'laid' not in container.log():
            self.skipTest('the container cannot mount: ' + container.log().decode())
        with self.refused('SetupFailed', text='No such device'):
            self.execute(container, ['/bin/cat'])
