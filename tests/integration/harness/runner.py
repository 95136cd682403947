"""Runs a directory of tests in a private world: what tests/integration/run and tests/security/run are made of.

A test's sentence may begin with rows of SECURITY.md and the advisories that it repeats, before the first colon:
"A8 CVE-2024-21626: …"."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

from .invariants import cgroup_roots
from .world import SOURCE, World, mount

TEST_TIMEOUT = int(os.environ.get('NAIVE_TEST_TIMEOUT', 120))  # for what hangs; emulated machines have more
ROW = re.compile(r'[ABCDEFN][0-9]{1,2}')


def rows_of(sentence):
    """{row: [advisories]} that a test's sentence begins with."""
    rows, row = {}, None
    for word in re.split(r'[ ,]+', sentence.split(': ', 1)[0]) if ': ' in sentence else ():
        if ROW.fullmatch(word):
            row = rows.setdefault(word, [])
        elif row is None or not re.match('CVE-|GHSA-', word):
            return {}
        else:
            row.append(word)
    return rows


def too_long(*_):
    raise TimeoutError(f'the test took more than {TEST_TIMEOUT} s')


class Result(unittest.TestResult):
    """One line for each test: its sentence and its outcome; the same as JSON in a file."""

    def __init__(self, report=None):
        super().__init__()
        self.passed = 0
        self.report = open(report, 'w') if report else None

    def startTest(self, test):
        super().startTest(test)
        signal.alarm(TEST_TIMEOUT)
        test.raced, test.skip_is_expected = None, False
        self.outcome, self.begun = ('passed', ''), time.monotonic()
        print(f'{test.id()}: {test.shortDescription() or ""}', end=' ', flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        signal.alarm(0)
        if self.outcome[0] == 'passed':
            self.passed += 1
            raced = f', raced {test.raced[0]} times, won {test.raced[1]}' if test.raced else ''
            print(f'... ok ({time.monotonic() - self.begun:.1f} s{raced})', flush=True)
        if self.report:
            json.dump({'test': test.id(), 'sentence': test.shortDescription() or '', 'outcome': self.outcome[0],
                       'reason': self.outcome[1], 'raced': test.raced}, self.report)
            self.report.write('\n')
            self.report.flush()

    def addError(self, test, error):
        super().addError(test, error)
        self._bad('ERROR', error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._bad('FAIL', error)

    def _bad(self, word, error):
        print(f'... {word}')
        text = ''.join(traceback.format_exception(*error))
        print('    ' + text.replace('\n', '\n    '), flush=True)
        self.outcome = 'failed', str(error[1]).split('\n', 1)[0]

    def addSkip(self, test, reason):
        self.outcome = 'skipped', reason
        if test.skip_is_expected:
            print(f'... skipped, as expected: {reason}', flush=True)
            return
        super().addSkip(test, reason)
        print(f'... SKIPPED: {reason}', flush=True)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            print(f'\n  {subtest._subDescription()}', end=' ')
            self._bad('FAIL', error)


def outside():
    """Makes the namespaces and the directory, and starts this program again inside them."""
    directory = tempfile.mkdtemp(prefix='naive-', dir='/tmp')
    mountinfo = os.open('/proc/self/mountinfo', os.O_RDONLY)
    environment = dict(os.environ, NAIVE_TEST_DIRECTORY=directory, NAIVE_HOST_MOUNTINFO=str(mountinfo))
    process = subprocess.Popen(
        ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private', '--mount-proc',
         sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]],
        env=environment, pass_fds=[mountinfo])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: process.kill())
    try:
        status = process.wait()
    finally:
        process.kill()
        process.wait()
        for name in {name for root in cgroup_roots() for name in os.listdir(root)}:
            if name.startswith(f'naive-test-{os.path.basename(directory)}'):  # a Place has one beside the World's
                World.remove_cgroups(f'/{name}')
        shutil.rmtree(directory)
    return status if status >= 0 else 128 - status


def reap(tests):
    """PID 1 of the namespace must reap what has lost its parent; do it by a child that is the real runner."""
    child = os.fork()
    if child == 0:
        os._exit(tests())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        try:
            pid, status = os.wait()
        except InterruptedError:
            continue
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def hide_unified():
    """In this mount namespace alone: a machine that has cgroup v1 and nothing else."""
    with open('/proc/self/mountinfo') as f:
        points = [line.split()[4] for line in f if ' - cgroup2 ' in line]
    for point in points:
        subprocess.run(['umount', point], check=True)


def is_wanted(test, patterns):
    return not patterns or any(p in (rows_of(test.shortDescription() or '') if ROW.fullmatch(p) else test.id())
                               for p in patterns)


def move_in(directory):
    """What the world stands on, once in its namespaces."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # started in the background it ignores them, and so would what it starts
    # before Linux 6.3 a tmpfs cannot be id-mapped: then the directory is one on the disk
    if tuple(int(n) for n in os.uname().release.split('.')[:2]) >= (6, 3):
        mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', directory)
        mount('--make-shared', directory)  # as all is with systemd: what leaked out of a container would show
    os.chmod(directory, 0o755)


def inside(where, arguments):
    from .case import Case
    directory = os.environ['NAIVE_TEST_DIRECTORY']
    move_in(directory)
    if arguments.legacy:
        hide_unified()
    result = Result(arguments.report)
    world = World(directory, os.path.abspath(arguments.build), arguments.prepared)
    Case.world = world
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGALRM, too_long)
    try:
        world.build_all()
        suite = unittest.TestSuite()

        def add(tests):
            for test in tests:
                if isinstance(test, unittest.TestSuite):
                    add(test)
                elif is_wanted(test, arguments.patterns):
                    suite.addTest(test)
        add(unittest.defaultTestLoader.discover(where, pattern='test_*.py'))
        suite.run(result)
    finally:
        world.close()
        reports = world.sanitizer_reports()
        if arguments.verbose or reports:
            print(world.log_tail(400))
            print('\n'.join(reports))
    failed = len({test.id() for test, _ in result.failures + result.errors}) + bool(reports)
    print(f'{result.passed} passed, {failed} failed, {len(result.skipped)} skipped', flush=True)
    return 1 if failed else 0


def main(where, usage):
    """Runs the tests in the directory `where`; an exit status."""
    parser = argparse.ArgumentParser(usage=usage)
    parser.add_argument('--build', default=os.path.join(SOURCE, 'build'))
    parser.add_argument('-v', '--verbose', action='store_true')
    parser.add_argument('--legacy', action='store_true', help='without the cgroup v2 tree')
    parser.add_argument('--prepared', type=int, default=4, metavar='N',
                        help='sandboxes that the service keeps ready (default: 4, as without configuration)')
    parser.add_argument('--report', help='one JSON object for each test')
    parser.add_argument('patterns', nargs='*')
    arguments = parser.parse_args()
    if 'NAIVE_TEST_DIRECTORY' in os.environ:
        return reap(lambda: inside(where, arguments))
    if os.geteuid() != 0:
        print('the tests need root', file=sys.stderr)
        return 77
    return outside()
