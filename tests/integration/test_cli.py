"""naivec's other verbs, and naivec at its edges: detached runs, logs, several containers at once, hostile words, forged
signals, a connection that carries no fds."""

import json
import os
import signal
import stat
import subprocess
import tempfile
import time

from harness.case import Case
from harness.client import CONTAINER, GLib
from harness.world import USERS
from test_naivec import Naivec


class Verbs(Naivec):
    def test_life(self):
        """create, start, list, status, logs, wait and delete show one container's life; -n shows the last lines."""
        self.good('create', '--name=cli', self.rootfs, '/bin/sh', '-c', 'echo some; echo words; exit 3')
        self.assertIn(b'created', self.naivec('list').stdout)
        self.assertEqual(self.naivec('start', 'cli').returncode, 0)
        self.assertEqual(self.naivec('wait', 'cli').returncode, 3)
        self.assertEqual(self.naivec('logs', 'cli').stdout, b'some\nwords\n')
        self.assertEqual(self.naivec('logs', '-n1', 'cli').stdout, b'words\n')
        status = self.naivec('status', '-n1', 'cli')
        self.assertIn(b'stopped', status.stdout, status.stderr)
        self.assertIn(b'\nwords\n', status.stdout)
        self.assertNotIn(b'some', status.stdout)
        self.assertEqual(self.naivec('delete', 'cli').returncode, 0)
        self.nothing_started()

    def test_unknown_container(self):
        """An unknown container is exit status 1 with words."""
        for verb in ('status', 'start', 'stop', 'kill', 'wait', 'delete', 'logs', 'attach'):
            with self.subTest(verb=verb):
                done = self.naivec(verb, 'no-such')
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b'no-such', done.stderr)


class Detached(Naivec):
    def test_detach(self):
        """run -d prints the id, with --json the path as well, and leaves the container running with a log."""
        said = json.loads(self.good('--json=short', 'run', '-d', '--name=back', self.rootfs, '/bin/sh', '-c',
                                    'echo kept; sleep .5; echo late; exit 4'))
        self.assertEqual(said['id'], 'back')
        self.assertEqual(self.root.prop(said['path'], CONTAINER, 'Id'), 'back')
        self.assertEqual(self.good('logs', '-f', 'back', timeout=15), b'kept\nlate\n')
        done = self.naivec('wait', 'back')
        self.assertEqual((done.returncode, done.stdout), (4, b'back exit-code 4\n'), done.stderr)

    def test_follow_from_the_tail(self):
        """logs -n N -f joins the old lines and the new without a seam."""
        container = self.root.spawn(
            self.rootfs, ['/bin/sh', '-c', 'i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); sleep .003; done'],
            Id='seam')
        time.sleep(0.3)
        lines = self.naivec('logs', '-n5', '-f', 'seam').stdout.decode().splitlines()
        numbers = [int(line.split()[1]) for line in lines]
        self.assertEqual(numbers, list(range(numbers[0], 300)))
        self.assertEqual(container.wait()[0], 'success')

    def test_remove(self):
        """--rm=no keeps what ran attached; --rm forgets what ran detached."""
        self.naivec('run', '--rm=no', '--name=kept', self.rootfs, '/bin/sh', '-c', 'exit 6')
        self.assertEqual(self.naivec('wait', 'kept').returncode, 6)
        self.assertEqual(self.good('run', '-d', '--rm', '--name=gone', self.rootfs, '/bin/true'), b'gone\n')
        self.eventually(lambda: [c[0] for c in self.root.containers()] == ['kept'])


