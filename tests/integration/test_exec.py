"""Processes that join a container: Exec, and the objects that it makes."""

import glob
import os
import signal

import test_naivec
from harness.case import TELLS_EXIT, Case
from harness.client import CONTAINER, BusError, Container, pump
from harness.exec_case import EXEC, SLEEP, Exec, ExecCase, read_text, rights_of
from harness.place import Place


class Whole(ExecCase):
    def test_output_and_codes(self):
        """What the command writes is in its own log, and each way to end has its result and code."""
        container = self.container()
        self.assertEqual(self.says(container, 'echo hello; echo world >&2'), 'hello\nworld\n')
        for script, result in (('exit 0', ('success', 0)), ('exit 7', ('exit-code', 7)), ('kill -9 $$', ('signal', 9)),
                               ('kill -15 $$', ('signal', 15))):
            self.assertEqual(self.execute(container, ['/bin/sh', '-c', script]).wait(), result)
        self.assertEqual(container.log(), b'')
        self.assertEqual(container.state, 'running')

    def test_inside(self):
        """The process is in the container: among its processes, on its host, in its tree, with its ids."""
        container = self.container(Hostname='inner', Id='inside')
        log = self.says(container, 'hostname; pwd; id -u; cat /proc/1/cmdline | tr "\\0" " "; cat /proc/self/cgroup')
        self.assertTrue(log.startswith('inner\n/\n0\n/bin/sleep 600 '), log)

    def test_objects(self):
        """Paths are numbered from 1 below the container's, the ObjectManager shows them, and they go with the container."""
        container = self.container(Id='exec')  # an id like any other
        seen = self.root.subscribe()
        first, second = self.execute(container, SLEEP), self.execute(container, ['/bin/true'])
        self.assertEqual((first.path, second.path), (container.path + '/exec/1', container.path + '/exec/2'))
        self.assertEqual(second.wait(), ('success', 0))
        self.assertEqual(first.props()['State'], 'running')
        self.assertEqual(os.readlink(f'/proc/{first.pid}/ns/pid'), os.readlink(f'/proc/{container.pid}/ns/pid'))
        self.assertEqual(second.props(), {'Pid': 0, 'State': 'stopped', 'Result': 'success', 'ExitCode': 0})
        self.assertLessEqual({first.path, second.path}, set(self.root.managed()))
        container.kill(whom='all')
        container.wait()
        self.assertEqual(first.wait(), ('signal', 9))
        container.delete()
        self.assertFalse({first.path, second.path} & set(self.root.managed()))
        with self.refused('UnknownObject'):
            first.wait()
        self.assertTrue(pump(lambda: sum(s[2] == 'InterfacesRemoved' for s in seen) >= 3))
        told = [(s[2], s[0] if s[2] in ('Exited', 'PropertiesChanged') else s[3][0]) for s in seen]
        for path, order in ((first.path, ['InterfacesAdded', 'Exited', 'PropertiesChanged', 'InterfacesRemoved']),
                            (second.path, ['InterfacesAdded', 'Exited', 'PropertiesChanged', 'InterfacesRemoved'])):
            self.assertEqual([name for name, of in told if of == path], order)


class Less(ExecCase):
    def test_less(self):
        """By its own options a process has less: another user's ids and rights, no new privileges, fewer files."""
        container = self.container(NoNewPrivileges=False)
        joined = self.execute(container, SLEEP, User=(1000, 1001), SupplementaryGroups=[7], NoNewPrivileges=True,
                              LimitNOFILE=(20, 30), Capabilities=['CAP_CHOWN'])
        first, rights = rights_of(container.pid), rights_of(joined.pid)
        base = int(first['Uid'][0])
        self.assertEqual((rights['Uid'], rights['Gid'], rights['Groups']),
                         ([str(base + 1000)] * 4, [str(base + 1001)] * 4, [str(base + 7)]))
        self.assertEqual([int(rights[name][0], 16) for name in ('CapPrm', 'CapEff', 'CapInh', 'CapAmb')], [1] * 4)
        self.assertEqual((rights['NoNewPrivs'], first['NoNewPrivs'], rights['CapBnd']), (['1'], ['0'], first['CapBnd']))
        self.assertRegex(rights['limits'], r'Max open files +20 +30 ')
        self.assertIn('HOME=/\n', self.says(container, 'env', User=(1000, 1000)))


