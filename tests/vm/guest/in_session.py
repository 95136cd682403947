#!/usr/bin/python3
"""The far end of test_session.Login: runs commands in the login session, each on a terminal of its own."""

import json
import os
import pty
import select
import signal
import socket
import sys
import time


def read(fd):
    try:
        return os.read(fd, 65536)
    except OSError:  # the other side is closed
        return b''


def talk(argv, dialogue, timeout):
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir('/')
        try:
            os.execvp(argv[0], argv)
        finally:
            os._exit(127)
    text, seen, deadline = b'', 0, time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            os.kill(pid, signal.SIGKILL)
            text += b'\n(timed out)'
            break
        if select.select([fd], [], [], left)[0]:
            piece = read(fd)
            if not piece:
                break
            text += piece
        while dialogue and dialogue[0][0].encode() in text[seen:]:
            words, answer = dialogue.pop(0)
            seen = text.index(words.encode(), seen) + len(words)
            time.sleep(0.3)  # whoever asks may flush what was typed too early
            os.write(fd, answer.encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return {'output': text.decode(errors='replace'), 'status': status}


def main():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    stream = connection.makefile('rw')
    for line in stream:
        json.dump(talk(**json.loads(line)), stream)
        stream.write('\n')
        stream.flush()


if __name__ == '__main__':
    main()
