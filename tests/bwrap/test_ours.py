"""What naive-bwrap does in its own way: refusals, who may, its parent's end; and naivec run --host-usr."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios

from harness.files import as_user
from harness.world import USERS
from side_case import TREE, SideCase


class Ours(SideCase):
    def refusal(self, script, *words):
        status, output = self.said('ours', script)
        self.assertEqual((status, output), (1, ''), self.errors)
        for word in words:
            self.assertIn(word, self.errors)
        self.nothing_started()

    def test_refused(self):
        """What is not done is refused with the option's name, and nothing runs."""
        self.refusal('$S --tmp-overlay /x echo ran', '--tmp-overlay is refused')
        self.refusal('$S --dev-bind /dev/kmsg /k echo ran', '--dev-bind /dev/kmsg is refused')

    def test_no_service(self):
        """Without a bus nothing runs, and the way out is named."""
        self.refusal('DBUS_SYSTEM_BUS_ADDRESS=unix:path=/no/such $S echo ran', '--embedded')

    def test_host_network(self):
        """Without a word of the network it is the host's, and who may not have that is told why."""
        self.refusal(f'$B {TREE} echo ran', '--unshare-net', 'run-privileged')

    def test_not_granted(self):
        """Whom no rule grants anything runs nothing."""
        line = f'{self.world.build}/cli/naive-bwrap {TREE} --unshare-all echo ran'.split()
        done = self.command(*line, user='carol')
        self.assertEqual((done.returncode, done.stdout), (1, b''), done.stderr)
        self.assertIn(b'--embedded', done.stderr)

    def test_die_with_parent(self):
        """With --die-with-parent the sandbox ends with the process that has started it."""
        line = f'{self.world.build}/cli/naive-bwrap {TREE} --unshare-all --die-with-parent sh -c "echo ready; sleep 60"'
        parent = subprocess.Popen([*as_user(USERS['alice']), '/bin/bash', '-c', f'{line}; true'], stdout=subprocess.PIPE,
                                  cwd='/')
        try:
            self.assertEqual(parent.stdout.readline(), b'ready\n')
        finally:
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
            parent.stdout.close()
        self.eventually(lambda: not self.root.containers(), 15, 'the end of the container')

    def test_terminal(self):
        """On a terminal the command has one of its own, of the same size; Ctrl-C gets there."""
        line = f'{self.world.build}/cli/naive-bwrap {TREE} --unshare-all sh -c'.split()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 77, 0, 0))
        process = subprocess.Popen([*as_user(USERS['alice']), *line, 'stty size; tty; echo ready; sleep 60'], cwd='/',
                                   stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                                   preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        try:
            said = self.expect(ours, b'ready\r\n')
            self.assertIn(b'33 77\r\n/dev/pts/0\r\n', said)
            os.write(ours, b'\x03')
            self.assertEqual(process.wait(20), 130)
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    def test_status_lines(self):
        """--json-status-fd has a line for the begin, with the pid on the host, and one for the end."""
        status, output = self.said('ours', '$S --json-status-fd 9 sh -c "exit 3" 9>f; cat f')
        self.assertEqual(status, 0, self.errors)
        first, last = map(json.loads, output.splitlines())
        self.assertGreater(first['child-pid'], 1)
        self.assertEqual(last, {'exit-code': 3})

    def test_host_usr(self):
        """naivec run --host-usr: the system's programs, the working directory, the caller itself, and no more."""
        status, output = self.said('ours', f'echo "int main(void){{return 0;}}" >a.c; '
                                           f'{self.world.build}/cli/naivec run --host-usr sh -c "gcc -o a.out a.c && id -u; pwd; '
                                           'ls -A /root; touch /usr/x" 2>/dev/null; stat -c %u a.out')
        self.assertEqual(output, f"{USERS['alice']}\n{self.home}/side\n{USERS['alice']}\n", self.errors)
        self.assertEqual(status, 0)
