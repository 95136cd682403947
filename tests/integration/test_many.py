"""Many short containers and many that join one, from several clients at once: each end is told once, everywhere the same,
and nothing stays. How many is NAIVE_TEST_MANY containers, and a tenth of that in processes that join; all that is promised
is shown with 10000."""

import hashlib
import json
import os
import selectors
import threading
import time
from collections import Counter

from harness.client import CONTAINER, RootClient, options_variant, pump, raw
from harness.exec_case import EXEC, ExecCase

MANY = int(os.environ.get('NAIVE_TEST_MANY', 200))
CLIENTS = 4
AT_ONCE = 8  # of each client


class Ends(threading.Thread):
    """Reads many pipes to their ends, in a thread of its own: number of the pipe → lines."""

    def __init__(self):
        super().__init__(daemon=True)
        self.selector, self.text, self.open = selectors.DefaultSelector(), {}, 0
        self.ended, self.lock = {}, threading.Lock()
        self.wake, self.waker = os.pipe()
        self.selector.register(self.wake, selectors.EVENT_READ)

    def add(self, key, fd):
        with self.lock:
            self.text[key] = b''
            self.selector.register(fd, selectors.EVENT_READ, key)
            self.open += 1
        os.write(self.waker, b'x')

    def run(self):
        while True:
            for event, _ in self.selector.select():
                data = os.read(event.fd, 65536)
                if event.fd == self.wake:
                    if b'q' in data:
                        return
                    continue
                self.text[event.data] += data
                if not data:
                    with self.lock:
                        self.selector.unregister(event.fd)
                        os.close(event.fd)
                        self.ended[event.data] = [json.loads(line) for line in self.text.pop(event.data).splitlines()]
                        self.open -= 1

    def close(self):
        os.write(self.waker, b'q')
        self.join()
        self.selector.close()
        os.close(self.wake), os.close(self.waker)


class Flow:
    """One client that keeps AT_ONCE calls on their way: `send(key)` sends, and `key` ends with a Wait."""

    def __init__(self, test, keys, send):
        self.client = RootClient(test.world.address)
        self.keys, self.send, self.test = iter(keys), send, test
        self.calls, self.waits, self.results, self.paths = {}, {}, {}, {}

    def step(self):
        for key, outcome in list(self.calls.items()):
            if outcome:
                del self.calls[key]
                if isinstance(outcome[0], Exception):
                    raise outcome[0]
                self.paths[key], = outcome[0]
                interface = EXEC if '/exec/' in self.paths[key] else CONTAINER
                self.waits[key] = self.client.call_async(self.paths[key], interface, 'Wait')
        for key, outcome in list(self.waits.items()):
            if outcome:
                del self.waits[key]
                if isinstance(outcome[0], Exception):
                    raise outcome[0]
                self.results[key] = outcome[0]
        while len(self.calls) + len(self.waits) < AT_ONCE and (key := next(self.keys, None)) is not None:
            reader, writer = os.pipe2(os.O_CLOEXEC)
            self.test.ends.add(key, reader)
            self.calls[key] = self.send(self.client, key, writer)
            os.close(writer)
        return bool(self.calls or self.waits)


def code_of(key):
    return key % 3 * 7  # 0, 7, 14


class Many(ExecCase):
    def setUp(self):
        super().setUp()
        self.ends = Ends()
        self.ends.start()
        self.addCleanup(self.ends.close)
        self.listener = RootClient(self.world.address)
        self.addCleanup(self.listener.close)

    def all_of(self, interface, keys, send):
        """Lets CLIENTS do it, and compares what was told in three ways."""
        exits = self.listener.subscribe(interface, 'Exited')
        flows = [Flow(self, keys[i::CLIENTS], send) for i in range(CLIENTS)]
        deadline = time.monotonic() + 60 + len(keys)
        try:
            while True:
                busy = [flow for flow in flows if flow.step()]
                if not busy:
                    break
                self.assertLess(time.monotonic(), deadline)
                pump(lambda: any(any(map(bool, (*flow.calls.values(), *flow.waits.values()))) for flow in busy), 30)
            self.assertTrue(pump(lambda: len(exits) >= len(keys) and self.ends.open == 0, 60))
            told = Counter((path, result) for path, _, _, result in exits)
            for flow in flows:
                for key, path in flow.paths.items():
                    code = code_of(key)
                    result = ('exit-code' if code else 'success', code)
                    self.assertEqual(flow.results[key], result)
                    self.assertEqual(told.pop((path, result), 0), 1, path)
                    running, stopped = self.ends.ended[key]
                    self.assertEqual((running['path'], stopped['result'], stopped['code']), (path, *result))
            self.assertFalse(told)
            self.assertEqual(len(self.ends.ended), len(keys))
        finally:
            for flow in flows:
                flow.client.close()

    def test_containers(self):
        """Short containers from four clients at once: one Exited, one Wait and one end of StatusFD each, the same."""
        before = self.memory()

        def send(client, key, writer):
            return client.spawn_async(self.rootfs, ['/bin/sh', '-c', f'exit {code_of(key)}'], StatusFD=writer)
        self.all_of(CONTAINER, range(MANY), send)
        # what a service keeps for its next calls is not counted for each container; a sanitizer keeps what is freed
        if not self.world.sanitized:
            self.assertLess(self.memory() - before, 4096 + MANY // 10, 'KiB of memory of the service')

    def test_execs(self):
        """Processes that join containers likewise."""
        containers = [self.container() for _ in range(max(2, min(100, MANY // 100)))]

        def send(client, key, writer):
            arguments = ([raw(word) for word in ('/bin/sh', '-c', f'exit {code_of(key)}')], {},
                         options_variant({'StatusFD': 0}))
            return client.call_async(containers[key % len(containers)].path, CONTAINER, 'Exec', 'aaya{uh}a{sv}', arguments,
                                     fds=(writer,))
        self.all_of(EXEC, range(max(40, MANY // 10)), send)

    def memory(self):
        with open(f'/proc/{self.world.service_pid}/status') as f:
            return next(int(line.split()[1]) for line in f if line.startswith('VmRSS:'))

    def test_bytes(self):
        """What goes through `exec cat` by pipes comes out as it went in."""
        size = MANY * (1 << 30) // 10000
        container = self.container()
        script = (f'head -c {size} /dev/urandom | tee >(sha256sum >&2) | {self.world.naivec} -q exec {container.id} '
                  f'/bin/cat | sha256sum')
        done = self.command('/bin/bash', '-c', script, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, done.stderr)
        self.assertNotEqual(done.stdout.split()[0], hashlib.sha256(b'').hexdigest().encode())

    def test_xargs(self):
        """As an ordinary user, sixteen at a time: none fails."""
        runs = max(32, min(200, MANY))
        done = self.command('/bin/sh', '-c', f'seq {runs} | xargs -P 16 -n 1 {self.world.naivec} run '
                            f'{self.rootfs_of("alice")} /bin/echo', user='alice', timeout=600)
        self.assertEqual((done.returncode, done.stderr), (0, b''))
        self.assertEqual(sorted(map(int, done.stdout.split())), list(range(1, runs + 1)))
