"""Rows E22 and E23 once more: a StatusFD whose pipe nobody can write to, nor close, because its sender holds its lock."""

import json
import os
import subprocess
import sys
import time

from harness.client import BusError
from harness.files import read
from harness.hostile_case import Hostile
from harness.invariants import TELLER, processes

TELLERS_PER_UID = 4  # service/spec/limits.h
# Writes to the pipe from a page that userfaultfd never fills: the kernel copies while it holds the pipe's lock.
HOLD = '''
import ctypes, fcntl, mmap, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
faults = libc.syscall(323, 0o2000000)
if faults < 0:
    sys.exit(77)
fcntl.ioctl(faults, 0xc018aa3f, struct.pack('QQQ', 0xaa, 0, 0))
page = mmap.mmap(-1, 4096)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
fcntl.ioctl(faults, 0xc020aa00, struct.pack('QQQQ', address, 4096, 1, 0))
print('holds', flush=True)
libc.write(int(sys.argv[1]), ctypes.c_void_p(address), 1)
'''


class Status(Hostile):
    def pipe(self):
        """A pipe and the process that holds its lock until it is killed."""
        reader, writer = os.pipe()
        for fd in reader, writer:
            self.addCleanup(os.close, fd)
        holder = self.started(sys.executable, '-c', HOLD, str(writer), stdout=subprocess.PIPE, pass_fds=[writer])
        if os.uname().machine != 'x86_64' or holder.stdout.readline() != b'holds\n':
            self.skipTest('NOT RUN: no userfaultfd here')
        self.eventually(lambda: 'userfault' in read(f'/proc/{holder.pid}/wchan'), what='the lock')
        return reader, writer, holder

    def spawn(self, client, name, writer):
        container = client.spawn(self.rootfs_of(name), ['/bin/true'], StatusFD=writer)
        self.assertEqual(container.wait(), ('success', 0))
        container.delete()

    def tells(self, client, name):
        """A StatusFD of that user's works as ever."""
        reader, writer = os.pipe()
        self.spawn(client, name, writer)
        os.close(writer)
        with os.fdopen(reader, 'rb') as lines:
            self.assertEqual([json.loads(line)['state'] for line in lines.read().splitlines()], ['running', 'stopped'])

    def tellers(self):
        return [pid for pid, name, _, _ in processes() if name == TELLER]

    def test_lock(self):
        """E22: who holds the lock of what was passed holds up its user's lines alone: no call, no end, no start."""
        alice, bob = self.impostor('alice'), self.impostor('bob')
        reader, writer, holder = self.pipe()
        self.spawn(alice, 'alice', writer)
        self.answers_for(0.3)
        self.spawn(alice, 'alice', writer)
        self.tells(bob, 'bob')
        started = time.monotonic()
        self.world.stop_service()
        self.world.start_service()
        self.assertLess(time.monotonic() - started, 10)
        self.tells(bob, 'bob')
        self.tells(alice, 'alice')  # by another process than the one that is held up
        holder.kill()
        holder.wait()
        self.eventually(lambda: len(self.tellers()) == 2, what='the end of the one that was')
        self.fresh_service()

    def test_bounded(self):
        """E23: processes that are held up so are given up, and counted: with the fourth, their user is told to wait."""
        alice = self.impostor('alice')
        reader, writer, holder = self.pipe()
        seen = set()
        with self.assertRaises(BusError) as caught:
            for _ in range(5000):
                self.spawn(alice, 'alice', writer)
                seen |= set(self.tellers())
        self.assertIn('Error.Busy', caught.exception.name)
        self.assertEqual(len(seen), TELLERS_PER_UID - 1)
        self.tells(self.impostor('bob'), 'bob')
        self.output(['/bin/true'], client=alice, rootfs=self.rootfs_of('alice'))
        holder.kill()
        holder.wait()
        self.eventually(lambda: not seen & set(self.tellers()), what='the end of those that were held up')
        self.tells(alice, 'alice')
