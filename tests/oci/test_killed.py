"""create, start, exec and delete are killed at each system call that changes something: what comes then finds all as it is, and gets it right."""

import collections
import contextlib
import json
import os
import re
import subprocess

from bundle import BundleCase

# what a call that only looks or counts leaves is what the one before it has left
LOOKS = ('brk', 'mmap', 'munmap', 'mprotect', 'rt_sigaction', 'prctl', 'getpid', 'gettid', 'getuid', 'geteuid', 'arch_prctl',
         'set_tid_address', 'set_robust_list', 'rseq', 'prlimit64', 'getrandom', 'pread64', 'sched_getaffinity', 'fstat',
         'newfstatat', 'access', 'execve', 'futex', 'sysinfo', 'lseek', 'fcntl', 'read', 'close', 'getdents64', 'readlink',
         'statfs', 'faccessat', 'poll', 'getrlimit', 'pidfd_open', 'memfd_create', 'capget', 'getcwd')


class Killed(BundleCase):
    def setUp(self):
        super().setUp()
        self.command('sleep', '1000')

    def strace(self, *words, options=()):
        """The exit status; 137: killed."""
        return subprocess.run(['strace', '-qq', *options, *self.line(*words)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120).returncode

    def calls(self, *words):
        """Which system calls that command makes, and how often."""
        log = self.directory + '/log'
        self.assertEqual(self.strace(*words, options=('-o', log)), 0)
        with open(log) as f:
            names = re.findall(r'^(\w+)\(', f.read(), re.MULTILINE)
        return collections.Counter(name for name in names if name not in LOOKS)

    def each(self, words, before, after):
        """Kills that command at each of its calls, between `before` and `after`."""
        before()
        counts = self.calls(*words)
        after('at its end')
        deaths = 0
        for name, n in ((name, n) for name in counts for n in range(1, counts[name] + 1)):
            before()
            status = self.strace(*words, options=('-o', '/dev/null', '-e', f'inject={name}:signal=KILL:when={n}'))
            deaths += status != 0
            with self.subTest(f'{name} {n}'):
                after(f'{name} {n}')
        self.assertGreater(deaths, 10)

    def end(self):
        self.oci('delete', '--force', self.id)
        self.assert_nothing_left()

    def test_create(self):
        """delete --force leaves nothing, and until then nothing is listed that could be started and cannot."""
        def after(when):
            listed = [row['status'] for row in json.loads(self.oci('list', '-f', 'json'))]
            if listed == ['created']:
                self.oci('start', self.id)
                self.assertEqual(self.status(), 'running', when)
            self.end()
        self.each(('create', '-b', self.bundle, self.id), lambda: None, after)

    def test_start(self):
        """Either it was started, or a second start does it; what says that it waits, is not running."""
        def after(when):
            state = self.status()
            self.assertIn(state, ('created', 'running'), when)
            if state == 'created':
                self.oci('start', self.id)
            self.assertIn('not created', self.oci('start', self.id, status=1), when)
            self.assertEqual(self.status(), 'running', when)
            self.assertIn('not stopped', self.oci('delete', self.id, status=1), when)
            with open(f'/proc/{self.first}/cmdline') as f:
                self.assertEqual(f.read(), 'sleep\0' + '1000\0', when)
            self.end()

        def before():
            self.first = self.create()
        self.each(('start', self.id), before, after)

    def test_exec(self):
        """What has joined executes its command or ends; nothing is left of it in the container that waits."""
        self.first = self.create()
        self.oci('start', self.id)

        def joined():
            return [pid for pid in json.loads(self.oci('ps', '-f', 'json', self.id)) if pid != self.first]

        def names():
            found = []
            for pid in joined():
                try:
                    with open(f'/proc/{pid}/comm') as f:
                        found.append(f.read().strip())
                except FileNotFoundError:
                    pass
            return found

        def after(when):
            self.wait_until(lambda: set(names()) <= {'sleep'})
            self.assertLessEqual(len(names()), 1, when)
            for pid in joined():
                os.kill(pid, 9)
            self.wait_until(lambda: not joined())
            with contextlib.suppress(ChildProcessError):  # ours, as the subreaper
                while os.waitpid(-1, os.WNOHANG)[0] not in (0, self.first):
                    pass
            self.assertEqual(self.status(), 'running', when)
        self.each(('exec', '-d', self.id, 'sleep', '2000'), lambda: None, after)

    def test_delete(self):
        """A second one finishes it."""
        def before():
            self.create()
            self.oci('start', self.id)
            self.oci('kill', self.id, 'KILL')
            self.wait_until(lambda: self.status() == 'stopped')

        def after(when):
            if when != 'at its end' and os.path.exists(f'{self.root}/{self.id}'):
                self.oci('delete', '--force', self.id)
            self.assert_nothing_left()
        self.each(('delete', self.id), before, after)

