"""What a container uses, and has used: GetStats, the property Usage, naivec stats."""

import json
import subprocess

from harness.case import Case
from harness.client import CONTAINER, PROPERTIES, pump
from harness.place import Place

MIB = 1 << 20


class Stats(Case):
    def still(self, script, **options):
        """A container that has done what `script` does, and lives."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'{script}; sleep 1000 & echo on; wait'], **options)
        self.eventually(lambda: container.log().endswith(b'on\n'), timeout=60)
        return container

    def test_figures(self):
        """What runs has figures: processor time that grows, memory that is there, processes that count."""
        container = self.still('i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done', MemoryMax=64 * MIB)
        stats, = container.call('GetStats')
        self.assertGreater(stats['CPUUsageUSec'], 5000)
        self.assertLess(stats['CPUUsageUSec'], stats['WallUSec'] * 4)
        self.assertLessEqual(stats['CPUUserUSec'] + stats['CPUSystemUSec'], stats['CPUUsageUSec'] + 1000)
        self.assertEqual(stats['TasksCurrent'], 2)
        self.assertEqual(stats['OOMKills'], 0)
        self.assertTrue(0 < stats['MemoryCurrent'] <= 64 * MIB, stats)
        if 'MemoryPeak' in stats:
            self.assertGreater(stats['MemoryPeak'] + MIB, stats['MemoryCurrent'])
        again, = container.call('GetStats')
        self.assertGreaterEqual(again['CPUUsageUSec'], stats['CPUUsageUSec'])
        container.end()
        with self.refused('InvalidState', text='stopped'):
            container.call('GetStats')

    def test_created(self):
        """A container that was not started yet has figures, but no time that it ran."""
        container = self.root.create(self.rootfs, ['/bin/true'])
        stats, = container.call('GetStats')
        self.assertNotIn('WallUSec', stats)
        self.assertIn('CPUUsageUSec', stats)

    def test_stranger(self):
        """To a stranger neither figures nor account are there; the owner has both."""
        owner, stranger = self.user('alice'), self.user('mallory')
        container = owner.spawn(self.rootfs_of('alice'), ['/bin/sleep', '1000'])
        self.assertIn('CPUUsageUSec', container.call('GetStats')[0])
        self.assertIn('CPUUsageUSec', container.prop('Usage'))
        with self.refused('UnknownObject'):
            stranger.call(container.path, CONTAINER, 'GetStats')
        with self.refused('UnknownObject', 'UnknownInterface', 'UnknownProperty', 'UnknownMethod'):
            stranger.prop(container.path, CONTAINER, 'Usage')


class Usage(Case):
    def test_account(self):
        """The account agrees with what the command did, and is the same after a restart of the service."""
        script = '/bin/touchmem 24; exit 3'
        place = Place(self, 'account')
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', script], MemoryMax=256 * MIB)
        self.assertEqual(container.wait(), ('exit-code', 3))
        usage = container.prop('Usage')
        p = container.props()
        self.assertEqual(usage['WallUSec'], p['ExitedUSec'] - p['StartedUSec'])
        self.assertEqual(usage['OOMKills'], 0)
        self.assertGreater(usage['CPUUsageUSec'], 1000)
        for name, least, most in (('MemoryPeak', 20_000_000, 256 * MIB), ('TasksPeak', 2, 10)):
            if name in usage:
                self.assertTrue(least <= usage[name] <= most, (name, usage))
        place.process.terminate()
        place.process.wait(timeout=20)
        place.start()
        self.assertEqual(place.client.get_container(p['Id']).prop('Usage'), usage)

    def test_told_to_who_asks(self):
        """The account stands in no list of properties and in no signal."""
        seen = self.root.subscribe(PROPERTIES, 'PropertiesChanged')
        container = self.root.spawn(self.rootfs, ['/bin/true'])
        container.wait()
        self.assertTrue(pump(lambda: any('ExitedUSec' in arguments[1] for *_, arguments in seen)))
        for *_, arguments in seen:
            self.assertNotIn('Usage', str(arguments))
        self.assertNotIn('Usage', container.props())


class Naivec(Case):
    def stats(self, *arguments):
        return self.command(self.world.naivec, 'stats', f'--address={self.world.address}', *arguments)

    def test_once(self):
        """naivec stats --no-stream: a table for people, an object a line for programs."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '1000'], Id='busy')
        self.root.spawn(self.rootfs, ['/bin/true'], Id='over').wait()
        done = self.stats('--no-stream')
        self.assertEqual(done.returncode, 0, done.stderr)
        heading, line = done.stdout.decode().splitlines()
        self.assertTrue(heading.startswith('ID'), heading)
        self.assertTrue(line.startswith('busy '), line)
        done = self.stats('--no-stream', '--json=short', 'busy')
        told = json.loads(done.stdout)
        self.assertEqual((told['id'], told['stats']['TasksCurrent']), ('busy', 1))
        container.end()
        self.assertEqual(self.stats('--no-stream', 'busy').returncode, 1)
        self.assertEqual(self.stats('--no-stream', 'nobody').returncode, 1)

    def test_stream(self):
        """naivec stats ID goes on until the container has ended."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '1000'], Id='busy')
        process = self.started(self.world.naivec, 'stats', f'--address={self.world.address}', '--json=short', 'busy',
                               stdout=subprocess.PIPE)
        for _ in range(2):
            self.assertEqual(json.loads(process.stdout.readline())['id'], 'busy')
        container.end()
        self.assertEqual(process.wait(timeout=30), 0)
