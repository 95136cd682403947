"""Init: a PID 1 of the service's that reaps, hands signals on and ends as the command does."""

import os
import signal
import time

from harness.case import Case
from harness.place import Place


class Init(Case):
    def init(self, script, client=None, **options):
        return (client or self.root).spawn(self.rootfs, ['/bin/sh', '-c', script], Init=True, **options)

    def test_who_is_who(self):
        """The command is a child of naive-init, leads its own session, and has the same rights; PID 1 holds no file."""
        script = ('cat /proc/1/comm; tr "\\0" " " </proc/1/cmdline | sed "s/ *$//"; echo; '
                  'awk \'{print $1, $4, $6 == $1}\' /proc/$$/stat')
        name, line, stat = self.said(self.init(script)).splitlines()
        self.assertEqual((name, line), ('naive-init', 'naive-init'))
        pid, parent, leads = stat.split()
        self.assertEqual((parent, leads), ('1', '1'))
        self.assertNotEqual(pid, '1')
        container = self.init('sleep 600', User=(1000, 1000), CapabilityBoundingSet=['CAP_CHOWN'])
        first = f'/proc/{container.pid}'
        with open(f'{first}/task/{container.pid}/children') as f:
            command = f'/proc/{f.read().split()[0]}'
        rows = ('Uid', 'Gid', 'Groups', 'Cap', 'NoNewPrivs', 'Seccomp')

        def rights(process):
            with open(f'{process}/status') as f:
                return [row for row in f if row.startswith(rows)]
        self.assertEqual(rights(first), rights(command))
        self.assertEqual(os.listdir(f'{first}/fd'), [])

    def test_status(self):
        """PID 1 ends with the command's own status, 128+n for a signal, and naivec with the same."""
        for script, code in (('exit 0', 0), ('exit 3', 3), ('kill -ABRT $$', 134), ('kill -KILL $$', 137)):
            with self.subTest(script):
                result = 'exit-code' if code else 'success'
                self.assertEqual(self.init(script).wait(), (result, code))
                done = self.command(self.world.naivec, 'run', '--init', self.rootfs, '/bin/sh', '-c', script)
                self.assertEqual(done.returncode, code, done.stderr)

    def test_reaps(self):
        """What the command leaves behind is reaped when it ends; the rest ends with the command."""
        script = ('for i in 1 2 3 4 5; do (sleep 0.1 & true) & done; wait; sleep 600 & '
                  'while [ "$(ps -o stat,ppid | grep -c "^Z")" != 0 ] || [ "$(pidof sleep | wc -w)" != 1 ]; do '
                  'usleep 20000; done; pidof sleep | wc -w')
        self.assertEqual(self.said(self.init(script)), '1\n')

    def test_signals(self):
        """A signal to PID 1 reaches the command, which without a handler ends by it, at once; Kill and Stop work so."""
        container = self.init('trap "echo got" USR1; echo on; while :; do sleep 0.05; done')
        self.eventually(lambda: container.log() == b'on\n', timeout=20)
        container.kill(signal.SIGUSR1)
        self.eventually(lambda: container.log() == b'on\ngot\n', timeout=20)
        container.stop(timeout=60)
        self.assertEqual(container.wait(), ('exit-code', 128 + signal.SIGTERM))
        container = self.init('exec sleep 600')
        container.kill(signal.SIGRTMIN + 3)
        self.assertEqual(container.wait(), ('exit-code', 128 + signal.SIGRTMIN + 3))

    def test_all(self):
        """A signal to all processes reaches the command once, and what it has started, too."""
        container = self.init('(trap "echo child" USR1; echo on; while :; do usleep 20000; done) & '
                              'trap "echo command" USR1; echo on; while :; do usleep 20000; done')
        self.eventually(lambda: container.log() == b'on\non\n', timeout=20)
        for count in range(1, 6):
            container.kill(signal.SIGUSR1, whom='all')
            self.eventually(lambda: container.log().count(b'child') == count, timeout=20)
            self.eventually(lambda: container.log().count(b'command') == count, timeout=20)
        container.kill(signal.SIGUSR2)  # ends it after what it has still to say
        container.wait()
        self.assertEqual(container.log().count(b'command'), 5)

    def test_timeout(self):
        """`timeout 1 naivec run --init R sleep 60` ends at once."""
        begin = time.monotonic()
        done = self.command('timeout', '1', self.world.naivec, 'run', '--init', self.rootfs, 'sleep', '60')
        self.assertEqual(done.returncode, 124, done.stderr)
        self.assertLess(time.monotonic() - begin, 30)

    def test_from_inside(self):
        """A command cannot end its PID 1 by SIGKILL, and any other signal to it comes back to the command."""
        self.assertEqual(self.said(self.init('kill -KILL 1; trap "exit 0" TERM; kill -TERM 1; sleep 60 & wait')), '')

    def test_exec_beside(self):
        """Exec joins beside the command, and what it leaves is reaped too."""
        container = self.init('exec sleep 600')
        done = self.command(self.world.naivec, 'exec', container.id, 'sh', '-c',
                            '(sleep 0.2 &) ; echo $PPID; while pidof sleep | grep -q " "; do usleep 20000; done; '
                            'ps -o stat | grep -c "^Z"')
        self.assertEqual(done.stdout, b'0\n0\n', done.stderr)

    def test_terminal(self):
        """The terminal is the command's: ^C interrupts it, ^Z is lost on it, and its end hangs it up."""
        container = self.init('trap "echo int" INT; echo on; read a; read b; echo b=$b; sleep 600', Terminal=True)
        fd, = self.attach(container)
        self.expect(fd, b'on\r\n', timeout=20)
        os.write(fd, b'\x1a')
        os.write(fd, b'\x03')
        self.expect(fd, b'int', timeout=20)
        container.kill(signal.SIGHUP)
        self.assertEqual(container.wait(), ('exit-code', 128 + signal.SIGHUP))

    def attach(self, container):
        container.call('Attach', 'a{sv}', ({},))
        for fd in self.root.fds:
            self.addCleanup(os.close, fd)
        return self.root.fds

    def test_create_and_errors(self):
        """Create waits as ever; a missing command is the error as ever; without room for two tasks it is told."""
        container = self.root.create(self.rootfs, ['/bin/echo', 'hi'], Init=True)
        container.start()
        self.assertEqual(self.said(container), 'hi\n')
        with self.refused('CommandNotFound', text='no-such'):
            self.root.spawn(self.rootfs, ['no-such'], Init=True)
        with self.refused('SetupFailed', text='PID 1'):
            self.root.spawn(self.rootfs, ['/bin/true'], Init=True, TasksMax=1)
        with self.refused('InvalidArgs', text='Init'):
            self.root.call_text('/org/naive/Runc', 'org.naive.Runc.Manager1', 'Spawn', '(ayaaya{uh}a{sv})',
                                f'(b"{self.rootfs}", [b"/bin/true"], {{}}, {{"Init": <"yes">}})')

    def test_embedded(self):
        """So it is with an embedded service of a user's."""
        done = self.command(self.world.naivec, '--embedded', 'run', '--init', self.rootfs_of('alice'), 'sh', '-c',
                            'cat /proc/1/comm; kill -ABRT $$', user='alice',
                            env={'NAIVE_RUNCD': f'{self.world.build}/naive-runcd'})
        self.assertEqual((done.stdout, done.returncode), (b'naive-init\n', 134), done.stderr)

    def test_after_restart(self):
        """The next service hands signals to the same PID 1, goes on with the output, and knows its end."""
        place = Place(self, 'init-restart')
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'trap "echo got; exit 7" TERM; '
                                                     'while :; do echo on; sleep 0.05; done'], Init=True)
        self.eventually(lambda: b'on' in container.log(), timeout=20)
        place.process.send_signal(signal.SIGTERM)
        place.process.wait(timeout=20)
        place.start()
        before = len(container.log())
        self.eventually(lambda: len(container.log()) > before + 100, timeout=20, what='output after the restart')
        container.kill(signal.SIGTERM)
        self.assertIn(container.wait(), (('exit-code', 7), ('unknown', 0)))
