#!/bin/bash
# A look (MSG_PEEK) at bytes of a Unix stream that came without descriptors tells of those of the message behind them: with
# room for control data it returns copies of them, without room MSG_CTRUNC. The same bytes, read, bring none: the
# descriptors come with the message that they were sent with.
#
# One would guess that a look sees what a read of the same bytes gets, so that "this message brings descriptors" can be
# asked before it is read. What can be relied on is the other direction: a look that tells of none.
#
# Seen on Linux 6.18.44, with Python 3.11. Needs no rights. Output seen:
#
#   a look at the first message: 1 descriptor
#   the first message, read: 0 descriptors
#   the second message, read: 1 descriptor
set -euo pipefail

said=$(python3 - <<'END'
import os
import socket
import sys

sender, receiver = socket.socketpair()
sender.sendall(b'first')
socket.send_fds(sender, [b'second'], [0])


def count(what, size, flags=0):
    data, control, _, _ = receiver.recvmsg(size, socket.CMSG_SPACE(4), flags)
    assert data == (b'first' if size == 5 else b'second')
    for _, _, fd in control:
        os.close(int.from_bytes(fd, sys.byteorder))
    print(f'{what}: {len(control)} descriptor' + 's' * (len(control) != 1))


count('a look at the first message', 5, socket.MSG_PEEK)
count('the first message, read', 5)
count('the second message, read', 6)
END
)
echo "$said"
[ "$said" = 'a look at the first message: 1 descriptor
the first message, read: 0 descriptors
the second message, read: 1 descriptor' ]
