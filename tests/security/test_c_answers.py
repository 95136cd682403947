"""Rows C3, C4, C5, C7: what polkit says, when, and what becomes of the question meanwhile."""

import os
import signal
import time
from xml.etree import ElementTree

from harness.client import CONTAINER, MANAGER, PATH, BusError, Container, GLib, pump
from harness.fake_polkit import NO, YES, always, never
from harness.hostile_case import Hostile
from harness.world import USERS
from judged import Judged

UNAVAILABLE = 'AuthorizationUnavailable'


class Pending(Judged):
    """C3: what a question is about goes away before the answer. A run with sanitizers looks at the memory."""

    def setUp(self):
        super().setUp()
        self.polkit.policy = never

    def test_target_is_gone(self):
        """C3 CVE-2020-1712: a container that is deleted while polkit thinks is an unknown object for whoever was granted it."""
        bob = self.impostor('bob')
        for member, signature, arguments in (('Kill', 'si', ('all', 9)), ('Stop', 'it', (15, 0)), ('Wait', '()', ()),
                                             ('Delete', '()', ()), ('ReadLog', 'tu', (0, 100)), ('Start', '()', ()),
                                             ('OpenPIDFD', '()', ()), ('Attach', 'a{sv}', ({},))):
            with self.subTest(member=member):
                target = self.place.client.create(self.rootfs, ['/bin/sleep', '60'], Id='target', Terminal=True)
                n = len(self.polkit.checks)
                outcome = bob.call_async(target.path, CONTAINER, member, signature, arguments)
                check = self.asked(n + 1)
                target.end()
                target.delete()
                self.polkit.answer(check, YES)
                self.assert_refused(outcome, 'UnknownObject')

    def test_another_of_the_same_name(self):
        """C3: one that is made anew under the same name meanwhile is looked up anew, as it is then."""
        bob = self.impostor('bob')
        target = self.place.client.create(self.rootfs, ['/bin/sleep', '60'], Id='target')
        outcome = bob.call_async(target.path, CONTAINER, 'ReadLog', 'tu', (0, 100))
        check = self.asked()
        target.end()
        target.delete()
        self.place.client.spawn(self.rootfs, ['/bin/echo', 'anew'], Id='target').wait()
        self.polkit.answer(check, YES)
        self.assertEqual(bytes(self.outcome(outcome)[1]), b'anew\n')

    def test_caller_is_gone(self):
        """C3, C2: a caller that leaves takes its questions along: each is cancelled by its id, and a late yes is heard by nobody."""
        target = self.place.client.create(self.rootfs, ['/bin/sleep', '60'], Id='target')
        bob = self.impostor('bob')
        self.run_async(bob, self.rootfs_of('bob'))
        bob.call_async(target.path, CONTAINER, 'Kill', 'si', ('all', 9))
        bob.call_async(PATH, MANAGER, 'GetContainer', 's', ('0/target',))
        self.asked(3)
        bob.close()
        ids = {check.cancellation for check in self.polkit.checks}
        self.assertEqual(len(ids), 3)
        self.eventually(lambda: set(self.polkit.cancelled) == ids, what='the cancellation of all three')
        for check in self.polkit.checks:
            self.polkit.answer(check, YES)
        time.sleep(0.3)
        self.assertEqual([(c[0], c[1]) for c in self.place.client.containers()], [('target', 'created')])

    def test_service_stops(self):
        """C3: a service that is stopped while polkit thinks answers first, starts nothing and ends as ever."""
        outcome = self.run_async(self.impostor('alice'), self.rootfs_of('alice'))
        check = self.asked()
        self.place.process.terminate()
        self.assertIsInstance(self.outcome(outcome), BusError)
        self.polkit.answer(check, YES)
        self.assertEqual(self.place.process.wait(timeout=10), 0)
        self.polkit.policy = always(YES)
        self.place.start()
        self.assertEqual(self.place.client.containers(), [])
        self.fds = self.service_fds()


