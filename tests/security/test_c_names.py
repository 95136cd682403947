"""Rows C6, C8, C9: user ids, signals and names that are not what they seem."""

import os
import shutil
import subprocess
import time

from harness import rootfs
from harness.case import Case
from harness.client import CONTAINER, MANAGER, NAME, PATH, PROPERTIES, GLib
from harness.files import id_map_of
from harness.invariants import cgroup_tree
from harness.world import USERS, World
from judged import Judged

HUGE = (2147483647, 2147483648, 4000000000, 4294967294)


class Ids(Judged):
    """C6: user ids that do not fit where others put them."""

    def test_huge(self):
        """C6 CVE-2018-19788: a caller whose uid is beyond INT_MAX is itself and nobody else, in everything that it owns."""
        self.addCleanup(self.world.add_users(HUGE))
        for uid in HUGE:
            with self.subTest(uid=uid):
                tree = f'{self.world.directory}/tree-{uid}'
                rootfs.make(tree, f'{self.world.directory}/programs', uid, uid)
                self.addCleanup(shutil.rmtree, tree)
                os.chmod(f'{tree}/etc', 0o700)  # its own, then, or closed
                client = self.impostor(uid)
                container = client.spawn(tree, ['/bin/sh', '-c', 'cat /etc/marker; sleep 60'], Id='web')
                self.eventually(container.log, what='its output')
                self.assertEqual(container.log(), b'this is the rootfs\n')
                self.assertEqual(container.prop('OwnerUID'), uid)
                self.assertIn(f'/{uid}/', container.path)
                self.assertEqual([c[2] for c in client.containers()], [uid])
                self.assertIn(uid, [c[2] for c in self.place.client.containers()])
                self.assertNotEqual(id_map_of(container.pid)[1], 0)
                for name in (f'{uid}/web', 'web'):
                    self.assertEqual(client.get_container(name).path, container.path)
                container.end()
        self.assertEqual({check.details['id'] for check in self.polkit.checks}, {'web'})  # none passed as root

    def test_self(self):
        """C6: UserNamespace=self maps such a caller to itself."""
        uid = 4000000000
        self.addCleanup(self.world.add_users([uid]))
        container = self.impostor(uid).spawn(self.rootfs, ['/bin/sleep', '60'], UserNamespace='self')
        self.assertEqual(id_map_of(container.pid), (0, uid, 1))

    def test_real_polkit(self):
        """C6 CVE-2018-19788: the real polkitd refuses such a caller, or is at fault, and goes on."""
        self.addCleanup(self.world.add_users(HUGE))
        for uid in HUGE:
            with self.subTest(uid=uid):
                client = Case.impostor(self, uid)
                with self.refused('InteractiveAuthorizationRequired', 'AccessDenied', 'AuthorizationUnavailable'):
                    client.run(self.rootfs, 0, ['/bin/true'])
        self.assertIsNone(self.world.polkit.poll())

    def test_spellings(self):
        """C6 CVE-2016-3697 CVE-2026-30892 CVE-2026-46680: an owner that is not a plain number within range is nobody, root least of all."""
        root, alice = self.place.client, self.impostor('alice')
        root.create(self.rootfs, ['/bin/true'], Id='web')
        alice.create(self.rootfs_of('alice'), ['/bin/true'], Id='web')
        self.assertTrue(root.get_container('0/web'))
        for owner in ('0x0', '+0', ' 0', '0 ', '-0', '-1', '0e0', '0.0', '', '4294967295', '4294967296', '18446744073709551616',
                      '99999999999999999999999', '٠', 'root', '0\n', '0/0'):
            for client in (root, alice):
                with self.subTest(owner=owner), self.refused('InvalidArgs', 'NoSuchContainer'):
                    client.get_container(f'{owner}/web')
        for owner in ('00', '0x0', '000000', '4294967295', '4294967296', '18446744073709551616', 'a', '_30'):
            for client in (root, alice):
                with self.subTest(path=owner), self.refused('UnknownObject'):
                    client.prop(f'{PATH}/container/{owner}/web', CONTAINER, 'State')
                with self.subTest(path=owner), self.refused('UnknownObject'):
                    client.call(f'{PATH}/container/{owner}/web', CONTAINER, 'Kill', 'si', ('all', 9))


