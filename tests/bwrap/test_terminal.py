"""A program for terminals in a sandbox of naive-bwrap's, below a shell: keys, stopping and going on, size."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

from harness.files import as_user
from harness.world import USERS
from side_case import TREE, SideCase


class Terminal(SideCase):
    def setUp(self):
        super().setUp()
        self.ours, theirs = pty.openpty()
        self.addCleanup(os.close, self.ours)
        self.resize(24, 80)
        line = [f'{self.world.build}/cli/naive-bwrap', *TREE.split(), '--unshare-all', '--setenv', 'TERM', 'xterm', '--setenv', 'PS1',
                '#> ', 'bash', '--norc', '--noprofile', '-i']
        self.process = subprocess.Popen([*as_user(USERS['alice']), *line], cwd='/', stdin=theirs, stdout=theirs, stderr=theirs,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self.addCleanup(self.end)
        self.expect(self.ours, b'#> ')

    def end(self):
        self.process.kill()
        self.process.wait()

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def type(self, text, *expected):
        """Types, and waits for what must come, in turn."""
        os.write(self.ours, text)
        for words in expected:
            self.expect(self.ours, words)

    def test_top(self):
        """top draws on it; Ctrl-Z stops it and the shell is there, fg brings it back, a new size is taken, Ctrl-C ends it."""
        self.type(b'top -d 1\n', b'load average', b'PID')
        self.type(b'\x1a', b'Stopped', b'#> ')
        self.type(b'fg\n', b'load average', b'PID')
        self.resize(30, 50)
        self.type(b'\x03', b'#> ')
        self.type(b'stty size; exit 5\n', b'30 50')
        self.assertEqual(self.process.wait(20), 5)
