"""naivec run and its kin, against the same service: pipes, terminals, signals, exit statuses."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from harness.case import Case


class Naivec(Case):
    def setUp(self):
        super().setUp()
        if not os.path.exists(self.world.naivec):
            self.skipTest('naivec was not built')

    def naivec(self, *arguments, **kwargs):
        return self.command(self.world.naivec, *arguments, **kwargs)

    def start(self, *arguments, **kwargs):
        process = subprocess.Popen([self.world.naivec, *arguments], cwd='/', **kwargs)
        self.addCleanup(lambda: (process.poll() is None and process.kill(), process.wait(),
                                 [f.close() for f in (process.stdin, process.stdout, process.stderr) if f]))
        return process


class Pipe(Naivec):
    def test_output(self):
        """What the command writes comes out, streams apart, and nothing else."""
        done = self.naivec('run', self.rootfs, '/bin/sh', '-c', 'echo out; echo err >&2')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b'out\n', b'err\n'))

    def test_any_bytes(self):
        """Data of any size and any bytes pass unchanged through a pipe."""
        data = os.urandom(3 << 20)
        done = self.naivec('run', self.rootfs, '/bin/cat', input=data)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == data)

    def test_default_command(self):
        """Without a command /bin/sh runs, and reads the pipe."""
        done = self.naivec('run', self.rootfs, input=b'echo $((6*7))\n')
        self.assertEqual((done.returncode, done.stdout), (0, b'42\n'), done.stderr)

    def test_exit_status(self):
        """The exit status is the container's, 128+n for a signal."""
        for script, expected in (('exit 0', 0), ('exit 1', 1), ('exit 77', 77), ('exit 255', 255)):
            self.assertEqual(self.naivec('run', self.rootfs, '/bin/sh', '-c', script).returncode, expected)
        done = self.naivec('run', '--memory=10M', self.rootfs, '/bin/touchmem', '32')
        self.assertEqual(done.returncode, 137, done.stderr)

    def test_failures(self):
        """125 for a failure of naive-runc, 126 not executable, 127 not found, 2 wrong usage; each with words."""
        for arguments, expected in ((('run', '/no/such', '/bin/true'), 125),
                                    (('run', '--memory=4096', self.rootfs, '/bin/true'), 125),
                                    (('run', self.rootfs, '/etc/marker'), 126),
                                    (('run', self.rootfs, '/no/such'), 127),
                                    (('run',), 2), (('run', '--no-such-option', self.rootfs), 2),
                                    (('no-such-verb',), 2), (('run', '--memory=lots', self.rootfs), 2)):
            with self.subTest(arguments=arguments):
                done = self.naivec(*arguments)
                self.assertEqual(done.returncode, expected, done.stderr)
                self.assertTrue(done.stderr.strip())
        self.nothing_started()

    def test_nothing_left(self):
        """What ran attached is forgotten afterwards."""
        self.naivec('run', self.rootfs, '/bin/true')
        self.eventually(lambda: self.root.containers() == [])

    def test_options(self):
        """--env, --hostname, --workdir, --memory reach the container."""
        done = self.naivec('run', '--env=A=1', '--env=B=x y', '--hostname=named', '--workdir=/etc', self.rootfs,
                           '/bin/sh', '-c', 'echo "$A,$B,$(hostname),$(pwd)"')
        self.assertEqual(done.stdout, b'1,x y,named,/etc\n', done.stderr)

    def test_environment_is_not_the_callers(self):
        """Nothing of the caller's environment gets in."""
        done = self.naivec('run', self.rootfs, '/bin/env', env={'SECRET': 'x'})
        self.assertEqual({line.split(b'=')[0] for line in done.stdout.splitlines()}, {b'HOME', b'PATH', b'PS1'})

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


