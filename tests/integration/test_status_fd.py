"""StatusFD and WatchFD: a pipe of the caller's that is told of each step, and by whose reader a container lives."""

import contextlib
import fcntl
import json
import os
import signal
import socket
import time

from harness.case import Case
from harness.exec_case import SLEEP, ExecCase
from harness.place import Place


class StatusFD(Case):
    def pipe(self):
        ends = os.pipe()
        return [os.fdopen(ends[0], 'rb', closefd=True), ends[1]]

    def spawn(self, script, client=None, rootfs=None, member='spawn', **options):
        """The container, and the reader of its pipe, whose write end only the service has."""
        reader, writer = self.pipe()
        self.addCleanup(reader.close)
        try:
            container = getattr(client or self.root, member)(rootfs or self.rootfs, ['/bin/sh', '-c', script],
                                                             StatusFD=writer, **options)
        finally:
            os.close(writer)
        return container, reader

    def test_lines(self):
        """A line for each step, and then the end of the file."""
        for member, steps in (('spawn', ['running', 'stopped']), ('create', ['created', 'running', 'stopped'])):
            with self.subTest(member=member):
                container, reader = self.spawn('exit 3', member=member)
                if member == 'create':
                    container.start()
                lines = [json.loads(line) for line in reader.read().splitlines()]
                self.assertEqual([line['state'] for line in lines], steps)
                self.assertEqual(lines[-2]['path'], container.path)
                self.assertGreater(lines[-2]['pid'], 0)
                usage = lines[-1].pop('usage')
                self.assertEqual(lines[-1], {'state': 'stopped', 'result': 'exit-code', 'code': 3, 'limit_hit': ''})
                self.assertEqual(usage, container.prop('Usage'))
                self.assertGreater(usage['WallUSec'], 0)

    def test_others(self):
        """Any caller has it, and by a stream socket as well as by a pipe."""
        alice = self.user('alice')
        ours, theirs = socket.socketpair()
        with ours, theirs:
            container = alice.spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', 'exit 4'], StatusFD=theirs.fileno())
            theirs.close()
            with ours.makefile() as reader:
                lines = [json.loads(line) for line in reader]
        self.assertEqual([line['state'] for line in lines], ['running', 'stopped'])
        self.assertEqual((lines[0]['path'], lines[1]['code']), (container.path, 4))
        _, reader = self.spawn('exit 5', alice, self.rootfs_of('alice'))
        self.assertEqual(json.loads(reader.read().splitlines()[-1])['code'], 5)

    def test_socket_watched(self):
        """With WatchFD a socket whose other side is closed ends the container, and one that is full holds up nobody."""
        ours, theirs = socket.socketpair()
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], StatusFD=theirs.fileno(), WatchFD=True)
        time.sleep(0.2)
        self.assertEqual(container.state, 'running')
        ours.close(), theirs.close()
        self.assertEqual(container.wait(), ('signal', 9))
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += theirs.send(b'\n' * 1000)
        container = self.root.spawn(self.rootfs, ['/bin/true'], StatusFD=theirs.fileno())
        self.assertEqual(container.wait(), ('success', 0))
        theirs.close()
        with ours, ours.makefile() as reader:
            self.assertEqual([json.loads(line)['state'] for line in reader if line.strip()], ['running', 'stopped'])

    def test_limit(self):
        """The last line tells the limit."""
        _, reader = self.spawn('sleep 60', RuntimeMaxUSec=300_000)
        last = json.loads(reader.read().splitlines()[-1])
        self.assertEqual((last['result'], last['code'], last['limit_hit']), ('timeout', 9, 'run-time'))

    def test_removed(self):
        """Who is removed at once is told all the same."""
        _, reader = self.spawn('exit 0', Remove=True)
        self.assertEqual(json.loads(reader.read().splitlines()[-1])['result'], 'success')

    def test_refused(self):
        """A refused request, whatever the reason, closes the pipe at once and says nothing."""
        for options in ({'Hostname': 'a b'}, {'MemoryMax': 4096}):
            reader, writer = self.pipe()
            with self.subTest(options=options), reader:
                with self.refused('InvalidArgs', 'MemoryTooLow'):
                    self.root.spawn(self.rootfs, ['/bin/true'], StatusFD=writer, **options)
                os.close(writer)
                self.assertEqual(reader.read(), b'')

    def test_wrong(self):
        """What is no pipe to write to is refused by its name; WatchFD needs a reader that can leave."""
        one, other = socket.socketpair(type=socket.SOCK_DGRAM)
        reader, writer = self.pipe()
        null = os.open('/dev/null', os.O_RDWR)
        regular = os.open('/proc/self/status', os.O_RDONLY)
        fifo = f'{self.world.directory}/fifo'
        os.mkfifo(fifo)
        self.addCleanup(os.unlink, fifo)
        both = os.open(fifo, os.O_RDWR)
        try:
            for fd, text in ((one.fileno(), 'no stream'), (null, 'character device'), (regular, 'a file'),
                             (reader.fileno(), 'not open to be written')):
                with self.subTest(text=text), self.refused('InvalidArgs', text=text):
                    self.root.spawn(self.rootfs, ['/bin/true'], StatusFD=fd)
            with self.refused('InvalidArgs', text='WatchFD'):
                self.root.spawn(self.rootfs, ['/bin/true'], WatchFD=True)
            with self.refused('InvalidArgs', text='WatchFD'):
                self.root.spawn(self.rootfs, ['/bin/true'], StatusFD=both, WatchFD=True)
            # a FIFO is as good, with a reader of its own
            container = self.root.spawn(self.rootfs, ['/bin/true'], StatusFD=both)
            container.wait()
            self.eventually(lambda: container.state == 'stopped')
            self.assertIn(b'"stopped"', os.read(both, 4096))
        finally:
            one.close(), other.close(), reader.close()
            for fd in (writer, null, regular, both):
                os.close(fd)

    def test_full(self):
        """A full pipe holds up nobody, its flags stay as they are, and its last lines come once there is room."""
        reader, writer = self.pipe()
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
        try:
            while True:
                os.write(writer, b'\n' * 4096)
        except BlockingIOError:
            pass
        fcntl.fcntl(writer, fcntl.F_SETFL, 0)
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'exit 5'], StatusFD=writer)
        self.assertEqual(container.wait(), ('exit-code', 5))
        self.assertEqual(fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK, 0)
        os.close(writer)
        with reader:
            lines = [json.loads(line) for line in reader.read().split()]
        self.assertEqual([line['state'] for line in lines], ['running', 'stopped'])

    def test_no_reader(self):
        """Without WatchFD a reader that left harms nothing."""
        container, reader = self.spawn('sleep .3; exit 4')
        reader.close()
        self.assertEqual(container.wait(), ('exit-code', 4))

    def test_watch(self):
        """With WatchFD the container ends with its reader, created or running, and not before."""
        for member in ('spawn', 'create'):
            with self.subTest(member=member):
                container, reader = self.spawn('trap "" TERM; sleep 60', member=member, WatchFD=True)
                time.sleep(0.2)
                self.assertNotEqual(container.state, 'stopped')
                reader.close()
                self.assertEqual(container.wait(), ('signal', 9))

    def test_restart(self):
        """A watch that is lost with the service is told by the end of the file, and ends nothing."""
        place = Place(self, 'status-fd')
        container, reader = self.spawn('sleep 1; exit 6', place.client, WatchFD=True)
        time.sleep(0.3)  # records are written a little later
        place.process.kill()
        place.process.wait()
        place.start()
        self.assertEqual([json.loads(line)['state'] for line in reader.read().splitlines()], ['running'])
        reader.close()
        self.assertNotEqual(container.wait()[0], 'signal')


