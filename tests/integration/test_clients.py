"""The same Run from clients that nobody here wrote."""

import json
import re
import sys

from harness.case import Case
from harness.client import Container, PATH
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
