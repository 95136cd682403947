"""The filter of system calls: what it refuses is told (SeccompLog, Denied), and programs of the caller's beside it."""

import errno
import glob
import json
import os
import platform
import select
import struct
import subprocess

from harness.case import Case
from harness.client import CONTAINER, pump
from harness.place import Place

MOUNT = 'mount -t tmpfs none /tmp 2>&1'
REFUSED, UNKNOWN = 'permission denied', 'Function not implemented'  # busybox's words


def listeners(pid):
    """How many filters ask this service."""
    return sum('seccomp' in os.readlink(fd) for fd in glob.glob(f'/proc/{pid}/fd/*') if os.path.islink(fd))


def restarted(place):
    place.process.terminate()
    place.process.wait(timeout=20)
    place.start()


class Denied(Case):
    def listening(self, client):
        client.containers()
        seen = client.subscribe(CONTAINER, 'Denied')
        return seen

    def count(self, seen, path, call='mount'):
        return max((n for at, _, _, (name, n) in seen if at == path and name == call), default=0)

    def until(self, seen, path, n, call='mount', timeout=30):
        self.assertTrue(pump(lambda: self.count(seen, path, call) >= n, timeout), f'not {n} of {call}: {seen}')

    def joined(self, container, script, client=None):
        """What a process that joins says; it must succeed."""
        exec_path, = container.call('Exec', 'aaya{uh}a{sv}', ([b'/bin/sh', b'-c', script.encode()], {}, {}))
        client = client or self.root
        self.assertEqual(client.call(exec_path, 'org.naive.Runc.Exec1', 'Wait'), ('success', 0))
        return bytes(client.call(exec_path, 'org.naive.Runc.Exec1', 'ReadLog', 'tu', (0, 65536))[1]).decode()

    def test_same_answers(self):
        """Whether they are told or not, calls are refused with the same errors, all of them."""
        plain = self.root.spawn(self.rootfs, ['/bin/inside', 'calls'])
        self.assertEqual(plain.wait(100), ('success', 0))
        seen = self.listening(self.root)
        container = self.root.spawn(self.rootfs, ['/bin/inside', 'calls'], SeccompLog=True)
        self.assertEqual(container.wait(100), ('success', 0))
        self.assertEqual(container.log(), plain.log())
        for call in ('mount', 'unshare', 'io_setup', 'keyctl', 'unknown'):
            self.until(seen, container.path, 1, call)
        self.assertEqual(self.count(seen, container.path, 'getpid'), 0)

    def test_told_to_whom(self):
        """The owner and root hear of it, the first time at once; a stranger does not, and without the option nobody."""
        clients = {name: self.impostor(name) for name in ('alice', 'mallory')}
        clients['root'] = self.another_client()
        seen = {name: self.listening(client) for name, client in clients.items()}
        rootfs = self.rootfs_of('alice')
        silent = clients['alice'].spawn(rootfs, ['/bin/sh', '-c', MOUNT])
        silent.wait()
        container = clients['alice'].spawn(rootfs, ['/bin/sh', '-c', f'{MOUNT}; sleep 600'], SeccompLog=True)
        for name in ('alice', 'root'):
            self.until(seen[name], container.path, 1)
        self.eventually(lambda: REFUSED.encode() in container.log())
        container.end()
        pump(lambda: False, 0.2)
        self.assertEqual(seen['mallory'], [])
        self.assertEqual(self.count(seen['root'], silent.path), 0)

    def test_sum(self):
        """What comes soon after it is told together, all of it before the end."""
        seen = self.listening(self.root)
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'for i in 1 2 3 4 5 6 7 8 9 10; do {MOUNT}; done'],
                                    SeccompLog=True)
        container.wait()
        self.until(seen, container.path, 10)
        self.assertLess(len(seen), 8, seen)

    def test_flood(self):
        """Who does nothing but what is refused waits, keeps the service from nothing, and can be killed."""
        seen = self.listening(self.root)
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'for i in 1 2 3 4; do while :; do {MOUNT}; done & done; wait'],
                                    SeccompLog=True)
        self.until(seen, container.path, 300)
        for _ in range(5):
            self.root.ping(timeout=10)
        self.assertEqual(container.end(), ('signal', 9))
        self.assertEqual(listeners(self.world.service_pid), 0)

    def test_joined(self):
        """A process that joins is asked about as the first one is, and leaves nothing when it has ended."""
        seen = self.listening(self.root)
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '600'], SeccompLog=True)
        self.assertIn(REFUSED, self.joined(container, f'{MOUNT}; true'))
        self.until(seen, container.path, 1)
        self.eventually(lambda: listeners(self.world.service_pid) == 1, what='one listener')

    def test_paused(self):
        """A container that waits for an answer, or for its turn, can be paused, resumed and stopped."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'while :; do {MOUNT}; done'], SeccompLog=True)
        self.eventually(container.log)
        container.call('Pause')
        container.call('Resume')
        container.stop(timeout=0.5)

    def test_restart(self):
        """Without a service, and from then on, the kernel refuses and nobody waits; who joins is asked about again."""
        place = Place(self, 'denied')
        script = f'while :; do {MOUNT}; sleep .05; done'
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', script], SeccompLog=True)
        self.eventually(lambda: REFUSED.encode() in container.log())
        place.process.kill()
        place.process.wait()
        place.start()
        self.eventually(lambda: UNKNOWN.encode() in container.log(), 20, 'ENOSYS')
        seen = self.listening(place.client)
        self.assertIn(REFUSED, self.joined(container, f'{MOUNT}; true', place.client))
        self.until(seen, container.path, 1)
        container.end()

    def test_wrong(self):
        """Where there is no filter, there is nothing to tell."""
        with self.refused('InvalidArgs', text='SeccompLog'):
            self.root.spawn(self.rootfs, ['/bin/true'], SeccompLog=True, Seccomp='unconfined')

    def test_command_line(self):
        """naivec run --seccomp-log, and naivec events tells."""
        events = self.started(self.world.naivec, 'events', f'--address={self.world.address}', '--filter=status=denied',
                              stdout=subprocess.PIPE)

        def is_told():
            done = self.command(self.world.naivec, 'run', f'--address={self.world.address}', '--rm', '--name=refused',
                                '--seccomp-log', self.rootfs, '/bin/sh', '-c', f'{MOUNT}; true')
            self.assertEqual(done.returncode, 0, done.stderr)
            return self.readable(events.stdout)
        self.eventually(is_told, 30)
        event = json.loads(events.stdout.readline())
        self.assertEqual((event['status'], event['id'], event['call']), ('denied', 'refused', 'mount'))

    @staticmethod
    def readable(stream):
        return bool(select.select([stream], [], [], 0.3)[0])


# -- programs of the caller's ----------------------------------------------------------------------------

LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7fff0000, 0x00050000
MKDIR = {'x86_64': (83, 258), 'aarch64': (34,)}.get(platform.machine(), ())
MAKE = 'mkdir /tmp/made 2>&1'


def program(*instructions):
    return b''.join(struct.pack('=HBBI', *instruction) for instruction in instructions)


def refuse(numbers, error):
    """A program that refuses these calls."""
    return program((LOAD, 0, 0, 0), *((JUMP_EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)),
                   (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERRNO | error))


NOTHING = program((RETURN, 0, 0, ALLOW))
BAD = program((LOAD, 0, 0, 1), (RETURN, 0, 0, ALLOW))  # half a word


class Filters(Denied):
    # what Denied's tests show is not shown again
    locals().update({name: None for name in dir(Denied) if name.startswith('test_')})

    def setUp(self):
        super().setUp()
        if not MKDIR:
            self.skipTest(f'no numbers of system calls for {platform.machine()}')

    def test_effect(self):
        """Each program counts, beside the service's own filter; a process that joins has them as well, and after a
        restart."""
        place = Place(self, 'filters')
        filters = [NOTHING, refuse(MKDIR, errno.EXDEV)]
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', f'{MAKE}; {MOUNT}; exec sleep 600'], SeccompFilters=filters)
        self.eventually(lambda: REFUSED.encode() in container.log())
        self.assertIn('cross-device', container.log().decode())
        for _ in range(2):
            self.assertIn('cross-device', self.joined(container, f'{MAKE}; true', place.client))
            restarted(place)
        container.end()
        self.assertNotIn('cross-device', self.spawn_output(['/bin/sh', '-c', f'{MAKE}; true'], SeccompFilters=[NOTHING]))

    def test_last(self):
        """A program may refuse what the set-up needs, up to exec."""
        calls = (46, 47, 436, 157, 14) if platform.machine() == 'x86_64' else (211, 212, 436, 167, 135)
        self.assertIn('on', self.spawn_output(['/bin/echo', 'on'], SeccompFilters=[refuse(calls, errno.EXDEV)]))

    def test_wrong(self):
        """What cannot be a program is refused by its place, and so is what the kernel does not take."""
        for filters, text in (([NOTHING, b''], 'SeccompFilters[1]'), ([NOTHING[:7]], 'SeccompFilters[0]'),
                              ([NOTHING] * 9, '8'), ([NOTHING * 2049, NOTHING * 2048], 'SeccompFilters[1]'),
                              ([NOTHING, BAD], 'SeccompFilters[1]')):
            with self.subTest(text=text), self.refused('InvalidArgs', text=text):
                self.root.spawn(self.rootfs, ['/bin/true'], SeccompFilters=filters)
        with self.refused('InvalidArgs', text='NoNewPrivileges'):
            self.root.spawn(self.rootfs, ['/bin/true'], SeccompFilters=[NOTHING], NoNewPrivileges=False)
        container = self.root.create(self.rootfs, ['/bin/true'], SeccompFilters=[BAD])
        with self.refused('InvalidArgs', text='SeccompFilters[0]'):
            container.start()

    def test_with_log(self):
        """Both at once: what a program of the caller's refuses is not told."""
        seen = self.listening(self.root)
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'{MAKE}; {MOUNT}; sleep 600'], SeccompLog=True,
                                    SeccompFilters=[refuse(MKDIR, errno.EXDEV)])
        self.until(seen, container.path, 1)
        self.assertEqual({name for _, _, _, (name, _) in seen} & {'mkdir', 'mkdirat'}, set())