class Several(Naivec):
    def test_wait(self):
        """wait with several shows each as it ends, and exits with 0."""
        reader, writer = os.pipe()
        self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'read word; exit 3'], fds={0: reader}, Id='slow')
        os.close(reader)
        self.root.spawn(self.rootfs, ['/bin/true'], Id='quick')
        process = self.start('wait', 'slow', 'quick', stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b'quick success 0\n')
        os.close(writer)
        self.assertEqual((process.stdout.read(), process.wait()), (b'slow exit-code 3\n', 0))
        results = json.loads(self.good('wait', '--json=short', 'slow', 'quick'))
        self.assertEqual({r['id']: (r['result'], r['code']) for r in results},
                         {'slow': ('exit-code', 3), 'quick': ('success', 0)})

    def test_some_fail(self):
        """One unknown name among several is complained about, and the others are served."""
        self.root.create(self.rootfs, ['/bin/true'], Id='real')
        done = self.naivec('start', 'false', 'real')
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'false', done.stderr)
        self.assertEqual(self.root.get_container('real').wait(), ('success', 0))

    def test_stop_all(self):
        """stop --all ends all, those that ignore SIGTERM too, and their grace times overlap."""
        containers = [self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'trap "" TERM; sleep 60 & wait; sleep 60'])
                      for _ in range(4)]
        begin = time.monotonic()
        self.good('stop', '--all', '--time=1', timeout=20)
        self.assertLess(time.monotonic() - begin, 3 * self.world.slowness)
        for container in containers:
            self.assertEqual(container.state, 'stopped')

    def test_stop_all_of_a_user(self):
        """stop --all of a user leaves other users' containers alone."""
        mine = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], Id='mine')
        theirs = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sleep', '60'], Id='theirs')
        self.good('stop', '--all', '--time=0.1', user='alice')
        self.assertEqual(theirs.state, 'stopped')
        self.assertEqual(mine.state, 'running')

    def test_kill_all(self):
        """kill reaches the main process alone, kill --all every process."""
        script = 'sh -c \'trap "echo child" USR1; echo on; while :; do sleep .05; done\' & ' \
                 'trap "echo main" USR1; echo on; while :; do sleep .05; done'
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', script], Id='pair')
        self.eventually(lambda: container.log().count(b'on\n') == 2)
        self.good('kill', '-s', 'USR1', 'pair')
        self.eventually(lambda: b'main' in container.log())
        self.assertNotIn(b'child', container.log())
        self.good('kill', '--all', '-s', 'SIGUSR1', 'pair')
        self.eventually(lambda: b'child' in container.log())

    def test_list(self):
        """list names another's container so that the other verbs understand it; --no-legend leaves out the headings."""
        self.user('alice').create(self.rootfs_of('alice'), ['/bin/true'], Id='hers')
        self.root.create(self.rootfs, ['/bin/true'], Id='own')
        rows = [line.split() for line in self.good('list', '--no-legend').decode().splitlines()]
        self.assertEqual({(row[0], row[2]) for row in rows}, {(f'{USERS["alice"]}/hers', 'alice'), ('own', 'root')})
        self.good('status', f'{USERS["alice"]}/hers')
        self.assertIn(b'OWNER', self.good('list').splitlines()[0])
        self.assertEqual({row['id'] for row in json.loads(self.good('list', '--json=short'))}, {'hers', 'own'})


