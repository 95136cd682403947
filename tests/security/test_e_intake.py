"""Rows E24 to E26: calls are taken off the bus quickly, users take turns, and who has left costs nothing."""

import time

from harness.client import CONTAINER, MANAGER, NAME, PATH, Container, RootClient, UserClient, pump
from harness.hostile import wire
from harness.place import Place
from harness.wire import NO_REPLY_EXPECTED, Writer, run_body
from harness.world import USERS
from judged import Judged

QUEUED_PER_UID = 4096  # service/spec/limits.h
LIST = (NAME, PATH, MANAGER, 'ListContainers', 'a{sv}', bytes(8))
MANAGED = (NAME, PATH, 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects')


class Intake(Judged):
    def wire(self, user):
        connection = wire(self.place.bus.address, USERS.get(user, 0))
        self.addCleanup(connection.close)
        return connection

    def flood(self, connection, n, *call):
        """So many calls at once that want no reply."""
        connection.socket.sendall(b''.join(connection.encode(*call, flags=NO_REPLY_EXPECTED) for _ in range(n)))

    def monitor(self, rule):
        monitor = self.wire('root')
        monitor.call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus.Monitoring', 'BecomeMonitor',
                     'asu', bytes(Writer().array(4, [rule], Writer.s).u(0).data))
        return monitor

    def has_answer(self, connection, seconds=0.0):
        connection.socket.settimeout(seconds)
        try:
            connection._await(len(connection.buffer) + 1)
        except (BlockingIOError, TimeoutError):
            return False
        finally:
            connection.socket.settimeout(60)
        return True

    def test_users_take_turns(self):
        """E24: calls of two users and of root that came after 2,000 of another user are answered before those are through."""
        alice = self.wire('alice')
        others = [self.wire(user) for user in ('bob', 'carol', 'root')]
        alice.call(*LIST)
        others[0].call(*LIST)  # the service knows one of them, and has to ask who the others are
        for _ in range(10):  # so that a call of hers costs more than its way over the bus
            self.impostor('alice').run(self.rootfs_of('alice'), 0, ['/bin/true']).wait()
        monitor = self.monitor(f"type='method_return',sender='{NAME}'")
        with self.paused(self.place.process):
            self.flood(alice, 2000, *MANAGED)
            last = alice.send(*LIST)
            alice.bus('GetId')  # answered once the bus has passed on what came before
            serials = [other.send(*LIST) for other in others]
            for other in others:
                other.bus('GetId')
        order = []
        while last not in order:
            order.append(monitor.message()[0].get_reply_serial())
        self.assertEqual(sorted(filter(None, order[:-1])), sorted(serials), 'others waited until the flood was through')

    def test_bounded_calls(self):
        """E24: of a user's calls 4,096 wait, the next is Busy; others are served, and so is the user again."""
        alice, bob = self.wire('alice'), self.wire('bob')
        with self.paused(self.place.process):
            self.flood(alice, QUEUED_PER_UID + 400, *LIST)
            surplus = alice.send(*LIST)
            time.sleep(0.3)
            bobs = bob.send(*LIST)
        self.assertEqual(bob.replies({bobs}), {bobs: None})
        self.assertEqual(alice.replies({surplus}), {surplus: 'org.naive.Runc.Error.Busy'})
        self.eventually(lambda: alice.call(*LIST) is None, what='an answer to whom the flood was of')

    def test_large_ones(self):
        """E24: of calls of 8 MiB, 112 MiB in all, no more than a user's 64 MiB are in the service's memory at a time."""
        alice = self.wire('alice')
        body = run_body(self.rootfs_of('alice'), ['x' * (1 << 20)] * 8)
        before = most = self.memory()
        with self.paused(self.place.process):
            self.flood(alice, 14, NAME, PATH, 'org.naive.Runc', 'Run', 'stas', body)
            last = alice.send(*LIST)
            time.sleep(0.3)
        while not self.has_answer(alice, 0.001):
            most = max(most, self.memory())
        self.assertIn(last, alice.replies({last}))
        self.assertLess(most - before, 100 << 20)

    def memory(self):
        with open(f'/proc/{self.place.process.pid}/statm') as f:
            return int(f.read().split()[1]) * 4096

    def test_who_left(self):
        """E25: calls of a client that has left are dropped, known to the service or not; those of its user's other clients are served."""
        known, unknown, stays = self.wire('root'), self.wire('root'), self.wire('root')
        known.call(*LIST)
        body = run_body(self.rootfs)
        with self.paused(self.place.process):
            for connection in (known, unknown):
                for _ in range(50):
                    connection.send(NAME, PATH, 'org.naive.Runc', 'Run', 'stas', body)
            serial = stays.send(NAME, PATH, 'org.naive.Runc', 'Run', 'stas', body)
            known.close()
            unknown.close()
            time.sleep(0.2)
        self.assertEqual(stays.replies({serial}), {serial: None})
        self.place.client.ping()
        self.assertEqual(len(self.place.client.containers()), 1)

    def test_room_of_who_left(self):
        """E25: a client that has left with all the calls that a user may have waiting leaves room for the user's other clients."""
        gone, stays = self.wire('alice'), self.wire('alice')
        gone.call(*LIST)
        stays.call(*LIST)
        with self.paused(self.place.process):
            self.flood(gone, QUEUED_PER_UID, *LIST)
            gone.close()
            time.sleep(0.3)
            serial = stays.send(*LIST)
            time.sleep(0.1)
        self.assertEqual(stays.replies({serial}), {serial: None})

    def test_rules(self):
        """E26, N12, N8: one rule watches all callers, and one the end of sessions: a container ends with its caller, a user is served."""
        place = Place(self, 'rules', limits='<limit name="max_match_rules_per_connection">2</limit>')
        root, clients = place.client, [RootClient(place.bus.address) for _ in range(16)]
        containers = [client.spawn(self.rootfs, ['/bin/sleep', '60'], WatchBus=True) for client in clients]
        pump(lambda: False, timeout=0.5)
        self.assertEqual({Container(root, c.path).state for c in containers}, {'running'})
        waiting = [client.call_async(c.path, CONTAINER, 'Wait') for client, c in zip(clients, reversed(containers))]
        alice = UserClient(place.bus.address, USERS['alice'])
        outcome = alice.call_async(PATH, 'org.naive.Runc', 'Run', 'stas', (self.rootfs_of('alice'), 0, ['/bin/true']))
        self.assertTrue(pump(lambda: outcome, timeout=10), 'the call is not answered')
        self.assertNotIn('Busy', str(getattr(outcome[0], 'name', '')))
        alice.close()
        for client in clients:
            client.close()
        for container in containers:
            self.assertEqual(Container(root, container.path).wait(timeout=5), ('signal', 9))
        self.assertEqual(len(waiting), 16)