class Answers(Judged):
    """C3, C7: answers of every kind."""

    def judge(self, policy, flags=0):
        """What a Run of alice's comes to under this policy."""
        self.polkit.policy = policy
        return self.run_async(self.impostor('alice'), self.rootfs_of('alice'), flags=flags)

    def test_malformed(self):
        """C3, C7: an answer that is none, or contradicts itself, starts nothing and says that polkit is at fault."""
        for text in ('(true,)', '("yes",)', '()', '((true, false),)', '((true, false, {"a": <1>}),)', '(((true, false), 1),)',
                     '((uint32 1, false, @a{ss} {}),)', '((true, false, @a{ss} {}), "more")', '((true, true, @a{ss} {}),)',
                     '((true, false, {"polkit.dismissed": "true"}),)'):
            with self.subTest(answer=text):
                body = GLib.Variant.parse(None, text, None, None)
                self.assert_refused(self.judge(lambda polkit, check: polkit.answer_raw(check, body)), UNAVAILABLE)
        self.assert_nothing_starts()

    def test_errors(self):
        """C3, C7: an error of polkit's, whatever it is called and says, is no yes, and its words reach nobody's terminal raw."""
        for name in ('org.freedesktop.PolicyKit1.Error.Failed', 'org.freedesktop.PolicyKit1.Error.NotAuthorized',
                     'org.freedesktop.DBus.Error.NoReply', 'org.freedesktop.DBus.Error.Timeout', 'a.b'):
            with self.subTest(name=name):
                error = self.assert_refused(self.judge(
                    lambda polkit, check: polkit.answer_error(check, name, 'authorized\n\x1b[2Jby polkit')), UNAVAILABLE)
                self.assertNotIn('\x1b', error.text)
                self.assertNotIn('\n', error.text)
        self.assertNotIn('\x1b', self.place.words())
        self.assert_nothing_starts()

    def test_exit(self):
        """C7 CVE-2021-4115 CVE-2026-4897: a polkit that ends while it is asked authorizes nothing, and each call asks once: no storm."""
        outcomes = [self.judge(never) for _ in range(4)]
        self.asked(4)
        self.polkit.close()
        for outcome in outcomes:
            self.assert_refused(outcome, UNAVAILABLE)
        self.assert_nothing_starts()
        self.assertEqual(len(self.polkit.checks), 4)
        # while it is away: refused at once, without a try for each
        started = time.monotonic()
        for _ in range(20):
            with self.refused(UNAVAILABLE):
                self.impostor('alice').run(self.rootfs_of('alice'), 0, ['/bin/true'])
        self.assertLess(time.monotonic() - started, 5)
        self.place.client.run(self.rootfs, 0, ['/bin/true'])  # root is not asked

    def test_never(self):
        """C7 F14: a polkit that never answers is given up after 25 s, its question cancelled; others are served meanwhile."""
        outcome, begun = self.judge(never), time.monotonic()
        self.asked()
        while not outcome and time.monotonic() - begun < 40:
            started = time.monotonic()
            self.place.client.ping(timeout=5)
            self.assertLess(time.monotonic() - started, self.world.slowness)
            pump(lambda: outcome, 0.3)
        self.assert_refused(outcome, UNAVAILABLE)
        self.assertGreater(time.monotonic() - begun, 20)
        self.eventually(lambda: self.polkit.cancelled == [self.polkit.checks[0].cancellation], what='the cancellation')
        self.polkit.answer(self.polkit.checks[0], YES)
        self.assert_nothing_starts()