class Verbs(Naivec):
    def test_life(self):
        """create, start, list, status, logs, wait and delete show one container's life."""
        done = self.naivec('create', '--name=cli', self.rootfs, '/bin/sh', '-c', 'echo words; exit 3')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b'created', self.naivec('list').stdout)
        self.assertEqual(self.naivec('start', 'cli').returncode, 0)
        self.assertEqual(self.naivec('wait', 'cli').returncode, 3)
        self.assertEqual(self.naivec('logs', 'cli').stdout, b'words\n')
        status = self.naivec('status', 'cli')
        self.assertIn(b'stopped', status.stdout, status.stderr)
        self.assertEqual(self.naivec('delete', 'cli').returncode, 0)
        self.nothing_started()

    def test_kill_and_stop(self):
        """kill and stop end a container."""
        for verb in ('kill', 'stop'):
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'trap "exit 1" TERM; while :; do sleep .05; done'],
                                        Id=verb)
            time.sleep(0.2)
            done = self.naivec(verb, verb)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(container.wait(timeout=15)[0], ('exit-code', 'signal'))

    def test_unknown_container(self):
        """An unknown container is exit status 1 with words."""
        for verb in ('status', 'start', 'stop', 'kill', 'wait', 'delete', 'logs', 'attach'):
            with self.subTest(verb=verb):
                done = self.naivec(verb, 'no-such')
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b'no-such', done.stderr)

    def test_json(self):
        """list --json=short is JSON."""
        self.root.create(self.rootfs, ['/bin/true'], Id='json')
        done = self.naivec('list', '--json=short')
        self.assertIn('json', str(json.loads(done.stdout)), done.stderr)

    def test_help_and_version(self):
        """--help names every verb; --version the version."""
        text = self.naivec('--help').stdout
        for verb in b'run create start list status wait kill stop delete logs attach'.split():
            self.assertIn(verb, text)
        self.assertEqual(self.naivec('--version').returncode, 0)


