"""Options of a process, as the command sees them: user, groups, capabilities, resource limits, OOM score."""

import resource

from harness.case import Case
from harness.client import BusError

DEFAULT = 0xa80405fb
CHOWN, NET_BIND, NET_ADMIN = 1 << 0, 1 << 10, 1 << 12
INVALID, LIMITS, NOT_SUPPORTED = 'InvalidArgs', 'LimitsExceeded', 'NotSupported'


class Process(Case):
    def status(self, client=None, rootfs=None, **options):
        text = self.spawn_output(['/bin/cat', '/proc/self/status'], client=client, rootfs=rootfs, **options)
        return {key: value.split() for key, _, value in (line.partition(':') for line in text.splitlines())}

    def capabilities(self, **options):
        status = self.status(**options)
        return [int(status[name][0], 16) for name in ('CapBnd', 'CapPrm', 'CapEff', 'CapInh', 'CapAmb')]


class User(Process):
    def test_ids(self):
        """The command has the ids and groups that were asked for, and no others; HOME is then /."""
        status = self.status(User=(1000, 1001), SupplementaryGroups=[5, 77])
        self.assertEqual((status['Uid'], status['Gid'], status['Groups']),
                         (['1000'] * 4, ['1001'] * 4, ['5', '77']))
        self.assertEqual(self.status()['Groups'], [])
        self.assertIn('HOME=/\n', self.spawn_output(['/bin/env'], User=(1000, 1000)))
        self.assertIn('HOME=/x\n', self.spawn_output(['/bin/env'], User=(1000, 1000), Environment=['HOME=/x']))

    def test_capabilities(self):
        """Another user than root has none, and may have at most the bounding set; what is named is ambient."""
        self.assertEqual(self.capabilities(User=(1000, 0)), [DEFAULT, 0, 0, 0, 0])
        named = CHOWN | NET_ADMIN
        self.assertEqual(self.capabilities(User=(1000, 0), Capabilities=['CAP_CHOWN', 'CAP_NET_ADMIN']),
                         [DEFAULT | NET_ADMIN] + [named] * 4)
        self.assertEqual(self.capabilities(User=(0, 7)), [DEFAULT] * 3 + [0, 0])

    def test_terminal(self):
        """The terminal is the user's."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'echo by-name > $(tty) && id -u'], Terminal=True,
                                    User=(1000, 1000))
        self.assertEqual(container.wait(), ('success', 0))
        self.assertIn(b'by-name', container.log())
        self.assertIn(b'1000', container.log())

    def test_files(self):
        """The user has no rights of container root's: a file of 0600 stays closed, its own /tmp files are its own."""
        self.assertEqual(self.spawn_output(['/bin/sh', '-c', 'echo x > /tmp/a && stat -c %u:%g /tmp/a'], User=(1000, 9)),
                         '1000:9\n')

    def test_wrong(self):
        """Ids that the container does not have are refused, with their range; so are too many groups."""
        for options, words in (({'User': (65536, 0)}, '0 to 65535'), ({'User': (0, 70000)}, '0 to 65535'),
                               ({'SupplementaryGroups': [65536]}, '0 to 65535'),
                               ({'User': (2**32 - 1, 0)}, 'no id'), ({'SupplementaryGroups': list(range(33))}, '32'),
                               ({'User': (1, 0), 'UserNamespace': 'self'}, '0 to 0')):
            with self.subTest(str(options)[:60]), self.refused(INVALID, text=words):
                self.root.spawn(self.rootfs, ['/bin/true'], **options)
        with self.refused(NOT_SUPPORTED, text='SupplementaryGroups'):
            self.root.spawn(self.rootfs, ['/bin/true'], UserNamespace='self', SupplementaryGroups=[0])


class BoundingSet(Process):
    def test_smaller(self):
        """The bounding set is what was said and the profile has, the other sets follow; [] is none."""
        self.assertEqual(self.capabilities(CapabilityBoundingSet=['CAP_CHOWN', 'CAP_SYS_BOOT']), [CHOWN] * 3 + [0, 0])
        self.assertEqual(self.capabilities(CapabilityBoundingSet=[]), [0] * 5)
        self.assertEqual(self.capabilities(CapabilityBoundingSet=['CAP_NET_ADMIN', 'CAP_CHOWN'],
                                           Capabilities=['CAP_NET_ADMIN']), [CHOWN | NET_ADMIN] * 3 + [0, 0])

    def test_less_than_default(self):
        """A smaller set takes nothing from the isolation."""
        container = self.root.spawn(self.rootfs, ['/bin/true'], CapabilityBoundingSet=[])
        self.assertEqual(container.prop('Deviations'), [])

    def test_wrong(self):
        """A name that is none, and a capability that is added and left out, are refused by name."""
        for options, words in (({'CapabilityBoundingSet': ['CAP_NONE']}, 'CAP_NONE'),
                               ({'CapabilityBoundingSet': [], 'Capabilities': ['CAP_NET_ADMIN']}, 'CAP_NET_ADMIN')):
            with self.subTest(words), self.refused(INVALID, text=words):
                self.root.spawn(self.rootfs, ['/bin/true'], **options)