class Authorized(Judged):
    """C4: what was judged is what is done."""

    def which(self, path):
        container = Container(self.place.client, path)
        container.wait()
        return container.log().decode()

    def test_other_tree_under_the_name(self):
        """C4 CVE-2026-41651: another tree that takes the place of the approved one while polkit thinks is not the one that runs."""
        self.polkit.policy = never
        approved, other = self.tree('approved', 'approved'), self.tree('other', 'other')
        outcome = self.run_async(self.impostor('alice'), approved, ['/bin/cat', '/etc/which'])
        check = self.asked()
        self.assertEqual(check.details['rootfs'], approved)
        os.rename(approved, f'{approved}-away')
        os.rename(other, approved)
        self.polkit.answer(check, YES)
        path, = self.outcome(outcome)
        os.rename(approved, other)
        os.rename(f'{approved}-away', approved)
        self.assertEqual(self.which(path), 'approved')

    def test_other_link(self):
        """C4: nor is what a link leads to later: the question names what it led to, and that runs."""
        self.polkit.policy = never
        approved, other = self.tree('approved', 'approved'), self.tree('other', 'other')
        link = f'{self.world.directory}/alice/link'
        os.symlink(approved, link)
        self.addCleanup(os.unlink, link)
        outcome = self.run_async(self.impostor('alice'), link, ['/bin/cat', '/etc/which'])
        check = self.asked()
        self.assertEqual(check.details['rootfs'], approved)
        os.unlink(link)
        os.symlink(other, link)
        self.polkit.answer(check, YES)
        self.assertEqual(self.which(self.outcome(outcome)[0]), 'approved')

    def test_two_at_a_time(self):
        """C4 CVE-2026-41651: a second call of the same sender while the first is judged changes nothing of it: each has its question and its answer."""
        self.polkit.policy = never
        alice = self.impostor('alice')
        outcomes = [alice.spawn_async(self.rootfs_of('alice'), ['/bin/echo', word], Id=f'call-{word}')
                    for word in ('harmless', 'hostile')]
        self.asked(2)
        checks = {check.details['id']: check for check in self.polkit.checks}
        for word in ('harmless', 'hostile'):
            self.assertEqual(checks[f'call-{word}'].details['command_line'], f'/bin/echo {word}')
        self.polkit.answer(checks['call-harmless'], YES)
        path, = self.outcome(outcomes[0])
        self.assertEqual(self.which(path), 'harmless\n')
        self.assertEqual(self.started(), 1)
        self.polkit.answer(checks['call-hostile'], NO)
        self.assert_refused(outcomes[1], 'AccessDenied')
        self.assertEqual(self.started(), 1)

    def test_descriptors(self):
        """C4: a descriptor is taken at the call: what the caller does with its number later is its own affair."""
        self.polkit.policy = never
        alice = self.impostor('alice')
        reader, writer = os.pipe()
        other_reader, other_writer = os.pipe()
        try:
            outcome = alice.spawn_async(self.rootfs_of('alice'), ['/bin/sh', '-c', 'echo through >&7'], fds={7: writer})
            check = self.asked()
            os.dup2(other_writer, writer)
            self.polkit.answer(check, YES)
            self.assertNotIsInstance(self.outcome(outcome), BusError)
            self.assertEqual(os.read(reader, 100), b'through\n')
            os.set_blocking(other_reader, False)
            with self.assertRaises(BlockingIOError):
                os.read(other_reader, 100)
        finally:
            for fd in (reader, writer, other_reader, other_writer):
                os.close(fd)


