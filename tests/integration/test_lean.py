"""naivec does by itself what naivec-full does: the same output, exit status and words, whatever the line, the streams,
the signals and the bus."""

import contextlib
import os
import resource
import select
import shutil
import signal
import subprocess
import time

from harness import invariants
from harness.case import Case
from harness.client import Container
from harness.files import as_user, write
from harness.world import USERS

SHELL = 'run {r} /bin/sh -c'.split()
# A line, its last word perhaps a script: {r} is root's tree, {d} the folder that it is in.
LINES = [
    'run {r} /bin/echo hi', 'run {r} -- /bin/echo hi', 'run -- {r} echo -- hi', 'run {r} echo a --rm',
    'run {r}', 'run {r} --', 'run', 'run --', 'run --help', '', '--version', 'rum {r}',
    'run rootfs pwd', 'run ./rootfs pwd', 'run rootfs/../rootfs pwd', 'run {d}//rootfs/ pwd', 'run bus pwd',
    'run {r} nosuch', 'run {r} /etc/marker', 'run {r} /tmp', 'run /nonexistent true', 'run {r}/etc/marker true',
    'run -w /tmp {r} pwd', 'run --workdir=/nonexistent {r} pwd', 'run -w tmp {r} pwd', 'run -w/tmp {r} pwd', 'run -w',
    'run -e A=1 {r} env', 'run -e A=1 --env=B=2=3 --env C= {r} env', 'run -e A=1 -e A=2 {r} env', 'run -e A {r} env',
    'run -e =x {r} env', 'run -e HOME=/x -e PATH=/bin {r} env', 'run --env= {r} env', 'run -eA=1 {r} env',
    'run --hostname=box {r} hostname', 'run --hostname=a_b {r} hostname', 'run --hostname= {r} hostname',
    'run --hostname=' + 'h' * 65 + ' {r} hostname', 'run --hostname=\xe4 {r} hostname',
    'run --name=web {r} hostname', 'run --name=a/b {r} true', 'run --name= {r} true', 'run --name=' + 'n' * 300 + ' {r} true',
    'run --name {r} true',
    'run --memory=64M {r} true', 'run --memory=1 {r} true', 'run -m 64M {r} true', 'run -m64M {r} true',
    'run --memory=0 {r} true', 'run --memory=1X {r} true', 'run --memory=1.5G {r} true', 'run --memory=infinity {r} true',
    'run --memory=99999999999T {r} true', 'run --memory=32M --memory-swap-max=0 {r} /bin/touchmem 64',
    'run --memory=32M --memory-high=16M --memory-reservation=1M {r} true',
    'run --pids-limit=5 {r} true', 'run --pids-limit=0 {r} true', 'run --pids-limit=-1 {r} true',
    'run --cpuset-cpus=0 {r} nproc', 'run --cpuset-cpus=x {r} nproc', 'run --cpuset-cpus=99999 {r} nproc',
    'run --read-only {r} touch /x', 'run --read-only=maybe {r} true', 'run --volatile {r} touch /x',
    'run --volatile --root-size=1M {r} dd if=/dev/zero of=/x bs=64k count=64', 'run --root-size=1M {r} true',
    'run --init {r} cat /proc/self/comm', 'run --no-new-privileges {r} grep NoNewPrivs /proc/self/status',
    'run --no-new-privileges=no {r} grep NoNewPrivs /proc/self/status', 'run --rm {r} true', 'run --rm=no --rm {r} true',
    'run -i {r} cat', 'run --interactive {r} cat', 'run -d --nonsense {r} true',
    'run --unknown {r} true', 'run --mem=1M {r} true', 'run {r} env', 'run {r} id', 'run {r} pwd',
    'run {r} cat /proc/self/limits', 'run {r} ls /proc/self/fd',
    'run {r} grep -E ^(Sig|Cap|Seccomp|Groups) /proc/self/status', 'run {r} cat /proc/self/oom_score_adj',
    '-q run {r} nosuch', '--quiet run /nonexistent true', 'run -q {r} nosuch', '--no-ask-password run {r} nosuch',
    '--address=unix:path=/nonexistent run {r} true', '--address=nonsense run {r} true', '--address run {r} true',
    '--host= run {r} true', '--json run {r} echo hi',
]
SCRIPTS = [
    'echo out; echo err >&2; exit 3', 'umask', 'exit 255', 'sh -c "kill -TERM \\$\\$"', 'sh -c "kill -SEGV \\$\\$"',
    'ulimit -n; ulimit -c', 'cat; echo end', 'yes | head -c 3000000', 'sleep 0.2 & wait; echo ended', 'exec <&- >&-; exit 4',
    'echo nothing > /dev/full; echo $?', 'dd bs=1 count=1 2>/dev/null', 'echo to-tty > /dev/tty', 'ls -A / | sort',
    'cut -d" " -f4-6 /proc/self/mountinfo | sort', 'trap "" TERM; kill -TERM 1; echo alive', 'echo a > /dev/stdout; echo b > /dev/stderr; cat /dev/stdin',
]
WAYS = 'WatchBus', 'WatchFD', 'StatusFD'
# What naivec does meanwhile; each is held up there while the command runs already.
HELD_UP = 'sendmsg', 'rt_sigprocmask', 'signalfd4', 'poll', 'recvmsg', 'read'
TRAP = 'trap "exit 7" TERM; echo up; while :; do sleep .05; done'