class Limits(Process):
    NAMES = {'NOFILE': 'Max open files', 'FSIZE': 'Max file size', 'CORE': 'Max core file size',
             'STACK': 'Max stack size', 'NPROC': 'Max processes', 'MEMLOCK': 'Max locked memory'}

    def limits(self, **options):
        text = self.spawn_output(['/bin/cat', '/proc/self/limits'], **options)
        return {key: next(line[len(words):].split()[:2] for line in text.splitlines() if line.startswith(words))
                for key, words in self.NAMES.items()}

    def test_effect(self):
        """Each limit is the command's, soft and hard; the others stay. No core dump is a limit of 1, not of 0."""
        before = self.limits()
        values = {'NOFILE': (50, 60), 'FSIZE': (1 << 20, 1 << 21), 'STACK': (1 << 20, 2 << 20), 'NPROC': (20, 30),
                  'MEMLOCK': (4096, 8192)}
        for name, pair in values.items():
            with self.subTest(name):
                self.assertEqual(self.limits(**{f'Limit{name}': pair}), dict(before, **{name: [str(n) for n in pair]}))
        self.assertEqual(self.limits(LimitCORE=(0, 0))['CORE'], ['1', '1'])

    def test_user(self):
        """Who is not root gets no higher hard limit than without asking, and is told which."""
        alice, tree = self.user('alice'), self.rootfs_of('alice')
        for name, value in (('NOFILE', 1 << 30), ('CORE', 2), ('MEMLOCK', 2**64 - 1)):
            with self.subTest(name), self.refused(LIMITS, text=f'Limit{name}'):
                alice.spawn(tree, ['/bin/true'], **{f'Limit{name}': (0, value)})
        self.assertEqual(self.spawn_output(['/bin/sh', '-c', 'ulimit -n'], client=alice, rootfs=tree,
                                           LimitNOFILE=(40, 50)), '40\n')

    def test_wrong(self):
        """A soft limit above the hard one is refused."""
        with self.refused(INVALID, text='LimitNPROC'):
            self.root.spawn(self.rootfs, ['/bin/true'], LimitNPROC=(2, 1))

    def test_above_the_service(self):
        """Root gets more than the service has itself, or is told by how much that is too much."""
        own = resource.prlimit(self.world.service_pid, resource.RLIMIT_NOFILE)[1]
        try:
            limits = self.limits(LimitNOFILE=(own, own + 1))
        except BusError as error:  # a service without CAP_SYS_RESOURCE
            self.assertIn('NotSupported', error.name)
            for word in ('LimitNOFILE', f' {own},', f' {own + 1}:'):
                self.assertIn(word, error.text)
        else:
            self.assertEqual(limits['NOFILE'], [str(own), str(own + 1)])

    def test_core_of_root(self):
        """Core dumps, which the host's handler may get, are root's to ask for, and told as less isolation."""
        try:
            container = self.root.spawn(self.rootfs, ['/bin/true'], LimitCORE=(4096, 4096))
        except BusError as error:  # a service without CAP_SYS_RESOURCE says so
            self.assertIn('NotSupported', error.name)
            self.assertIn('LimitCORE', error.text)
        else:
            self.assertEqual(container.prop('Deviations'), ['LimitCORE'])


class OOMScore(Process):
    def test_effect(self):
        """The score is set before the command runs, and the command cannot take it back."""
        self.assertEqual(self.spawn_output(['/bin/sh', '-c', 'cat /proc/self/oom_score_adj'], OOMScoreAdjust=700), '700\n')

    def test_user(self):
        """Only root asks to be spared; what is no score is refused to everybody."""
        alice, tree = self.user('alice'), self.rootfs_of('alice')
        self.assertEqual(self.spawn_output(['/bin/cat', '/proc/self/oom_score_adj'], client=alice, rootfs=tree,
                                           OOMScoreAdjust=300), '300\n')
        with self.refused(LIMITS, text='OOMScoreAdjust'):
            alice.spawn(tree, ['/bin/true'], OOMScoreAdjust=-1)
        for score in 1001, -1001, -2**31:
            with self.subTest(score), self.refused(INVALID, text='OOMScoreAdjust'):
                self.root.spawn(self.rootfs, ['/bin/true'], OOMScoreAdjust=score)
