"""D13: what the service is sent, and what it reads: no length, depth or value ends it."""

import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

from harness.client import CONTAINER, NAME, PATH, PROPERTIES, BusError, GLib
from harness.files import read
from harness.hostile import wire
from harness.hostile_case import Hostile
from harness.place import Place
from harness.wire import Writer
from harness.world import USERS

LONG = 'x' * 70000
EXTREMES = {
    's': ['', '\n\x1b[2J', '%s%n%1000000d', '../' * 1000, LONG, '￾\u202e'],
    'o': ['/', '/org/naive/Runc/container', '/x' * 100],
    'i': [-2**31, -1, 0, 64, 65, 2**31 - 1],
    'u': [0, 1, 2**31, 2**32 - 1],
    'q': [0, 2**16 - 1],
    't': [0, 1, 2**63 - 1, 2**63, 2**64 - 1],
    'b': [False, True],
    'h': [0, 1, 2**31 - 1, -1],
    'ay': [[], [0], [47, 0, 47], [255] * 5000],
    'aay': [[], [[]], [[0]], [[47]] * 2000, [[255] * 5000]],
    'as': [[], [''], ['\n'], [LONG], ['x'] * 70000],
    'v': [GLib.Variant('s', LONG), GLib.Variant('h', 5), GLib.Variant('a{sv}', {})],
    'a{uh}': [{}, {0: 0}, {2**32 - 1: 0}, {n: n for n in range(300)}],
    'a{sv}': [{}, {'': GLib.Variant('s', '')}, {LONG: GLib.Variant('b', True)},
              {'Id': GLib.Variant('v', GLib.Variant('v', GLib.Variant('s', 'x')))},
              {f'k{n}': GLib.Variant('t', n) for n in range(5000)}],
}
USUAL = {'s': 'x', 'o': '/', 'i': 0, 'u': 0, 'q': 24, 't': 0, 'b': False, 'h': 0, 'ay': [47], 'aay': [[47]], 'as': ['/'],
         'v': GLib.Variant('s', 'x'), 'a{uh}': {}, 'a{sv}': {}}


