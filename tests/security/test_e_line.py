"""Row E35: the line of requests that wait for their turn."""

import os
import signal
import time

from harness.client import NAME, PATH, RUNC, pump
from harness.fake_polkit import NO, YES, always, never
from harness.hostile import wire
from harness.wire import run_body
from harness.world import USERS
from judged import Judged

AT_WORK, IN_ALL, IN_LINE = 8, 64, 1024  # service/spec/limits.h
CALLS_AT_ONCE = 100                     # a connection may have 128 calls without a reply
REFUSALS = 100


class Line(Judged):
    def setUp(self):
        super().setUp()
        self.polkit.policy = never

    def commands(self):
        return [check.details['command_line'] for check in self.polkit.checks]

    def settled(self, n, seconds=0.3):
        """So many questions, and no more."""
        self.asked(n)
        time.sleep(seconds)
        self.assertEqual(len(self.polkit.checks), n)

    def flood(self, user, n, body=None):
        """So many Runs of that user, on as many connections as they need; each is [connection, serials]."""
        sent = []
        while n > 0:
            connection = wire(self.place.bus.address, USERS.get(user, user))
            self.addCleanup(connection.close)
            serials = [connection.send(NAME, PATH, RUNC, 'Run', 'stas', body or run_body(self.rootfs_of('alice')))
                       for _ in range(min(n, CALLS_AT_ONCE))]
            sent.append([connection, serials])
            n -= len(serials)
        return sent

    def handled(self, sent):
        """All of them have come to the line: a connection's calls are handled in their order."""
        for connection, _ in sent:
            self.assertIsNone(connection.call(NAME, PATH, 'org.freedesktop.DBus.Peer', 'Ping'))

    def errors(self, sent):
        return [name and name.rsplit('.', 1)[1] for connection, serials in sent
                for name in connection.replies(serials).values()]

    def test_first_in_first_out(self):
        """E35: of 30 requests of one user eight are at work, and the others follow in their order, none refused."""
        alice = self.impostor('alice')
        outcomes = [self.run_async(alice, self.rootfs_of('alice'), ['/bin/echo', str(i)]) for i in range(30)]
        for n in range(AT_WORK, 30):
            self.settled(n, 0.05)
            self.polkit.answer(self.polkit.checks[n - AT_WORK], YES)
        self.asked(30)
        for check in self.polkit.checks[30 - AT_WORK:]:
            self.polkit.answer(check, YES)
        self.assertEqual(self.commands(), [f'/bin/echo {i}' for i in range(30)])
        self.assertTrue(pump(lambda: all(outcomes)))
        self.assertEqual([o[0] for o in outcomes if isinstance(o[0], Exception)], [])

    def test_few_keep_nobody_out(self):
        """E35: ten users with 20 questions each that nobody answers leave room for an eleventh, whose question is asked at once."""
        users = range(30000, 30010)
        self.addCleanup(self.world.add_users(users))
        for user in users:
            self.flood(user, 20)
        self.asked(IN_ALL - 1)
        n = len(self.polkit.checks)
        self.assertLess(n, IN_ALL)
        bob = self.impostor('bob')
        outcome = self.run_async(bob, self.rootfs_of('bob'))
        self.polkit.answer(self.asked(n + 1), YES)
        self.assertNotIsInstance(self.outcome(outcome), Exception)

    def test_who_leaves(self):
        """E35: what waits goes with its caller, leaves its place to others, and costs no question."""
        alice = self.impostor('alice')
        for _ in range(AT_WORK):
            self.run_async(alice, self.rootfs_of('alice'))
        self.settled(AT_WORK)
        names = len(alice.bus('ListNames')[0])
        gone = self.flood('alice', IN_LINE)  # the whole line
        self.handled(gone)
        for connection, _ in gone:
            connection.close()
        self.eventually(lambda: len(alice.bus('ListNames')[0]) == names, what='the end of the connections')
        last = self.run_async(alice, self.rootfs_of('alice'), ['/bin/echo', 'last'])
        alice.ping()
        for check in list(self.polkit.checks):
            self.polkit.answer(check, YES)
        self.settled(AT_WORK + 1)
        self.assertEqual(self.commands()[-1], '/bin/echo last')
        self.polkit.answer(self.polkit.checks[-1], YES)
        self.assertNotIsInstance(self.outcome(last), Exception)

    def test_bounded(self):
        """E35: 1,024 requests of a user wait, the next are Busy; others and root are served; a stop answers all."""
        self.flood('alice', AT_WORK)
        self.settled(AT_WORK)
        sent = self.flood('alice', IN_LINE)
        self.handled(sent)
        surplus = self.flood('alice', 50)
        self.assertEqual(self.errors(surplus), ['Busy'] * 50)
        bob = self.impostor('bob')
        outcome = self.run_async(bob, self.rootfs_of('bob'))
        self.polkit.answer(self.asked(AT_WORK + 1), YES)
        self.assertNotIsInstance(self.outcome(outcome), Exception)
        self.place.client.run(self.rootfs, 0, ['/bin/true']).wait()
        os.kill(self.place.process.pid, signal.SIGTERM)
        self.assertEqual(self.errors(sent), ['Cancelled'] * IN_LINE)
        self.assertEqual(self.place.process.wait(10), 0)
        self.place.start()

    def test_heavy(self):
        """E35: requests of 1 MiB wait as long as all of them together have no more than 64 MiB; then their user's are refused, not another's."""
        heavy = run_body(self.rootfs_of('alice'), ['/bin/true', *['x' * 100000] * 10])
        self.flood('alice', AT_WORK)
        self.settled(AT_WORK)
        self.flood('bob', AT_WORK)
        self.settled(2 * AT_WORK)
        sent = self.flood('alice', 70, heavy)
        bobs = self.flood('bob', 20)
        refused = 70 - (64 << 20) // (10 * 100000)
        errors = sent[0][0].replies(sent[0][1][-refused:])
        self.assertEqual({name.rsplit('.', 1)[1] for name in errors.values()}, {'Busy'})
        self.polkit.policy = always(YES)
        for check in list(self.polkit.checks):
            self.polkit.answer(check, YES)
        self.assertEqual(self.errors(bobs), [None] * 20)

    def test_refused_while_waiting(self):
        """E35, N6: the line of a user who is refused too often ends at once, without more questions."""
        self.flood('alice', AT_WORK)
        self.settled(AT_WORK)
        sent = self.flood('alice', 400)
        self.handled(sent)
        self.polkit.policy = always(NO)
        for check in list(self.polkit.checks):
            self.polkit.answer(check, NO)
        errors = self.errors(sent)
        self.assertEqual(errors.count('AccessDenied') + AT_WORK, len(self.polkit.checks))
        self.assertLess(errors.count('AccessDenied'), REFUSALS)
        self.assertEqual(set(errors), {'AccessDenied', 'Busy'})
