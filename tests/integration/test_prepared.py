"""Sandboxes that are made in advance: who gets them, that limits hold in them, and that they leave nothing."""

import contextlib
import os
import signal
import time

from harness.case import Case
from harness.client import MANAGER, PATH, BusError
from harness.files import id_map_of, read, read_bytes, write
from harness.invariants import MAKER, cgroup_tree, descendants_of, helper_of, workers_of
from harness.place import Place
from harness.world import wait_until

MIB = 1 << 20
HOLD_SECONDS = 15  # limits.h: PREPARED_HOLD_MSEC


class Prepared(Case):
    """A service of its own, with a pool whatever the shared one has."""

    def setUp(self):
        super().setUp()
        self.config = f'{self.world.directory}/prepared.conf'

    def place(self, name, prepared=4):
        write(self.config, f'[Service]\nPreparedSandboxes={prepared}\n')
        place = Place(self, name, arguments=[f'--config={self.config}'])
        self.assertTrue(place.owner(), place.words())
        return place

    def waiting(self, place):
        """The pids of those that wait."""
        found = set()
        for pid in descendants_of(place.process.pid):
            with contextlib.suppress(OSError):
                if read(f'/proc/{pid}/comm') == '(naive-runc)\n':
                    found.add(pid)
        return found

    def maker(self, place):
        return helper_of(place.process.pid, MAKER)

    def leaves(self, place):
        return [path for path in cgroup_tree(place.parent) if path.split(place.parent)[1].count('/') > 1]

    def run_one(self, place, *argv, memory=0, client=None, rootfs=None):
        container = (client or place.client).run(rootfs or self.rootfs, memory, argv or ['/bin/sleep', '60'])
        self.addCleanup(self.end, place, container)
        return container

    def end(self, place, container):
        with contextlib.suppress(BusError):
            if place.process.poll() is None and container.state == 'running':
                container.kill(signal.SIGKILL, 'all')
                container.wait()

    def prepare(self, place):
        """Runs one, and awaits the one that is made for the next."""
        self.assertEqual(self.run_one(place, '/bin/true').wait(), ('success', 0))
        self.eventually(lambda: len(self.waiting(place)) == 1, what='a prepared sandbox')
        pid, = self.waiting(place)
        self.eventually(lambda: self.is_known(place, pid), what="the maker's answer")
        return pid

    def is_known(self, place, pid):
        """Whether the service itself holds the process, by a pidfd: before that, the maker alone does."""
        for fd in os.listdir(f'/proc/{place.process.pid}/fdinfo'):
            with contextlib.suppress(OSError):
                if f'Pid:\t{pid}\n' in read(f'/proc/{place.process.pid}/fdinfo/{fd}'):
                    return True
        return False


