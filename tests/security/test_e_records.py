"""Row E34: what is on disk of a container after a service that was killed, or after damage."""

import os
import signal
import time

from harness.case import Case
from harness.client import Container
from harness.files import read_bytes, write
from harness.place import Place


class Records(Case):
    def setUp(self):
        super().setUp()
        self.place = Place(self, self.id().rsplit('.', 1)[1])
        self.directory = f'{self.place.state}/containers'

    def again(self, number=signal.SIGTERM):
        """Ends the service, and starts the next one."""
        self.place.process.send_signal(number)
        self.place.process.wait(timeout=10)
        self.meanwhile()
        self.place.start()

    def meanwhile(self):
        """What happens to the files while no service runs: for a test to replace."""

    def names(self, suffix):
        return sorted(name for name in os.listdir(self.directory) if name.endswith(suffix))

    def printed(self):
        """A stopped container that has printed a line, on disk."""
        container = self.place.client.run(self.rootfs, 0, ['/bin/echo', 'all of it'])
        container.wait()
        self.eventually(lambda: len(self.names('.log')) == 1, what='the log')
        return container.path

    def test_damaged_log(self):
        """E34: a log that was changed, cut or lengthened on disk is told to be damaged, by ReadLog and by OpenLog, also after the next start."""
        for change in (lambda data: data[:-3] + b'!' + data[-2:], lambda data: data[:-1], lambda data: data + b'more',
                       lambda data: data[:30] + b'\0' + data[31:], lambda data: b''):
            with self.subTest(change=change):
                path = self.printed()
                name, = self.names('.log')
                self.meanwhile = lambda: write(f'{self.directory}/{name}', change(read_bytes(f'{self.directory}/{name}')))
                for _ in range(2):
                    self.again()
                    self.meanwhile = lambda: None
                    container = Container(self.place.client, path)
                    self.assertEqual(container.prop('Result'), 'success')
                    with self.refused('Failed', text='damaged'):
                        container.log()
                    with self.refused('Failed', text='damaged'):
                        container.call('OpenLog', 'a{sv}', ({},))
                container.delete()

    def test_another_containers_log(self):
        """E34: the log of one container is not shown as that of another."""
        self.place.client.run(self.rootfs, 0, ['/bin/echo', 'one']).wait()
        other = self.place.client.run(self.rootfs, 0, ['/bin/echo', 'two'])
        other.wait()
        self.eventually(lambda: len(self.names('.log')) == 2, what='the logs')
        one, two = sorted(self.names('.log'), key=lambda name: int(name.split('.')[0]))
        self.meanwhile = lambda: os.replace(f'{self.directory}/{one}', f'{self.directory}/{two}')
        self.again()
        with self.refused('Failed', text='damaged'):
            Container(self.place.client, other.path).log()

    def test_damaged_log_of_what_runs(self):
        """E34: what runs goes on with the output that follows, beyond all offsets before, and the service's log says what is lost."""
        container = self.place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'echo before; while :; do sleep .1; echo on; done'])
        self.eventually(lambda: b'before' in container.log(), what='the output')

        def damage():
            name, = self.names('.log')
            write(f'{self.directory}/{name}', read_bytes(f'{self.directory}/{name}')[:-1])
        self.meanwhile = damage
        self.again()
        container = Container(self.place.client, container.path)
        self.eventually(lambda: b'on' in container.log(), what='the output that follows')
        self.assertNotIn(b'before', container.log())
        self.assertIn('its output until now is lost', self.place.words())
        container.end()

    def test_damaged_log_of_what_ended(self):
        """E34: the damaged log of what ended meanwhile is not written anew as an empty one."""
        container = self.place.client.spawn(self.rootfs, ['/bin/sh', '-c', 'echo before; sleep 60'])
        self.eventually(lambda: b'before' in container.log(), what='the output')
        pid = container.pid

        def damage():
            name, = self.names('.log')
            write(f'{self.directory}/{name}', read_bytes(f'{self.directory}/{name}')[:-1])
            os.kill(pid, signal.SIGKILL)
        for self.meanwhile in (damage, lambda: None):
            self.again()
            ended = Container(self.place.client, container.path)
            self.assertEqual(ended.state, 'stopped')
            with self.refused('Failed', text='damaged'):
                ended.log()

    def test_leftovers(self):
        """E34: what a killed service was writing goes with the next start, at whichever step it was killed."""
        self.printed()

        def leave():
            for name in ('7001.conf.new', '7002.log.new', '7003.log', '7004.conf.new', '7004.log'):
                write(f'{self.directory}/{name}', 'half')
        self.meanwhile = leave
        self.again(signal.SIGKILL)
        self.assertEqual([name for name in os.listdir(self.directory) if name.startswith('700')], [])

    def test_killed_at_any_moment(self):
        """E34, F1: of a service that is killed 20 times while containers end, nothing half-written is left, and each record has its log."""
        for i in range(20):
            for _ in range(3):
                self.place.client.call_async('/org/naive/Runc', 'org.naive.Runc', 'Run', 'stas',
                                             (self.rootfs, 0, ['/bin/echo', 'x']))
            self.place.client.ping()
            time.sleep(0.01 + 0.003 * i)
            self.again(signal.SIGKILL)
            self.assertEqual(self.names('.new'), [])
            self.assertEqual(self.names('.bad'), [])
            records = {name.split('.')[0] for name in self.names('.conf')}
            self.assertLessEqual({name.split('.')[0] for name in self.names('.log')}, records)