class Terminal(Naivec):
    def terminal(self, *arguments, environment=None):
        """naivec on a pty of its own; (pid, the master's fd)"""
        pid, fd = pty.fork()
        if pid == 0:
            try:
                os.execve(self.world.naivec, [self.world.naivec, *arguments], dict(os.environ, TERM='xterm'))
            finally:
                os._exit(99)

        def undo():
            os.close(fd)
            if self.status is None:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        self.status = None
        self.addCleanup(undo)
        return pid, fd

    def finish(self, pid, fd, timeout=8):
        deadline = time.monotonic() + timeout
        while True:
            if select.select([fd], [], [], 0.05)[0]:
                try:
                    os.read(fd, 65536)
                except OSError:
                    pass
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
            self.assertLess(time.monotonic(), deadline, 'naivec did not end')

    def test_shell(self):
        """`naivec run ROOTFS` on a terminal: the prompt shows, commands and their exit status work."""
        pid, fd = self.terminal('run', self.rootfs)
        self.expect(fd, b'# ')
        os.write(fd, b'echo $((6*7)) on $(tty)\n')
        self.assertIn(b'on /dev/', self.expect(fd, b'42 on /dev/'))
        os.write(fd, b'exit 9\n')
        self.assertEqual(self.finish(pid, fd), 9)

    def test_line_editing(self):
        """Line editing works: what is typed wrongly can be erased, the last line recalled."""
        pid, fd = self.terminal('run', self.rootfs)
        self.expect(fd, b'# ')
        os.write(fd, b'echo wrongg\x7f-$((1+1))\n')
        self.expect(fd, b'\nwrong-2')
        self.expect(fd, b'# ')
        os.write(fd, b'\x1b[A\n')
        self.expect(fd, b'\nwrong-2')
        self.expect(fd, b'# ')
        time.sleep(0.2)  # while a command runs the terminal is in its plain mode, where Ctrl-D is not a key
        os.write(fd, b'\4')
        self.assertEqual(self.finish(pid, fd), 0)

    def test_ctrl_c(self):
        """Ctrl-C reaches the foreground command inside, not naivec."""
        pid, fd = self.terminal('run', self.rootfs)
        self.expect(fd, b'# ')
        os.write(fd, b'sleep 600\n')
        time.sleep(0.4)
        os.write(fd, b'\3')
        os.write(fd, b'echo code-$?\n')
        self.expect(fd, b'code-130')
        os.write(fd, b'exit\n')
        self.finish(pid, fd)

    def test_job_control(self):
        """Ctrl-Z stops the command inside; fg goes on with it."""
        pid, fd = self.terminal('run', self.rootfs)
        self.expect(fd, b'# ')
        os.write(fd, b'sleep 600\n')
        time.sleep(0.4)
        os.write(fd, b'\x1a')
        self.expect(fd, b'Stopped')
        self.expect(fd, b'# ')
        os.write(fd, b'kill -9 %1; fg; echo gone-$((1+1))\n')
        self.expect(fd, b'gone-2')
        os.write(fd, b'exit 0\n')
        self.assertEqual(self.finish(pid, fd), 0)

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

    def test_raw_mode_is_undone(self):
        """The caller's terminal is as it was afterwards."""
        before = None
        pid, fd = self.terminal('run', self.rootfs, '/bin/true')
        self.finish(pid, fd)
        # The slave is closed: a new pty tells what a shell around naivec would see.
        script = f'stty -g; {self.world.naivec} run {self.rootfs} /bin/true; stty -g'
        pid, fd = pty.fork()
        if pid == 0:
            os.execv('/bin/sh', ['sh', '-c', script])
        data = b''
        while True:
            try:
                piece = os.read(fd, 4096)
            except OSError:
                break
            if not piece:
                break
            data += piece
        os.waitpid(pid, 0)
        os.close(fd)
        lines = data.split()
        self.assertEqual(len(lines), 2, data)
        self.assertEqual(lines[0], lines[1])

    def test_environment(self):
        """On a terminal the environment is HOME, PS1, PATH and TERM, and nothing else."""
        pid, fd = self.terminal('run', self.rootfs, '/bin/sh', '-c', 'env; echo the-end')
        data = self.expect(fd, b'the-end')
        names = {line.split(b'=')[0].strip() for line in data.split(b'\n') if b'=' in line}
        self.assertEqual(names - {b'PWD', b'SHLVL', b'OLDPWD', b'_'}, {b'HOME', b'PS1', b'PATH', b'TERM'})
        self.finish(pid, fd)

    def test_attach(self):
        """naivec attach shows a running container's terminal and writes to it."""
        self.root.spawn(self.rootfs, ['/bin/sh'], Id='att', Terminal=True)
        pid, fd = self.terminal('attach', 'att')
        os.write(fd, b'echo $((6*7))\n')
        self.expect(fd, b'42')
        os.write(fd, b'exit 4\n')
        self.assertEqual(self.finish(pid, fd), 4)


class Embedded(Naivec):
    """The same service on a private socketpair, without any bus."""

    def embedded(self, *arguments, **kwargs):
        return self.naivec('--embedded', *arguments,
                           env={'DBUS_SYSTEM_BUS_ADDRESS': 'unix:path=/nonexistent',
                                'NAIVE_RUNCD': self.world.daemon}, **kwargs)

    def test_root(self):
        """--embedded run works for root without a bus, limits included."""
        done = self.embedded('run', self.rootfs, '/bin/sh', '-c', 'cat; id -u; exit 3', input=b'in\n')
        self.assertEqual((done.returncode, done.stdout), (3, b'in\n0\n'), done.stderr)
        done = self.embedded('run', '--memory=10M', self.rootfs, '/bin/touchmem', '32')
        self.assertEqual(done.returncode, 137, done.stderr)

    def test_beside_others(self):
        """Root's embedded services leave each other alone: another's start ends nobody, and no two share ids."""
        first = self.start('--embedded', 'run', self.rootfs, '/bin/sh', '-c', 'cat /proc/self/uid_map; cat',
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           env=dict(os.environ, NAIVE_RUNCD=self.world.daemon))
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

    def test_failures(self):
        """The same failures have the same exit statuses."""
        self.assertEqual(self.embedded('run', '/no/such', '/bin/true').returncode, 125)
        self.assertEqual(self.embedded('run', self.rootfs, '/no/such').returncode, 127)
        self.assertEqual(self.embedded('run', self.rootfs, '/etc/marker').returncode, 126)

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
