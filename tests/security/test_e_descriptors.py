"""Rows E22 and E23: what callers pass as file descriptors. What reaches the service at all is N2 in
tests/integration/test_hostile.py."""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import struct
import time

from harness.case import Case
from harness.client import MANAGER, NAME, PATH
from harness.files import read, write
from harness.hostile import wire
from harness.hostile_case import Hostile
from harness.invariants import RECEIVER, helper_of, processes, received_fds
from harness.place import Place
from harness.wire import NO_REPLY_EXPECTED, spawn_body
from harness.world import USERS

CLOSERS_PER_UID = 16  # service/spec/limits.h
FDS = 16              # that the bus passes in one message
FILES = 4096          # of which the descriptors of callers have half


def waits_for_work(pid):
    """Also what has ended does not wait in a close()."""
    try:
        with open(f'/proc/{pid}/wchan') as f:
            return 'skb' in f.read()
    except OSError:
        return True


def closers():
    """The processes that wait while they close what somebody passed: children of a receiver."""
    receivers = {pid for pid, name, _, _ in processes() if name == RECEIVER}
    return [pid for pid, name, state, parent in processes()
            if name == RECEIVER and parent in receivers and state != 'Z' and not waits_for_work(pid)]


class Descriptors(Hostile):
    def setUp(self):
        super().setUp()
        if not os.path.exists('/dev/fuse'):
            self.skipTest('no /dev/fuse here: no file system that never lets go')
        self.fuse = self.deaf_fuse('carol')

    def file(self):
        """An open file whose FLUSH no process of the service gets an answer to."""
        fd = os.open(f'{self.fuse.where}/file', os.O_RDWR)
        self.addCleanup(self.close, fd)
        return fd

    def close(self, fd):
        with contextlib.suppress(OSError):  # a file system that has ended
            os.close(fd)

    def spawn(self, connection, fds, named=()):
        """A Spawn that is refused, or never answered to, with these; the body names some of them."""
        connection.send(NAME, PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', spawn_body('/nowhere', named),
                        flags=NO_REPLY_EXPECTED, fds=fds)

    def flood(self, connection, fds):
        """A Spawn without arguments, which is refused at once: one like spawn()'s waits once many were refused."""
        connection.send(NAME, PATH, MANAGER, 'Spawn', flags=NO_REPLY_EXPECTED, fds=fds)

    def runs(self, name='alice'):
        """Another user's command runs as ever."""
        started = time.monotonic()
        container = self.impostor(name).run(self.rootfs_of(name), 0, ['/bin/true'])
        self.assertEqual(container.wait(), ('success', 0))
        container.delete()
        self.assertLess(time.monotonic() - started, 2 * self.world.slowness, 'Run')

    def wake(self):
        """The file system's end: all that waits for it goes on."""
        self.fuse.close()
        self.eventually(lambda: not closers(), what='the end of what waited')

    def test_flush_that_never_ends(self):
        """E22: a file that never lets go of who closes it, named in the message or not, holds nobody up."""
        connection = self.wire('carol')
        for named in ([], [(0, 0), (1, 0), (2, 1)]):
            self.spawn(connection, [self.file(), self.file()], named)
            self.eventually(closers, what='a process that closes it')
            self.answers_for(0.3)
            self.runs()
        self.eventually(lambda: len(closers()) == 2, what='one for each message')
        self.wake()

    def test_no_copy_of_it(self):
        """E22: nor do the processes that the service clones while it keeps such a file for a call that waits."""
        slow = self.silent_fuse('fuse', 'carol', lookups=0)
        connection = self.wire('carol')
        connection.send(NAME, PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', spawn_body(f'{slow.where}/x', [(0, 0)]),
                        flags=NO_REPLY_EXPECTED, fds=[self.file()])
        self.eventually(slow.lookups, what='the lookup')
        self.assertEqual(self.fuse.told(), 0)
        self.runs()  # in a sandbox that is cloned for it
        root = os.open(self.rootfs_of('bob'), os.O_PATH)
        container = self.impostor('bob').spawn('', ['/bin/true'], RootFD=root)  # looked up by a child
        os.close(root)
        self.assertEqual(container.wait(), ('success', 0))
        container.delete()
        self.assertEqual(self.fuse.told(), 0, 'somebody has closed a copy')
        slow.close()
        self.eventually(closers, what='a process that closes it')
        self.wake()

    def test_end_and_start(self):
        """E23: a service that ends leaves no lock, no name and no waiting for its successor, and is replaced at once."""
        world = self.world
        self.spawn(self.wire('carol'), [self.file()])
        self.eventually(closers, what='a process that closes it')
        started = time.monotonic()
        world.stop_service()
        self.eventually(lambda: NAME not in world.bus_names(), what='the end of the name')
        self.assertLess(time.monotonic() - started, 10)
        self.assertEqual(len(closers()), 1)
        for link in self.links_of(closers()[0]):
            self.assertNotIn(world.state_dir, link)
        world.start_service()  # fails if it has not the lock or the name
        self.spawn(self.wire('carol'), [self.file()])
        self.eventually(lambda: len(closers()) == 2, what='another one')
        world.service.kill()
        world.service.wait()
        self.eventually(lambda: NAME not in world.bus_names(), what='the end of the name')
        world.start_service()
        Case.baseline = None
        self.wake()
        Case.setUp(self)

    def links_of(self, pid):
        with contextlib.suppress(OSError):
            return [os.readlink(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd')]
        return []

    def test_of_others(self):
        """E23: what another caller passed is closed at once all the same, so that its peer hears of it."""
        carol, alice = self.wire('carol'), self.wire('alice')
        self.spawn(carol, [self.file()] * 3)
        self.eventually(closers, what='a process that closes it')
        ours, theirs = socket.socketpair()
        self.spawn(alice, [theirs.fileno()])
        theirs.close()
        ours.settimeout(5)
        self.assertEqual(ours.recv(1), b'')
        ours.close()
        self.wake()

    def test_bounded(self):
        """E23: beyond 16 messages of a user no more processes wait; others' descriptors are closed all the same."""
        connection, fd = self.wire('carol'), self.file()
        for _ in range(20 * CLOSERS_PER_UID):
            self.spawn(connection, [fd])
        connection.call(NAME, PATH, 'org.freedesktop.DBus.Peer', 'Ping')  # comes behind them
        self.eventually(lambda: len(closers()) >= CLOSERS_PER_UID, timeout=60, what='the processes')
        self.answers_for(1)
        self.assertLessEqual(len(closers()), CLOSERS_PER_UID + 1)  # one may wait for what comes next
        reader, writer = os.pipe()
        container = self.impostor('alice').spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', 'echo here'], fds={1: writer})
        os.close(writer)
        with os.fdopen(reader, 'rb') as data:  # which ends when nobody has the other side
            self.assertEqual(data.read(), b'here\n')
        self.assertEqual(container.wait(), ('success', 0))
        container.delete()
        self.wake()

    @contextlib.contextmanager
    def few_files(self):
        """A service that may have few files open: so a test fills the room for them in no time."""
        world, daemon = self.world, self.world.daemon
        world.daemon = f'{world.directory}/few-files'
        write(world.daemon, f'#!/bin/sh\nulimit -n {FILES}; exec {daemon} "$@"\n')
        os.chmod(world.daemon, 0o755)
        try:
            self.fresh_service()
        finally:
            os.unlink(world.daemon)
            world.daemon = daemon
        try:
            yield
        finally:
            self.wake()
            self.fresh_service()

    def ping(self, connection):
        """It comes behind all that the connection has sent."""
        self.assertIsNone(connection.call(NAME, PATH, 'org.freedesktop.DBus.Peer', 'Ping'))

    def known(self, name):
        connection = self.wire(name)
        self.ping(connection)
        return connection

    def refusal_of(self, connection, fd):
        """The words that a Spawn with this descriptor is refused with."""
        serial = connection.send(NAME, PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', spawn_body('/nowhere', [(5, 0)]), fds=[fd])
        while True:
            _, reply, _, body = connection.receive()
            if reply == serial:
                return body.decode()

    def takes_fds_of(self, connection):
        """What is refused of that Spawn is the place, not the descriptor, which is the last one of its pipe."""
        reader, writer = os.pipe()
        error = self.refusal_of(connection, writer)
        os.close(writer)
        self.assertIn("'/nowhere'", error)
        with os.fdopen(reader, 'rb') as data:
            self.assertEqual(data.read(), b'')

    def test_share(self):
        """E23: a user makes the service hold a share of what it can, and is told of what is beyond; another's finds room."""
        with self.few_files():
            alice, carol, fd = self.known('alice'), self.known('carol'), self.file()
            for _ in range(2 * FILES // FDS):
                self.flood(carol, [fd] * FDS)
            words = self.refusal_of(carol, fd)
            while 'calls of yours wait' in words:  # until the flood is taken off
                words = self.refusal_of(carol, fd)
            self.assertIn('fd 5 is lost', words)
            self.takes_fds_of(alice)
            self.takes_fds_of(self.wire('alice'))  # not known yet
            self.runs('bob')
            # What waits when the kernel lets go of it without a close():
            self.pass_lingering(carol)
            self.answers()
            self.ping(carol)
            self.eventually(lambda: len(closers()) == CLOSERS_PER_UID, what='the end of the others')

    def test_ever_new_names(self):
        """E23: nor has a user more who comes again and again under a name that is not known yet."""
        with self.few_files():
            alice, fd = self.known('alice'), self.file()
            for _ in range(2 * FILES // FDS // 4):
                carol = self.wire('carol')
                for _ in range(4):
                    self.flood(carol, [fd] * FDS)
                carol.close()
            self.ping(alice)
            self.takes_fds_of(alice)
            self.runs('bob')
            self.assertIn(' is lost: ', self.refusal_of(self.wire('alice'), fd))  # which is not known yet
            done = self.command(self.world.naivec, 'run', self.rootfs_of('alice'), '/bin/echo', 'here', user='alice')
            self.assertEqual((done.stdout, done.stderr, done.returncode), (b'here\n', b'', 0))

    def test_gone_before_known(self):
        """E23: what senders passed who left before it was known who they are holds up none of another's."""
        ours, theirs = socket.socketpair()
        with self.standing_still():
            for _ in range(2 * CLOSERS_PER_UID):
                self.come_and_go('carol', self.file())
            self.come_and_go('alice', theirs.fileno())
        theirs.close()
        ours.settimeout(10)
        self.assertEqual(ours.recv(1), b'')
        ours.close()
        self.wake()

    def lingering(self):
        """(a connection whose last close waits for its peer, that peer)"""
        with socket.create_server(('127.0.0.1', 0)) as server:
            ours = socket.create_connection(server.getsockname())
            peer, _ = server.accept()
        self.addCleanup(peer.close)
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(bytes(1 << 20))
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 3600))
        return ours.detach(), peer

    def pass_lingering(self, connection):
        """The service's is the last one."""
        with self.standing_still():
            for _ in range(2 * CLOSERS_PER_UID):
                lingering, _ = self.lingering()
                self.flood(connection, [lingering])
                os.close(lingering)
            connection.bus('GetId')

    @contextlib.contextmanager
    def standing_still(self):
        """The bus goes on."""
        pid = self.world.service_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def come_and_go(self, name, fd):
        connection = self.wire(name)
        self.spawn(connection, [fd])
        connection.bus('GetId')  # which comes behind
        connection.close()

    def test_lingers(self):
        """E23: a socket that lingers keeps nobody who closes it."""
        connection = self.known('carol')
        self.pass_lingering(connection)
        self.ping(connection)
        receiver = helper_of(self.world.service_pid, RECEIVER)
        self.eventually(lambda: not received_fds(receiver) and not closers(), timeout=20, what='the end of the closing')

    def test_used_by_the_container(self):
        """E22: yet a socket or a deleted file is the container's to use, twice if it was named twice."""
        alice = self.impostor('alice')
        ours, theirs = socket.socketpair()
        memory = os.memfd_create('x')
        container = alice.spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', 'echo 1; echo 2 >&2; echo 3 >&5'],
                                fds={1: theirs.fileno(), 2: theirs.fileno(), 5: memory})
        theirs.close()
        self.assertEqual(container.wait(), ('success', 0))
        container.delete()
        data = b''
        while part := ours.recv(100):  # until nobody has it any more
            data += part
        self.assertEqual((data, os.pread(memory, 100, 0)), (b'1\n2\n', b'3\n'))
        ours.close()
        os.close(memory)

    def test_own_container(self):
        """E22: who starts a container with it waits for it, and nobody else does; not even who stops the service."""
        outcome = self.impostor('alice').spawn_async(self.rootfs_of('alice'), ['/bin/true'], fds={5: self.file()})
        self.eventually(self.fuse.told, what='a FLUSH of the container')
        self.answers_for(0.5)
        self.runs('bob')
        self.assertFalse(outcome)
        started = time.monotonic()
        self.world.stop_service()
        self.assertLess(time.monotonic() - started, 10)
        self.world.start_service()
        self.runs('bob')
        self.fuse.close()
        self.fresh_service()  # clears the leaf of what has ended only now

    def test_slow_ones(self):
        """E22: sixteen inotify instances, or as many sockets, in each message: another user's Run hardly notices."""
        libc, connection = ctypes.CDLL(None), self.wire('carol')
        for make in (lambda: libc.inotify_init1(0), lambda: socket.socket().detach()):
            for _ in range(30):
                fds = [fd for fd in (make() for _ in range(FDS)) if fd >= 0]  # a user may have so many instances
                self.spawn(connection, fds)
                for fd in fds:
                    os.close(fd)
            self.runs()


class Moments(Hostile):
    def test_at_any_moment(self):
        """E22: a message with descriptors that comes right after the service has looked whether there is one is received
        as any other."""
        if not shutil.which('strace'):
            self.skipTest('NOT RUN: there is no strace')
        place, late = Place(self, 'moments'), 20000  # each look takes so many µs, after the kernel has answered
        tracer = self.started('strace', '-qq', '-o', '/dev/null', '-e', 'trace=recvmsg', '-e', f'inject=recvmsg:delay_exit={late}', '-p',
                              str(place.process.pid))
        self.eventually(lambda: 'TracerPid:\t0\n' not in read(f'/proc/{place.process.pid}/status'), what='the tracer')
        connection = wire(place.bus.address, USERS['carol'])
        self.addCleanup(connection.close)
        with open('/dev/null') as file:
            for _ in self.rounds(30):
                for _ in range(4):  # wait to be served, so that it looks again and again when all are there
                    connection.send(NAME, PATH, 'org.freedesktop.DBus.Peer', 'Ping', flags=NO_REPLY_EXPECTED)
                time.sleep(random.uniform(10, 35) * late / 1e6)
                serial = connection.send(NAME, PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', spawn_body('/nowhere', [(0, 0)]),
                                         fds=[file.fileno()])
                self.assertIsNotNone(connection.replies({serial})[serial])
        tracer.terminate()
        tracer.wait()
        place.client.ping(timeout=10)