class Kept(Judged):
    def test_each_is_asked(self):
        """C5: the service keeps no approval: the same call again, and one for another tree, are questions of their own with their own details."""
        alice, other = self.impostor('alice'), self.tree('other', 'other')
        trees = (self.rootfs_of('alice'), self.rootfs_of('alice'), other)
        for tree in trees:
            alice.run(tree, 0, ['/bin/true'])
        self.assertEqual([(check.action, check.details['rootfs']) for check in self.polkit.checks],
                         [('org.naive.Runc.run', tree) for tree in trees])
        self.polkit.policy = always(NO)
        with self.refused('AccessDenied'):
            alice.run(other, 0, ['/bin/true'])

    def test_privileged(self):
        """C5: what takes from the isolation is asked of its own action, each time anew, by what it is: a yes for one tree is none for another."""
        alice, other = self.impostor('alice'), self.tree('other', 'other')
        for tree in (self.rootfs_of('alice'), self.rootfs_of('alice'), other):
            alice.spawn(tree, ['/bin/true'], Seccomp='unconfined')
            check = self.polkit.checks[-1]
            self.assertEqual((check.action, check.details['rootfs']), ('org.naive.Runc.run-privileged', tree))
        self.assertEqual(len(self.polkit.checks), 3)
        self.polkit.policy = lambda polkit, check: polkit.answer(
            check, YES if check.action == 'org.naive.Runc.run' else NO)
        with self.refused('AccessDenied'):
            alice.spawn(other, ['/bin/true'], Seccomp='unconfined')

    def test_details(self):
        """C5: what a rule may judge by is there and is escaped: tree, command, memory, id, verb; owner and id of a container."""
        alice, bob = self.impostor('alice'), self.impostor('bob')
        name = 'tree\n\x1b[2J\u202e'
        tree = self.tree(name, 'x')
        container = alice.spawn(tree, ['/bin/sleep', '60', 'a b\n\x07'], Id='web', MemoryMax=64 << 20)
        check = self.polkit.checks[-1]
        self.assertEqual({key: check.details[key] for key in ('memory_max', 'id', 'verb')},
                         {'memory_max': str(64 << 20), 'id': 'web', 'verb': 'Spawn'})
        for key, value in check.details.items():
            self.assertTrue(value.isprintable(), f'{key}: {value!r}')
            self.assertNotIn('\u202e', value)
        self.polkit.policy = always(NO)
        with self.assertRaises(BusError):
            Container(bob, container.path).kill()
        details = self.polkit.checks[-1].details
        self.assertEqual((details['id'], details['owner'], details['verb']), ('web', str(USERS['alice']), 'Kill'))

    def test_policy(self):
        """C5: what equals root on the host is never kept, nor granted to anybody without an administrator's password;
        a sandbox alone needs none, in an active session."""
        with open(f'{self.world.directory}/actions/org.naive.Runc.policy') as f:
            actions = {a.get('id'): {d.tag: d.text for d in a.find('defaults')} for a in ElementTree.parse(f).iter('action')}
        privileged = actions['org.naive.Runc.run-privileged']
        self.assertEqual(set(privileged), {'allow_any', 'allow_inactive', 'allow_active'})
        for who, what in privileged.items():
            self.assertIn(what, ('auth_admin', 'no'), who)
        for action, defaults in actions.items():
            for who, what in defaults.items():
                if (action, who, what) != ('org.naive.Runc.sandbox', 'allow_active', 'yes'):
                    self.assertIn(what, ('auth_admin', 'auth_admin_keep', 'no'), f'{action} {who}')


class Silent(Hostile):
    """C7 with the real polkitd."""

    starts_nothing = True

    def test_absent(self):
        """C7 F13: without polkit a user gets AuthorizationUnavailable, and root works as ever."""
        self.world.stop_polkit()
        try:
            with self.refused('AuthorizationUnavailable'):
                self.user('alice').run(self.rootfs_of('alice'), 10 << 20, ['/bin/true'])
            container = self.root.run(self.rootfs, 10 << 20, ['/bin/true'])
            self.assertEqual(container.wait(), ('success', 0))
            self.discard(container.path)
        finally:
            self.world.start_polkit()

    def test_silent(self):
        """C7 F14: while polkit is silent others are served; a caller that leaves cancels its question."""
        with self.paused(self.world.polkit):
            user = self.impostor('alice')
            self.run_async(user, self.rootfs_of('alice'))
            user.ping()
            started = time.monotonic()
            container = self.root.run(self.rootfs, 10 << 20, ['/bin/true'])
            self.assertEqual(container.wait(), ('success', 0))
            self.assertLess(time.monotonic() - started, 3)
            self.discard(container.path)
            user.close()
            time.sleep(0.3)
        time.sleep(0.5)  # the late answer changes nothing

    def test_silent_then_killed(self):
        """C7 F15: a polkit that dies while it is asked is AuthorizationUnavailable."""
        os.kill(self.world.polkit.pid, signal.SIGSTOP)
        user = self.impostor('alice')
        outcome = self.run_async(user, self.rootfs_of('alice'))
        user.ping()
        self.world.stop_polkit()
        try:
            self.assertIn('AuthorizationUnavailable', self.refusal(outcome, 5).name)
        finally:
            self.world.start_polkit()
