"""naivec run and its kin, against the same service: pipes, terminals, signals, exit statuses."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from harness.case import Case


# In a user namespace that maps all ids, and a mount namespace made with it, whose mounts cannot be taken apart.
IN_USER_NAMESPACE = """
import ctypes, os, sys
read_end, write_end = os.pipe()
parent, child = os.getpid(), os.fork()
if child == 0:
    os.read(read_end, 1)
    for kind in 'uid', 'gid':
        with open(f'/proc/{parent}/{kind}_map', 'w') as f:
            f.write('0 0 4294967295')
    os._exit(0)
if ctypes.CDLL(None, use_errno=True).unshare(0x10000000 | 0x20000) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.write(write_end, b'x')
os.waitpid(child, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Naivec(Case):
    def setUp(self):
        super().setUp()
        if not os.path.exists(self.world.naivec):
            self.skipTest('naivec was not built')

    def naivec(self, *arguments, **kwargs):
        return self.command(self.world.naivec, *arguments, **kwargs)

    def good(self, *arguments, **kwargs):
        done = self.naivec(*arguments, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def start(self, *arguments, **kwargs):
        environment = dict(os.environ, **kwargs.pop('env', {}))
        kwargs.setdefault('stdin', subprocess.DEVNULL)
        process = subprocess.Popen([self.world.naivec, *arguments], cwd='/', env=environment, **kwargs)
        self.addCleanup(lambda: (process.poll() is None and process.kill(), process.wait(),
                                 [f.close() for f in (process.stdin, process.stdout, process.stderr) if f]))
        return process


class Pipe(Naivec):
    def test_output(self):
        """What the command writes comes out, streams apart, and nothing else; afterwards it is forgotten."""
        done = self.naivec('run', self.rootfs, '/bin/sh', '-c', 'echo out; echo err >&2')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b'out\n', b'err\n'))
        self.eventually(lambda: self.root.containers() == [])

    def test_any_bytes(self):
        """Data of any size and any bytes pass unchanged through a pipe."""
        data = os.urandom(3 << 20)
        done = self.naivec('run', self.rootfs, '/bin/cat', input=data)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == data)

    def test_exit_status(self):
        """The exit status is the container's, 128+n for a signal."""
        for script, expected in (('exit 0', 0), ('exit 1', 1), ('exit 77', 77), ('exit 255', 255)):
            self.assertEqual(self.naivec('run', self.rootfs, '/bin/sh', '-c', script).returncode, expected)
        done = self.naivec('run', '--memory=10M', self.rootfs, '/bin/touchmem', '32')
        self.assertEqual(done.returncode, 137, done.stderr)

    def test_filter(self):
        """A command that the filter of system calls has killed is told as such, in the last line."""
        done = self.naivec('run', self.rootfs, '/bin/attempt', 'foreign')
        self.assertEqual(done.returncode, 128 + signal.SIGSYS, done.stderr)
        self.assertIn(b'SIGSYS', done.stderr.splitlines()[-1])

    def test_failures(self):
        """125 for a failure of naive-runc, 126 not executable, 127 not found, 2 wrong usage; each with words."""
        for arguments, expected in ((('run', '/no/such', '/bin/true'), 125),
                                    (('run', '--memory=4096', self.rootfs, '/bin/true'), 125),
                                    (('run', self.rootfs, '/etc/marker'), 126),
                                    (('run', self.rootfs, '/no/such'), 127),
                                    (('run', '--memory=lots', self.rootfs), 2)):
            with self.subTest(arguments=arguments):
                done = self.naivec(*arguments)
                self.assertEqual(done.returncode, expected, done.stderr)
                self.assertTrue(done.stderr.strip())
        self.nothing_started()

    def test_signals_reach_the_container(self):
        """SIGTERM sent to naivec reaches the command, whose exit status comes back."""
        process = self.start('run', self.rootfs, '/bin/sh', '-c',
                             'trap "echo bye; exit 5" TERM; echo on; while :; do sleep .05; done',
                             stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.assertEqual(process.stdout.readline(), b'on\n')
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.stdout.readline(), b'bye\n')
        self.assertEqual(process.wait(timeout=10), 5)

    def test_death_of_naivec(self):
        """If naivec dies, so does what it ran attached."""
        process = self.start('run', self.rootfs, '/bin/sh', '-c', 'echo on; sleep 600',
                             stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.assertEqual(process.stdout.readline(), b'on\n')
        process.kill()
        process.wait()
        self.eventually(lambda: all(c[1] == 'stopped' for c in self.root.containers()), 10)

    def test_fds(self):
        """--fd passes a descriptor under its number; 17 in all are refused before anything is sent."""
        done = self.command('/bin/bash', '-c', f'exec {self.world.naivec} run --fd=7 {self.rootfs} /bin/sh -c '
                            '"cat <&7" 7< <(echo seven)')
        self.assertEqual((done.returncode, done.stdout), (0, b'seven\n'), done.stderr)
        opens = ' '.join(f'{n}</dev/null' for n in range(10, 24))
        flags = ' '.join(f'--fd={n}' for n in range(10, 24))
        done = self.command('/bin/bash', '-c',
                            f'exec {self.world.naivec} run {flags} {self.rootfs} /bin/true {opens}')
        self.assertIn(done.returncode, (2, 125))
        self.assertIn(b'16', done.stderr)
        self.nothing_started()

    def test_closed_output(self):
        """A reader that goes away ends the command by SIGPIPE, as in any pipe."""
        done = self.command('/bin/bash', '-c', f'{self.world.naivec} run {self.rootfs} /bin/yes | head -1; '
                            'exit ${PIPESTATUS[0]}', timeout=20)
        self.assertEqual(done.stdout, b'y\n', done.stderr)
        self.assertNotEqual(done.returncode, 0)

    def test_unprivileged(self):
        """A user with a rule runs its own tree; one without is told so with 125."""
        done = self.naivec('run', self.rootfs_of('alice'), '/bin/id', '-u', user='alice')
        self.assertEqual((done.returncode, done.stdout), (0, b'0\n'), done.stderr)
        done = self.naivec('run', self.rootfs_of('carol'), '/bin/id', '-u', user='carol')
        self.assertEqual((done.returncode, done.stdout), (125, b''), done.stderr)


class Terminal(Naivec):
    def terminal(self, *arguments):
        """naivec on a pty of its own; (pid, the master's fd)"""
        pid, fd = pty.fork()
        if pid == 0:
            try:
                os.execve(self.world.naivec, [self.world.naivec, *arguments], dict(os.environ, TERM='xterm'))
            finally:
                os._exit(99)
        self.addCleanup(lambda: self.master_is_open and os.close(fd))
        self.addCleanup(lambda: self.status is None and (os.kill(pid, signal.SIGKILL), os.waitpid(pid, 0)))
        self.master_is_open, self.status = True, None
        return pid, fd

    def finish(self, pid, fd, timeout=8):
        """The exit status of naivec, whose last words are read away if `fd` is not None."""
        deadline = time.monotonic() + timeout
        while True:
            if select.select([fd] if fd is not None else [], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):
                    os.read(fd, 65536)
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
            self.assertLess(time.monotonic(), deadline, 'naivec did not end')

    def test_shell(self):
        """`naivec run ROOTFS` on a terminal: keys reach the shell's line editor, Ctrl-C the foreground command inside,
        and the exit status comes back."""
        pid, fd = self.terminal('run', self.rootfs)
        self.expect(fd, b'# ')
        os.write(fd, b'echo wrongg\x7f-$((6*7)) on $(tty)\n')
        self.expect(fd, b'\nwrong-42 on /dev/')
        os.write(fd, b'sleep 600\n')
        time.sleep(0.4)
        os.write(fd, b'\3')
        os.write(fd, b'echo code-$?\n')
        self.expect(fd, b'code-130')
        os.write(fd, b'exit 9\n')
        self.assertEqual(self.finish(pid, fd), 9)

    def test_resize(self):
        """The size of the caller's terminal is the container's, also after it changes."""
        pid, fd = self.terminal('run', self.rootfs)
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 31, 97, 0, 0))
        self.expect(fd, b'# ')
        deadline = time.monotonic() + 5
        while True:
            os.write(fd, b'stty size; echo a$((1+1))\n')
            if b'31 97' in self.expect(fd, b'a2'):
                break
            self.assertLess(time.monotonic(), deadline)
        os.write(fd, b'exit\n')
        self.finish(pid, fd)

    def test_environment(self):
        """On a terminal the environment is HOME, PS1, PATH and TERM, and nothing else."""
        pid, fd = self.terminal('run', self.rootfs, '/bin/sh', '-c', 'env; echo the-end')
        data = self.expect(fd, b'the-end')
        names = {line.split(b'=')[0].strip() for line in data.split(b'\n') if b'=' in line}
        self.assertEqual(names - {b'PWD', b'SHLVL', b'OLDPWD', b'_'}, {b'HOME', b'PS1', b'PATH', b'TERM'})
        self.finish(pid, fd)

    def test_detach_keys(self):
        """Ctrl-P Ctrl-Q leaves a running container; attaching again shows what it said meanwhile."""
        container = self.root.spawn(self.rootfs, ['/bin/sh'], Id='keys', Terminal=True)
        pid, fd = self.terminal('attach', 'keys')
        self.expect(fd, b'# ')  # from here on the terminal is raw
        os.write(fd, b'(sleep .5; echo $((40+2))-later) &\n')
        os.write(fd, b'\x10\x11')
        self.assertEqual(self.finish(pid, fd), 0)
        self.assertEqual(container.state, 'running')
        time.sleep(0.6)
        pid, fd = self.terminal('attach', 'keys')
        self.expect(fd, b'42-later')
        os.write(fd, b'exit 3\n')
        self.assertEqual(self.finish(pid, fd), 3)

    def test_read_only(self):
        """attach --read-only shows and types nothing; Ctrl-C leaves it."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'echo seen; read x; echo read-$x'], Id='ro',
                                    Terminal=True)
        pid, fd = self.terminal('attach', '--read-only', 'ro')
        self.expect(fd, b'seen')
        os.write(fd, b'typed\n')
        time.sleep(0.2)
        os.write(fd, b'\x03')
        self.assertEqual(self.finish(pid, fd), 130)
        self.assertNotIn(b'read-', container.log())

    def test_no_terminal(self):
        """Attaching to a container without a terminal says so."""
        self.root.spawn(self.rootfs, ['/bin/sleep', '60'], Id='plain')
        done = self.naivec('attach', 'plain')
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'terminal', done.stderr)

    def test_hang_up(self):
        """The terminal's end is the end of naivec and of what it ran."""
        pid, fd = self.terminal('run', self.rootfs, '/bin/sh', '-c', 'trap "" HUP; echo on; sleep 60')
        self.expect(fd, b'on')
        os.close(fd)
        self.master_is_open = False
        self.finish(pid, None, 10)
        self.eventually(lambda: self.root.containers() == [], 10)

    def test_pipe_into_terminal(self):
        """run --tty takes a pipe for a typist: its lines are run, its end is a Ctrl-D."""
        done = self.naivec('run', '--tty', self.rootfs, input=b'tty; exit_code() { return 7; }; exit_code\n',
                           timeout=15)
        self.assertIn(b'/dev/', done.stdout)
        self.assertEqual(done.returncode, 7, done.stderr)

    def test_much_output(self):
        """Megabytes through a terminal arrive complete, the last line too."""
        done = self.naivec('run', '--tty', self.rootfs, '/bin/sh', '-c', 'seq 1 200000')
        lines = done.stdout.split(b'\r\n')
        self.assertEqual((len(lines), lines[0], lines[-2], lines[-1]), (200001, b'1', b'200000', b''))

    def test_terminated(self):
        """SIGTERM to naivec reaches the command on the terminal, and the terminal is restored."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        before = termios.tcgetattr(slave)
        process = self.start('run', self.rootfs, '/bin/sh', '-c',
                             'trap "exit 5" TERM; echo on; while :; do sleep .05; done',
                             stdin=slave, stdout=slave, stderr=slave)
        self.expect(master, b'on')
        self.assertNotEqual(termios.tcgetattr(slave), before)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=10), 5)
        self.assertEqual(termios.tcgetattr(slave), before)


class Embedded(Naivec):
    """The same service on a private socketpair, without any bus."""

    def setUp(self):
        super().setUp()
        self.environment = {'DBUS_SYSTEM_BUS_ADDRESS': 'unix:path=/nonexistent', 'NAIVE_RUNCD': self.world.daemon}

    def embedded(self, *arguments, **kwargs):
        return self.naivec('--embedded', *arguments, env=self.environment, **kwargs)

    def test_root(self):
        """--embedded run works for root without a bus, limits and exit statuses included."""
        done = self.embedded('run', self.rootfs, '/bin/sh', '-c', 'cat; id -u; exit 3', input=b'in\n')
        self.assertEqual((done.returncode, done.stdout), (3, b'in\n0\n'), done.stderr)
        done = self.embedded('run', '--memory=10M', self.rootfs, '/bin/touchmem', '32')
        self.assertEqual(done.returncode, 137, done.stderr)
        self.assertEqual(self.embedded('run', self.rootfs, '/no/such').returncode, 127)

    def test_beside_others(self):
        """Root's embedded services leave each other alone: another's start ends nobody, and no two share ids."""
        first = self.start('--embedded', 'run', self.rootfs, '/bin/sh', '-c', 'cat /proc/self/uid_map; cat',
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           env=self.environment)
        line = first.stdout.readline()
        done = self.embedded('run', self.rootfs, '/bin/cat', '/proc/self/uid_map')
        self.assertEqual(done.returncode, 0, done.stderr)
        of_the_service = self.output(['/bin/cat', '/proc/self/uid_map']).encode()
        self.assertEqual(len({words.split()[1] for words in (line, done.stdout, of_the_service)}), 3)
        first.stdin.write(b'still here')
        first.stdin.close()
        self.assertEqual((first.stdout.read(), first.wait()), (b'still here', 0))

    def test_user(self):
        """--embedded run works for an ordinary user: container root is the user."""
        done = self.embedded('run', self.rootfs_of('carol'), '/bin/sh', '-c',
                             'id -u; stat -c %u /etc/marker; wc -l < /proc/self/uid_map', user='carol')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, b'0\n0\n1\n')

    def test_user_limits(self):
        """A limit that a user without a delegated cgroup asks for is an error, not ignored."""
        done = self.embedded('run', '--memory=10M', self.rootfs_of('carol'), '/bin/true', user='carol')
        self.assertEqual(done.returncode, 125, done.stderr)
        self.assertIn(b'cgroup', done.stderr)

    def test_user_with_less_isolation(self):
        """A user may take from its own isolation what the kernel lets it; what that refuses is an error."""
        options = '--network=host', '--cap-add=all', '--seccomp=unconfined', '--no-new-privileges=no'
        done = self.embedded('run', *options, self.rootfs_of('carol'), '/bin/sh', '-c',
                             'ls /sys/class/net; mkdir /sys/fs/cgroup/x 2>/dev/null; /bin/unmake', user='carol')
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.decode().splitlines()
        devices = sorted(os.listdir('/sys/class/net'))
        self.assertEqual(lines[:len(devices)], devices)
        self.assertIn('rights mount: ok', lines)
        self.assertEqual([line for line in lines[len(devices):] if line.endswith(': ok') and
                          not line.startswith(('rights', 'clear-nosuid /:'))], [])
        done = self.embedded('run', '--userns=host', self.rootfs_of('carol'), '/bin/true', user='carol')
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"UserNamespace 'host' needs a service that runs as root", done.stderr)

    def test_user_cannot_gain(self):
        """A user's embedded container cannot read what the user cannot."""
        secret = f'{self.world.directory}/carol/rootfs/etc/secret'
        stat = os.stat(os.path.dirname(secret))
        with open(secret, 'w') as f:
            f.write('secret\n')
        os.chmod(secret, 0o600)
        try:
            done = self.embedded('run', self.rootfs_of('carol'), '/bin/cat', '/etc/secret', user='carol')
        finally:
            os.unlink(secret)
        self.assertNotIn(b'secret\n', done.stdout)
        self.assertEqual(done.returncode, 1)

    def services(self):
        """Embedded services that are alive, by pid."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as f:
                    if b'--embedded=' in f.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def test_death(self):
        """If naivec is killed, its embedded service ends, and with it the container."""
        process = self.start('--embedded', 'run', self.rootfs, '/bin/sh', '-c', 'echo on; sleep 60',
                             stdout=subprocess.PIPE, env=self.environment)
        self.assertEqual(process.stdout.readline(), b'on\n')
        self.assertEqual(len(self.services()), 1)
        process.kill()
        process.wait()
        self.eventually(lambda: self.services() == [], 10)
        self.assertEqual(process.stdout.read(), b'')

    def test_only_the_command_is_heard(self):
        """What the command says is all that is printed, its failure too; --verbose adds the service's messages. When
        naivec has ended, so has the service."""
        for script in 'echo out; echo err >&2', 'echo out; echo err >&2; exit 7':
            done = self.embedded('run', self.rootfs, '/bin/sh', '-c', script)
            self.assertEqual((done.stdout, done.stderr), (b'out\n', b'err\n'))
            self.assertEqual(self.services(), [])
        done = self.naivec('-v', '--embedded', 'run', self.rootfs, '/bin/echo', 'out', env=self.environment)
        self.assertEqual((done.returncode, done.stdout), (0, b'out\n'), done.stderr)
        self.assertIn(b'has ended: success', done.stderr)

    def test_root_of_a_user_namespace(self):
        """The service of who is root in a user namespace starts, and its program is read-only there as well."""
        process = subprocess.Popen(['python3', '-c', IN_USER_NAMESPACE, self.world.naivec, '--embedded', 'run',
                                    '--userns=self', self.rootfs, '/bin/sh', '-c', 'echo on; read x; exit 5'],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd='/',
                                   env=dict(os.environ, **self.environment))
        self.addCleanup(lambda: (process.poll() is None and process.kill(), process.communicate()))
        if process.stdout.readline() != b'on\n':
            self.fail(process.communicate()[1])
        service, = self.services()
        self.assertTrue(os.statvfs(f'/proc/{service}/exe').f_flag & os.ST_RDONLY)
        process.stdin.write(b'\n')
        process.stdin.flush()
        self.assertEqual(process.wait(), 5)

    def test_detached(self):
        """A detached container of an embedded service makes no sense, and is refused as such."""
        for arguments in (('run', '-d', self.rootfs), ('create', self.rootfs)):
            self.assertEqual(self.embedded(*arguments).returncode, 2)

    def test_no_service(self):
        """A service that does not start, or ends at once, is 125 with its name and its reason, on stderr."""
        script = f'{self.world.directory}/bad-runcd'
        with open(script, 'w') as f:
            f.write(f'#!/bin/sh\nexec {self.world.daemon} --no-such-option "$@"\n')
        os.chmod(script, 0o755)
        for program, reason in (('/nonexistent', b'No such file'), ('/bin/false', b'ended unexpectedly'),
                                (script, b'no-such-option')):
            done = self.naivec('--embedded', 'run', self.rootfs, env=dict(self.environment, NAIVE_RUNCD=program))
            self.assertEqual((done.returncode, done.stdout), (125, b''))
            line, = done.stderr.splitlines()
            self.assertIn(program.encode(), line)
            self.assertIn(reason, line)