class Forged(Case):
    """C8: signals that are not the service's."""

    def signals(self, path):
        """[(path, interface, member, signature, body)] that would tell of an end, if they were true."""
        changed = GLib.Variant('(sa{sv}as)', (CONTAINER, {
            'State': GLib.Variant('s', 'stopped'), 'Result': GLib.Variant('s', 'success'),
            'ExitCode': GLib.Variant('i', 0)}, []))
        return [(path, CONTAINER, 'Exited', GLib.Variant('(si)', ('success', 0))),
                (path, PROPERTIES, 'PropertiesChanged', changed),
                (PATH, MANAGER, 'ContainerRemoved', GLib.Variant('(so)', ('x', path))),
                ('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'NameOwnerChanged',
                 GLib.Variant('(sss)', (NAME, ':1.1', ''))),
                ('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'NameLost', GLib.Variant('(s)', (NAME,)))]

    def forge(self, client, destination, path):
        for where, interface, member, body in self.signals(path):
            client.connection.emit_signal(destination, where, interface, member, body)
        client.connection.flush_sync(None)

    def names(self):
        return set(self.root.bus('ListNames')[0])

    def test_naivec(self):
        """C8 CVE-2024-34397: naivec takes a container's end from replies alone: no signal of anybody's makes it say what is not so."""
        carol = self.impostor('carol')
        script = ['/bin/sh', '-c', 'sleep 2; exit 7']
        for verb in ('run', 'wait', 'logs'):
            with self.subTest(verb=verb):
                name, before = f'of-{verb}', self.names()
                if verb != 'run':
                    self.root.spawn(self.rootfs, script, Id=name)
                arguments = {'run': ['run', f'--name={name}', self.rootfs, *script], 'wait': ['wait', name],
                             'logs': ['logs', '-f', name]}[verb]
                begun = time.monotonic()
                process = self.started(self.world.naivec, *arguments, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.eventually(lambda: self.names() - before, what='its connection')
                self.eventually(lambda: name in [c[0] for c in self.root.containers()], what='its container')
                path = self.root.get_container(name).path
                for connection in self.names() - before:
                    self.forge(carol, connection, path)
                time.sleep(0.3)
                self.assertIsNone(process.poll(), 'it believed the forged end')
                output, words = process.communicate(timeout=20)
                self.assertGreater(time.monotonic() - begun, 1.5)
                self.assertEqual(process.returncode, 0 if verb == 'logs' else 7, words)
                self.assertEqual(output, b'of-wait exit-code 7\n' if verb == 'wait' else b'')

    def test_service(self):
        """C8: nor does the service hear of a caller's end from anybody but the bus."""
        alice = self.impostor('alice')
        container = alice.spawn(self.rootfs_of('alice'), ['/bin/sleep', '60'], WatchBus=True)
        service, = self.root.bus('GetNameOwner', 's', (NAME,))
        for uid in (USERS['carol'], 0):
            forger = self.impostor(uid)
            for destination in (service, NAME, None):
                forger.connection.emit_signal(destination, '/org/freedesktop/DBus', 'org.freedesktop.DBus',
                                              'NameOwnerChanged', GLib.Variant('(sss)', (alice.name, alice.name, '')))
                self.forge(forger, destination, container.path)
        time.sleep(0.3)
        self.assertEqual(container.state, 'running')
        self.root.ping()


class Name(Case):
    """C9: who owns the service's name."""

    def request(self, client, flags):
        return client.bus('RequestName', 'su', (NAME, flags))[0]

    def test_user(self):
        """C9: a user cannot own the name, by no flag."""
        for flags in range(8):
            with self.refused('AccessDenied'):
                self.request(self.user('bob'), flags)

    def test_root_cannot_replace(self):
        """C9: nor does root take it from a service that has it: it is not up for replacement."""
        owner = self.root.bus('GetNameOwner', 's', (NAME,))
        other = self.another_client()
        for flags in range(8):
            self.assertIn(self.request(other, flags), (2, 3))  # in the queue, or not at all
        self.assertEqual(self.root.bus('GetNameOwner', 's', (NAME,)), owner)
        other.close()
        self.root.ping()

    def test_second_instance(self):
        """C9 F8: a second instance in the same place ends with an error, and the first is unharmed."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        done = self.command(self.world.daemon, *self.world.service_arguments(), timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(done.stderr.strip())
        self.assertEqual(container.state, 'running')

    def test_second_on_the_same_bus(self):
        """C9 F8: a second instance with a state directory of its own but the same name ends with an error, too."""
        directory = f'{self.world.directory}/other-state'
        done = self.command(self.world.daemon, *self.world.service_arguments(
            state=directory, parent=self.world.cgroup_parent + '-x'), timeout=20)
        self.addCleanup(World.remove_cgroups, self.world.cgroup_parent + '-x')
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(done.stderr.strip())
        self.assertEqual(cgroup_tree(self.world.cgroup_parent + '-x'), set())
        self.root.ping()
