"""The same Run from clients that nobody here wrote."""

import json
import os
import re
import sys

from harness.case import Case
from harness.client import CONTAINER, MANAGER, NAME, PATH, Container, GLib
from harness.wire import Wire, Writer, spawn_body
from harness.world import SOURCE

PATTERN = r'/org/naive/Runc/container/0/[A-Za-z0-9_]+'


def example(path, pattern):
    """A program out of a text for readers."""
    with open(f'{SOURCE}/{path}') as f:
        return re.search(pattern, f.read(), re.DOTALL).group(1)


class Clients(Case):
    def check(self, *line):
        done = self.command(*line)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertRegex(done.stdout.decode(), PATTERN)
        path = self.root.containers()[0][4]
        self.assertIn(path, done.stdout.decode())
        container = Container(self.root, path)
        self.assertEqual(container.wait(), ('success', 0))
        self.assertEqual(container.log(), b'hi\n')
        self.assertEqual(container.prop('MemoryMax'), 10485760)

    def test_busctl(self):
        """busctl call … Run stas ROOTFS 10485760 2 /bin/echo hi"""
        self.check('busctl', '--system', 'call', 'org.naive.Runc', PATH, 'org.naive.Runc', 'Run', 'stas',
                   self.rootfs, '10485760', '2', '/bin/echo', 'hi')

    def test_gdbus(self):
        """gdbus call … Run, which finds the signature by introspection"""
        self.check('gdbus', 'call', '--system', '--dest', 'org.naive.Runc', '--object-path', PATH, '--method',
                   'org.naive.Runc.Run', self.rootfs, '10485760', "['/bin/echo', 'hi']")

    def test_dbus_send(self):
        """dbus-send --print-reply … Run"""
        self.check('dbus-send', '--system', '--print-reply', '--dest=org.naive.Runc', PATH, 'org.naive.Runc.Run',
                   f'string:{self.rootfs}', 'uint64:10485760', 'array:string:/bin/echo,hi')

    def python(self, text):
        done = self.command(sys.executable, '-c', text.replace('/tmp/rootfs', self.rootfs))
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def test_readme(self):
        """The README's program, in a process of its own, prints what the README says."""
        program = example('README.md', '```python\n(.*?)```')
        self.assertEqual(self.python(program).strip(), re.search(r'print\(.*#\s*(.*)', program).group(1))

    def test_manual(self):
        """The program in org.naive.Runc(5) prints what the manual says."""
        program, said = (example('dbus/org.naive.Runc.5', pattern) for pattern in (
            r'\n(#!/usr/bin/python3\n.*?)\n\.Ed', r'The program prints\n.Bd [^\n]*\n(.*?)\n\.Ed'))
        self.assertEqual(re.sub(r'container-\d+', 'container-7', self.python(program)).strip(), said)

    def test_busctl_errors(self):
        """busctl shows the error's words."""
        done = self.command('busctl', '--system', 'call', 'org.naive.Runc', PATH, 'org.naive.Runc', 'Run', 'stas',
                            '/no/such', '10485760', '1', '/bin/true')
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b'/no/such', done.stderr)

    def test_busctl_introspect_and_tree(self):
        """busctl introspect and busctl tree show the API."""
        container = self.root.create(self.rootfs, ['/bin/true'], Id='shown')
        done = self.command('busctl', '--system', 'introspect', 'org.naive.Runc', PATH)
        for word in (b'org.naive.Runc.Manager1', b'.Run ', b'stas', b'.Spawn', b'.ListContainers', b'.NContainers'):
            self.assertIn(word, done.stdout)
        done = self.command('busctl', '--system', '--list', 'tree', 'org.naive.Runc')
        self.assertIn(PATH.encode(), done.stdout.split())
        self.assertIn(container.path.encode(), done.stdout.split())

    def test_busctl_json(self):
        """busctl --json reads the list."""
        self.root.create(self.rootfs, ['/bin/true'], Id='listed')
        done = self.command('busctl', '--system', '--json=short', 'call', 'org.naive.Runc', PATH,
                            'org.naive.Runc.Manager1', 'ListContainers', 'a{sv}', '0')
        (name, state, owner, created, path), = json.loads(done.stdout)['data'][0]
        self.assertEqual((name, state, owner), ('listed', 'created', 0))
        self.assertGreater(created, 1_500_000_000_000_000)
        self.assertTrue(path.startswith('/org/naive/Runc/container/0/'))


