"""Containers outlive the service: what the next one finds, without any service manager's help."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time

from harness.case import TELLS_EXIT, Case
from harness.client import BusError, RootClient, UserClient
from harness.invariants import cgroup_tree
from harness.place import Place
from harness.world import USERS

TICKS = 'i=0; while :; do i=$((i+1)); echo tick $i; sleep .05; done'


class Survival(Case):
    def place(self, name):
        place = Place(self, name)
        # whatever a failed test leaves must not outlive it
        self.addCleanup(self.end_all, place)
        return place

    def end_all(self, place):
        if place.process.poll() is None:
            for name, *_, path in place.client.containers():
                try:
                    place.client.call(path, 'org.naive.Runc.Container1', 'Kill', 'si', ('all', 9))
                except BusError:
                    pass

    def again(self, place, number):
        """Ends the service by a signal, and starts the next one."""
        place.process.send_signal(number)
        place.process.wait(timeout=10)
        time.sleep(0.2)
        place.start()

    def test_running(self):
        """After SIGTERM and after SIGKILL what ran is listed as before: same id, state, process and limits."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number=number):
                place = self.place(f'running{number}')
                before = {}
                for i in range(5):
                    container = place.client.spawn(self.rootfs, ['/bin/sleep', '60'], Id=f'c{i}', MemoryMax=64 << 20,
                                                   ReadOnlyRoot=i > 0, Network='host' if i > 1 else 'private')
                    before[container.path] = container.props()
                time.sleep(0.2)  # records are written a little later
                self.again(place, number)
                for path, props in before.items():
                    now = place.client.get_container(props['Id'])
                    self.assertEqual(now.path, path)
                    self.assertEqual(now.props(), props)
                    now.stop(timeout=0)
                    self.assertEqual(now.state, 'stopped')

    def as_version_2(self, path):
        """Makes of a live one's record what a service of version 2 would have written, checksum and all."""
        new = ('Capabilities', 'Filter', 'FilterCapabilities', 'NoNewPrivileges', 'InnerNamespace',
               'OwnUsers', 'UserCapabilities', 'User', 'Groups')
        with open(path) as f:
            head, *lines = f.read().split('\n')
        self.assertIn('Version=3', lines)
        body = '\n'.join(line for line in lines if line.split('=')[0] not in new).replace('Version=3', 'Version=2')
        digest = hashlib.sha256((os.path.basename(path) + body).encode()).hexdigest()
        self.assertEqual(len(f'# {digest}'), len(head))
        with open(path, 'w') as f:
            f.write(f'# {digest}\n{body}')

    def test_record_of_the_version_before(self):
        """An upgrade ends no container: one whose record is of the version before is taken over, and written anew."""
        place = self.place('upgrade')
        before = place.client.spawn(self.rootfs, ['/bin/sh', '-c', TICKS], Id='talker', Network='host').props()
        time.sleep(0.2)  # records are written a little later
        place.process.send_signal(signal.SIGTERM)
        place.process.wait(timeout=10)
        record, = (f'{place.state}/containers/{name}' for name in os.listdir(f'{place.state}/containers')
                   if name.endswith('.conf'))
        self.as_version_2(record)
        for i in range(2):  # what it was written as is read as well
            place.start()
            container = place.client.get_container('talker')
            self.assertEqual(container.props(), before)
            length = len(container.log())
            self.eventually(lambda: len(container.log()) > length)
            with open(record) as f:
                text = f.read()
            self.assertIn('\nVersion=3\n', text)
            self.assertNotRegex(text, re.compile('^Capabilities=', re.M))  # unknown, not made up
            place.process.send_signal(signal.SIGTERM)
            place.process.wait(timeout=10)
        place.start()
        container.stop(timeout=0)
        self.assertEqual(container.state, 'stopped')

    def test_ids_stay_an_owners(self):
        """What ids a user's containers had, no other user's get, though nothing runs and the service is another."""
        place = self.place('ids')
        polkit = subprocess.Popen(['/usr/lib/polkit-1/polkitd', '--no-debug'], stdout=subprocess.DEVNULL,
                                  env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=place.bus.address))
        self.addCleanup(polkit.wait)
        self.addCleanup(polkit.kill)

        def ids_of(user):
            with contextlib.closing(UserClient(place.bus.address, USERS[user])) as client:
                container = client.run(self.rootfs_of(user), 0, ['/bin/cat', '/proc/self/uid_map'])
                container.wait()
                return container.log().split()[1]
        self.eventually(lambda: 'org.freedesktop.PolicyKit1' in place.client.call(
            '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'ListNames', destination='org.freedesktop.DBus')[0])
        first = ids_of('alice')
        with open(f'{place.state}/ids') as f:  # that of what waits for her next run among them
            hers = {base.encode() for base, owner in map(str.split, f) if int(owner) == USERS['alice']}
        self.assertIn(first, hers)
        self.again(place, signal.SIGTERM)
        self.assertNotIn(ids_of('bob'), hers)
        self.again(place, signal.SIGKILL)
        self.assertIn(ids_of('alice'), hers)

    def test_output_goes_on(self):
        """Nobody who writes is hurt, and after an orderly stop no line is missing: not one that waited in the pipe."""
        place = self.place('output')
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'seq 1 2000; sleep .5; ' + TICKS], Id='talker')
        time.sleep(0.1)
        self.again(place, signal.SIGTERM)
        container = place.client.get_container('talker')
        self.eventually(lambda: b'tick 20\n' in container.log())
        container.stop(timeout=0)
        lines = container.log().split(b'\n')
        self.assertEqual(lines[:2000], [b'%d' % n for n in range(1, 2001)])
        self.assertEqual(lines[2000:2020], [b'tick %d' % n for n in range(1, 21)])

    def test_no_old_output(self):
        """After a crash the log has nothing twice: what an earlier stop had kept does not come back."""
        place = self.place('old')
        place.client.spawn(self.rootfs, ['/bin/sh', '-c', TICKS], Id='talker')
        time.sleep(0.2)
        self.again(place, signal.SIGTERM)
        time.sleep(0.2)
        self.again(place, signal.SIGKILL)
        container = place.client.get_container('talker')
        self.eventually(lambda: container.log())
        container.stop(timeout=0)
        numbers = [int(line.split()[1]) for line in container.log().split(b'\n')[:-1]]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertGreater(numbers[0], 1)

    def test_exit_code(self):
        """One that ends under the next service has its true exit code, or none: never one that nobody saw."""
        place = self.place('code')
        reader, writer = os.pipe()
        place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'read word; exit 7'], fds={0: reader}, Id='seven')
        os.close(reader)
        time.sleep(0.2)
        self.again(place, signal.SIGKILL)
        container = place.client.get_container('seven')
        self.assertEqual(container.state, 'running')
        os.close(writer)
        self.assertEqual(container.wait(), ('exit-code', 7) if TELLS_EXIT else ('unknown', 0))

    def test_ended_meanwhile(self):
        """One that ends while no service runs is stopped, and nobody makes a success of it."""
        place = self.place('meanwhile')
        pid = place.client.spawn(self.rootfs, ['/bin/sleep', '60'], Id='gone').pid
        time.sleep(0.2)
        place.process.kill()
        place.process.wait(timeout=10)
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
        place.start()
        container = place.client.get_container('gone')
        self.assertIn(container.wait(timeout=20), (('unknown', 0), ('signal', 9)))

    def test_watched_over_another_bus(self):
        """One that ends with its caller ends with the bus as well, whoever has the caller's name on the next one."""
        place = self.place('watched')
        place.client.spawn(self.rootfs, ['/bin/sleep', '60'], Id='theirs', WatchBus=True)
        place.client.spawn(self.rootfs, ['/bin/sleep', '60'], Id='free')
        name = place.client.name
        self.again(place, signal.SIGTERM)  # on the same bus nothing happens to it
        self.assertEqual(place.client.get_container('theirs').state, 'running')
        place.bus.process.kill()  # before it can say that the caller leaves
        place.bus.stop()
        place.process.wait(timeout=10)
        place.bus.start()
        self.world.extra.append(place.bus.process)
        place.client = RootClient(place.bus.address)
        self.assertEqual(place.client.name, name)
        place.start()
        self.assertEqual(place.client.get_container('theirs').wait(timeout=10), ('signal', 9) if TELLS_EXIT
                         else ('unknown', 0))
        free = place.client.get_container('free')
        self.assertEqual(free.state, 'running')
        free.stop(timeout=0)

    def test_unrecorded(self):
        """What runs and has no record is ended: nothing is left running unlisted."""
        place = self.place('unrecorded')
        pid = place.client.spawn(self.rootfs, ['/bin/sleep', '60'], Id='lost').pid
        time.sleep(0.2)
        place.process.kill()
        place.process.wait(timeout=10)
        for name in os.listdir(f'{place.state}/containers'):
            os.unlink(f'{place.state}/containers/{name}')
        place.start()
        self.assertEqual(place.client.containers(), [])
        self.eventually(lambda: not os.path.exists(f'/proc/{pid}') or ' Z ' in open(f'/proc/{pid}/stat').read())

    def test_leaves_that_stay(self):
        """Leaves that cannot be emptied do not add up: the next service is there after a second or two all the same."""
        if not os.path.isdir('/sys/fs/cgroup/pids'):
            self.skipTest('no v1 hierarchy beside the v2 one')
        place = self.place('stuck')
        for i in range(5):
            place.client.spawn(self.rootfs, ['/bin/sleep', '60'], Id=f'c{i}', TasksMax=10)
        time.sleep(0.2)
        place.process.kill()
        place.process.wait(timeout=10)
        shutil.rmtree(f'{place.state}/containers')
        time.sleep(0.3)  # a prepared sandbox ends by itself, and leaves an empty one
        # what is in a v1 leaf alone is not reached by the kill through the v2 one
        leaves = [leaf for leaf in cgroup_tree(place.parent) if '/pids/' in leaf and leaf.count('/') >
                  f'/sys/fs/cgroup/pids{place.parent}/0'.count('/') and open(f'{leaf}/cgroup.procs').read()]
        self.assertEqual(len(leaves), 5)
        for leaf in leaves:
            process = subprocess.Popen(['sleep', '60'])
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            with open(f'{leaf}/cgroup.procs', 'w') as f:
                f.write(str(process.pid))
        started = time.monotonic()
        place.start()
        self.assertLess(time.monotonic() - started, 3)
        self.assertEqual(place.words().count('was left by a service that died: ended'), 5)
        self.assertEqual(set(leaves) - cgroup_tree(place.parent), set())