class Whose(ExecCase):
    def test_owner_and_root(self):
        """The owner needs no permission and root none, in Exec and in all of its object."""
        alice = self.user('alice')
        container = self.container(client=alice, rootfs=self.rootfs_of('alice'))
        for client in (alice, self.root):
            joined = self.execute(container, SLEEP, client=client)
            joined.call('OpenPIDFD')
            joined.kill()
            self.assertEqual(joined.wait(), ('signal', 9))

    def test_stranger(self):
        """To a stranger there is neither the container nor the object, whatever it calls, and nothing is done."""
        alice, mallory = self.user('alice'), self.impostor('mallory')
        container = self.container(client=alice, rootfs=self.rootfs_of('alice'))
        joined = self.execute(container, SLEEP)
        with self.refused('UnknownObject'):
            self.execute(container, ['/bin/true'], client=mallory)
        hers = Exec(mallory, joined.path)
        nothing = Exec(mallory, container.path + '/exec/99')
        for member, signature, arguments in (('Kill', 'i', (9,)), ('Wait', '()', ()), ('Attach', 'a{sv}', ({},)),
                                             ('ResizeTerminal', 'qq', (1, 1)), ('OpenPIDFD', '()', ()),
                                             ('ReadLog', 'tu', (0, 10)), ('OpenLog', 'a{sv}', ({},))):
            for target in (hers, nothing):
                with self.subTest(member), self.refused('UnknownObject'):
                    target.call(member, signature, arguments)
        with self.assertRaises(BusError):
            hers.props()
        self.assertNotIn(joined.path, mallory.managed())
        self.assertEqual(joined.props()['State'], 'running')

    def test_by_permission(self):
        """Whom polkit grants exec executes in another's container, here one command and no other that looks like it."""
        container = self.container(client=self.user('alice'), rootfs=self.rootfs_of('alice'))
        erin = self.impostor('erin')
        joined = self.execute(container, ['/bin/echo', 'a b'], client=erin)
        self.assertEqual((joined.wait(), joined.log()), (('success', 0), b'a b\n'))
        for argv in (['/bin/echo', 'a', 'b'], ['/bin/sh'], []):
            with self.subTest(str(argv)), self.refused('UnknownObject'):
                self.execute(container, argv, client=erin)
        with self.refused('UnknownObject'):
            joined.kill()

    def test_states(self):
        """Only in a container that runs: not created, paused or stopped, and a deleted one is unknown."""
        container = self.root.create(self.rootfs, SLEEP)
        with self.refused('InvalidState', text='created'):
            self.execute(container, ['/bin/true'])
        container.start()
        container.call('Pause')
        with self.refused('InvalidState', text='paused'):
            self.execute(container, ['/bin/true'])
        container.call('Resume')
        self.says(container, 'true')
        container.end()
        with self.refused('InvalidState', text='stopped'):
            self.execute(container, ['/bin/true'])
        container.delete()
        with self.refused('UnknownObject'):
            self.execute(container, ['/bin/true'])