class Input(Hostile):
    def methods(self, path):
        """[(interface, member, [types])] of what is introspected there."""
        xml, = self.root.call(path, 'org.freedesktop.DBus.Introspectable', 'Introspect')
        for interface in ElementTree.fromstring(xml).iter('interface'):
            for method in interface.iter('method'):
                yield (interface.get('name'), method.get('name'),
                       [a.get('type') for a in method.iter('arg') if a.get('direction') == 'in'])

    def attempt(self, *call):
        try:
            self.root.call(*call, timeout=5)
        except BusError as error:
            # a Wait or a Stop may well take its time; nothing else may
            if not (error.name == 'local.Timeout' and call[2] in ('Wait', 'Stop')):
                self.assertTrue(error.name.startswith('org.'), f'{call[2]}: {error.name}')

    def alive(self):
        self.assertTrue(self.world.service_alive())
        self.answers()

    def test_every_method(self):
        """D13 CVE-2019-6454 CVE-2021-33910 CVE-2026-40227 CVE-2026-29111: no extreme value of any argument of any method ends the service or upsets it."""
        mark, tried = self.log_mark(), 0
        container = self.root.create(self.rootfs, ['/bin/sleep', '600'], Id='target')
        for path in (PATH, container.path):
            for interface, member, types in list(self.methods(path)):
                for at, kind in enumerate(types):
                    self.assertIn(kind, EXTREMES, f'{member}: a type without extremes')
                    for value in EXTREMES[kind]:
                        arguments = [value if i == at else USUAL[t] for i, t in enumerate(types)]
                        self.attempt(path, interface, member, f'({"".join(types)})', arguments)
                        tried += 1
                self.alive()
                if container.path not in str(self.root.containers()):
                    container = self.root.create(self.rootfs, ['/bin/sleep', '600'], Id='target')
        self.assertGreater(tried, 50)
        for word in (b'CRITICAL', b'assertion', b'ERROR'):
            self.assertNotIn(word, self.log_since(mark))

    def test_paths(self):
        """D13 CVE-2019-6454: object paths up to 64 KiB and beyond, of any form, are of no object, and cost nobody else time."""
        base = f'{PATH}/container/0/'
        for path in (base + 'x' * 300, base + 'x' * 1000, base + 'x' * 65000, base + '_zz', base + '_',
                     f'{PATH}/container/{"9" * 60000}/x', f'{PATH}/container/0/x/y',
                     '/elsewhere', f'{PATH}/container/99999999999/x',
                     f'{PATH}/container/0/x/exec/{"9" * 60000}', '/a' * 250, '/a' * 30000):
            self.assertEqual(set(self.outcomes(path)), {'org.freedesktop.DBus.Error.UnknownObject'}, path[:80])
        for path in (f'{PATH}/container', f'{PATH}/container/0'):  # branches, with nothing to call
            self.assertNotIn(None, set(self.outcomes(path)), path)
        for path in (base + 'x' * 70000, '/a' * 40000, base + 'x' * (1 << 20)):  # sd-bus takes none beyond 64 KiB
            self.assertEqual(set(self.outcomes(path)), {'no answer'}, path[:80])
        for path in (f'{PATH}/container/-1/x', 'x', '', '//', f'{PATH}/'):  # the bus takes none that is not one
            self.assertEqual(set(self.outcomes(path)), {'disconnected'}, path)

    def processor_time(self):
        fields = read(f'/proc/{self.world.service_pid}/stat').rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def outcomes(self, path):
        """What comes of a call of each kind there; others are served meanwhile, for it costs next to nothing."""
        before = self.processor_time()
        connection = wire(self.world.address, USERS['carol'])
        connection.socket.settimeout(self.world.slowness)
        for interface, member, signature, body in (
                (CONTAINER, 'Wait', '', b''), (PROPERTIES, 'GetAll', 's', bytes(Writer().s(CONTAINER).data))):
            try:
                serial = connection.send(NAME, path, interface, member, signature, body)
                yield connection.replies({serial})[serial]
            except TimeoutError:
                yield 'no answer'
            except ConnectionError:
                yield 'disconnected'
        connection.close()
        self.alive()
        self.assertLess(self.processor_time() - before, 0.2, path[:80])

    def nested(self, depth):
        """a{sv} with one value of so many variants within each other, as Spawn's options."""
        w = Writer()
        w.ay(b'/x').u(0)                          # rootfs, then argv without elements
        w.u(0).align(8)                           # fds without elements
        w.u(0)
        at = len(w.data) - 4
        w.align(8)
        start = len(w.data)
        w.s('Id')
        for _ in range(depth):
            w.g('v')
        w.g('s').s('x')
        w.data[at:at + 4] = (len(w.data) - start).to_bytes(4, 'little')
        return bytes(w.data)

    def test_depth(self):
        """D13: variants within variants, as deep as the bus lets pass and deeper, are InvalidArgs, or the sender's end."""
        for depth in (1, 8, 30, 60, 64, 65, 128, 4000):
            with self.subTest(depth=depth):
                connection = wire(self.world.address, 0)
                try:
                    serial = connection.send(NAME, PATH, 'org.naive.Runc.Manager1', 'Spawn', 'ayaaya{uh}a{sv}',
                                             self.nested(depth))
                    connection.socket.settimeout(2)
                    self.assertIsNotNone(connection.replies({serial})[serial])
                except (ConnectionError, TimeoutError):
                    self.assertGreaterEqual(depth, 30)
                finally:
                    connection.close()
                self.alive()

    def test_long_mount_paths(self):
        """D13 CVE-2021-33910: mount points with paths as long as they can be do not upset whoever reads the mount table."""
        top = f'{self.world.directory}/long'
        os.mkdir(top)
        here = os.open(top, os.O_RDONLY)
        depth = (4095 - len(top) - 20) // 256
        for _ in range(depth):
            os.mkdir('d' * 255, dir_fd=here)
            below = os.open('d' * 255, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        where = os.readlink(f'/proc/self/fd/{here}')
        os.close(here)
        self.assertGreater(len(where), 3800)
        subprocess.run(['mount', '-t', 'tmpfs', 'naive\\040\n', where], check=True)
        self.addCleanup(shutil.rmtree, top)
        self.addCleanup(subprocess.run, ['umount', '--lazy', where], check=True)
        place = Place(self, 'long-paths')  # finds its cgroups in the mount table
        self.assertEqual(self.output(['/bin/echo', 'x'], client=place.client, memory=10 << 20), 'x\n')
        with self.refused('RootfsInvalid', text='id-mapped'):  # looks there for the name of the mount
            self.root.run('/sys', 0, ['/bin/true'])
        self.alive()
