"""Row C: who asks, who judges, and what was judged."""

import os
import random
import sys
import time

from harness.case import Case
from harness.client import CONTAINER, INTERACTIVE, MANAGER, NAME, PATH, RUNC, BusError, raw
from harness.fake_polkit import NO, YES, always
from harness.files import as_user, status_of
from harness.hostile import wire
from harness.wire import run_body
from harness.world import USERS
from judged import Judged

RUN = 'org.naive.Runc.run'


class Subject(Judged):
    """C1: whom polkit is asked about."""

    def test_of_every_question(self):
        """C1 CVE-2013-4288 CVE-2018-1116 CVE-2019-6133 CVE-2025-67859: polkit is asked about the connection, by the name that the bus gave it, and nothing else."""
        alice, bob = self.impostor('alice'), self.impostor('bob')
        target = alice.create(self.rootfs_of('alice'), ['/bin/sleep', '60'], Id='web', Terminal=True)
        self.polkit.policy = always(NO)
        self.polkit.checks.clear()
        spawn = ('ayaaya{uh}a{sv}', (raw(self.rootfs_of('bob')), [raw('/bin/true')], {}, {}))
        calls = [(PATH, RUNC, 'Run', 'stas', (self.rootfs_of('bob'), 0, ['/bin/true'])),
                 (PATH, MANAGER, 'Spawn', *spawn), (PATH, MANAGER, 'Create', *spawn),
                 (PATH, MANAGER, 'GetContainer', 's', (f'{USERS["alice"]}/web',))]
        calls += [(target.path, CONTAINER, member, signature, arguments) for member, signature, arguments in (
            ('Start', '()', ()), ('Stop', 'it', (15, 0)), ('Kill', 'si', ('all', 9)), ('Delete', '()', ()),
            ('Wait', '()', ()), ('Attach', 'a{sv}', ({},)), ('ResizeTerminal', 'qq', (24, 80)),
            ('OpenPIDFD', '()', ()), ('ReadLog', 'tu', (0, 100)), ('OpenLog', 'a{sv}', ({},)))]
        for flags in (0, int(INTERACTIVE)):
            for call in calls:
                with self.subTest(member=call[2], flags=flags):
                    n = len(self.polkit.checks)
                    with self.assertRaises(BusError):
                        bob.call(*call, flags=flags)
                    self.assertEqual(len(self.polkit.checks), n + 1)
                    check = self.polkit.checks[-1]
                    self.assertEqual((check.kind, check.subject), ('system-bus-name', {'name': bob.name}))
                    self.assertEqual(check.flags, 1 if flags else 0)
                    self.assertEqual(check.details['verb'], call[2])
        actions = {check.action for check in self.polkit.checks}
        self.assertEqual(actions, {'org.naive.Runc.' + word for word in ('run', 'inspect', 'manage', 'exec')})
        self.assertEqual(target.state, 'created')

    def test_no_question_about_any_text(self):
        """C1: what no container can be called is never asked about, so no caller writes into a prompt; the answer is that for an unknown one."""
        bob, n = self.impostor('bob'), len(self.polkit.checks)
        for text in ('0/any text', '0/', '0/a/b', f'{USERS["alice"]}/' + 'x' * 65, '0/\u2800'):
            with self.subTest(text=text), self.refused('NoSuchContainer'):
                bob.get_container(text)
        with self.refused('UnknownObject'):
            bob.call(f'{PATH}/container/0/any_20text', CONTAINER, 'Wait')
        self.assertEqual(len(self.polkit.checks), n)


class Exec(Case):
    starts_nothing = True

    def test_set_id_program_in_the_callers_place(self):
        """C1 CVE-2013-4288: a caller that becomes a set-id program between its call and polkit's look gains nothing: the real polkitd judges who connected."""
        program = f'{self.world.directory}/set-id'
        self.command('install', '-m', '4755', f'{self.world.directory}/programs/probe', program)
        self.addCleanup(os.unlink, program)
        mark = self.log_mark()
        with self.paused(self.world.polkit):
            process = self.started(*as_user(USERS['carol']), sys.executable, '-c', f'''
import os, sys
sys.path.insert(0, {os.path.dirname(sys.modules["harness"].__path__[0])!r})
from harness.wire import Wire
w = Wire({self.world.address!r})
w.send("org.naive.Runc", "/org/naive/Runc", "org.naive.Runc", "Run", "stas", {run_body(self.rootfs_of("carol"))!r})
os.set_inheritable(w.socket.fileno(), True)
os.execv({program!r}, [{program!r}, "sleep"])
''')
            self.eventually(lambda: self.ids(process.pid)[:2] == [USERS['carol'], 0], what='its being root')
            time.sleep(0.3)  # the question is with polkit, which has not looked yet
        words = f'user {USERS["carol"]}, {RUN}: authentication is required'.encode()
        self.eventually(lambda: words in self.log_since(mark), what='the refusal')
        self.assertEqual(self.ids(process.pid)[1], 0)
        self.nothing_started()

    def ids(self, pid):
        return [int(word) for word in status_of(pid)['Uid'].split()]


