"""What happens to containers, told as it happens: OutOfMemory, Pressure, naivec events; and who is told."""

import contextlib
import glob
import json
import os
import re
import select
import signal
import subprocess
import time

from gi.repository import GLib

from harness.case import Case
from harness.client import CONTAINER, MANAGER, PATH, BusError, pump
from harness.files import as_user, read
from harness.place import Place
from harness.world import USERS

# the child is killed, and the command would go on
CHILD_KILLED = 'sleep .2; /bin/touchmem 24; sleep 60'
ROUNDS = int(os.environ.get('NAIVE_OOM_ROUNDS', 10))
SECONDS = 1_000_000


class Listening(Case):
    def listening(self, client):
        """A client that the service knows; what it hears."""
        client.containers()
        return client.subscribe(CONTAINER)

    def heard(self, seen, member, path):
        return [arguments for at, _, name, arguments in seen if at == path and name == member]

    def until(self, seen, member, path, timeout=30):
        self.assertTrue(pump(lambda: self.heard(seen, member, path), timeout), f'no {member}: {seen}')


class OutOfMemory(Listening):
    def test_told_to_whom(self):
        """The owner and root hear of kills before the end, each rise of the counter once; a stranger hears of the end
        alone."""
        clients = {name: self.impostor(name) for name in ('alice', 'mallory')}
        clients['root'] = self.another_client()
        seen = {name: self.listening(client) for name, client in clients.items()}
        container = clients['alice'].spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', CHILD_KILLED], MemoryMax=8 << 20)
        self.assertEqual(container.wait(), ('oom-kill', 9))
        for name in clients:
            self.until(seen[name], 'Exited', container.path)
        for name in ('alice', 'root'):
            rises = self.heard(seen[name], 'OutOfMemory', container.path)
            members = [member for at, _, member, _ in seen[name] if at == container.path]
            self.assertGreater(members.index('Exited'), members.index('OutOfMemory'), members)
            self.assertEqual({level for _, level in rises}, {'memory'})
            kills = [kills for kills, _ in rises]
            self.assertEqual(kills, sorted(set(kills)))
            self.assertEqual(kills[-1], container.prop('OOMKills'))
        self.assertEqual(self.heard(seen['mallory'], 'OutOfMemory', container.path), [])

    def test_nobody_killed(self):
        """Who ends by itself was short of nothing."""
        seen = self.listening(self.root)
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'exit 3'], MemoryMax=64 << 20)
        self.until(seen, 'Exited', container.path)
        self.assertEqual(self.heard(seen, 'OutOfMemory', container.path), [])

    def test_many(self):
        """Of many containers of which a child is killed, each ends as oom-kill, by its own limit, and says so once or
        more. The environment's NAIVE_OOM_ROUNDS says how many."""
        seen = self.listening(self.root)
        for done in range(0, ROUNDS, 10):
            containers = [self.root.spawn(self.rootfs, ['/bin/sh', '-c', CHILD_KILLED], MemoryMax=8 << 20)
                          for _ in range(min(10, ROUNDS - done))]
            for container in containers:
                self.assertEqual(container.wait(60), ('oom-kill', 9))
                self.assertEqual(container.prop('LimitHit'), 'memory')
                self.until(seen, 'OutOfMemory', container.path)
                container.delete()


