"""See run. At the end of each nothing is left that is not listed: Case looks."""

import contextlib
import os
import random
import signal
import sys
import time

from harness.case import Case
from harness.client import NAME, BusError, Container
from harness.files import read
from harness.invariants import Prepared, cgroup_tree
from harness.world import SOURCE, USERS

HERE = os.path.dirname(os.path.abspath(__file__))
KILLS = int(os.environ.get('NAIVE_SOAK_KILLS', 200))
SECONDS = int(os.environ.get('NAIVE_SOAK_SECONDS', 600))
SEED = os.environ.get('NAIVE_SOAK_SEED') or str(random.randrange(10 ** 6))


class Soak(Case):
    def workers(self, mode, users):
        print(f'(NAIVE_SOAK_SEED={SEED})', end=' ', flush=True)
        started = []
        for number, name in enumerate(users):
            said = f'{self.world.directory}/{mode}-{number}'
            with open(said, 'w') as out:
                process = self.started(sys.executable, f'{HERE}/worker.py', mode, self.world.address,
                                       str(USERS.get(name, 0)), f'{SEED}-{number}',
                                       self.rootfs_of(name) if name in USERS else self.rootfs, f'{SOURCE}/dbus', stdout=out)
            started.append((process, said))
        self.eventually(lambda: all(read(said) for _, said in started), timeout=60, what='the work')
        return started

    def lines(self, workers):
        return [line for _, said in workers for line in read(said).splitlines()]

    # -- killed ------------------------------------------------------------------------------------
    def populated(self):
        """The leaves that hold processes."""
        found = set()
        for path in cgroup_tree(self.world.cgroup_parent):
            with contextlib.suppress(OSError):
                if read(f'{path}/cgroup.procs').strip():
                    found.add(path.split(self.world.cgroup_parent, 1)[1])
        return found

    def listed(self):
        """The leaves of the containers that are told to live."""
        found = set()
        for _, state, _, _, path in self.root.containers():
            with contextlib.suppress(BusError):
                if state != 'stopped':
                    found.add(Container(self.root, path).prop('ControlGroup').split(self.world.cgroup_parent, 1)[-1])
        return found

    def is_listed_what_runs(self):
        """What waits to be used, or for Start, has the name of a sandbox; of these the latter are listed."""
        waiting = {path.split(self.world.cgroup_parent, 1)[1] for path in Prepared(self.world).leaves}
        runs, listed = self.populated(), self.listed()
        return listed <= runs and runs - waiting <= listed

    def test_kills(self):
        """However often the service is killed under load, what runs is listed, what is listed runs, and an end that is
        told is the right one, or `unknown`."""
        workers = self.workers('load', ['root', 'root', 'alice', 'bob'])
        moments = random.Random(SEED)
        Case.baseline.service = None
        for kill in range(KILLS):
            time.sleep(moments.uniform(0.05, 0.6))
            for process, _ in workers:
                process.send_signal(signal.SIGSTOP)
            self.world.service.kill()
            self.world.service.wait()
            self.eventually(lambda: NAME not in self.world.bus_names(), what='the bus notices')
            for process, _ in workers:
                process.send_signal(signal.SIGCONT)
            time.sleep(moments.uniform(0, 0.1))
            self.world.start_service()
            for process, _ in workers:
                process.send_signal(signal.SIGSTOP)
            self.eventually(self.is_listed_what_runs, timeout=40, what=f'after kill {kill}: what runs is listed')
            for process, _ in workers:
                process.send_signal(signal.SIGCONT)
        for process, _ in workers:
            process.kill()
            process.wait()
        ends = [line.split() for line in self.lines(workers)]
        self.assertGreater(len(ends), KILLS)
        wrong = [end for end in ends if end[0] not in ('unknown',) and end[1] != end[2]]
        print(f'({len(ends)} ends, {sum(end[0] == "unknown" for end in ends)} unknown)', end=' ')
        self.assertEqual(wrong, [])
        # leaves whose processes were still ending when the last service started: they go at its end
        self.world.stop_service()
        self.world.start_service()
        Case.baseline.service = self.world.service_pid

    # -- fuzzed ------------------------------------------------------------------------------------
    def test_fuzz(self):
        """Whatever three users call, the service goes on, and answers others."""
        workers = self.workers('fuzz', ['alice', 'bob', 'carol'])
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            self.assertTrue(self.world.service_alive(), self.world.log_tail(40))
            self.assertEqual([process.poll() for process, _ in workers], [None] * 3, 'the work')
            self.root.ping(timeout=20)
            time.sleep(0.5)
        for process, _ in workers:
            process.kill()
            process.wait()
        print(f'({sum(int(read(said).split()[-1]) for _, said in workers)} calls)', end=' ')