class Hostile(Naivec):
    def test_error_is_escaped(self):
        """Control characters in an error's words do not reach the terminal."""
        done = self.naivec('run', '/no/\x1b[2J\nnaivec: fine', '/bin/true')
        self.assertEqual(done.returncode, 125)
        self.assertNotIn(b'\x1b', done.stderr)
        self.assertEqual([line for line in done.stderr.splitlines() if line.startswith(b'naivec: fine')], [])

    def test_isolation(self):
        """status shows in one line how a container deviates from the default, and as a list in JSON."""
        self.good('run', '-d', '--name=plain', self.rootfs, '/bin/true')
        self.good('run', '-d', '--name=open', '--network=host', '--cap-add=net_admin', '--cap-add=CAP_SYS_PTRACE',
                  '--seccomp=unconfined', '--no-new-privileges=no', '--userns=self', '--read-only=no', self.rootfs,
                  '/bin/true')
        words = ['UserNamespace=self', 'Network=host', 'Capabilities=+CAP_NET_ADMIN,+CAP_SYS_PTRACE',
                 'Seccomp=unconfined', 'NoNewPrivileges=no', 'ReadOnlyRoot=no']
        self.assertIn(b'\n  Isolation: default\n', self.good('status', 'plain'))
        self.assertIn(f'\n  Isolation: {" ".join(words)}\n', self.good('status', 'open').decode())
        self.assertEqual([c['Deviations'] for c in json.loads(self.good('--json=short', 'status', 'plain', 'open'))],
                         [[], words])

    def test_opt_outs_are_checked(self):
        """A capability that there is not is a usage error; a mode that there is not is the service's."""
        self.assertEqual(self.naivec('run', '--cap-add=CAP_NOTHING', self.rootfs).returncode, 2)
        for flag in ('--network=bridge', '--seccomp=off', '--userns=nomap'):
            done = self.naivec('run', flag, self.rootfs, '/bin/true')
            self.assertEqual(done.returncode, 125)
            self.assertIn(flag.split('=')[1].encode(), done.stderr)

    def test_status_is_escaped(self):
        """status escapes what the container wrote; logs, on a pipe, does not touch it."""
        self.root.spawn(self.rootfs, ['/bin/printf', r'\033[2Jx\001\n'], Id='esc').wait()
        self.assertIn(rb'\x1b[2Jx\x01', self.good('status', 'esc'))
        self.assertEqual(self.good('logs', 'esc'), b'\x1b[2Jx\x01\n')

    def test_forged_signals(self):
        """Forged Exited signals do not change the exit status."""
        process = self.start('run', '--name=forged', self.rootfs, '/bin/sh', '-c', 'echo on; read x; exit 9',
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b'on\n')
        forger = self.another_client()
        path = self.root.get_container('forged').path
        bus = ('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus')
        names = forger.call(bus[1], bus[2], 'ListNames', destination=bus[0])[0]
        for name in names:
            if not name.startswith(':'):
                continue
            pid, = forger.call(bus[1], bus[2], 'GetConnectionUnixProcessID', 's', (name,), destination=bus[0])
            if pid == process.pid:
                forger.connection.emit_signal(name, path, CONTAINER, 'Exited', GLib.Variant('(si)', ('success', 0)))
                break
        else:
            self.fail('naivec is not on the bus')
        forger.connection.emit_signal(None, path, CONTAINER, 'Exited', GLib.Variant('(si)', ('success', 0)))
        forger.connection.flush_sync(None)
        time.sleep(0.3)
        self.assertIsNone(process.poll())
        process.stdin.write(b'\n')
        process.stdin.flush()
        self.assertEqual(process.wait(timeout=10), 9)

    def test_signal_in_a_hurry(self):
        """SIGTERM at any moment ends naivec and leaves no container running."""
        for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.04):
            process = self.start('run', self.rootfs, '/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep .02; done')
            time.sleep(delay)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:  # it came before the trap, and PID 1 ignores what it does not handle
                for _ in range(3):
                    process.send_signal(signal.SIGTERM)
                    time.sleep(0.05)
                process.wait(timeout=5)
            self.eventually(lambda: all(c[1] == 'stopped' for c in self.root.containers()))

    def test_insisting(self):
        """A command that ignores SIGTERM: the third in a row ends naivec, and the container with it."""
        process = self.start('run', self.rootfs, '/bin/sh', '-c', 'trap "" TERM; echo on; sleep 60',
                             stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b'on\n')
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        self.assertEqual(process.wait(timeout=5), 143)
        self.eventually(lambda: self.root.containers() == [])

    def test_closed_stdio(self):
        """Closed stdin, stdout and stderr are /dev/null inside, and nothing of naivec's."""
        done = self.command('/bin/bash', '-c', f'{self.world.naivec} run {self.rootfs} /bin/sh -c '
                            '"ls -l /proc/self/fd/0 /proc/self/fd/2" <&- 2>&-')
        self.assertEqual(done.stdout.count(b'/dev/null'), 2, done.stdout)
        self.assertEqual(done.returncode, 0)

    def test_service_gone(self):
        """If the service dies, naivec says so with 125 and does not hang."""
        with tempfile.TemporaryFile() as words:
            process = self.start('run', self.rootfs, '/bin/sh', '-c', 'echo on; sleep 60',
                                 stdout=subprocess.PIPE, stderr=words)
            self.assertEqual(process.stdout.readline(), b'on\n')
            self.world.service.kill()
            self.world.service.wait()
            self.assertEqual(process.wait(timeout=10), 125)
            words.seek(0)
            self.assertIn(b'naivec: ', words.read())
        self.world.restart_service()  # ends the orphan
        Case.baseline = None
        super().setUp()


