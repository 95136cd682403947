"""Options of a process after a restart of the service: the first process keeps what it was given, and who joins later is
given the same, and no more."""

import signal

from harness.exec_case import SLEEP, ExecCase, read_text, rights_of
from harness.files import status_of

CHOWN, KILL = 1 << 0, 1 << 5
LIMITS = {'NOFILE': ('Max open files', 64, 128), 'FSIZE': ('Max file size', 1 << 20, 1 << 21),
          'CORE': ('Max core file size', 1, 1), 'STACK': ('Max stack size', 1 << 22, 1 << 23),
          'NPROC': ('Max processes', 500, 600), 'MEMLOCK': ('Max locked memory', 4096, 8192)}
OPTIONS = dict(User=(1000, 1001), SupplementaryGroups=[5, 77], UMask=0o77, CapabilityBoundingSet=['CAP_CHOWN', 'CAP_KILL'],
               OOMScoreAdjust=500, **{f'Limit{name}': (soft, hard) for name, (_, soft, hard) in LIMITS.items()})


class Last(ExecCase):
    def limits(self, pid):
        lines = read_text(pid, 'limits').splitlines()
        return {name: tuple(map(int, next(line for line in lines if line.startswith(title))[len(title):].split()[:2]))
                for name, (title, *_) in LIMITS.items()}

    def check_given(self, pid):
        """What every process of the container has, by the host's /proc."""
        status = status_of(pid)
        self.assertEqual([int(status[name], 16) for name in ('CapBnd', 'CapPrm', 'CapEff', 'CapInh', 'CapAmb')],
                         [CHOWN | KILL, 0, 0, 0, 0])
        self.assertEqual(self.limits(pid), {name: (soft, hard) for name, (_, soft, hard) in LIMITS.items()})
        self.assertEqual(read_text(pid, 'oom_score_adj').strip(), '500')

    def check(self, number):
        client, tree = self.user('alice'), self.rootfs_of('alice')
        container = self.container(client, tree, **OPTIONS)
        joined = self.execute(container, SLEEP)
        first, other = rights_of(container.pid), rights_of(joined.pid)
        umasks = [status_of(process.pid)['Umask'] for process in (container, joined)]
        joined.kill()
        joined.wait()
        self.another_service(number)
        self.assertEqual(rights_of(container.pid), first)
        again = self.execute(container, SLEEP)
        self.assertEqual(rights_of(again.pid), other)
        self.assertEqual([status_of(process.pid)['Umask'] for process in (container, again)], umasks)
        self.assertEqual(umasks[0], '0077')
        for process in (container, again):
            self.check_given(process.pid)
        self.assertEqual(self.says(container, 'id -u; id -g; id -G'), '1000\n1001\n1001 5 77\n')
        for option, words in (({'User': (0, 0)}, 'User'), ({'SupplementaryGroups': [6]}, 'SupplementaryGroups'),
                              ({'Capabilities': ['CAP_NET_ADMIN']}, 'Capabilities'),
                              ({'NoNewPrivileges': False}, 'NoNewPrivileges'), ({'LimitNOFILE': (64, 129)}, 'LimitNOFILE')):
            with self.subTest(option=words), self.refused('InvalidArgs', 'LimitsExceeded', text=words):
                self.execute(container, SLEEP, **option)

    def test_stopped(self):
        """After a stop of the service and a start of the next one."""
        self.check(signal.SIGTERM)

    def test_killed(self):
        """After it was killed."""
        self.check(signal.SIGKILL)
