"""AllowedCPUs and IOWeight: which processors a container has, and how much of the disks, in Spawn and in Update."""

import os
import signal

from harness.case import Case
from harness.client import MANAGER, PATH, BusError, GLib
from harness.place import Place

WEIGHTS = {'io.weight': lambda weight: weight, 'io.bfq.weight': lambda weight: 100 + (weight - 100) * 900 // 9900,
           'blkio.bfq.weight': lambda weight: 100 + (weight - 100) * 900 // 9900}


def processors():
    """Those that there are here, from the first to the last."""
    with open('/sys/devices/system/cpu/online') as f:
        return [n for part in f.read().split(',') for first, _, last in [part.strip().partition('-')]
                for n in range(int(first), int(last or first) + 1)]


class Placement(Case):
    def update(self, container, **resources):
        values = {key: GLib.Variant('s' if key == 'AllowedCPUs' else 't', value) for key, value in resources.items()}
        container.client.call(container.path, 'org.naive.Runc.Container1', 'Update', 'a{sv}', (values,))

    def sleeper(self, client=None, rootfs=None, **options):
        return (client or self.root).spawn(rootfs or self.rootfs, ['/bin/sleep', '600'], **options)

    def allowed(self, container):
        with open(f'/proc/{container.pid}/status') as f:
            return next(line.split()[1] for line in f if line.startswith('Cpus_allowed_list'))

    def tried(self, client=None, rootfs=None, **options):
        """A sleeper with the option; where there is no such controller, that is told by its name and the test ends."""
        try:
            return self.sleeper(client, rootfs, **options)
        except BusError as error:
            self.assertIn('NotSupported', error.name)
            self.assertIn(next(iter(options)), error.text)
            self.skipTest(error.text)


class Cpus(Placement):
    def test_effect(self):
        """The command has these processors alone, and cannot take others; a user's as root's, and so has Exec."""
        last = str(processors()[-1])
        for client, tree in ((self.root, self.rootfs), (self.user('alice'), self.rootfs_of('alice'))):
            container = self.tried(client, tree, AllowedCPUs=last)
            self.assertEqual(self.allowed(container), last)
            if client is self.root:
                done = self.command(self.world.naivec, 'exec', container.id, 'grep', 'Cpus_allowed_list', '/proc/self/status')
                self.assertEqual(done.stdout.split()[-1].decode(), last, done.stderr)
            container.end()
        script = 'taskset 0xffffffff true; grep Cpus_allowed_list /proc/self/status'
        said = self.spawn_output(['/bin/sh', '-c', script], AllowedCPUs=last)
        self.assertEqual(said.split()[-1], last)

    def test_update(self):
        """Update changes them, all or nothing; a list may have spaces."""
        all_of_them = processors()
        container = self.tried(AllowedCPUs=str(all_of_them[0]), TasksMax=50)
        self.update(container, AllowedCPUs=f'{all_of_them[-1]}')
        self.assertEqual(self.allowed(container), str(all_of_them[-1]))
        if len(all_of_them) > 1:
            self.update(container, AllowedCPUs=f'{all_of_them[0]}, {all_of_them[-1]}')
            self.assertIn(str(all_of_them[-1]), self.allowed(container))
            self.assertNotEqual(self.allowed(container), str(all_of_them[-1]))
        before = self.allowed(container)
        with self.refused('InvalidArgs', text='AllowedCPUs'):
            self.update(container, AllowedCPUs='8000', TasksMax=60)
        self.assertEqual(self.allowed(container), before)

    def test_later(self):
        """A container that began without gets them by Update, or is told that this kernel has no place for it."""
        container, last = self.sleeper(), str(processors()[-1])
        try:
            self.update(container, AllowedCPUs=last)
        except BusError as error:
            self.assertIn('NotSupported', error.name)
            self.assertIn('AllowedCPUs', error.text)
        else:
            self.assertEqual(self.allowed(container), last)

    def test_wrong(self):
        """What is no list, and what this machine does not have, is refused by name, and nothing is left."""
        self.tried(AllowedCPUs=str(processors()[0]))
        for text in ('', 'x', '1-', '-1', '3-1', '0-8192', '0;1', '0,\x01', '8000', '0-8000', '0' * 300):
            with self.subTest(text[:20]), self.refused('InvalidArgs', text='AllowedCPUs'):
                self.sleeper(AllowedCPUs=text)

    def test_naivec(self):
        """--cpuset-cpus is the option, also of update."""
        first = str(processors()[0])
        self.tried(AllowedCPUs=first)
        done = self.command(self.world.naivec, 'run', f'--cpuset-cpus={first}', self.rootfs, 'grep', 'Cpus_allowed_list',
                            '/proc/self/status')
        self.assertEqual(done.stdout.split()[-1].decode(), first, done.stderr)

    def test_after_restart(self):
        """It stays, and the next service changes it."""
        all_of_them = processors()
        self.tried(AllowedCPUs=str(all_of_them[0]))
        place = Place(self, 'cpus-restart')
        container = self.sleeper(place.client, AllowedCPUs=str(all_of_them[0]))
        place.process.send_signal(signal.SIGTERM)
        place.process.wait(timeout=20)
        place.start()
        self.assertEqual(self.allowed(container), str(all_of_them[0]))
        self.update(container, AllowedCPUs=str(all_of_them[-1]))
        self.assertEqual(self.allowed(container), str(all_of_them[-1]))
        container.end()


class Disks(Placement):
    def weights(self, container):
        group, found = container.prop('ControlGroup').strip('/'), {}
        for name in WEIGHTS:
            for top in ('/sys/fs/cgroup', '/sys/fs/cgroup/blkio'):
                if os.path.exists(f'{top}/{group}/{name}'):
                    with open(f'{top}/{group}/{name}') as f:
                        found[name] = int(f.read().split()[-1])
        return found

    def test_effect(self):
        """The kernel's weight is what was asked for, in Spawn and in Update, where a scheduler heeds one."""
        container = self.tried(IOWeight=200)
        for weight in 200, 10000, 300:
            self.update(container, IOWeight=weight)
            found = self.weights(container)
            self.assertTrue(found)
            self.assertEqual(found, {name: WEIGHTS[name](weight) for name in found})

    def test_naivec(self):
        """--blkio-weight is podman's number, turned into v2's as its runtimes do."""
        self.tried(IOWeight=200)
        done = self.command(self.world.naivec, 'run', '-d', '--blkio-weight=500', '--name=disks', self.rootfs, 'sleep', '600')
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.weights(self.root.get_container('disks'))
        self.assertEqual(found, {name: WEIGHTS[name](4950) for name in found})

    def test_wrong(self):
        """0 and more than 10000 are refused by name; so are podman's outside 10 to 1000."""
        container = self.sleeper()
        for weight in 0, 10001:
            with self.refused('InvalidArgs', text='IOWeight'):
                self.sleeper(IOWeight=weight)
            with self.refused('InvalidArgs', text='IOWeight'):
                self.update(container, IOWeight=weight)
        for weight in '9', '1001', 'x':
            self.assertEqual(self.command(self.world.naivec, 'run', f'--blkio-weight={weight}', self.rootfs).returncode, 2)

    def test_impossible(self):
        """Where no scheduler heeds a weight, that is told, and nothing is left of the container."""
        mode = self.root.prop(PATH, MANAGER, 'CgroupMode')
        try:
            self.sleeper(IOWeight=200)
        except BusError as error:
            self.assertIn('NotSupported', error.name)
            self.assertIn('IOWeight', error.text, mode)
            self.nothing_started()
