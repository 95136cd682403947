#!/usr/bin/python3
"""A file system that does not let go of the service. deaf_fuse.py MOUNTPOINT UID

Mounts itself, with a file "file" to which anybody can write. Answers everything, but the FLUSH that each close() sends only
if no process of the service's closes: the bus and the container are not held up. Writes a line with the pid for each
FLUSH that it leaves unanswered. What waits for it wakes up when this process ends."""

import ctypes
import errno
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, OPEN, WRITE, RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 16, 18, 25, 26, 36, 42
NOSUID_NODEV = 6


def mount(fd, where, uid):
    libc = ctypes.CDLL(None, use_errno=True)
    options = f'fd={fd},rootmode=40000,user_id={uid},group_id={uid},allow_other'
    if libc.mount(b'deaf', where.encode(), b'fuse', NOSUID_NODEV, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), 'cannot mount')


def attributes(inode, uid):
    mode = 0o40755 if inode == 1 else 0o100666
    return struct.pack('<6Q10I', inode, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, uid, uid, 0, 4096, 0)


def is_of_service(pid):
    try:
        with open(f'/proc/{pid}/comm') as f:
            return 'naive-runc' in f.read()
    except OSError:
        return True


def main():
    where, uid = sys.argv[1], int(sys.argv[2])
    fd = os.open('/dev/fuse', os.O_RDWR)
    mount(fd, where, uid)
    while True:
        request = os.read(fd, 1 << 17)
        _, what, unique, node, _, _, pid = struct.unpack_from('<IIQQIII', request)
        error, body = 0, b''
        if what == INIT:
            body = struct.pack('<IIIIHHII', 7, 31, 0, 0, 12, 10, 4096, 1) + bytes(36)
        elif what == LOOKUP:
            body = struct.pack('<QQQQII', 2, 0, 3600, 3600, 0, 0) + attributes(2, uid)
        elif what == GETATTR:
            body = struct.pack('<QII', 3600, 0, 0) + attributes(node, uid)
        elif what == OPEN:
            body = struct.pack('<QII', 0, 0, 0)
        elif what == WRITE:
            body = struct.pack('<II', struct.unpack_from('<I', request, 56)[0], 0)
        elif what == FLUSH and is_of_service(pid):
            print(pid, flush=True)
            continue
        elif what in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        elif what not in (RELEASE, FLUSH):
            error = -errno.ENOSYS
        os.write(fd, struct.pack('<IiQ', 16 + len(body), error, unique) + body)


main()