class Descriptors(Case):
    """What clients do that do not pass file descriptors."""

    def wire(self, **kwargs):
        wire = Wire(self.world.address, **kwargs)
        self.addCleanup(wire.close)
        return wire

    def test_missing(self):
        """An index without a descriptor is InvalidArgs, and the words ask the right question."""
        wire = self.wire()
        serial = wire.send(NAME, PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', spawn_body(self.rootfs, [(1, 0)]))
        while (answer := wire.receive())[1] != serial:
            pass
        self.assertEqual(answer[2], 'org.freedesktop.DBus.Error.InvalidArgs')
        self.assertIn(b'the descriptor of fd 1 did not come with the message: '
                      b'does your D-Bus library pass file descriptors?', answer[3])
        with self.refused('InvalidArgs', text='the descriptor of StandardError did not come with the message'):
            self.root.spawn(self.rootfs, ['/bin/true'], StandardError=GLib.Variant('h', 0))

    def test_options(self):
        """StandardInput, StandardOutput and StandardError are the descriptors 0, 1 and 2."""
        (stdin, writer), (reader, stdout), (errors, stderr) = (os.pipe() for _ in range(3))
        os.write(writer, b'read\n')
        os.close(writer)
        arguments = GLib.Variant('(ayaaya{uh}a{sv})', (
            os.fsencode(self.rootfs), [b'/bin/sh', b'-c', b'cat; echo wrong >&2'], {},
            {key: GLib.Variant('h', i) for i, key in enumerate(('StandardInput', 'StandardOutput', 'StandardError'))}))
        path, = self.root.invoke(PATH, MANAGER, 'Spawn', arguments, 20, 0, (stdin, stdout, stderr), NAME)
        for fd in stdin, stdout, stderr:
            os.close(fd)
        self.assertEqual(Container(self.root, path).wait(), ('success', 0))
        for fd, said in (reader, b'read\n'), (errors, b'wrong\n'):
            with open(fd, 'rb') as f:
                self.assertEqual(f.read(), said)
        self.assertEqual(Container(self.root, path).log(), b'')

    def test_reply_that_is_dropped(self):
        """A client that cannot take descriptors gets no answer to OpenLog; the log says so once, and the next such call
        is NotSupported."""
        path = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], Id='c').path
        mark = self.log_mark()
        wire = self.wire(takes_fds=False)
        open_log = (NAME, path, CONTAINER, 'OpenLog', 'a{sv}', bytes(Writer().array(8, [], None).data))
        wire.send(*open_log)
        wire.send(*open_log)
        self.eventually(lambda: b'cannot take file descriptors' in self.log_since(mark))
        for call in open_log, (NAME, path, CONTAINER, 'OpenPIDFD'):
            self.assertEqual(wire.call(*call), 'org.freedesktop.DBus.Error.NotSupported')
        self.assertRegex(self.log_since(mark).decode(),
                         ':[0-9.]+ cannot take file descriptors: OpenLog of c got no answer')
        self.assertEqual(self.log_since(mark).count(b'cannot take file descriptors'), 1)
        self.assertIsNone(wire.call(NAME, path, CONTAINER, 'ReadLog', 'tu', bytes(Writer().t(0).u(100).data)))
        self.root.call(path, CONTAINER, 'OpenLog', 'a{sv}', ({},))  # others are answered
        os.close(self.root.fds.pop())
