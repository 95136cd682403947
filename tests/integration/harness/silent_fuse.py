#!/usr/bin/python3
"""A file system that stops answering. silent_fuse.py MOUNTPOINT UID LOOKUPS

Mounts itself, answers that many lookups with a directory of UID's, and then none; writes a line "lookup" for each that
comes. What waits for it wakes up when this process ends."""

import ctypes
import errno
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 26, 36, 42
NOSUID_NODEV = 6


def mount(fd, where, uid):
    libc = ctypes.CDLL(None, use_errno=True)
    options = f'fd={fd},rootmode=40000,user_id={uid},group_id={uid},allow_other'
    if libc.mount(b'silent', where.encode(), b'fuse', NOSUID_NODEV, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), 'cannot mount')


def attributes(inode, uid):
    return struct.pack('<6Q10I', inode, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, uid, uid, 0, 4096, 0)


def main():
    where, uid, left = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    fd = os.open('/dev/fuse', os.O_RDWR)
    mount(fd, where, uid)
    while True:
        request = os.read(fd, 1 << 17)
        _, what, unique, node = struct.unpack_from('<IIQQ', request)
        error, body = 0, b''
        if what == INIT:
            body = struct.pack('<IIIIHHII', 7, 31, 0, 0, 12, 10, 4096, 1) + bytes(36)
        elif what == LOOKUP:
            print('lookup', flush=True)
            if left == 0:
                continue
            left -= 1
            body = struct.pack('<QQQQII', 2, 0, 0, 0, 0, 0) + attributes(2, uid)
        elif what == GETATTR:
            body = struct.pack('<QII', 0, 0, 0) + attributes(node, uid)
        elif what in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        else:
            error = -errno.ENOSYS
        os.write(fd, struct.pack('<IiQ', 16 + len(body), error, unique) + body)


main()