class Use(Prepared):
    def test_taken(self):
        """The next run is served by the process that waited; it is counted and listed as a container only then."""
        place = self.place('taken')
        pid = self.prepare(place)
        self.assertEqual(place.client.prop(PATH, MANAGER, 'NContainers'), 1)
        self.assertEqual([state for _, state, *_ in place.client.containers()], ['stopped'])
        container = self.run_one(place)
        self.assertEqual(container.pid, pid)
        self.assertEqual(place.client.prop(PATH, MANAGER, 'NContainers'), 2)
        self.eventually(lambda: len(self.waiting(place)) == 1, what='another one')

    def test_limits(self):
        """The limits of the call hold in one that was made without: of memory, and of tasks."""
        place = self.place('limits')
        pid = self.prepare(place)
        container = self.run_one(place, '/bin/sh', '-c', 'head -c 60m /dev/zero | tail', memory=10 * MIB)
        self.assertEqual(container.prop('Pid') or pid, pid)
        self.assertEqual(container.wait()[0], 'oom-kill')
        self.prepare(place)
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'sleep 1 & sleep 1 & sleep 1 & wait'], TasksMax=2)
        self.assertEqual(container.wait()[0], 'exit-code')

    def test_limit_too_low(self):
        """A limit below what waiting has cost already is MemoryTooLow, as without."""
        place = self.place('low')
        self.prepare(place)
        with self.refused('MemoryTooLow'):
            self.run_one(place, '/bin/true', memory=4096)

    def test_arguments(self):
        """Whatever is in the call arrives, up to the most that it may have."""
        place = self.place('arguments')
        pid = self.prepare(place)
        container = self.run_one(place, '/bin/sh', '-c', 'echo "$#" "$@" | wc -c', 'sh', *['x' * 100000] * 9)
        self.assertEqual(container.prop('Pid') or pid, pid)
        self.assertEqual(container.wait(), ('success', 0))
        self.assertEqual(container.log(), b'900011\n')
        pid = self.prepare(place)
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'echo $HOME; hostname'], Hostname='other',
                                       Environment=[b'HOME=/tmp'])
        self.assertEqual(container.prop('Pid') or pid, pid)
        self.assertEqual(container.wait(), ('success', 0))
        self.assertEqual(container.log(), b'/tmp\nother\n')

    def test_nothing_below(self):
        """The root that it had while it waited is out of reach: for one that climbs out of a chroot, and for one that
        has rights over a copy of the mounts. All is as in one that was not prepared."""
        said = []
        for prepared in 0, 4:
            place = self.place(f'below{prepared}', prepared)
            pid = self.prepare(place) if prepared else None
            container = place.client.spawn(self.rootfs, ['/bin/probe', 'climb'], Seccomp='unconfined')
            self.assertIn(pid, (None, container.prop('Pid') or pid))
            self.assertEqual(container.wait(), ('success', 0))
            said.append(container.log().decode())
        self.assertEqual(said[0], said[1])
        for word in 'chroot', 'chroot to the top', 'marker at the top', 'unshare', 'marker':
            self.assertIn(f'{word}: ok', said[1].splitlines())
        for word in 'umount', 'umount .', 'open_tree':
            self.assertIn(f'{word}: Invalid argument', said[1].splitlines())

    def test_another_kind(self):
        """What shares a namespace with the host takes another way, and what waits goes on waiting."""
        place = self.place('kind')
        pid = self.prepare(place)
        for options in ({'Network': 'host'}, {'UserNamespace': 'self'}, {'Capabilities': ['CAP_SYS_ADMIN']}):
            with self.subTest(**options):
                container = place.client.spawn(self.rootfs, ['/bin/true'], **options)
                self.assertEqual(container.wait(), ('success', 0))
                self.assertIn(pid, self.waiting(place))

    def test_order(self):
        """Containers are listed in the order of their creation, though one has waited before another was asked for."""
        place = self.place('order')
        self.prepare(place)
        ids = [place.client.spawn(self.rootfs, ['/bin/true'], Id=name, **options).id
               for name, options in (('one', {'UserNamespace': 'self'}), ('two', {}))]
        self.assertEqual([name for name, *_ in place.client.containers()][1:], ids)

    def test_many(self):
        """Back to back and at once, no two containers share a process, ids or a leaf."""
        place = self.place('many')
        containers = [self.run_one(place) for _ in range(12)]
        for key in ('Pid', 'ControlGroup'):
            self.assertEqual(len({container.prop(key) for container in containers}), 12)
        self.assertEqual(len({id_map_of(container.pid) for container in containers}), 12)
        self.assertLessEqual(len(self.waiting(place)), 4)


class End(Prepared):
    def gone(self, place, pid):
        wait_until(lambda: not os.path.exists(f'/proc/{pid}/exe'), 5, 'the end of what waited')

    def test_stop(self):
        """With the service what waits goes, too, and so do its cgroups."""
        place = self.place('stop')
        pid, maker = self.prepare(place), self.maker(place)
        place.process.terminate()
        self.assertEqual(place.process.wait(timeout=10), 0, place.words())
        self.assertFalse(os.path.exists(f'/proc/{maker}'), 'the maker was not waited for')
        self.gone(place, pid)
        self.assertEqual(cgroup_tree(place.parent), set())

    def test_crash(self):
        """After a crash it ends by itself, without having executed anything; the next start removes its cgroups."""
        place = self.place('crash')
        pid, maker = self.prepare(place), self.maker(place)
        place.process.kill()
        place.process.wait()
        self.gone(place, pid)
        self.gone(place, maker)
        place.start()
        place.client.ping()
        self.assertEqual(self.leaves(place), [])

    def test_let_go(self):
        """While it waits the service sleeps; after a while without a run nothing waits any more."""
        place = self.place('letgo')
        pid = self.prepare(place)

        def switches(process):
            return [line for line in read(f'/proc/{process}/status').splitlines() if 'ctxt_switches' in line]
        time.sleep(0.5)
        pids = place.process.pid, pid, self.maker(place)
        before = [switches(pid) for pid in pids]
        time.sleep(2)
        self.assertEqual([switches(pid) for pid in pids], before)
        self.eventually(lambda: not self.waiting(place), timeout=HOLD_SECONDS + 5, what='the end of what waited')
        self.eventually(lambda: not self.leaves(place), what='the end of its cgroups')
        self.eventually(lambda: not workers_of(place.process.pid), what='the end of their maker')
        before = switches(place.process.pid)
        time.sleep(2)
        self.assertEqual(switches(place.process.pid), before)


