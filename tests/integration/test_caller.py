"""naivec called in a state of the caller's own: scheduling, signals, limits, umask; on the bus and embedded."""

import sys

from test_naivec import Naivec

IGNORING = ('import os, signal, sys\n'
            'for n in range(1, 65):\n'
            '    try:\n'
            '        signal.signal(n, signal.SIG_IGN)\n'
            '    except (OSError, ValueError):\n'
            '        pass\n'
            'os.execv(sys.argv[1], sys.argv[1:])')
BLOCKING = ('import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); '
            'os.execv(sys.argv[1], sys.argv[1:])')
NOWHERE = 'd=$(mktemp -d); cd $d; rmdir $d; exec "$@"'
CALLERS = {
    'idle': ['chrt', '-i', '0'], 'batch': ['chrt', '-b', '0'], 'nice': ['nice', '-n', '19'],
    'idle and nice': ['chrt', '-i', '0', 'nice', '-n', '19'], 'ionice': ['ionice', '-c', '3'],
    'affinity': ['taskset', '-c', '0'], 'umask 0777': ['sh', '-c', 'umask 0777; exec "$@"', 'sh'],
    'umask 0': ['sh', '-c', 'umask 0; exec "$@"', 'sh'],
    'ignored': [sys.executable, '-c', IGNORING], 'blocked': [sys.executable, '-c', BLOCKING],
    'nohup': ['nohup'], 'session': ['setsid', '-w'], 'nowhere': ['sh', '-c', NOWHERE, 'sh'],
    'no environment': ['env', '-i', 'DBUS_SYSTEM_BUS_ADDRESS={address}', 'NAIVE_RUNCD={daemon}'],
    'no new privileges': ['setpriv', '--no-new-privs'], 'personality': ['setarch', '-R'],
    'files': ['prlimit', '--nofile=64:'], 'stack': ['prlimit', '--stack=unlimited'],
    'small stack': ['prlimit', '--stack=65536'],
    'memlock': ['prlimit', '--memlock=0'], 'core': ['prlimit', '--core=0'], 'queue': ['prlimit', '--sigpending=0'],
    'priority': ['prlimit', '--nice=0'], 'address space': ['prlimit', '--as=400000000'],
    'no output': ['sh', '-c', 'exec "$@" 2>&-', 'sh'], 'no input': ['sh', '-c', 'exec "$@" <&-', 'sh'],
}


class Caller(Naivec):
    def words(self, name):
        return [word.format(address=self.world.address, daemon=self.world.daemon) if '{address}' in word or
                '{daemon}' in word else word for word in CALLERS[name]]

    def check(self, user, rootfs, *options):
        for name in CALLERS:
            if name == 'address space' and self.world.sanitized:
                continue  # a sanitizer alone wants more than that
            with self.subTest(caller=name):
                done = self.command(*self.words(name), self.world.naivec, *options, 'run', rootfs, '/bin/sh', '-c',
                                    'cat; umask; echo out', user=user, input=b'in\n', timeout=20,
                                    env={'NAIVE_RUNCD': self.world.daemon})
                said = b'' if name == 'no input' else b'in\n'
                self.assertEqual((done.returncode, done.stdout), (0, said + b'0022\nout\n'), done.stderr)

    def test_root_embedded(self):
        """Root's own service starts in any state of its caller."""
        self.check(None, self.rootfs, '--embedded')

    def test_user_embedded(self):
        """A user's own service starts in any state of its caller."""
        self.check('carol', self.rootfs_of('carol'), '--embedded')

    def test_limits_too_low(self):
        """A limit that a service of one's own could not work with is named; on the bus it does not matter."""
        for limit, words in (('--nofile=300', b'ulimit -n'), ('--fsize=0', b'ulimit -f')):
            with self.subTest(limit=limit):
                done = self.command('prlimit', limit, self.world.naivec, '--embedded', 'run', self.rootfs, '/bin/true')
                self.assertEqual(done.returncode, 125)
                self.assertIn(words, done.stderr)
                done = self.command('prlimit', limit, self.world.naivec, 'run', self.rootfs, '/bin/echo', 'out')
                self.assertEqual((done.returncode, done.stdout), (0, b'out\n'), done.stderr)

    def test_root_by_bus(self):
        """On the bus the caller's state reaches neither the service nor the command."""
        self.check(None, self.rootfs)

    def test_user_by_bus(self):
        """So it is for a user."""
        self.check('alice', self.rootfs_of('alice'))