class Executed(ExecCase):
    """The same of what joins a container."""

    def execute_told(self, container, argv, **options):
        ends = os.pipe()
        reader = os.fdopen(ends[0], 'rb')
        self.addCleanup(reader.close)
        try:
            return self.execute(container, argv, StatusFD=ends[1], **options), reader
        finally:
            os.close(ends[1])

    def test_lines(self):
        """Running, with the path of its object, and stopped, with what it has used."""
        container = self.container()
        process, reader = self.execute_told(container, ['/bin/sh', '-c', 'exit 9'])
        running, stopped = [json.loads(line) for line in reader.read().splitlines()]
        self.assertEqual((running['state'], running['path'], running['id']), ('running', process.path, container.id))
        self.assertEqual((stopped['result'], stopped['code'], stopped['limit_hit']), ('exit-code', 9, ''))
        self.assertEqual(stopped['usage'], process.prop('Usage'))
        self.assertIn('CPUUsageUSec', stopped['usage'])

    def test_usage(self):
        """Processor time and memory are those of the process and its children; there is nothing before its end."""
        process = self.execute(self.container(), ['/bin/sh', '-c', 'read x; '
                                                  'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'], Terminal=True)
        self.assertEqual(process.prop('Usage'), {})
        master = socket.socket(fileno=self.attach(process))
        master.send(b'\n')
        process.wait(timeout=60)
        master.close()
        usage = process.prop('Usage')
        self.assertGreater(usage['CPUUserUSec'], 20_000)
        self.assertEqual(usage['CPUUsageUSec'], usage['CPUUserUSec'] + usage['CPUSystemUSec'])
        self.assertGreaterEqual(usage['WallUSec'], usage['CPUUserUSec'] // 2)
        process = self.execute(self.container(), ['/bin/sh', '-c', 'head -c 30000000 /dev/zero | tail -c 30000000 >/dev/null'])
        process.wait()
        self.assertGreater(process.prop('Usage')['MemoryPeak'], 30_000_000)
        self.assertNotIn('Usage', process.props())

    def attach(self, process):
        process.call('Attach', 'a{sv}', ({},))
        return process.client.fds.pop()

    def test_refused(self):
        """What cannot be executed closes the pipe without a word; so does the end of the service."""
        reader, writer = os.pipe()
        with os.fdopen(reader, 'rb') as lines:
            with self.refused('CommandNotFound'):
                self.execute(self.container(), ['/no/such'], StatusFD=writer)
            os.close(writer)
            self.assertEqual(lines.read(), b'')
        place = Place(self, 'status-exec')
        container = self.container(client=place.client)
        _, lines = self.execute_told(container, SLEEP)
        place.process.send_signal(signal.SIGTERM)
        place.process.wait(timeout=20)
        self.assertEqual([json.loads(line)['state'] for line in lines.read().splitlines()], ['running'])
        place.start()
        container.end()


class Kept(Case):
    """Over a restart of the service, as under systemd, which keeps file descriptors for it."""

    def setUp(self):
        super().setUp()
        self.notified = f'{self.world.directory}/notified'
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.notified)
        self.addCleanup(os.unlink, self.notified)
        self.socket.settimeout(5)
        self.stored = {}
        self.place = Place(self, self._testMethodName, env={'NOTIFY_SOCKET': self.notified})

    def take_stored(self, name):
        """What the service has handed over under this name."""
        while name not in self.stored:
            data, fds, _, _ = socket.recv_fds(self.socket, 4096, 8)
            words = dict(line.split('=', 1) for line in data.decode().splitlines() if '=' in line)
            if 'FDSTORE' in words:
                self.stored[words['FDNAME']] = fds[0]
        return self.stored.pop(name)

    def again(self, fd, name, number, meanwhile=lambda: None):
        self.place.process.send_signal(number)
        self.place.process.wait(timeout=20)
        meanwhile()
        script = f'exec 3<&{fd} {fd}<&-; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name} exec "$@"'
        self.place.start(prefix=['/bin/bash', '-c', script, 'sh'], pass_fds=[fd])
        os.close(fd)

    def spawn(self, script, **options):
        reader, writer = os.pipe()
        try:
            container = self.place.client.spawn(self.rootfs, ['/bin/sh', '-c', script], StatusFD=writer, **options)
        finally:
            os.close(writer)
        lines = os.fdopen(reader, 'rb')
        self.addCleanup(lines.close)
        self.assertEqual(json.loads(lines.readline())['state'], 'running')
        time.sleep(0.3)  # records are written a little later
        return container, lines

    def test_goes_on(self):
        """Lines and watch go on, after an orderly end as after a crash."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number=number):
                container, lines = self.spawn('sleep 60')
                watched, reader = self.spawn('sleep 60', WatchFD=True)
                self.again(self.take_stored('status-0'), 'status-0', number)
                reader.close()
                self.assertIn(watched.wait(), (('signal', 9), ('unknown', 0)))
                container.kill(signal.SIGKILL)
                result = container.wait()
                last = json.loads(lines.read())
                self.assertEqual((last['state'], last['result'], last['code']), ('stopped', *result))
                self.end_service()

    def test_ended_meanwhile(self):
        """What ended while there was no service is told by the next one, as far as it knows."""
        container, lines = self.spawn('sleep 60')
        pid = container.pid
        self.again(self.take_stored('status-0'), 'status-0', signal.SIGKILL,
                   meanwhile=lambda: (os.kill(pid, signal.SIGKILL), time.sleep(0.3)))
        last = json.loads(lines.read())
        self.assertEqual((last['state'], last['result'], last['code']), ('stopped', *container.wait()))

    def test_not_wanted(self):
        """What the next service does not go on with is closed; and with the last of them the writing process ends."""
        container, lines = self.spawn('sleep 60')
        fd = self.take_stored('status-0')
        self.place.process.kill()
        self.place.process.wait()
        self.stored['status-0'] = fd
        for name in os.listdir(f'{self.place.state}/containers'):
            os.unlink(f'{self.place.state}/containers/{name}')
        self.again(self.stored.pop('status-0'), 'status-0', 0)
        self.assertEqual(lines.read(), b'')

    def end_service(self):
        self.place.process.terminate()
        self.place.process.wait(timeout=20)
        self.place.start()