class Ends(ExecCase):
    def test_not_executed(self):
        """A command that is not there, or that cannot be executed, is the call's error; no object is left."""
        container = self.container()
        before = set(self.root.managed())
        for argv, error in ((['/no/such'], 'CommandNotFound'), (['nosuch'], 'CommandNotFound'),
                            (['/etc'], 'CommandNotExecutable'), (['/proc/self/exe'], 'CommandNotExecutable')):
            with self.subTest(argv[0]), self.refused(error, text='container'):
                self.execute(container, argv)
        with self.refused('SetupFailed', text='/nowhere'):
            self.execute(container, ['/bin/true'], WorkingDirectory='/nowhere')
        self.assertEqual(set(self.root.managed()), before)

    def test_signals(self):
        """Kill reaches the process and not the container; when it has ended it is InvalidState."""
        container = self.container()
        joined = self.execute(container, ['/bin/sh', '-c', 'trap "exit 5" USR1; echo on; while :; do sleep .02; done'])
        self.eventually(joined.log)
        with self.refused('InvalidArgs', text='signal'):
            joined.kill(4711)
        joined.kill(signal.SIGUSR1)
        self.assertEqual(joined.wait(), ('exit-code', 5))
        self.assertEqual(joined.prop('ExitCode'), 5)
        for member, arguments in (('Kill', ('i', (9,))), ('OpenPIDFD', ())):
            with self.subTest(member), self.refused('InvalidState', text='has ended'):
                joined.call(member, *arguments)
        self.assertEqual(container.state, 'running')

    def test_container_ends(self):
        """With the container every process in it ends, and each tells its end first."""
        container = self.container()
        many = [self.execute(container, SLEEP) for _ in range(5)]
        waits = [self.root.call_async(joined.path, EXEC, 'Wait') for joined in many]
        container.kill()
        self.assertEqual(container.wait(), ('signal', 9))
        self.assertTrue(pump(lambda: all(waits)))
        self.assertEqual([wait[0] for wait in waits], [('signal', 9)] * 5)

    def test_races_with_the_end(self):
        """A container that ends meanwhile is InvalidState, or the process is told as killed; no call is left open."""
        for _ in self.rounds(30):
            container = self.container()
            calls = [self.root.call_async(container.path, CONTAINER, 'Exec', 'aaya{uh}a{sv}', ([b'/bin/true'], {}, {}))
                     for _ in range(3)]
            container.kill()
            container.wait()
            self.assertTrue(pump(lambda: all(calls), timeout=30))
            for call in calls:
                if isinstance(call[0], BusError):
                    self.assertTrue(call[0].name.endswith('.InvalidState'), call[0])
            container.delete()

    def test_watch_bus(self):
        """With WatchBus the process ends with its caller, and the container does not."""
        container = self.container()
        client = self.another_client()
        joined = self.execute(container, SLEEP, client=client, WatchBus=True)
        stays = self.execute(container, SLEEP, client=client)
        client.close()
        self.assertEqual(Exec(self.root, joined.path).wait(), ('signal', 9))
        self.assertEqual(Exec(self.root, stays.path).prop('State'), 'running')
        self.assertEqual(container.state, 'running')

    def test_as_many_as_allowed(self):
        """64 run at most in a container; who has ended makes room, and its object goes."""
        container = self.container()
        many = [self.execute(container, SLEEP) for _ in range(64)]
        with self.refused('LimitsExceeded', text='64'):
            self.execute(container, SLEEP)
        many[7].kill()
        many[7].wait()
        self.assertTrue(self.execute(container, SLEEP).path.endswith('/exec/65'))
        with self.refused('UnknownObject'):
            many[7].wait()

    def check_restart(self, number):
        place = Place(self, f'exec{number}')
        container = self.container(client=place.client, User=(1000, 1000), CapabilityBoundingSet=['CAP_CHOWN'])
        joined = self.execute(container, SLEEP)
        pid, rights = joined.pid, rights_of(joined.pid)
        self.eventually(lambda: glob.glob(f'{place.state}/**/*.conf', recursive=True), what='the record')
        place.process.send_signal(number)
        place.process.wait(timeout=20)
        place.start()
        try:
            self.assertEqual(rights_of(pid), rights)
            with self.refused('UnknownObject'):
                joined.wait()
            again = self.execute(container, SLEEP)
            self.assertEqual(rights_of(again.pid), rights)
            with self.refused('InvalidArgs', text='User'):
                self.execute(container, SLEEP, User=(0, 0))
        finally:
            self.assertEqual(container.end(), ('signal', 9) if TELLS_EXIT else ('unknown', 0))
        self.eventually(lambda: not os.path.exists(f'/proc/{pid}'), what='the end of what had joined before')

    def test_restart(self):
        """When the service is stopped or killed and started again the process still runs, its object is gone, and
        more can join with the same rights."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                self.check_restart(number)


class Descriptors(ExecCase):
    def test_fds(self):
        """The caller's fds are the command's, by number; of others none is open, and what it writes there is no log."""
        container = self.container()
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        joined = self.execute(container, ['/bin/sh', '-c', 'echo out; echo nine >&9; ls /proc/self/fd'],
                              fds={1: write, 9: write})
        os.close(write)
        self.assertEqual(joined.wait(), ('success', 0))
        data = b''
        while piece := os.read(read, 4096):
            data += piece
        self.assertEqual(data.split(), [b'out', b'nine', b'0', b'1', b'2', b'3', b'9'])
        self.assertEqual(joined.log(), b'')
        self.assertEqual(self.says(container, 'readlink /proc/self/fd/0'), '/dev/null\n')

    def test_terminal(self):
        """A terminal is one of the container's: Attach reads and writes it, ResizeTerminal sets its size."""
        container = self.container()
        joined = self.execute(container, ['/bin/sh'], Terminal=True)
        joined.call('Attach', 'a{sv}', ({},))
        fd, = self.root.fds
        self.addCleanup(os.close, fd)
        os.write(fd, b'tty; echo is-$((6*7))\n')
        self.assertIn(b'/dev/pts/', self.expect(fd, b'is-42'))
        joined.call('ResizeTerminal', 'qq', (33, 99))
        os.write(fd, b'stty size\n')
        self.expect(fd, b'33 99')
        os.write(fd, b'exit 4\n')
        self.assertEqual(joined.wait(), ('exit-code', 4))
        plain = self.execute(container, SLEEP)
        for member, signature, arguments in (('Attach', 'a{sv}', ({},)), ('ResizeTerminal', 'qq', (1, 1))):
            with self.subTest(member), self.refused('NoTerminal'):
                plain.call(member, signature, arguments)
        with self.refused('InvalidArgs', text='Terminal'):
            self.execute(container, ['/bin/sh'], fds={0: 0}, Terminal=True)


