"""Containers that the OCI command line has made, as the service shows and handles them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from harness.case import TELLS_EXIT
from harness.client import CONTAINER, MANAGER, PATH, Container, options_variant, pump, raw
from harness.files import read, write
from harness.index_case import ID, SLEEP, IndexCase, Leaf
from harness.place import Place


class OciIndex(IndexCase):
    def test_seen(self):
        """A file makes a live object, which tells what it is, and goes with the file."""
        process, leaf, container, path = self.podmans()
        props = container.props()
        self.assertEqual(props['State'], 'running')
        self.assertEqual(props['Pid'], process.pid)
        self.assertEqual(props['OwnerUID'], 0)
        self.assertRegex(props['Id'], '^oci-[0-9]+$')
        self.assertIn('/naive-oci-test-', props['ControlGroup'])
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
        process, _, one, _ = self.podmans()
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
        said = self.command(self.world.naivec, '--address', self.world.address, 'kill', '-s', 'TERM', ID)
        self.assertEqual(said.returncode, 0, said.stderr)
        process.wait()
        self.assertEqual(one.wait()[0], 'signal' if TELLS_EXIT else 'unknown')

    # -- controlled --

    def test_kill_and_wait(self):
        """A signal, the exit code, Exited; it stays until its runtime removes it."""
        process, _, container, path = self.podmans(('/bin/sh', '-c', "trap 'kill $!; exit 7' TERM; sleep 600 & wait"), name='trap')
        self.eventually(lambda: len(container.call('GetProcesses')[0]) == 2, what='the sleep')
        container.kill(signal.SIGTERM)
        process.wait()
        self.assertEqual(container.wait(), ('exit-code', 7) if TELLS_EXIT else ('unknown', 0))
        self.assertEqual(container.state, 'stopped')
        os.unlink(path)
        self.eventually(lambda: not self.shown(), what='the removal')

    def test_kill_all(self):
        """`all` are those of its cgroup."""
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
        container.kill(signal.SIGKILL)
        process.wait()
        self.assertEqual(container.wait()[0], 'signal' if TELLS_EXIT else 'unknown')

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

        with self.refused('InvalidState', text=f"or 'naive-oci --root /run/naive-oci exec {ID}'"):
            container.call('Exec', 'aaya{uh}a{sv}', ([raw('/bin/true')], {}, {}))

    def test_created(self):
        """One that waits for its start is `created`, and `running` once its runtime says so."""
        process, leaf, container, _ = self.podmans(StartedUSec=0, CreatedUSec=1)
        self.assertEqual(container.state, 'created')
        self.assertEqual(container.prop('StartedUSec'), 0)
        self.publish(process, leaf, StartedUSec=4711, CreatedUSec=1)
        self.eventually(lambda: container.state == 'running', what='the start')
        self.assertEqual(container.prop('StartedUSec'), 4711)

    def test_replaced(self):
        """An id that was removed and given again is another container, whatever was heard in between."""
        process, leaf, container, _ = self.podmans()
        again = self.started(*SLEEP, preexec_fn=leaf.enter)
        self.publish(again, leaf)
        self.eventually(lambda: [row[4] for row in self.shown()] not in ([], [container.path]), what='the other one')
        (_, state, _, _, path), = self.shown()
        self.assertEqual((state, Container(self.root, path).pid), ('running', again.pid))
        self.assertIsNone(process.poll())

    # -- over a restart --

    def test_service_that_starts_later(self):
        """It finds all, those that have ended meanwhile as well; and its end ends none of them."""
        process, leaf, container, path = self.podmans()
        gone, _, _, _ = self.podmans(id='ended', name='ended')

        def meanwhile():
            self.assertIsNone(process.poll())
            gone.kill()
            gone.wait()
        self.service_again(meanwhile=meanwhile)
        states = {Container(self.root, row[4]).prop('Labels')['oci.id']: row[1] for row in self.shown()}
        self.assertEqual(states, {ID: 'running', 'ended': 'stopped'})
        self.assertEqual(self.root.get_container(ID).pid, process.pid)
        self.assertEqual(self.root.get_container('ended').wait(), ('unknown', 0))
        self.assertEqual(self.root.get_container(ID).path, container.path)
        os.unlink(path)
        self.eventually(lambda: len(self.shown()) == 1, what='the removal')

    def test_names_stay(self):
        """Over a restart each has the name that it had, though one has gone and one has come, who gets no old name."""
        _, _, first, path = self.podmans(id='first', name='first')
        _, _, second, _ = self.podmans(id='second', name='second')
        late = self.started(*SLEEP, preexec_fn=self.leaf('late').enter)
        leaf = self.leaf('late')

        def meanwhile():
            os.unlink(path)
            self.publish(late, leaf, id='late')
        self.service_again(meanwhile=meanwhile)
        self.assertEqual(self.root.get_container('second').path, second.path)
        self.assertEqual(len(self.shown()), 2)
        self.assertNotIn(first.path, [row[4] for row in self.shown()])

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


class OciCommandLine(IndexCase):
    """The same with the command line itself, whose index is that of the service under test."""

    PLACE = ('mount -t tmpfs run /run && mkdir -m 0700 /run/naive-runc && mount --bind "$0" /run/naive-runc && '
             'exec "$@"')

    def setUp(self):
        super().setUp()
        self.addCleanup(self.withdraw, f'{self.directory()}/.serial')  # the last that was taken, for as long as the machine runs

    def oci(self, *arguments, **kwargs):
        line = ['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c', self.PLACE, self.world.state_dir,
                f'{self.world.build}/cli/oci/naive-oci', '--root', f'{self.world.directory}/oci', *arguments]
        # what `create` leaves behind has its output: a file, and no pipe that would be read to its end
        with tempfile.TemporaryFile(dir=self.world.directory) as out:
            status = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60, **kwargs).returncode
            out.seek(0)
            said = out.read()
        self.assertEqual(status, 0, said)
        return said

    def make(self, name):
        """A bundle whose command sleeps, and a container of it that waits for its start."""
        bundle = f'{self.world.directory}/bundle-{name}'
        os.mkdir(bundle)
        self.addCleanup(shutil.rmtree, bundle)
        self.oci('spec', cwd=bundle)
        config = json.loads(read(f'{bundle}/config.json'))
        config['root'] = {'path': self.rootfs}
        config['process'].update(terminal=False, args=list(SLEEP))
        config['annotations'] = {'io.container.manager': 'a test'}
        leaf = self.leaf(name)
        self.assertTrue(leaf.remove())
        self.leaf_path = leaf.path
        config['linux']['cgroupsPath'] = leaf.path
        write(f'{bundle}/config.json', json.dumps(config))
        self.addCleanup(lambda: self.oci('delete', '--force', name))
        self.oci('create', '--bundle', bundle, name)
        return name

    def test_divided(self):
        """One whose first process has divided its cgroup can be entered, and goes with all that is below."""
        if not os.path.exists(f'{self.world.build}/cli/oci/naive-oci'):
            self.skipTest('NOT RUN: naive-oci is not built, for want of json-c')
        name = self.make('divided')
        self.oci('start', name)
        process = json.loads(self.oci('state', name))['pid']
        leaf = Leaf(self.leaf_path)
        for directory in leaf.directories:
            os.mkdir(f'{directory}/init')
            if os.path.exists(f'{directory}/cgroup.clone_children') and os.path.exists(f'{directory}/cpuset.cpus'):
                continue  # one of v1 takes nobody until it has processors
            write(f'{directory}/init/cgroup.procs', str(process))
            if os.path.exists(f'{directory}/cgroup.controllers'):
                names = read(f'{directory}/cgroup.controllers').split()
                write(f'{directory}/cgroup.subtree_control', ' '.join('+' + word for word in names[:1]))
        self.oci('exec', name, '/bin/true')
        self.oci('delete', '--force', name)
        self.assertEqual([path for path in leaf.directories if os.path.exists(path)], [])

    def state(self, name):
        return json.loads(self.oci('state', name))['status']

    def test_from_create_to_delete(self):
        """Created, running, paused on the bus and so for the command line, the other way round, removed."""
        if not os.path.exists(f'{self.world.build}/cli/oci/naive-oci'):
            self.skipTest('NOT RUN: naive-oci is not built, for want of json-c')
        removed = self.root.subscribe(MANAGER, 'ContainerRemoved')
        name = self.make('life')
        self.eventually(self.shown, what='the container')
        (id, state, owner, _, path), = self.shown()
        self.assertEqual((state, owner), ('created', 0))
        container = Container(self.root, path)
        self.oci('start', name)
        self.eventually(lambda: container.state == 'running', what='the start')
        container.call('Pause')
        self.assertEqual(self.state(name), 'paused')
        container.call('Resume')
        self.assertEqual(self.state(name), 'running')
        if self.root.prop(PATH, MANAGER, 'CgroupMode') != 'legacy':  # v1 tells nobody
            self.oci('pause', name)
            self.eventually(lambda: container.state == 'paused', what='the pause')
            self.oci('resume', name)
            self.eventually(lambda: container.state == 'running', what='the resume')
        with self.refused('InvalidState', text='belongs to a test'):
            container.delete()
        self.oci('delete', '--force', name)
        self.assertTrue(pump(lambda: removed))
        self.assertEqual(removed[0][3], (id, path))
        self.make('next')
        self.eventually(self.shown, what='the next container')
        self.assertGreater(int(self.shown()[0][0][4:]), int(id[4:]))