class Pressure(Listening):
    def set(self, container, resource='cpu', threshold=SECONDS // 10, window=2 * SECONDS):
        container.call('SetPressureTrigger', 'stt', (resource, threshold, window))

    def triggers(self, pid):
        """How many the service holds."""
        return sum(os.readlink(fd).endswith('.pressure') for fd in glob.glob(f'/proc/{pid}/fd/*') if os.path.islink(fd))

    def start(self, client=None, script='sleep 600', rootfs=None):
        container = (client or self.root).spawn(rootfs or self.rootfs, ['/bin/sh', '-c', script])
        try:
            self.set(container)
        except BusError as error:
            if 'pressure' in error.text and error.name.endswith('.NotSupported'):
                self.skipTest(f'this kernel tells nothing of pressure: {error.text}')
            raise
        return container

    def test_told(self):
        """Processes that wait for a processor are told, to the owner and root and to no stranger."""
        clients = {name: self.impostor(name) for name in ('alice', 'mallory')}
        seen = {name: self.listening(client) for name, client in clients.items()}
        seen['root'] = self.listening(self.another_client())
        busy = 'while :; do :; done & ' * ((os.cpu_count() or 1) + 3)
        container = self.start(clients['alice'], f'{busy} wait', self.rootfs_of('alice'))
        for name in ('alice', 'root'):
            self.until(seen[name], 'Pressure', container.path, 60)
            resource, usec = self.heard(seen[name], 'Pressure', container.path)[0]
            self.assertEqual(resource, 'cpu')
            self.assertGreaterEqual(usec, SECONDS // 10)
        container.end()
        self.until(seen['mallory'], 'Exited', container.path)
        self.assertEqual(self.heard(seen['mallory'], 'Pressure', container.path), [])

    def test_one_a_resource(self):
        """A new trigger takes the place of the one before, a threshold of 0 takes it away, and an end all of them."""
        pid = self.world.service_pid
        container = self.start()
        self.set(container, window=4 * SECONDS)
        self.assertEqual(self.triggers(pid), 1)
        for resource in ('memory', 'io'):
            self.set(container, resource)
        self.assertEqual(self.triggers(pid), 3)
        self.set(container, 'io', 0)
        self.set(container, 'io', 0)
        self.assertEqual(self.triggers(pid), 2)
        container.end()
        self.assertEqual(self.triggers(pid), 0)

    def test_wrong(self):
        """Each value that cannot be is refused by its name, and leaves what was set."""
        container = self.start()
        for arguments, text in ((('net', 1, 2 * SECONDS), "'net'"), (('cpu', 1, 499_999), 'windowUSec'),
                                (('cpu', 1, 10 * SECONDS + 1), 'windowUSec'),
                                (('cpu', 2 * SECONDS + 1, 2 * SECONDS), 'thresholdUSec')):
            with self.subTest(arguments=arguments), self.refused('InvalidArgs', text=text):
                self.set(container, *arguments)
        self.assertEqual(self.triggers(self.world.service_pid), 1)

    def test_short_window(self):
        """A window that is no multiple of two seconds needs a capability, which the error names."""
        container = self.start()
        pid = self.world.service_pid
        effective = int(read(f'/proc/{pid}/status').split('CapEff:')[1].split()[0], 16)
        if effective & 1 << 24:  # CAP_SYS_RESOURCE
            self.set(container, window=SECONDS // 2)
            return
        try:
            self.set(container, window=SECONDS // 2)
        except BusError as error:
            self.assertEqual(error.name, 'org.freedesktop.DBus.Error.NotSupported')
            self.assertIn('CAP_SYS_RESOURCE', error.text)
        self.assertEqual(self.triggers(pid), 1)

    def test_state(self):
        """What has not ended has triggers; what has ended has none."""
        container = self.root.create(self.rootfs, ['/bin/sleep', '600'])
        self.start().end()  # the kernel has pressure
        self.set(container)
        container.start()
        container.call('Pause')
        self.set(container, 'memory')
        container.call('Resume')
        container.end()
        with self.refused('InvalidState', text='stopped'):
            self.set(container)
        with self.refused('UnknownObject'):
            self.user('mallory').call(container.path, CONTAINER, 'SetPressureTrigger', 'stt', ('cpu', 1, 2 * SECONDS))

    def test_restart(self):
        """A restart of the service drops triggers, and the container takes new ones."""
        self.start().end()
        place = Place(self, 'pressure')
        container = place.client.spawn(self.rootfs, ['/bin/sleep', '600'])
        self.set(container)
        self.assertEqual(self.triggers(place.process.pid), 1)
        place.process.terminate()
        place.process.wait(timeout=20)
        place.start()
        self.assertEqual(self.triggers(place.process.pid), 0)
        self.set(container)
        self.assertEqual(self.triggers(place.process.pid), 1)
        container.end()


class Naivec(Case):
    def follow(self, client, *arguments, address=None, ready=True, user=None, rootfs=None):
        """naivec events, once it listens."""
        process = self.started(*(as_user(USERS[user]) if user else ()), self.world.naivec, 'events',
                               f'--address={address or self.world.address}', *arguments, stdout=subprocess.PIPE)
        pid = process.pid
        name = []

        def is_there():
            for unique in client.bus('ListNames')[0]:
                try:
                    if unique.startswith(':') and client.bus('GetConnectionUnixProcessID', 's', (unique,)) == (pid,):
                        name.append(unique)
                except BusError:
                    pass  # has left
            return name
        self.eventually(is_there, 20, 'naivec')
        process.unique = name[0]
        while ready:  # until the first container is told of
            container = client.spawn(rootfs or self.rootfs, ['/bin/true'], Id='ready')
            container.wait()
            container.delete()
            if self.readable(process.stdout):
                break
        return process

    @staticmethod
    def readable(stream, timeout=0.2):
        return bool(select.select([stream], [], [], timeout)[0])

    def lines(self, process, until):
        """The events of others than the first container, up to one that `until` holds for."""
        events = []
        while not events or not until(events[-1]):
            line = process.stdout.readline()
            self.assertTrue(line, f'the end: {events}')
            event = json.loads(line)
            self.assertEqual({'time', 'timeNano', 'type', 'status'} - set(event), set())
            if event.get('id') != 'ready':
                events.append(event)
        return events

    @staticmethod
    def words(events):
        return [event['status'] for event in events]

    def test_life(self):
        """A container's life is an object a line, from its making to its removal."""
        process = self.follow(self.root)
        container = self.root.create(self.rootfs, ['/bin/sh', '-c', 'sleep .5; exit 3'], Id='web', MemoryMax=64 << 20)
        container.start()
        container.call('Pause')
        container.call('Update', 'a{sv}', ({'MemoryMax': GLib.Variant('t', 32 << 20)},))
        container.call('Resume')
        container.wait()
        container.delete()
        events = self.lines(process, lambda event: event['status'] == 'removed')
        self.assertEqual(self.words(events), ['new', 'running', 'paused', 'updated', 'running', 'exited', 'removed'])
        for event in events:
            self.assertEqual((event['type'], event['id'], event['owner']), ('container', 'web', 0))
        self.assertEqual(events[3]['memory_max'], 32 << 20)
        self.assertEqual((events[5]['result'], events[5]['code']), ('exit-code', 3))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=20), -signal.SIGINT)

    def test_memory(self):
        """Kills for memory are told."""
        process = self.follow(self.root, '--filter=status=out-of-memory', '--filter=status=exited')
        self.root.spawn(self.rootfs, ['/bin/sh', '-c', CHILD_KILLED], MemoryMax=8 << 20, Id='big')
        events = self.lines(process, lambda event: event['status'] == 'exited')
        self.assertEqual(set(self.words(events)), {'out-of-memory', 'exited'})
        self.assertEqual(events[0]['level'], 'memory')
        self.assertEqual(events[-1]['result'], 'oom-kill')

    def test_named(self):
        """Named containers alone are told of, and one that is not there is an error; a process that joins ends with its
        number."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '600'], Id='one')
        process = self.follow(self.root, 'one', ready=False)
        joined = []

        def is_told():
            self.root.spawn(self.rootfs, ['/bin/true'], Id='other').wait()
            self.root.get_container('other').delete()
            container.call('Exec', 'aaya{uh}a{sv}', ([b'/bin/true'], {}, {}))
            joined.append(1)
            return self.readable(process.stdout)
        self.eventually(is_told, 30)
        events = self.lines(process, lambda event: True)
        self.assertEqual((events[0]['id'], events[0]['status'], events[0]['result']), ('one', 'exited', 'success'))
        self.assertLessEqual(events[0]['exec'], len(joined))
        done = self.command(self.world.naivec, 'events', f'--address={self.world.address}', 'nobody')
        self.assertEqual(done.returncode, 1)
        done = self.command(self.world.naivec, 'events', '--filter=name=a')
        self.assertEqual(done.returncode, 2)

    def test_forged(self):
        """What anybody else sends in the service's words is not told."""
        process = self.follow(self.root)
        forger = self.impostor('mallory')
        forger.connection.emit_signal(process.unique, PATH, MANAGER, 'ContainerRemoved',
                                      GLib.Variant('(so)', ('forged', '/org/naive/Runc/container/0/forged')))
        forger.bus('GetId')
        self.root.spawn(self.rootfs, ['/bin/true'], Id='genuine').wait()
        for event in self.lines(process, lambda event: event['status'] == 'exited'):
            self.assertEqual(event['id'], 'genuine')

    def test_others(self):
        """A user is told of the user's own containers."""
        alice = self.impostor('alice')
        process = self.follow(alice, user='alice', rootfs=self.rootfs_of('alice'))
        self.root.spawn(self.rootfs, ['/bin/true'], Id='roots').wait()
        alice.spawn(self.rootfs_of('alice'), ['/bin/true'], Id='hers').wait()
        events = self.lines(process, lambda event: event['status'] == 'exited')
        self.assertEqual({(event['id'], event['owner']) for event in events}, {('hers', USERS['alice'])})

    def test_service_ends(self):
        """The end of the service is told, and so is the next one; what that tells is complete."""
        place = Place(self, 'gone')
        process = self.follow(place.client, address=place.bus.address)
        place.process.kill()
        place.process.wait()
        place.start()
        events = self.lines(process, lambda event: event['status'] == 'started')
        self.assertEqual([(event['type'], event['status']) for event in events],
                         [('service', 'stopped'), ('service', 'started')])
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', CHILD_KILLED], MemoryMax=8 << 20)
        container.wait()
        self.assertIn('out-of-memory', self.words(self.lines(process, lambda event: event['status'] == 'exited')))


class Idle(Case):
    def test_no_wake_up(self):
        """While fifty containers do nothing, with a client that listens and a trigger for pressure, the service does
        nothing either: it is on no processor for ten seconds."""
        place = Place(self, 'quiet')
        place.client.containers()
        place.client.subscribe(CONTAINER)
        containers = [place.client.spawn(self.rootfs, ['/bin/sleep', '1000']) for _ in range(50)]
        self.addCleanup(lambda: [container.end() for container in containers])
        with contextlib.suppress(BusError):  # a kernel without pressure
            containers[0].call('SetPressureTrigger', 'stt', ('cpu', SECONDS, 2 * SECONDS))

        def switches():
            return sum(int(n) for n in re.findall(r'ctxt_switches:\s+(\d+)', read(f'/proc/{place.process.pid}/status')))

        def is_idle():  # what was prepared ends after a while, and the bus may still have something to say
            before = switches()
            time.sleep(10)
            return switches() == before
        self.eventually(is_idle, 80, 'ten seconds without a wake-up')
