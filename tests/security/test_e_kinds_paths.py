"""Rows E3, E4 and E9 for volatile and empty roots: names that lead elsewhere, and those that share a directory and race."""

import os

from harness import rootfs
from harness.client import BusError
from harness.files import write
from test_e_kinds import Kinds


class Names(Kinds):
    def outcome(self, kind, tree, *mounts):
        """The canary and the tree are as before, whatever comes of it."""
        before = rootfs.fingerprint(self.world.canary), rootfs.fingerprint(tree)
        result, log = self.tries(kind, tree, ['/bin/sh', '-c', 'ls /tmp/in 2>/dev/null; grep -c " /tmp/in" /proc/self/mountinfo'],
                                 *mounts, access=())
        self.assertEqual((rootfs.fingerprint(self.world.canary), rootfs.fingerprint(tree)), before)
        return result, log

    def test_links_of_the_caller(self):
        """E4 CVE-2026-87766: what is made or mounted through a link of an earlier step lands inside the root, or is refused."""
        texts = (self.world.canary, f'../../../..{self.world.canary}', '/proc/1/root/etc', '/proc/self/root/etc', '/proc/self/fd/3',
                 '/proc/self/cwd', '..', '/', 'link')
        steps = (('', '/tmp/link/new', 'dir', []), ('x', '/tmp/link/file', 'data', []), ('', '/tmp/link/deep/er', 'tmpfs', []),
                 (f'{self.rootfs}/etc', '/tmp/link/etc', 'bind', ['ro']), ('text', '/tmp/link/other', 'symlink', []))
        for kind, tree in self.each():
            os.symlink(self.world.canary, f'{tree}/out')
            os.symlink('etc', f'{tree}/within')
            for number, text in enumerate(texts):
                one = steps[number % len(steps)]
                with self.subTest(kind=kind, text=text, mount=one):
                    self.outcome(kind, tree, (text, '/tmp/link', 'symlink', []), one)
            for place in ('out', 'within'):
                for what, source in (('dir', ''), ('data', 'x'), ('tmpfs', '')):
                    with self.subTest(kind=kind, place=place, what=what):
                        self.outcome(kind, tree, (source, f'/{place}/new', what, []))

    def test_inside(self):
        """E4: a link that stays inside is followed there: what is made through it is seen inside."""
        for kind, tree in self.each():
            result, log = self.outcome(kind, tree, ('', '/tmp/in', 'dir', []), ('../../tmp/in', '/tmp/link', 'symlink', []),
                                       ('', '/tmp/link/new', 'tmpfs', []))
            self.assertEqual((result, log), (('success', 0), 'new\n1\n'))

    def test_dots(self):
        """E9: no target has "..", and none names the root's parent, however it is written."""
        for kind, tree in self.each():
            for target in ('/tmp/../../x', '/..', '/../x', '..', 'x', '', '/tmp/./../..//x'):
                for one in (('', target, 'dir', []), (f'{self.rootfs}/etc', target, 'bind', ['ro'])):
                    with self.subTest(kind=kind, mount=one), self.assertRaises(BusError) as caught:
                        self.spawn(kind, tree, ['/bin/true'], one)
                    self.assertIn('InvalidArgs', caught.exception.name)


class Shared(Kinds):
    def test_copied_once(self):
        """E3 CVE-2026-133553: who shares a writable bind and swaps names in it gets nothing made there, nor read from elsewhere."""
        shared = f'{self.place}/shared'
        secret = f'{self.place}/secret'
        os.mkdir(secret, 0o700)
        write(f'{secret}/f', 'secret')
        for path in (shared, f'{shared}/real', f'{shared}/real/d'):
            os.mkdir(path)
        os.symlink(secret, f'{shared}/link')
        done = refused = 0
        for kind, tree in self.each():
            with self.swapping(f'{shared}/real', f'{shared}/link', pause=100):
                for number in self.rounds(60, 8):
                    one = (('', '/tmp/s/real/d', 'tmpfs', []), ('x', '/tmp/s/real/f', 'data', ['ro']))[number % 2]
                    result, log = self.tries(kind, tree, ['/bin/sh', '-c', 'cat /tmp/s/real/f 2>/dev/null; true'],
                                             (shared, '/tmp/s', 'bind', []), one)
                    self.assertNotIn('secret', log if isinstance(result, tuple) else '')
                    done += isinstance(result, tuple)
                    refused += not isinstance(result, tuple)
            self.assertEqual(sorted(os.listdir(shared)), ['link', 'real'])
            self.assertEqual(os.listdir(f'{shared}/real' if os.path.isdir(f'{shared}/real/d') else f'{shared}/link'), ['d'])
        self.assertEqual(os.listdir(secret), ['f'])
        self.race(done + refused, min(done, refused))