class Lean(Case):
    def setUp(self):
        super().setUp()
        self.lean = f'{self.world.build}/cli/naivec'
        if not os.path.exists(self.lean):
            self.skipTest('naivec was not built')
        self.both = self.lean, f'{self.lean}-full'

    def words(self, text):
        return [word.format(r=self.rootfs, d=self.world.directory) for word in text.split()]

    def outcome(self, line, input=b'some\nlines\n', env=None, user=None, **kwargs):
        if user:
            line = [*as_user(USERS[user]), *line]
        done = subprocess.run(line, input=input, capture_output=True, timeout=60, cwd=self.world.directory,
                              env=dict(os.environ, **(env or {})), **kwargs)
        return done.returncode, done.stdout, done.stderr

    def alike(self, arguments, **kwargs):
        """What both make of it, which is the same."""
        lean, full = (self.outcome([program, *arguments], **kwargs) for program in self.both)
        self.assertEqual(lean, full)
        return lean

    def test_lines(self):
        """All kinds of lines, right and wrong."""
        for line in LINES:
            with self.subTest(line):
                self.alike(self.words(line))

    def test_scripts(self):
        """What commands do with their streams, and how they end."""
        for script in SCRIPTS:
            with self.subTest(script):
                self.alike([*self.words(' '.join(SHELL)), script])

    def test_odd_words(self):
        """Words of any bytes, empty, many, and longer than what naivec has room for."""
        for words in (['/bin/echo', b'\xff\xfe', ''], ['/bin/echo', *'x' * 5000], ['/bin/echo', 'x' * 131000],
                      ['no\nsuch'], ['n\xe4'], [b'\xff'], ['']):
            with self.subTest(words[0]):
                self.alike(['run', self.rootfs, *words])
        for option in (['-e', b'A=\xff'], ['-e', 'A B=1'], ['-e', 'A=\n'], ['-w', b'/\xff'], [b'--name=\xff'],
                       ['--hostname=a\nb']):
            with self.subTest(option):
                self.alike(['run', *option, self.rootfs, '/usr/bin/env'])
        self.alike(['run', *(word for n in range(70) for word in ('-e', f'A{n}={n}')), self.rootfs, '/bin/env'])

    def test_users(self):
        """Whom polkit lets, whom it refuses, and who would have to give a password."""
        own = self.rootfs_of('alice')
        for user, rootfs in (('alice', own), ('alice', self.rootfs), ('bob', own), ('carol', own), ('dave', own)):
            with self.subTest(user, rootfs=rootfs):
                self.alike(['run', rootfs, '/bin/id'], user=user)
        self.alike(['run', '--no-new-privileges=no', own, '/bin/id'], user='alice')

    def test_inherited(self):
        """Neither the working directory, the umask, limits, ignored signals nor descriptors of naivec are the
        command's."""
        def set_up():
            os.umask(0o777)
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
            for number in signal.SIGTERM, signal.SIGUSR1:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
        self.alike([*self.words(' '.join(SHELL)), 'pwd; umask; ulimit -n; ls /proc/self/fd; grep Sig /proc/self/status'],
                   preexec_fn=set_up)

    def test_closed_streams(self):
        """A standard stream that is closed, of each of the three, and all."""
        for fds in (0,), (1,), (2,), (0, 1), (0, 1, 2):
            with self.subTest(fds):
                self.alike([*self.words(' '.join(SHELL)), 'ls -l /proc/self/fd | grep -c null; cat; echo out; echo e >&2'],
                           preexec_fn=lambda fds=fds: [os.close(fd) for fd in fds])

    def test_no_bus(self):
        """No bus, one that is none, and a bus without the service."""
        for address in ('unix:path=/nonexistent', f'unix:path={self.world.directory}', 'nonsense', 'tcp:host=x',
                        'unix:path=/nonexistent;unix:path=/other'):
            with self.subTest(address):
                self.alike(['run', self.rootfs, 'true'], env={'DBUS_SYSTEM_BUS_ADDRESS': address})
        self.world.stop_service()
        try:
            status, _, errors = self.alike(['run', self.rootfs, 'true'])
        finally:
            self.world.start_service()
            Case.baseline = invariants.baseline(self.world)
        self.assertEqual(status, 125)
        self.assertIn(b'naive-runc installed', errors)

    def test_config(self):
        """The service is asked for the same container."""
        line = ['run', '--rm=no', '--name=c', '--hostname=h', '--cpuset-cpus=0', '-m', '1G', '--memory-swap-max=1M',
                '--pids-limit=77', '-w', '/tmp', '--read-only=no',
                '--init', '--no-new-privileges', '-e', 'A=1', '-e', 'B=', 'rootfs', '/bin/echo', 'a b', '']
        configs = []
        for program in self.both:
            self.assertEqual(self.outcome([program, *line])[::2], (0, b''))
            [container] = [entry for entry in self.root.containers() if entry[0] == 'c']
            [config] = Container(self.root, container[-1]).call('GetConfig')
            # by which each hears of the end, and is heard to be gone
            configs.append({key: value for key, value in config.items() if key not in WAYS})
            self.discard(container[-1])
        self.assertEqual(*configs)

    def start(self, program, *arguments, **kwargs):
        kwargs.setdefault('stdin', subprocess.DEVNULL)
        return self.started(program, 'run', *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)

    def told(self, process):
        """The end of a process that has said its first line."""
        out, errors = process.communicate(timeout=60)
        return process.returncode, out, errors

    def each(self, act, script=TRAP, **kwargs):
        """`act` on each naivec once its command runs; what both tell of it, which is the same."""
        ends = []
        for program in self.both:
            process = self.start(program, self.rootfs, '/bin/sh', '-c', script, **kwargs)
            self.assertEqual(process.stdout.readline(), b'up\n')
            act(process)
            ends.append(self.told(process))
            self.eventually(lambda: self.root.containers() == [], 20, 'the end of the container')
        self.assertEqual(*ends)
        return ends[0]

    def container(self):
        return Container(self.root, self.root.containers()[0][-1])

    def comm(self):
        with open(f'/proc/{self.container().pid}/comm') as f:
            return f.read()

    def test_layouts(self):
        """naivec-full is found in the tree that both were installed into, or beside naivec in a folder: never by PATH,
        argv[0] or the working directory."""
        where = f'{self.world.directory}/layouts'
        for name, words in (('tree/usr/libexec', 'tree'), ('folder', 'folder'), ('path', 'hostile')):
            os.makedirs(f'{where}/{name}')
            write(f'{where}/{name}/naivec-full', f'#!/bin/sh\necho {words}\n')
            os.chmod(f'{where}/{name}/naivec-full', 0o755)
        self.addCleanup(shutil.rmtree, where)
        os.makedirs(f'{where}/alone')
        os.makedirs(f'{where}/tree/usr/bin')
        for name, words in (('tree/usr/bin', b'tree\n'), ('folder', b'folder\n'), ('alone', None)):
            program = shutil.copy(self.lean, f'{where}/{name}/naivec')
            done = subprocess.run([f'{where}/path/naivec', 'list', '--nonsense'], executable=program, capture_output=True,
                                  cwd=f'{where}/path', env={'PATH': f'{where}/path'})
            if words:
                self.assertEqual(done.stdout, words)
            else:
                self.assertNotIn(b'hostile', done.stdout)
                self.assertNotEqual(done.returncode, 0)

    def test_killed(self):
        """The container is killed, by a signal of each kind; by the owner's Stop; naivec itself is killed."""
        for number in signal.SIGKILL, signal.SIGTERM:
            self.each(lambda _, number=number: self.container().kill(number, 'main'))
        self.each(lambda _: self.container().stop())
        self.assertEqual(self.each(lambda process: process.kill())[0], -signal.SIGKILL)

    def test_signals(self):
        """What is sent to naivec, or to its process group as Ctrl-C is; three times; to what does not mind; what it was
        started to ignore."""
        self.assertEqual(self.each(lambda process: process.terminate())[0], 7)
        minds_nothing = 'echo up; exec sleep 600'
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT:
            def act(process, number=number):
                self.eventually(lambda: self.comm() == 'sleep\n', 20, 'exec')  # the shell may mind until then
                os.killpg(process.pid, number)
            self.assertEqual(self.each(act, minds_nothing, start_new_session=True)[0], 128 + number)
        ignores = 'trap "" TERM INT; echo up; while :; do sleep .05; done'

        def insist(process):
            for _ in range(3):  # apart: pending signals are one
                process.send_signal(signal.SIGTERM)
                self.eventually(lambda: not self.is_pending(process, signal.SIGTERM), 20, 'the signal')
        self.assertEqual(self.each(insist, ignores)[0], 128 + signal.SIGTERM)
        both = 'trap "exit 8" USR1; trap "exit 9" USR2; echo up; while :; do sleep .05; done'
        self.assertEqual(self.each(lambda process: (process.send_signal(signal.SIGUSR1),
                                                    process.send_signal(signal.SIGUSR2)), both,
                                   preexec_fn=lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN))[0], 9)

    @staticmethod
    def is_pending(process, number):
        try:
            with open(f'/proc/{process.pid}/status') as f:
                words = dict(line.split(':\t', 1) for line in f if line.startswith(('ShdPnd', 'SigPnd', 'State')))
        except OSError:
            return False
        return any(int(words.get(key, '0'), 16) >> (number - 1) & 1 for key in ('ShdPnd', 'SigPnd'))

    def test_full_pipe(self):
        """Nobody reads for a while; nobody reads any more."""
        for program in self.both:
            process = self.start(program, self.rootfs, '/bin/sh', '-c', 'head -c 1000000 /dev/zero; echo e >&2; exit 5')
            select.select([process.stdout], [], [], 20)
            self.assertEqual(self.told(process), (5, b'\0' * 1000000, b'e\n'))
        self.each(lambda process: process.stdout.close() or setattr(process, 'stdout', None), 'echo up; yes; echo $? >&2')

    def test_detached(self):
        """An id is printed, and the container goes on."""
        for program in self.both:
            status, out, errors = self.outcome([program, 'run', '-d', '--name=bg', self.rootfs, '/bin/sleep', '600'])
            self.assertEqual((status, out, errors), (0, b'bg\n', b''))
            self.discard(self.container().path)

    def test_held_up(self):
        """A signal that comes after the command has begun is the command's, wherever naivec is just then."""
        if not shutil.which('strace'):
            self.skipTest('NOT RUN: there is no strace')
        for call in HELD_UP:
            for program in self.both:
                with self.subTest(call, program=os.path.basename(program)):
                    self.assertEqual(self.end_when_held_up(program, call), 7)

    def end_when_held_up(self, program, call):
        process = self.started('/bin/sh', '-c', 'read go; exec "$@"', 'sh', program, 'run', self.rootfs, '/bin/sh', '-c',
                               TRAP, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=dict(os.environ, LSAN_OPTIONS='detect_leaks=0'))  # does not work under ptrace
        with self.traced(process, f'{call}:delay_exit=100000'):
            process.stdin.write(b'\n')
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), b'up\n')
            process.terminate()
            return process.wait(60)

    @contextlib.contextmanager
    def traced(self, process, injection):
        with subprocess.Popen(['strace', '-qq', '-o', '/dev/null', '-e', f'inject={injection}', '-p', str(process.pid)],
                              stderr=subprocess.DEVNULL) as tracer:
            self.world.extra.append(tracer)

            def is_traced():
                with open(f'/proc/{process.pid}/status') as f:
                    return 'TracerPid:\t0\n' not in f.read()
            self.eventually(lambda: is_traced() or tracer.poll() is not None, 20, 'the tracer')
            try:
                yield
            finally:
                tracer.terminate()
                tracer.wait()
                self.world.extra.remove(tracer)
