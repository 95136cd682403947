"""Update: limits of what runs, seen from inside and in the kernel's files; all or nothing, and after a restart."""

import os
import signal
import time

from harness.case import Case
from harness.client import INFINITY, MANAGER, PATH, BusError, GLib, pump
from harness.place import Place

MIB = 1 << 20
FILES = {'memory.max': 'memory/{}/memory.limit_in_bytes', 'pids.max': 'pids/{}/pids.max',
         'memory.swap.max': 'memory/{}/memory.memsw.limit_in_bytes'}
HOLDS = 'head -c 30000000 /dev/zero >/tmp/held && echo on; exec sleep 600'  # in memory, as is all of /tmp


def limit(container, name):
    """As the kernel has it; swap in v1 is the sum of memory and swap."""
    group = container.prop('ControlGroup').strip('/')
    for path in (f'/sys/fs/cgroup/{FILES[name].format(group)}', f'/sys/fs/cgroup/{group}/{name}'):
        try:
            with open(path) as f:
                text = f.read().strip()
                return INFINITY if text == 'max' or int(text) > 1 << 62 else int(text)
        except FileNotFoundError:
            pass
    raise FileNotFoundError(name)


class Limits(Case):
    def update(self, container, client=None, **resources):
        values = {key: GLib.Variant('b' if key == 'Force' else 't', value) for key, value in resources.items()}
        (client or container.client).call(container.path, 'org.naive.Runc.Container1', 'Update', 'a{sv}', (values,))

    def sleeper(self, client=None, rootfs=None, **options):
        return (client or self.root).spawn(rootfs or self.rootfs, ['/bin/sleep', '600'], **options)