class Maker(Prepared):
    """The process that makes them."""

    def files(self, pid):
        return {int(fd): os.readlink(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd')}

    def private(self, pid):
        """The sockets and pipes that it has open, by number."""
        return {target for target in self.files(pid).values() if target.startswith(('socket:', 'pipe:'))}

    def memory(self, pid):
        """All that it can read or write."""
        found = b''
        with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb') as memory:
            for line in maps:
                start, end = (int(word, 16) for word in line.split()[0].split('-'))
                if line.split()[1].startswith('r') and '[v' not in line:
                    memory.seek(start)
                    found += memory.read(end - start)
        return found

    def mapped(self, pid, name=''):
        """Device and number of the files in its memory whose path has `name`."""
        found = {tuple(line.split()[3:5]) for line in read(f'/proc/{pid}/maps').splitlines() if name in line}
        self.assertTrue(found, name)
        return found - {('00:00', '0')}

    def test_place(self):
        """There is one, however many it makes, in the service's own cgroup and with a name of its own."""
        place = self.place('place')
        for _ in range(8):
            self.run_one(place, '/bin/true').wait()
        self.eventually(lambda: self.waiting(place), what='prepared sandboxes')
        maker = self.maker(place)
        self.eventually(lambda: workers_of(place.process.pid) == self.waiting(place) | {maker},
                        what='one process beside those that wait')

    def test_holds_nothing(self):
        """Neither it nor what it has made has anything of the service or of a container open: no connection, no lock,
        no record, no output, no terminal."""
        place = self.place('fds')
        container = place.client.spawn(self.rootfs, ['/bin/sleep', '60'], Terminal=True)
        self.addCleanup(self.end, place, container)
        self.run_one(place)
        self.eventually(lambda: self.waiting(place), what='a prepared sandbox')
        time.sleep(0.2)  # what it was born with is closed by now
        pid, maker = min(self.waiting(place)), self.maker(place)
        of_service = self.private(place.process.pid)
        self.assertGreaterEqual(len(of_service), 4)
        self.assertEqual((self.private(maker) | self.private(pid)) & of_service, set())
        files = {fd: target for fd, target in self.files(maker).items() if fd > 2}
        for target in files.values():  # the directories of cgroups that nobody has used yet may be gone
            self.assertTrue(target.startswith('socket:') or
                            target.removesuffix(' (deleted)').endswith((place.parent, '/state/dev')), files)
        self.assertEqual(len(self.private(maker) & set(files.values())), 1, files)
        files = self.files(pid)
        for target in files.values():
            self.assertTrue(target.startswith('socket:') or target == '/', files)
        self.assertEqual(len(self.private(pid)), 1, files)

    def needs_its_own_memory(self):
        if self.world.sanitized:
            self.skip_is_expected = True
            self.skipTest('with sanitizers what is made keeps all of the memory, see memory.h')

    def test_secrets(self):
        """What one container was given is in no other's memory while that waits, and not in its plan later."""
        self.needs_its_own_memory()
        place = self.place('secrets')
        self.prepare(place)
        secret = os.urandom(16).hex()
        container = place.client.spawn(self.rootfs, ['/bin/sleep', '60'], Environment=[f'SECRET={secret}'.encode()])
        self.addCleanup(self.end, place, container)
        self.assertIn(secret.encode(), read_bytes(f'/proc/{container.pid}/environ'))
        self.assertIn(secret.encode(), self.memory(place.process.pid))
        for _ in range(2):
            self.eventually(lambda: len(self.waiting(place)) == 1, what='another one')
            pid, = self.waiting(place)
            self.assertNotIn(secret.encode(), self.memory(pid))
            self.assertEqual(self.mapped(pid) & self.mapped(place.process.pid, '/libsystemd'), set())
            os.kill(self.maker(place), signal.SIGKILL)  # the next one is a copy of a service that has handled it
            os.kill(pid, signal.SIGKILL)
            self.eventually(lambda: not self.waiting(place), what='the end of what waited')
            time.sleep(1.1)
            self.run_one(place, '/bin/true').wait()

    def test_secrets_without(self):
        """Nor is it in the memory of one that the service makes itself: neither its heap nor libraries of no use there."""
        self.needs_its_own_memory()
        place = self.place('plain', prepared=0)
        secret = os.urandom(16).hex()
        container = place.client.spawn(self.rootfs, ['/bin/sleep', '60'], Environment=[f'SECRET={secret}'.encode()])
        self.addCleanup(self.end, place, container)
        self.assertIn(secret.encode(), self.memory(place.process.pid))
        created = place.client.create(self.rootfs, ['/bin/true'])
        self.assertNotIn(secret.encode(), self.memory(created.pid))
        # which lies lowest, and need not have a path here
        program = {tuple(read(f'/proc/{place.process.pid}/maps').split()[3:5])}
        self.assertEqual(self.mapped(created.pid) & (program | self.mapped(place.process.pid, '/libsystemd')), program)
        self.assertNotIn('[heap]', read(f'/proc/{created.pid}/maps'))
        created.start()
        self.assertEqual(created.wait(), ('success', 0))

    def test_killed(self):
        """When it was killed, what it has made is as good as before, runs run, and soon there is another."""
        place = self.place('maker')
        pid, maker = self.prepare(place), self.maker(place)
        os.kill(maker, signal.SIGKILL)
        self.eventually(lambda: not os.path.exists(f'/proc/{maker}'), what='the end of the maker')
        container = self.run_one(place)
        self.assertEqual(container.pid, pid)
        self.assertEqual(self.run_one(place, '/bin/true').wait(), ('success', 0))
        time.sleep(1.1)
        self.prepare(place)
        self.assertNotIn(self.maker(place), (0, maker))
