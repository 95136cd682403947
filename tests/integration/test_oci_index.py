"""Containers that the OCI command line has made: files of the index as it writes them, for processes in cgroups of the
test's own."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time

from harness.case import Case, TELLS_EXIT
from harness.client import CONTAINER, MANAGER, PATH, PROPERTIES, BusError, Container, options_variant, pump, raw
from harness.files import read, write
from harness.invariants import cgroup_roots
from harness.place import Place

SLEEP = ('/bin/sleep', '600')
ID = 'c0ffee' * 10 + 'c0de'


def start_time(pid):
    return int(read(f'/proc/{pid}/stat').rsplit(')', 1)[1].split()[19])


class Leaf:
    """A cgroup of one path in every hierarchy."""

    def __init__(self, path):
        self.directories = [root + path for root in cgroup_roots()]
        for root, directory in zip(cgroup_roots(), self.directories):
            with contextlib.suppress(OSError):
                write(f'{root}/cgroup.subtree_control', '+memory +pids +cpu')
            os.makedirs(directory, exist_ok=True)
            for name in ('cpuset.cpus', 'cpuset.mems'):
                if os.path.exists(f'{directory}/cgroup.clone_children') and os.path.exists(f'{directory}/{name}'):
                    write(f'{directory}/{name}', read(f'{root}/{name}'))

    def enter(self):
        for directory in self.directories:
            with open(f'{directory}/cgroup.procs', 'w') as f:
                f.write('0')

    def file(self, name):
        return next(f'{d}/{name}' for d in self.directories if os.path.exists(f'{d}/{name}'))

    def remove(self):
        for directory in self.directories:
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(directory)


class OciIndex(Case):
    def directory(self, place=None):
        return f'{place.state if place else self.world.state_dir}/oci'

    def leaf(self, name):
        leaf = Leaf(f'/naive-oci-test-{os.getpid()}-{name}')
        self.addCleanup(lambda: self.eventually(lambda: self.try_remove(leaf), what='an empty cgroup'))
        return leaf

    @staticmethod
    def try_remove(leaf):
        try:
            leaf.remove()
        except OSError:
            return False
        return True

    def publish(self, process, leaf, id=ID, directory=None, **changes):
        """The file's path; it is there in one moment, as with rename()."""
        now = int(time.time() * 1e6)
        values = {'Id': id, 'Root': '/run/naive-oci', 'BelongsTo': 'podman', 'Pid': process.pid,
                  'StartTime': start_time(process.pid), 'CreatedUSec': now, 'StartedUSec': now,
                  'Cgroups': ''.join(f'{d};' for d in leaf.directories), **changes}
        text = '[Container]\n' + ''.join(f'{key}={value}\n' for key, value in values.items())
        return self.put(text, hashlib.sha256(id.encode()).hexdigest(), directory)

    def put(self, text, name, directory=None, mode=0o600):
        directory = directory or self.directory()
        path, new = f'{directory}/{name}', f'{directory}/.{name}'
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w') as f:
            f.write(text)
        os.chmod(new, mode)
        os.rename(new, path)
        self.addCleanup(self.withdraw, path)
        return path

    def withdraw(self, path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if self.world.service_alive():
            self.eventually(lambda: not self.shown(), what='the end of what is shown')

    def shown(self, client=None):
        return [row for row in (client or self.root).containers() if row[0].startswith('oci-')]

    def podmans(self, line=SLEEP, id=ID, name='web', **changes):
        """A process, its leaf, the object of it, and the file."""
        leaf = self.leaf(name)
        process = self.started(*line, preexec_fn=leaf.enter)
        before = {row[4] for row in self.shown()}
        path = self.publish(process, leaf, id, **changes)
        self.eventually(lambda: {row[4] for row in self.shown()} - before, what='the container')
        new, = {row[4] for row in self.shown()} - before
        return process, leaf, Container(self.root, new), path

    def told(self, member, interface=MANAGER):
        signals = []
        subscription = self.root.subscribe(interface, member)
        return subscription, signals

    # -- seen --

    def test_seen(self):
        """A file makes a live object, which tells what it is, and goes with the file."""
        process, leaf, container, path = self.podmans()
        props = container.props()
        self.assertEqual(props['State'], 'running')
        self.assertEqual(props['Pid'], process.pid)
        self.assertEqual(props['OwnerUID'], 0)
        self.assertRegex(props['Id'], '^oci-[0-9]+$')
        self.assertIn(f'naive-oci-test-{os.getpid()}-web', props['ControlGroup'])
        self.assertEqual(container.prop('Labels'), {'oci.id': ID, 'oci.root': '/run/naive-oci'})
        self.assertEqual([pid for pid, _ in container.call('GetProcesses')[0]], [process.pid])
        self.assertIn('TasksCurrent', container.call('GetStats')[0])
        pidfd = os.pidfd_open(process.pid)
        self.addCleanup(os.close, pidfd)
        found = self.root.call(PATH, MANAGER, 'GetContainerByPIDFD', 'h', (0,), fds=(pidfd,))
        self.assertEqual(found, (props['Id'], container.path))
        os.unlink(path)
        self.eventually(lambda: not self.shown(), what='the end of the object')
        self.assertIsNone(process.poll(), 'the service ended what is not its own')
        self.assertTrue(os.path.isdir(leaf.directories[0]))

    def test_found_by_the_id_of_the_oci(self):
        """Whole, or by the first characters, where one container alone has it; of others nobody learns."""
        _, _, one, _ = self.podmans()
        self.assertEqual(self.root.get_container(ID).path, one.path)
        self.assertEqual(self.root.get_container(ID[:12]).path, one.path)
        with self.refused('NoSuchContainer'):
            self.root.get_container(ID[:11])
        _, _, other, _ = self.podmans(id=ID[:20], name='other')
        self.assertEqual(self.root.get_container(ID[:20]).path, other.path)
        self.assertEqual(self.root.get_container(ID).path, one.path)
        with self.refused('NoSuchContainer'):
            self.root.get_container(ID[:15])
        with self.refused('NoSuchContainer'):
            self.user('alice').get_container(f'0/{ID}')
        said = self.command(self.world.naivec, '--address', self.world.address, 'kill', ID, 'TERM')
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertEqual(one.wait()[0], 'signal' if TELLS_EXIT else 'unknown')

    def test_stranger(self):
        """To a stranger it is no object, whatever the method."""
        _, _, container, _ = self.podmans()
        stranger = Container(self.user('mallory'), container.path)
        for call in (lambda: stranger.kill(), lambda: stranger.call('Pause'), lambda: stranger.wait(),
                     lambda: stranger.call('GetStats'), lambda: stranger.prop('Labels'), stranger.delete):
            with self.refused('UnknownObject'):
                call()
        self.assertEqual(self.shown(self.user('mallory')), [])
        self.assertEqual(container.state, 'running')

    # -- controlled --

    def test_kill_and_wait(self):
        """A signal, the exit code, Exited; it stays until its runtime removes it."""
        process, _, container, path = self.podmans(('/bin/sh', '-c', 'trap "exit 7" TERM; sleep 600 & wait'), name='trap')
        self.eventually(lambda: len(container.call('GetProcesses')[0]) == 2, what='the sleep')
        container.kill(signal.SIGTERM)
        process.wait()
        self.assertEqual(container.wait(), ('exit-code', 7) if TELLS_EXIT else ('unknown', 0))
        self.assertEqual(container.state, 'stopped')
        os.unlink(path)
        self.eventually(lambda: not self.shown(), what='the removal')

    def test_kill_all(self):
        process, leaf, container, _ = self.podmans(('/bin/sh', '-c', 'sleep 600 & sleep 600 & wait'))
        self.eventually(lambda: len(container.call('GetProcesses')[0]) == 3, what='three processes')
        container.kill(signal.SIGKILL, 'all')
        process.wait()
        self.eventually(lambda: not read(leaf.directories[0] + '/cgroup.procs'), what='the end of all')

    def test_pause(self):
        """Paused on the bus, it stands still; what another pauses or resumes shows, where the kernel tells."""
        process, leaf, container, _ = self.podmans()
        container.call('Pause')
        self.assertEqual(container.state, 'paused')
        unified = [d for d in leaf.directories if os.path.exists(f'{d}/cgroup.freeze')]
        if unified:
            self.assertEqual(read(f'{unified[0]}/cgroup.freeze'), '1\n')
            write(f'{unified[0]}/cgroup.freeze', '0')
            self.eventually(lambda: container.state == 'running', what='what another resumed')
            write(f'{unified[0]}/cgroup.freeze', '1')
            self.eventually(lambda: container.state == 'paused', what='what another paused')
        container.call('Resume')
        self.assertEqual(container.state, 'running')
        container.call('Pause')
        container.stop(timeout=5)
        process.wait()

    def test_update(self):
        """Limits are those of its cgroup."""
        _, leaf, container, _ = self.podmans()
        container.call('Update', 'a{sv}', (options_variant({'TasksMax': 77, 'MemoryMax': 64 << 20}),))
        self.assertEqual(read(leaf.file('pids.max')), '77\n')
        limit = [d for d in leaf.directories if os.path.exists(f'{d}/memory.limit_in_bytes')]
        name = f'{limit[0]}/memory.limit_in_bytes' if limit else leaf.file('memory.max')
        self.assertEqual(int(read(name)), 64 << 20)
        self.assertEqual(container.prop('MemoryMax'), 64 << 20)

    def test_belongs_to_podman(self):
        """What only its own runtime can do is refused, with its name."""
        _, _, container, _ = self.podmans()
        calls = {'Start': ('()', ()), 'Delete': ('()', ()), 'ReadLog': ('tu', (0, 10)), 'OpenLog': ('a{sv}', ({},)),
                 'Attach': ('a{sv}', ({},)), 'GetConfig': ('()', ()),
                 'Exec': ('aaya{uh}a{sv}', ([raw('/bin/true')], {}, {}))}
        for member, (signature, arguments) in calls.items():
            with self.subTest(member), self.refused('InvalidState', text='belongs to podman'):
                container.call(member, signature, arguments)

    def test_created(self):
        """One that waits for its start is `created`, and `running` once its runtime says so."""
        process, leaf, container, _ = self.podmans(StartedUSec=0)
        self.assertEqual(container.state, 'created')
        self.assertEqual(container.prop('StartedUSec'), 0)
        self.publish(process, leaf, StartedUSec=4711)
        self.eventually(lambda: container.state == 'running', what='the start')
        self.assertEqual(container.prop('StartedUSec'), 4711)

    # -- over a restart --

    def test_service_that_starts_later(self):
        """It finds all, those that have ended meanwhile as well; and its end ends none of them."""
        process, leaf, container, path = self.podmans()
        gone, _, other, _ = self.podmans(id='ended', name='ended')
        self.world.service.send_signal(signal.SIGTERM)
        self.world.service.wait(timeout=20)
        self.assertIsNone(process.poll())
        gone.kill()
        gone.wait()
        self.world.start_service()
        self.addCleanup(self.world.restart_service)
        states = {Container(self.root, row[4]).prop('Labels')['oci.id']: row[1] for row in self.shown()}
        self.assertEqual(states, {ID: 'running', 'ended': 'stopped'})
        self.assertEqual(self.root.get_container('ended' if len('ended') > 64 else ID).pid, process.pid)
        self.assertEqual(self.root.get_container('ended').wait(), ('unknown', 0))
        os.unlink(path)
        self.eventually(lambda: len(self.shown()) == 1, what='the removal')

    def test_idle(self):
        """It does not keep the service; who waits for it does."""
        leaf = self.leaf('idle')
        process = self.started(*SLEEP, preexec_fn=leaf.enter)
        place = Place(self, 'index', idle=1, activated=True)
        os.makedirs(self.directory(place), mode=0o700, exist_ok=True)
        os.chmod(place.state, 0o700)
        self.publish(process, leaf, directory=self.directory(place))
        client = place.client
        container = client.get_container(ID)
        self.eventually(lambda: place.owner() == 0, 20, 'idle exit')
        self.assertEqual(client.get_container(ID).state, 'running')
        waits = client.call_async(client.get_container(ID).path, CONTAINER, 'Wait')
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            self.assertNotEqual(place.owner(), 0)
            time.sleep(0.1)
        process.kill()
        process.wait()
        self.assertTrue(pump(lambda: bool(waits), 20))
        self.eventually(lambda: place.owner() == 0, 20, 'idle exit')

    # -- not believed --

    def test_not_believed(self):
        """A number that another process has by now is no container; nor is one whose process is elsewhere."""
        leaf, elsewhere = self.leaf('a'), self.leaf('b')
        process = self.started(*SLEEP, preexec_fn=leaf.enter)
        mark = self.log_mark()
        self.publish(process, elsewhere)
        self.eventually(lambda: b'not in its cgroup' in self.log_since(mark), what='a word of it')
        self.assertEqual(self.shown(), [])
        self.publish(process, leaf, StartTime=start_time(process.pid) + 1)
        self.eventually(self.shown, what='one that has ended')
        (name, state, _, _, path), = self.shown()
        self.assertEqual(state, 'stopped')
        for call in (lambda: Container(self.root, path).kill(), lambda: Container(self.root, path).call('Pause'),
                     lambda: Container(self.root, path).call('OpenPIDFD')):
            with self.refused('InvalidState'):
                call()
        self.assertIsNone(process.poll())

    def test_no_file_of_ours(self):
        """What is no plain file of root's alone, or makes no sense, is not shown, and harms nobody."""
        leaf = self.leaf('a')
        process = self.started(*SLEEP, preexec_fn=leaf.enter)
        directory = self.directory()
        text = read(self.publish(process, leaf))
        self.eventually(self.shown, what='the container')
        self.withdraw(f'{directory}/{hashlib.sha256(ID.encode()).hexdigest()}')
        self.put(text, 'writable', mode=0o622)
        self.put('', 'empty')
        self.put('x' * 100000, 'large')
        self.put(text.replace('Pid=', 'Pid=-'), 'pid')
        os.chown(self.put(text, 'strange'), 20001, 20001)
        write(f'{self.world.directory}/text', text)
        for name, make in (('link', lambda p: os.symlink(f'{self.world.directory}/text', p)), ('fifo', os.mkfifo),
                           ('directory', os.mkdir)):
            make(f'{directory}/.{name}')
            os.rename(f'{directory}/.{name}', f'{directory}/{name}')
        mark = self.log_mark()
        try:
            self.put('', 'last')
            self.eventually(lambda: b"'last'" in self.log_since(mark), what='the last of them')
            self.assertEqual([row for row in self.shown() if row[1] != 'stopped'], [])
        finally:
            os.rmdir(f'{directory}/directory')
            os.unlink(f'{directory}/fifo')
            os.unlink(f'{directory}/link')