class Update(Limits):
    def test_values(self):
        """What is said changes, in the kernel and in the property; what is not said stays; the property is told."""
        container = self.sleeper(MemoryMax=64 * MIB, TasksMax=50)
        seen = self.root.subscribe('org.freedesktop.DBus.Properties', 'PropertiesChanged', container.path)
        self.update(container, MemoryMax=100 * MIB)
        self.assertEqual((limit(container, 'memory.max'), limit(container, 'pids.max')), (100 * MIB, 50))
        self.assertEqual(container.prop('MemoryMax'), 100 * MIB)
        self.assertTrue(pump(lambda: any(a[1].get('MemoryMax') == 100 * MIB for *_, a in seen)), seen)
        self.update(container, TasksMax=60)
        self.assertEqual((limit(container, 'memory.max'), limit(container, 'pids.max')), (100 * MIB, 60))
        self.update(container, MemoryMax=80 * MIB, TasksMax=70)
        self.assertEqual((limit(container, 'memory.max'), limit(container, 'pids.max')), (80 * MIB, 70))
        self.update(container, MemoryMax=0, TasksMax=INFINITY)
        self.assertEqual((limit(container, 'memory.max'), limit(container, 'pids.max')), (INFINITY, INFINITY))
        self.assertEqual(container.prop('MemoryMax'), INFINITY)
        self.update(container)

    def test_swap(self):
        """The swap that was allowed stays what it was, up and down; where memory had no limit, a new one allows none."""
        container = self.sleeper(MemoryMax=64 * MIB)
        swap = limit(container, 'memory.swap.max') - 64 * MIB  # v1 has the sum
        if swap not in (0, -64 * MIB):
            self.fail(f'swap {swap}')
        base = swap and -1
        for size in (200, 30, 100):
            self.update(container, MemoryMax=size * MIB)
            self.assertEqual(limit(container, 'memory.swap.max'), 0 if base else size * MIB)
        self.update(container, MemorySwapMax=10 * MIB)
        self.assertEqual(limit(container, 'memory.swap.max'), 10 * MIB if base else 110 * MIB)
        self.assertEqual(limit(container, 'memory.max'), 100 * MIB)
        self.update(container, MemoryMax=0, MemorySwapMax=INFINITY)
        self.assertEqual(limit(container, 'memory.swap.max'), INFINITY)
        self.update(container, MemoryMax=50 * MIB)
        self.assertEqual(limit(container, 'memory.swap.max'), 0 if base else 50 * MIB)

    def test_effect(self):
        """The new limit is that of the command: what it could have before ends it now."""
        script = 'read x; exec /bin/touchmem 60'
        for size, result in ((300, 'success'), (20, 'oom-kill')):
            read, write = self.pipe()
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', script], {0: read}, MemoryMax=250 * MIB)
            self.update(container, MemoryMax=size * MIB)
            with open(write, 'wb', closefd=False) as f:
                f.write(b'go\n')
            self.assertEqual(container.wait()[0], result)

    def pipe(self):
        ends = os.pipe()
        for end in ends:
            self.addCleanup(os.close, end)
        return ends

    def test_in_use(self):
        """A limit below what is in use is refused with both figures, and nothing has changed."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', HOLDS], MemoryMax=200 * MIB, TasksMax=50)
        self.eventually(lambda: container.log() == b'on\n', timeout=30)
        with self.refused('InvalidArgs', text=str(10 * MIB)) as caught:
            self.update(container, TasksMax=60, MemoryMax=10 * MIB)
        self.assertRegex(caught.exception.text, r'\d{8,} bytes in use')
        self.assertEqual((limit(container, 'memory.max'), limit(container, 'pids.max')), (200 * MIB, 50))
        self.assertEqual(container.prop('MemoryMax'), 200 * MIB)
        self.assertEqual(container.state, 'running')

    def test_force(self):
        """With Force what is in use goes, where the kernel does not make the service wait for that; else it is told."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', HOLDS], MemoryMax=200 * MIB)
        self.eventually(lambda: container.log() == b'on\n', timeout=30)
        try:
            self.update(container, MemoryMax=10 * MIB, Force=True)
        except BusError as error:
            self.assertEqual(error.name, 'org.freedesktop.DBus.Error.NotSupported')
            self.assertIn('bytes are in use', error.text)
            self.assertEqual(container.state, 'running')

    def test_wrong_values(self):
        """Unknown keys, wrong types, keys of Spawn alone and keys twice are refused by name."""
        container = self.sleeper()
        for key, value in (('NoSuch', GLib.Variant('t', 5)), ('MemoryMax', GLib.Variant('u', 5)),
                           ('Id', GLib.Variant('s', 'x')), ('TasksMax', GLib.Variant('t', 0)),
                           ('Force', GLib.Variant('t', 1))):
            with self.refused('InvalidArgs', text=key):
                self.root.call(container.path, 'org.naive.Runc.Container1', 'Update', 'a{sv}', ({key: value},))
        with self.refused('InvalidArgs', text='twice'):
            self.root.call_text(container.path, 'org.naive.Runc.Container1', 'Update', '(a{sv})',
                                '({"TasksMax": <uint64 5>, "TasksMax": <uint64 6>},)')

    def test_wrong_states(self):
        """Only what runs or is paused is updated."""
        container = self.root.create(self.rootfs, ['/bin/sleep', '600'])
        with self.refused('InvalidState', text='created'):
            self.update(container, TasksMax=5)
        container.start()
        container.call('Pause')
        self.update(container, TasksMax=5)
        self.assertEqual(limit(container, 'pids.max'), 5)
        container.end()
        with self.refused('InvalidState', text='stopped'):
            self.update(container, TasksMax=6)

    def test_who_may(self):
        """The owner and root; a stranger learns nothing. More than the owner may have at all is LimitsExceeded."""
        alice = self.user('alice')
        container = self.sleeper(client=alice, rootfs=self.rootfs_of('alice'))
        self.update(container, TasksMax=40)
        self.update(container, self.root, TasksMax=50)
        for resources in ({'TasksMax': 60}, {}):
            with self.refused('UnknownObject'):
                self.update(container, self.impostor('mallory'), **resources)
        for most in (1 << 20, INFINITY):
            with self.refused('LimitsExceeded', text='TasksMax'):
                self.update(container, TasksMax=most)
        self.assertEqual(limit(container, 'pids.max'), 50)

    def test_naivec(self):
        """`update` takes the flags of `run`, and several names."""
        containers = [self.sleeper(Id=name, MemoryMax=64 * MIB) for name in ('one', 'two')]
        result = self.command(self.world.naivec, 'update', '--memory=100M', '--pids-limit', '70', 'one', 'two')
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, b''))
        for container in containers:
            self.assertEqual((limit(container, 'memory.max'), limit(container, 'pids.max')), (100 * MIB, 70))
        result = self.command(self.world.naivec, 'update', 'one')
        self.assertEqual(result.returncode, 2)


