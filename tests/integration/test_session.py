"""An attached naivec run beside others: in the background of a terminal, with descriptors that others read, under
timeout(1)."""

import os
import pty
import select
import signal
import subprocess
import time

from harness.case import Case


class Session(Case):
    def setUp(self):
        super().setUp()
        if not os.path.exists(self.world.naivec):
            self.skipTest('naivec was not built')

    def start(self, *arguments, **kwargs):
        return self.started(self.world.naivec, *arguments, **kwargs)

    def terminal(self, *argv):
        """A program on a pty of its own; (pid, the master's fd)"""
        pid, fd = pty.fork()
        if pid == 0:
            try:
                os.execvp(argv[0], argv)
            finally:
                os._exit(99)
        ended = []

        def end():
            if not ended:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            os.close(fd)

        def status(timeout=20):
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline:
                if select.select([fd], [], [], 0.05)[0]:
                    try:
                        os.read(fd, 65536)
                    except OSError:
                        pass
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    ended.append(True)
                    return os.waitstatus_to_exitcode(status)
            self.fail(f'{argv} did not end')
        self.addCleanup(end)
        return fd, status

    def test_under_timeout(self):
        """Under timeout(1) naivec is not in the foreground of its terminal: the run goes through all the same."""
        fd, status = self.terminal('sh', '-c', f'timeout 15 {self.world.naivec} run {self.rootfs} /bin/sh -c "exit 4"')
        self.assertEqual(status(), 4)

    def test_background_job(self):
        """A background job of a shell writes to the terminal and is not stopped; brought to the foreground, it reads."""
        fd, status = self.terminal('bash', '--norc', '-i')
        os.write(fd, f'PS1=ready\\>; {self.world.naivec} run {self.rootfs} /bin/sh -c '
                 '\'echo begin-$((6*7)); read x; echo got-$x-$((1+1))\' &\n'.encode())
        self.expect(fd, b'begin-42')
        os.write(fd, b'echo mine-$((3+4))\n')  # what is typed is the shell's
        self.expect(fd, b'mine-7')
        os.write(fd, b'fg\n')
        self.expect(fd, f'{os.path.basename(self.world.naivec)} run'.encode())
        self.assertIn(b'got-typed-2', self.typing(fd, b'typed\n', b'got-typed-2'))
        self.expect(fd, b'ready>')  # else it is naivec that reads what follows
        os.write(fd, b'exit 3\n')
        self.assertEqual(status(), 3)

    def typing(self, fd, line, words):
        os.write(fd, line)
        return self.expect(fd, words)

    def end_of_pipe(self, number, *arguments):
        """The read end of a pipe that the command has as its descriptor `number`, and naivec."""
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        os.set_inheritable(write_end, True)
        process = self.start(*arguments, stdin=subprocess.DEVNULL, stdout=write_end if number == 1 else None,
                             pass_fds=(number,) if number > 2 else (),
                             preexec_fn=(lambda: os.dup2(write_end, number)) if number > 2 else None)
        os.close(write_end)
        return read_end, process

    def test_descriptors(self):
        """What was passed is the command's alone: its reader sees the end when the command closes it, not when naivec
        ends."""
        for number, flags, script in ((3, ['--fd=3'], 'echo ready >&3; exec 3>&-; exec sleep 600'),
                                      (1, [], 'echo ready; exec >/dev/null; exec sleep 600')):
            with self.subTest(number):
                read_end, process = self.end_of_pipe(number, 'run', *flags, self.rootfs, '/bin/sh', '-c', script)
                data = b''
                while chunk := self.read_in_time(read_end):
                    data += chunk
                self.assertEqual(data, b'ready\n')
                self.assertIsNone(process.poll())

    def read_in_time(self, fd):
        self.assertTrue(select.select([fd], [], [], 20)[0], 'no end of the pipe')
        return os.read(fd, 4096)

    def test_standard_input(self):
        """The end of the command's reading is the writer's broken pipe."""
        process = self.start('run', self.rootfs, '/bin/sh', '-c', 'exec <&-; exec sleep 600', stdin=subprocess.PIPE)
        self.eventually(lambda: self.is_broken(process.stdin.fileno()), 20, 'a broken pipe')
        self.assertIsNone(process.poll())

    @staticmethod
    def is_broken(fd):
        poll = select.poll()
        poll.register(fd, 0)
        return any(events & select.POLLERR for _, events in poll.poll(0))

    def test_signal_that_nobody_minds(self):
        """What would end a program outside ends it inside, though it is PID 1: SIGTERM, SIGINT, SIGHUP, SIGQUIT."""
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT:
            with self.subTest(number.name):
                process = self.start('run', self.rootfs, '/bin/sleep', '600')
                self.eventually(lambda: 'running' in [c[1] for c in self.root.containers()], 20, 'a container')
                process.send_signal(number)
                self.assertEqual(process.wait(20), 128 + number)

    def test_signal_that_is_minded(self):
        """A program that handles, blocks or ignores a signal goes on as it likes."""
        process = self.start('run', self.rootfs, '/bin/sh', '-c', 'trap "" INT; trap "echo got; exit 3" TERM; echo up; '
                             'while :; do sleep .1; done', stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b'up\n')
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.stdout.readline(), b'got\n')
        self.assertEqual(process.wait(20), 3)
