"""StatusFD and WatchFD: a pipe of the caller's that is told of each step, and by whose reader a container lives."""

import fcntl
import json
import os
import socket
import time

from harness.case import Case
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
                self.assertEqual(lines[-1], {'state': 'stopped', 'result': 'exit-code', 'code': 3, 'limit_hit': ''})

    def test_others(self):
        """Nobody but root can hold up the service by a pipe whose lock is held: it is refused before it is opened."""
        with self.refused('NotSupported', text='root alone'):
            self.spawn('exit 0', self.user('alice'), self.rootfs_of('alice'))

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
        one, other = socket.socketpair()
        reader, writer = self.pipe()
        null = os.open('/dev/null', os.O_RDWR)
        regular = os.open('/proc/self/status', os.O_RDONLY)
        fifo = f'{self.world.directory}/fifo'
        os.mkfifo(fifo)
        self.addCleanup(os.unlink, fifo)
        both = os.open(fifo, os.O_RDWR)
        try:
            for fd, text in ((one.fileno(), 'socket'), (null, 'character device'), (regular, 'a file'),
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
