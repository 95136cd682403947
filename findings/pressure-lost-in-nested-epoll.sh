#!/bin/bash
# A pressure trigger (the fd of /proc/pressure/* or of a cgroup's *.pressure, watched for POLLPRI) tells of an event once, to
# whoever asks first, and asking is what poll() does. So a trigger in an epoll set that is itself polled, as in an event
# loop within another, loses its event: the outer poll() reports the set as readable, for it has asked the trigger to find
# out, and epoll_wait() on the set then finds nothing. The next window's event is lost in the same way.
#
# One would guess that an epoll set that is reported as readable has an event to give, as with all other kinds of files.
#
# Seen on Linux 6.18.44, with Python 3.11. Needs root, pressure information, and some seconds in which it keeps the
# processors busy. Output seen:
#
#   the set alone: an event
#   the set, when poll() has reported it as readable: nothing
set -euo pipefail

[ -e /proc/pressure/cpu ] || { echo 'no pressure information here'; exit 2; }
said=$(python3 - <<'END'
import os
import select
import subprocess
import sys

SECONDS = 20
busy = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(2 * os.cpu_count() + 2)]


def epoll_set():
    fd = os.open('/proc/pressure/cpu', os.O_RDWR | os.O_NONBLOCK)
    os.write(fd, b'some 10000 2000000\0')
    result = select.epoll()
    result.register(fd, select.EPOLLPRI)
    return result


try:
    print('the set alone:', 'an event' if epoll_set().poll(SECONDS) else 'nothing')
    inner, outer = epoll_set(), select.poll()
    outer.register(inner, select.POLLIN)
    assert outer.poll(SECONDS * 1000)
    print('the set, when poll() has reported it as readable:', 'an event' if inner.poll(0) else 'nothing')
finally:
    for process in busy:
        process.kill()
        process.wait()
END
)
echo "$said"
[ "$said" = 'the set alone: an event
the set, when poll() has reported it as readable: nothing' ]
