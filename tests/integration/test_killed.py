"""The service is killed at each system call of Pause, Resume, Update and Exec, or held up there: it tells what is so."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time

from harness.client import BusError, GLib
from harness.exec_case import SLEEP, ExecCase, rights_of
from harness.files import read_bytes
from harness.place import Place
from test_pause import LISTENS, is_frozen
from test_update import MIB, limit

# strace counts each of them apart
CALLS = ('openat', 'write', 'pread64', 'read', 'close', 'epoll_ctl', 'epoll_wait', 'epoll_create1', 'poll', 'recvmsg',
         'sendmsg', 'writev', 'renameat', 'faccessat', 'faccessat2')
TIMES_MAX = 40


class Killed(ExecCase):
    def setUp(self):
        super().setUp()
        if not shutil.which('strace'):
            self.skipTest('NOT RUN: there is no strace')

    def each(self, call, check):
        """`call` makes the service do it; at the nth of some system call it dies. `check` sees what the next one tells,
        or the same one where it made no such call."""
        place = Place(self, self._testMethodName)
        container = place.client.spawn(self.rootfs, ['/bin/sleep', '600'], Id='c', MemoryMax=64 * MIB)
        time.sleep(0.3)  # records are written a little later
        deaths = 0
        try:
            for name, n in ((name, n) for name in CALLS for n in range(1, TIMES_MAX)):
                if n == 1:
                    survived = False
                if survived:
                    continue
                survived = self.try_at(place, f'{name}:signal=SIGKILL:when={n}', lambda: call(container, deaths))
                if not survived:
                    deaths += 1
                    place.start()
                check(container, f'{name} {n}')
            self.assertGreater(deaths, 10)
        finally:
            if place.process.poll() is None:
                container.end()

    def try_at(self, place, injection, call):
        """Did the service outlive the call?"""
        with self.injected(place, injection):
            try:
                call()
                answered = True
            except BusError:
                answered = False
            time.sleep(0.1)  # what the service does behind its answer: signals, the record
        try:
            place.client.ping()
            survived = True
        except BusError:
            place.process.wait(timeout=20)  # the signal came last of all
            survived = False
        self.assertTrue(answered or not survived)
        return survived

    @contextlib.contextmanager
    def injected(self, place, injection):
        with subprocess.Popen(['strace', '-qq', '-o', '/dev/null', '-e', f'inject={injection}', '-p',
                               str(place.process.pid)], stderr=subprocess.DEVNULL) as tracer:
            self.eventually(lambda: self.is_traced(place.process.pid) or tracer.poll() is not None)
            yield
            tracer.terminate()
            tracer.wait()

    @staticmethod
    def is_traced(pid):
        with open(f'/proc/{pid}/status') as f:
            return 'TracerPid:\t0\n' not in f.read()

    def test_pause(self):
        """Nothing is frozen that is not listed as paused, and nothing paused that is not frozen."""
        def check(container, n):
            state = container.state
            self.assertIn(state, ('running', 'paused'), n)
            self.eventually(lambda: is_frozen(container.props()) == (state == 'paused'), what=f'{state} after call {n}')
            if state == 'paused':
                container.call('Resume')
                time.sleep(0.1)  # its record is written a little later
        self.each(lambda container, n: container.call('Pause'), check)

    def test_resume(self):
        """Who acts on a signal as soon as it goes on may end before the service looks: it was resumed."""
        place = Place(self, self._testMethodName)
        container = place.client.spawn(self.rootfs, ['/bin/sh', '-c', LISTENS])
        self.eventually(container.log)
        container.call('Pause')
        container.kill(signal.SIGTERM)
        with self.injected(place, 'write:delay_exit=500000'):
            container.call('Resume')
        self.assertEqual(container.wait(), ('exit-code', 3))

    def test_update(self):
        """The limit of memory that is told is the kernel's."""
        def update(container, n):
            values = {'MemoryMax': GLib.Variant('t', (100 + n) * MIB), 'TasksMax': GLib.Variant('t', 100 + n)}
            container.call('Update', 'a{sv}', (values,))

        def check(container, n):
            self.assertEqual(container.state, 'running', n)
            self.assertEqual(container.prop('MemoryMax'), limit(container, 'memory.max'), n)
        self.each(update, check)

    def test_exec(self):
        """What has joined runs the command with the container's rights, and is told; whoever reads StatusFD learns the
        end of it and of nothing else."""
        readers = []

        def join(container, n):
            reader, writer = os.pipe()
            readers.append(reader)
            try:
                self.execute(container, SLEEP, StatusFD=writer)
            finally:
                os.close(writer)

        def joined(container):
            return [pid for pid, _ in container.call('GetProcesses')[0] if pid != container.pid]

        def check(container, n):
            self.eventually(lambda: b'(naive-runc)' not in map(comm, joined(container)), what=f'the end of set-up after {n}')
            pids = joined(container)
            self.assertLessEqual(len(pids), 1, n)
            rights = rights_of(container.pid)
            for pid in pids:
                self.assertEqual(rights_of(pid), rights, n)
                os.kill(pid, signal.SIGKILL)
            words = [json.loads(line) for line in read_all(readers.pop()).splitlines()]
            states = [word['state'] for word in words]
            self.assertIn(states, (['running', 'stopped'], ['running'], ['stopped'], []) if pids else ([], ['failed']), n)
            for word in words:
                if word['state'] == 'stopped':
                    self.assertEqual((word['result'], word['code']), ('signal', 9), n)
        self.each(join, check)


def comm(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return read_bytes(f'/proc/{pid}/comm').strip()


def read_all(fd):
    """To the end, which comes."""
    data = b''
    with open(fd, 'rb', buffering=0) as f:
        while select.select([f], [], [], 20)[0]:
            piece = f.read(65536)
            if not piece:
                return data
            data += piece
    raise TimeoutError(data)
