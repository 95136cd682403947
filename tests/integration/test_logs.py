"""naivec logs and OpenLog with a reader that is slower than the container: what is lost is told, or nothing is."""

import os
import re
import signal
import socket
import struct
import subprocess
import time

from harness.case import Case
from harness.client import GLib
from harness.place import Place
from test_naivec import Naivec

KEPT = 262144
LINES = 100000  # of 7 bytes each, more than all buffers between the container and a reader hold
FLOOD = f'seq 100000 {100000 + LINES - 1}; echo done >&2; cat >/dev/null'
SAID = 7 * LINES + 5


def missed(words):
    return sum(map(int, re.findall(rb'(\d+) bytes of output', words)))


class Follow(Naivec):
    def flood(self, name):
        """A container that says "begin", writes when told to go, and ends when told to end."""
        reader, writer = os.pipe()
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'echo begin; read go; {FLOOD}'], fds={0: reader},
                                    Id=name)
        os.close(reader)
        self.addCleanup(lambda: self.closed or os.close(writer))
        self.closed, self.writer = False, writer
        return container

    def go(self):
        os.write(self.writer, b'\n')

    def end_flood(self, container):
        """When all is written."""
        self.eventually(lambda: container.call('ReadLog', 'tu', (0, KEPT))[0] == SAID + len('begin\n'), 20)
        os.close(self.writer)
        self.closed = True

    def test_missed_bytes_are_told(self):
        """logs -f into a reader that stands still: what it does not get is counted on stderr, even with -q."""
        container = self.flood('lossy')
        process = self.start('-q', 'logs', '-f', 'lossy', stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             bufsize=0)
        self.assertEqual(process.stdout.readline(), b'begin\n')  # it reads: what is missed now is a gap
        self.go()
        self.end_flood(container)
        out, words = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, words)
        self.assertGreater(missed(words), 0, words)
        self.assertEqual(len(out) + missed(words), SAID)
        self.assertTrue(out.endswith(b'%d\ndone\n' % (100000 + LINES - 1)), out[-40:])

    def test_hold(self):
        """With --hold not one byte is missed from then on, however slow the reader is: the container waits."""
        container = self.flood('whole')
        process = self.start('logs', '-f', '--hold', 'whole', stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.assertEqual(process.stdout.readline(), b'begin\n')
        self.go()
        os.close(self.writer)
        self.closed = True
        time.sleep(1)
        self.assertEqual(container.state, 'running')
        out, words = process.communicate(timeout=20)
        self.assertEqual((process.returncode, words), (0, b''))
        self.assertEqual(out.split(), [b'%d' % n for n in range(100000, 100000 + LINES)] + [b'done'])

    def test_beginning(self):
        """logs of more than is kept says how much is missing at the beginning; logs -n of lines that are kept is silent."""
        container = self.flood('long')
        self.go()
        self.end_flood(container)
        container.wait()
        done = self.naivec('logs', 'long')
        self.assertEqual((done.returncode, len(done.stdout)), (0, KEPT), done.stderr)
        self.assertEqual(missed(done.stderr), SAID + len('begin\n') - KEPT, done.stderr)
        done = self.naivec('logs', '-n5', 'long')
        self.assertEqual((len(done.stdout.splitlines()), done.stderr), (5, b''))
        done = self.naivec('logs', f'-n{LINES}', 'long')
        self.assertEqual(missed(done.stderr), SAID + len('begin\n') - KEPT, done.stderr)
        self.assertEqual(self.naivec('-q', 'logs', 'long').stderr, b'')

    def test_without_follow(self):
        """logs without -f ends, though the container writes faster than the reader reads."""
        self.root.spawn(self.rootfs, ['/bin/yes'], Id='endless')
        done = self.command('/bin/sh', '-c', f'{self.world.naivec} -q logs endless | (sleep .5; wc -c)', timeout=10)
        self.assertLessEqual(int(done.stdout), KEPT)
        self.assertEqual(done.stderr, b'')


class Packets(Case):
    def packets(self, container, **options):
        container.call('OpenLog', 'a{sv}', (dict(options, Packets=GLib.Variant('b', True)),))
        fd, = self.root.fds
        with socket.socket(fileno=fd) as peer:
            self.assertEqual(peer.type, socket.SOCK_SEQPACKET)
            while packet := peer.recv(1 << 17):
                yield struct.unpack('=Q', packet[:8])[0], packet[8:]

    def test_offsets(self):
        """Each packet begins with the offset of its bytes; the last one has none."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'printf abc'])
        container.wait()
        self.assertEqual(list(self.packets(container)), [(0, b'abc'), (3, b'')])
        self.assertEqual(list(self.packets(container, Offset=GLib.Variant('t', 2))), [(2, b'c'), (3, b'')])
        self.assertEqual(list(self.packets(container, Offset=GLib.Variant('t', 9))), [(9, b'')])

    def test_older_than_kept(self):
        """An offset that is kept no longer: the first packet tells how much is missed."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'head -c 300000 /dev/zero'])
        container.wait()
        packets = list(self.packets(container, Offset=GLib.Variant('t', 5)))
        self.assertEqual(packets[0][0], 300000 - KEPT)
        self.assertEqual((sum(len(data) for _, data in packets), packets[-1]), (KEPT, (300000, b'')))


class Restart(Naivec):
    def follow(self, name, number):
        place = Place(self, name)
        place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'i=0; while [ $i -lt 60 ]; do i=$((i+1)); '
                                                     'echo tick $i; sleep .05; done'], Id='ticks')
        process = self.start(f'--address={place.bus.address}', 'logs', '-f', 'ticks', stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, bufsize=0)
        self.assertEqual(process.stdout.readline(), b'tick 1\n')
        time.sleep(0.3)  # records are written a little later
        place.process.send_signal(number)
        place.process.wait(timeout=10)
        time.sleep(0.3)
        place.start()
        return process

    def test_follow_over_a_restart(self):
        """logs -f goes on with the next service, where the one before has ended."""
        process = self.follow('follow-restart', signal.SIGTERM)
        out, words = process.communicate(timeout=20)
        self.assertEqual((process.returncode, words), (0, b''))
        self.assertEqual(out.decode().splitlines(), [f'tick {i}' for i in range(2, 61)])

    def test_follow_over_a_crash(self):
        """A service that is killed loses output: logs -f says so, and goes on with what comes later."""
        process = self.follow('follow-crash', signal.SIGKILL)
        out, words = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, words)
        self.assertIn(b'missing here', words)
        numbers = [int(line.split()[1]) for line in out.split(b'\n')[:-1]]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(numbers[-1], 60)