class Vanishing(Judged):
    """C2: callers that are gone before they are judged."""

    BATCHES, CONNECTIONS, CALLS = 100, 20, 5
    USERS = range(30000, 30200)  # so many that none comes to its limit of refusals

    def connect(self, batch):
        return [wire(self.place.bus.address, self.USERS[(batch * self.CONNECTIONS + i) % len(self.USERS)])
                for i in range(self.CONNECTIONS)]

    def send(self, connections):
        body = run_body(self.rootfs)
        for connection in connections:
            for _ in range(self.CALLS):
                connection.send(NAME, PATH, RUNC, 'Run', 'stas', body)

    def leave_soon(self, connections, rng):
        self.send(connections)
        leaving = [(time.monotonic() + rng.uniform(0, 0.02), connection) for connection in connections]
        for moment, connection in sorted(leaving, key=lambda pair: pair[0]):
            time.sleep(max(0, moment - time.monotonic()))
            connection.close()

    def leave_before(self, connections, are_known):
        """Before the service looks at the first call: of whom it has seen before, or has not."""
        for connection in connections if are_known else ():
            connection.replies({connection.send(NAME, PATH, MANAGER, 'ListContainers', 'a{sv}', bytes(8))})
        with self.paused(self.place.process):
            self.send(connections)
            for connection in connections:
                connection.close()
            time.sleep(0.02)

    def storm(self):
        """10,000 Runs whose callers leave at any moment; how many were sent."""
        rng = random.Random(3560)
        self.addCleanup(self.world.add_users(self.USERS))
        for batch in range(self.BATCHES):
            if batch % 2 == 0:
                self.leave_soon(self.connect(batch), rng)
            else:
                self.leave_before(self.connect(batch), are_known=batch % 4 == 1)
        return self.BATCHES * self.CONNECTIONS * self.CALLS

    def settle(self):
        """All that was sent has been dealt with."""
        self.place.client.ping(timeout=30)
        self.eventually(lambda: len(self.polkit.cancelled) + self.answered[0] >= len(self.polkit.checks), 30,
                        'the end of all questions')

    def test_refused(self):
        """C2 CVE-2021-3560: of 10,000 Runs whose callers leave at any moment before polkit says no, none starts anything."""
        self.answered = [0]

        def no(polkit, check):
            self.answered[0] += 1
            polkit.answer(check, NO)
        self.polkit.policy = no
        sent = self.storm()
        self.settle()
        self.assertEqual(self.started(), 0)
        gone = sum(check.subject['name'] in self.polkit.left for check in self.polkit.checks)
        self.race(sent, sent - len(self.polkit.checks) + len(self.polkit.cancelled))
        self.assertGreater(gone, 0)

    def test_granted_too_late(self):
        """C2 CVE-2021-3560: none starts anything either when polkit says yes of whom is gone, as the flawed one did."""
        self.answered, waiting = [0], {}

        def when_gone(polkit, check):
            name = check.subject['name']
            if name in polkit.left:
                self.answered[0] += 1
                polkit.answer(check, YES)
            else:
                waiting.setdefault(name, []).append(check)

        def on_left(name):
            for check in waiting.pop(name, ()):
                self.answered[0] += 1
                self.polkit.answer(check, YES)
        self.polkit.policy, self.polkit.on_left = when_gone, on_left
        sent = self.storm()
        self.place.client.ping(timeout=30)
        self.eventually(lambda: self.answered[0] >= len(self.polkit.checks), 30, 'the last answer')
        time.sleep(0.5)
        self.assertEqual(self.started(), 0)
        self.race(sent, len(self.polkit.checks))  # of each of these it was said
