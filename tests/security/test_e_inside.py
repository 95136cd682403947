"""Row E20: who calls from inside a container."""

import array
import os
import signal
import socket

from harness.client import CONTAINER, MANAGER, NAME, PATH, Container
from harness.hostile import wire
from harness.roots_case import Roots
from harness.wire import Writer
from harness.world import USERS

OBJECTS = 'org.freedesktop.DBus.ObjectManager'
UNKNOWN = 'org.freedesktop.DBus.Error.UnknownObject'


class Inside(Roots):
    def calls_from(self, client, calls, **options):
        """What busctl says to each call, made in a container that has the host's programs and the bus's socket."""
        bus = f'{self.world.directory}/bus'
        mounts = [('/usr', '/usr', 'bind', ['ro']), ('usr/bin', '/bin', 'symlink', []), ('usr/lib', '/lib', 'symlink', []),
                  ('usr/lib64', '/lib64', 'symlink', []), ('', '/proc', 'proc', []), (bus, '/bus', 'bind', ['ro'])]
        script = '\n'.join(f'busctl --address=unix:path=/bus/socket {call} 2>&1; echo "= $?"' for call in calls)
        container = client.spawn('', ['/usr/bin/sh', '-c', script], EmptyRoot=True, Mounts=mounts, **options)
        log = self.said(Container(self.root, container.path))
        answers = log.split('= ')
        self.assertEqual(len(answers), len(calls) + 1, log)
        return [answer.split('\n', 1)[-1] if i else answer for i, answer in enumerate(answers[:-1])]

    def assert_stranger(self, client, tree, **options):
        """Nothing that a command calls tells its owner's containers, its own among them, from none, and nothing is done."""
        victim = client.spawn(tree, ['/bin/sleep', '600'], Id='victim')
        owner = victim.path.split('/')[-2]
        own = f'/org/naive/Runc/container/{owner}/own'
        absent = f'/org/naive/Runc/container/{owner}/absent'
        members = (f'call NAME PATH {CONTAINER} Kill si all 9', f'call NAME PATH {CONTAINER} Wait',
                   f'call NAME PATH {CONTAINER} Pause', f'call NAME PATH {CONTAINER} GetConfig',
                   f'call NAME PATH {CONTAINER} "Exec" "aaya{{uh}}a{{sv}}" 1 1 47 0 0',
                   f'call NAME PATH {CONTAINER} Delete', f'get-property NAME PATH {CONTAINER} State',
                   'introspect NAME PATH')
        calls = [member.replace('NAME', NAME).replace('PATH', path)
                 for path in (victim.path, own, absent) for member in members]
        more = [f'call {NAME} {PATH} {MANAGER} {word}' for word in
                ('GetContainer s victim', f'GetContainer s {owner}/victim', 'GetContainer s absent', 'ListContainers "a{sv}" 0')]
        more += [f'get-property {NAME} {PATH} {MANAGER} NContainers', f'call {NAME} {PATH} {OBJECTS} GetManagedObjects']
        said = self.calls_from(client, calls + more, Id='own', **options)
        said, rest = said[:len(calls)], said[len(calls):]
        n = len(members)
        for number, member in enumerate(members):
            with self.subTest(member=member):
                words = [said[number + n * i].replace(path, 'PATH') for i, path in enumerate((victim.path, own, absent))]
                self.assertEqual(words[0], words[2])
                self.assertEqual(words[1], words[2])
        self.assertTrue(said[0].startswith("Call failed: Unknown object '"), said[0])
        self.assertEqual([words.replace('victim', 'absent').replace(f'{owner}/', '') for words in rest[:2]], [rest[2]] * 2)
        self.assertIn('there is no container', rest[2])
        self.assertEqual(rest[3:5], ['a(ssuto) 0\n', 'u 0\n'])
        self.assertNotIn('/container/', rest[5])
        self.assertEqual(victim.state, 'running')
        self.assertEqual(victim.end(), ('signal', signal.SIGKILL))

    def test_users(self):
        """E20: a command with its owner's id that reaches the bus is a stranger to every container, to its own too."""
        self.assert_stranger(self.user('alice'), self.rootfs_of('alice'), UserNamespace='keep-id')

    def test_roots(self):
        """E20: and so is a command that is the host's root."""
        self.assert_stranger(self.root, self.rootfs, UserNamespace='host')

    def test_whose_process_has_ended(self):
        """E20: whose process has ended, so that nobody can say where it was, is a stranger as well."""
        victim = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sleep', '600'])
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            connection = wire(self.world.address, USERS['alice'])
            theirs.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [connection.socket.fileno()]))])
            os._exit(0)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        _, control, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
        orphan = self.wire('bob')  # in whose place comes alice's connection
        orphan.close()
        orphan.socket, orphan.buffer = socket.socket(fileno=array.array('i', control[0][2])[0]), b''
        orphan.socket.settimeout(60)
        ours.close()
        theirs.close()
        body = bytes(Writer().s('all').u(9).data)
        self.assertEqual(orphan.call(NAME, victim.path, CONTAINER, 'Kill', 'si', body), UNKNOWN)
        self.assertEqual(victim.state, 'running')
        living = self.wire('alice')
        self.assertIsNone(living.call(NAME, victim.path, CONTAINER, 'Kill', 'si', body))
        self.assertEqual(victim.wait(), ('signal', signal.SIGKILL))