class Options(Limits):
    def processors(self, container):
        """(weight, quota, period) as the kernel has them; the weight in v1 is shares."""
        group = container.prop('ControlGroup').strip('/')

        def read(*paths):
            for path in paths:
                if os.path.exists(path):
                    with open(path) as f:
                        return f.read().split()
            self.fail(paths)
        v1, v2 = f'/sys/fs/cgroup/cpu/{group}', f'/sys/fs/cgroup/{group}'
        weight, = read(f'{v1}/cpu.shares', f'{v2}/cpu.weight')
        quota = read(f'{v1}/cpu.cfs_quota_us', f'{v2}/cpu.max')
        return int(weight), *quota[:1], int((quota[1:] or read(f'{v1}/cpu.cfs_period_us'))[0])

    def test_processors(self):
        """Weight and quota of Spawn and of Update are the kernel's; the period is a tenth of a second."""
        container = self.sleeper(CPUWeight=100, CPUQuotaPerSecUSec=500000)
        weight, quota, period = self.processors(container)
        self.assertIn(weight, (100, 1024))
        self.assertEqual((quota, period), ('50000', 100000))
        self.update(container, CPUWeight=10000)
        self.assertIn(self.processors(container), ((10000, '50000', 100000), (262144, '50000', 100000)))
        for per_second, wanted in ((2000000, ('200000', 100000)), (10000, ('1000', 100000))):
            self.update(container, CPUQuotaPerSecUSec=per_second)
            self.assertEqual(self.processors(container)[1:], wanted)
        self.update(container, CPUQuotaPerSecUSec=INFINITY)
        self.assertIn(self.processors(container)[1], ('-1', 'max'))

    def test_quota_holds(self):
        """What spins has no more of the processors than its quota, a user's as root's."""
        for client, rootfs in ((self.root, self.rootfs), (self.user('alice'), self.rootfs_of('alice'))):
            container = client.spawn(rootfs, ['/bin/sh', '-c', 'while :; do :; done'], CPUQuotaPerSecUSec=100000)
            begin, used = time.monotonic(), self.used(container)
            time.sleep(2)
            used, wall = self.used(container) - used, time.monotonic() - begin
            container.end()
            self.assertLess(used, 0.1 * wall + 0.11)

    def used(self, container):
        """Seconds of processors' time that the main process had."""
        with open(f'/proc/{container.pid}/stat') as f:
            fields = f.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def test_wrong_values(self):
        """Too little, too much and 0 are refused by name, in Spawn and in Update."""
        container = self.sleeper()
        for key, value in (('CPUWeight', 0), ('CPUWeight', 10001), ('CPUQuotaPerSecUSec', 9999)):
            with self.refused('InvalidArgs', text=key):
                self.sleeper(**{key: value})
            with self.refused('InvalidArgs', text=key):
                self.update(container, **{key: value})

    def test_memory_of_v2(self):
        """MemoryHigh and MemoryLow are the kernel's where cgroup v2 has the memory, else NotSupported naming that."""
        is_unified = self.root.prop(PATH, MANAGER, 'CgroupMode') == 'unified'
        for key, file in (('MemoryHigh', 'memory.high'), ('MemoryLow', 'memory.low')):
            if is_unified:
                container = self.sleeper(**{key: 50 * MIB})
                group = container.prop('ControlGroup')
                for size in (50, 60):
                    self.update(container, **{key: size * MIB})
                    with open(f'/sys/fs/cgroup{group}/{file}') as f:
                        self.assertEqual(int(f.read()), size * MIB)
                continue
            container = self.sleeper()
            with self.refused('NotSupported', text=key):
                self.sleeper(**{key: 50 * MIB})
            with self.refused('NotSupported', text=key):
                self.update(container, **{key: 50 * MIB, 'TasksMax': 33})
            self.assertNotEqual(limit(container, 'pids.max'), 33)

    def test_flags(self):
        """--cpus and --cpu-shares are podman's numbers."""
        command = [self.world.naivec, 'run', '-d', '--name=flags', '--cpus=1.5', '--cpu-shares=1024', self.rootfs,
                   '/bin/sleep', '600']
        self.assertEqual(self.command(*command).returncode, 0)
        weight, quota, period = self.processors(self.root.get_container('flags'))
        self.assertIn(weight, (100, 1024))
        self.assertEqual((quota, period), ('150000', 100000))
        for flag in ('--cpus=x', '--cpus=-1', '--cpus=0.0001', '--cpu-shares=0', '--cpu-shares=262145'):
            self.assertEqual(self.command(self.world.naivec, 'update', flag, 'flags').returncode, 2)
        self.assertEqual(self.command(self.world.naivec, 'update', '--cpus=0', 'flags').returncode, 0)
        self.assertIn(self.processors(self.root.get_container('flags'))[1], ('-1', 'max'))


class Restart(Limits):
    def test_stays(self):
        """What was changed is what the next service tells, also where it had no time to write that down."""
        place = Place(self, self._testMethodName)
        container = self.sleeper(client=place.client, Id='c', MemoryMax=64 * MIB + 5)
        try:
            for number, size in ((signal.SIGTERM, 100), (signal.SIGKILL, 70), (signal.SIGKILL, 0), (signal.SIGKILL, 80)):
                self.update(container, MemoryMax=size * MIB)
                place.process.send_signal(number)
                place.process.wait(timeout=20)
                place.start()
                self.assertEqual(container.prop('MemoryMax'), size * MIB or INFINITY)
                self.assertEqual(limit(container, 'memory.max'), size * MIB or INFINITY)
        finally:
            container.end()
