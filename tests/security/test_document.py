"""The container as its own process finds it, field by field: issue 4's probe."""

import os
import time

import document
from harness.case import Case
from harness.invariants import Prepared


class Document(Case):
    """`/bin/inside` prints all that it is, has and may; expected.json says what that must be."""

    def compare(self, variant, text, limits=None):
        wanted = document.expected(variant, self.world.state_dir)
        found = document.load(text, limits or document.limits_of(os.getpid()), len(os.sched_getaffinity(0)))
        self.assertEqual(set(wanted) - set(found), set() if os.uname().machine == 'x86_64' else {'x32', 'i386'})
        wanted = {name: value for name, value in wanted.items() if name in found}
        differences = document.differences(wanted, found)
        if differences:
            self.fail('\n  '.join([f'a container of variant "{variant}" differs:', *differences]))

    def test_root(self):
        """D2 CVE-2021-41133 D3 CVE-2014-8989 D4 CVE-2022-29162 CVE-2022-27650 D8 D10: root's default container is as expected.json says."""
        self.compare('root', self.spawn_output(['/bin/inside']))

    def test_user(self):
        """D2 D3 D4 D8 D10: so is a user's."""
        self.compare('user', self.spawn_output(['/bin/inside'], client=self.user('alice'),
                                               rootfs=self.rootfs_of('alice')))

    def test_self(self):
        """D2 D3 D4 D8 D10: so is one in which container root is the user itself."""
        self.compare('self', self.spawn_output(['/bin/inside'], client=self.user('alice'),
                                               rootfs=self.rootfs_of('alice'), UserNamespace='self'))

    def test_prepared(self):
        """D2 D3 D4 D7 D8 D10: so is one whose sandbox has waited for it."""
        self.spawn_output(['/bin/true'])
        if self.world.prepared:
            self.eventually(lambda: Prepared(self.world).pids, what='a prepared sandbox')
            time.sleep(0.2)  # it has its name before it is ready
        waiting = Prepared(self.world).pids
        container = self.root.create(self.rootfs, ['/bin/inside'])
        self.assertEqual(container.pid in waiting, self.world.prepared > 0)
        container.start()
        self.assertEqual(container.wait(), ('success', 0))
        self.compare('root', container.log())

    def test_the_host_is_not_like_that(self):
        """D2: held against the same document, a process of the host's differs in every part: the comparison has teeth."""
        text = self.command(f'{self.world.directory}/programs/inside', 'self', user='alice').stdout
        found = document.load(text, document.limits_of(os.getpid()), len(os.sched_getaffinity(0)))
        wanted = document.expected('root', self.world.state_dir)
        for part in ('ids', 'rights', 'namespaces', 'mounts', 'process', 'uid_map'):
            with self.subTest(part=part):
                self.assertTrue(document.differences(wanted[part], found[part]))