class CommandLine(ExecCase, test_naivec.Naivec):
    terminal, finish = test_naivec.Terminal.terminal, test_naivec.Terminal.finish

    def test_pipes(self):
        """`naivec exec` carries input and output, bytes unchanged, and exits as the command does; as run, it takes -e,
        -w and --fd."""
        self.container(Id='cl')
        data = os.urandom(1 << 20)
        done = self.naivec('exec', '-i', 'cl', '/bin/cat', input=data)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, data, b''))
        done = self.naivec('exec', '-e', 'A=b', '-w', '/tmp', 'cl', '--', '/bin/sh', '-c',
                           'echo $A; pwd; echo oops >&2; exit 7')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, b'b\n/tmp\n', b'oops\n'))
        self.assertEqual(self.naivec('exec', 'cl', '/bin/sh', '-c', 'kill -9 $$').returncode, 137)
        done = self.command('/bin/sh', '-c', f'{self.world.naivec} exec --fd=5 cl /bin/cat /proc/self/fd/5 5</etc/hostname')
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_errors(self):
        """What fails has the exit statuses of run."""
        self.container(Id='cl')
        for line, status, words in ((['cl', '/no/such'], 127, b'not found'), (['cl', '/etc'], 126, b'/etc'),
                                    (['gone', '/bin/true'], 125, b'gone'), (['cl'], 2, b'command'),
                                    (['-u', '0:70000', 'cl', '/bin/true'], 125, b'User')):
            with self.subTest(str(line)):
                done = self.naivec('exec', *line)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(words, done.stderr)

    def test_detached(self):
        """-d prints the path of the object and leaves the command running."""
        container = self.container(Id='cl')
        path = self.good('exec', '-d', 'cl', '/bin/sh', '-c', 'echo kept; exit 3').decode().strip()
        joined = Exec(self.root, path)
        self.assertTrue(path.startswith(container.path + '/exec/'))
        self.assertEqual((joined.wait(), joined.log()), (('exit-code', 3), b'kept\n'))

    def test_signal(self):
        """A signal to naivec goes to the command, and what kills naivec ends it."""
        container = self.container(Id='cl')
        script = 'trap "exit 9" TERM; echo on; while :; do sleep .02; done'
        for number, status in ((signal.SIGTERM, 9), (signal.SIGKILL, -9)):
            process = self.start('exec', 'cl', '/bin/sh', '-c', script, stdout=-1)
            self.expect(process.stdout.fileno(), b'on')
            self.eventually(lambda: int(read_text(process.pid, 'status').split('SigBlk:')[1].split()[0], 16),
                            what='that naivec catches signals')
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=30), status)
        paths = [path for path in self.root.managed() if path.startswith(container.path + '/exec/')]
        self.assertEqual(len(paths), 2)
        for path in paths:
            Exec(self.root, path).wait()

    def test_service_ends(self):
        """When the service ends naivec says that the command goes on and its result is lost: 125."""
        place = Place(self, 'execlost')
        container = self.container(client=place.client, Id='cl')
        process = self.start(f'--address={place.bus.address}', 'exec', 'cl', '/bin/sh', '-c', 'echo on; exec sleep 600',
                             stdout=-1, stderr=-1)
        self.expect(process.stdout.fileno(), b'on')
        self.eventually(lambda: int(read_text(process.pid, 'status').split('SigBlk:')[1].split()[0], 16),
                        what='that naivec waits')
        place.process.terminate()
        place.process.wait(timeout=20)
        self.assertEqual(process.wait(timeout=30), 125)
        place.start()
        self.addCleanup(container.end)
        self.expect(process.stderr.fileno(), b'its result is lost')  # the command has it open, too: no end comes
        self.assertEqual(len(container.call('GetProcesses')[0]), 2)

    def test_terminal_of_ones_own(self):
        """On a terminal the command has one, of the same size; one that ends at once is shown whole."""
        self.container(Id='cl')
        pid, fd = self.terminal('exec', '-t', 'cl', '/bin/sh')
        self.expect(fd, b'# ')
        os.write(fd, b'echo is-$((6*7)) on $(tty)\n')
        self.expect(fd, b'is-42 on /dev/pts/')
        os.write(fd, b'exit 5\n')
        self.assertEqual(self.finish(pid, fd), 5)
        pid, fd = self.terminal('exec', 'cl', '/bin/echo', 'short')
        self.expect(fd, b'short')
        self.assertEqual(self.finish(pid, fd), 0)