class Remote(Naivec):
    """-H with an ssh that stays at home: bytes pass, fds do not."""

    def setUp(self):
        super().setUp()
        bridge = '/usr/bin/systemd-stdio-bridge'
        if not os.path.exists(bridge):
            self.skipTest(f'no {bridge}')
        directory = tempfile.mkdtemp(dir=self.world.directory)
        with open(f'{directory}/ssh', 'w') as f:
            f.write('#!/bin/sh\nwhile [ "$1" != systemd-stdio-bridge ]; do shift; done\n'
                    f'exec {bridge} --bus-path={self.world.address}\n')
        os.chmod(f'{directory}/ssh', stat.S_IRWXU)
        self.environment = {'PATH': f'{directory}:{os.environ["PATH"]}',
                            'DBUS_SYSTEM_BUS_ADDRESS': 'unix:path=/nonexistent'}

    def remote(self, *arguments, **kwargs):
        return self.naivec('-H', 'elsewhere', *arguments, env=self.environment, **kwargs)

    def test_life(self):
        """run -d, list, status, logs -f, wait, stop and delete work from far away."""
        script = 'echo 1; sleep .4; echo 2; exit 3'
        done = self.remote('run', '-d', '--name=far', self.rootfs, '/bin/sh', '-c', script)
        self.assertEqual((done.returncode, done.stdout), (0, b'far\n'), done.stderr)
        self.assertIn(b'0/far', self.remote('list').stdout)
        self.assertEqual(self.remote('logs', '-f', 'far', timeout=15).stdout, b'1\n2\n')
        self.assertEqual(self.remote('wait', 'far').returncode, 3)
        self.assertIn(b'exit-code', self.remote('status', 'far').stdout)
        self.assertEqual(self.remote('delete', 'far').returncode, 0)
        self.root.spawn(self.rootfs, ['/bin/sleep', '60'], Id='on')
        self.assertEqual(self.remote('stop', '--time=0.1', 'on').returncode, 0)

    def test_fds(self):
        """What needs fds says so, before anything is started."""
        for arguments, status in ((('run', self.rootfs, '/bin/true'), 125), (('attach', 'x'), 1),
                                  (('run', 'relative', '/bin/true'), 2)):
            done = self.remote(*arguments)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertTrue(done.stderr.strip())
        self.assertIn(b'descriptors', self.remote('attach', 'x').stderr)
        self.nothing_started()

    def test_no_ssh(self):
        """No connection is an error with the host's name."""
        self.environment['PATH'] = '/nonexistent'
        done = self.remote('list')
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'elsewhere', done.stderr)


class Connection(Naivec):
    def test_no_bus(self):
        """Without a system bus there is a hint at --embedded, which -q leaves out."""
        environment = {'DBUS_SYSTEM_BUS_ADDRESS': 'unix:path=/nonexistent'}
        done = self.naivec('list', env=environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'--embedded', done.stderr)
        done = self.naivec('-q', 'list', env=environment)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_address(self):
        """--address goes to another bus than the system's."""
        environment = {'DBUS_SYSTEM_BUS_ADDRESS': 'unix:path=/nonexistent'}
        self.assertIn(b'ID', self.good(f'--address={self.world.address}', 'list', env=environment))

    def test_full_disk(self):
        """Output that cannot be written is a failure."""
        with open('/dev/full', 'w') as full:
            process = self.start('list', stdout=full, stderr=subprocess.DEVNULL)
            self.assertEqual(process.wait(timeout=10), 1)
