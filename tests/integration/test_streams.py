"""The standard streams of a command, opened by their names from inside: /dev/stdout, /proc/self/fd/1."""

import os
import subprocess

from harness.case import Case
from harness.files import as_user
from harness.world import USERS

BOTH = 'echo a > /dev/stdout; echo b >> /dev/stderr; echo c >> /proc/self/fd/1'


class Streams(Case):
    def run_as(self, user, *arguments, **kwargs):
        rootfs = self.rootfs_of(user) if user else self.rootfs
        line = [self.world.naivec, 'run', *arguments[:-1], rootfs, '/bin/sh', '-c', arguments[-1]]
        done = subprocess.run([*as_user(USERS[user]), *line] if user else line, cwd='/', timeout=60, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def file(self, name, mode, data=b''):
        path = f'{self.world.directory}/alice/{name}'
        with open(path, 'wb') as file:
            file.write(data)
        os.chmod(path, mode)
        os.chown(path, USERS['alice'], USERS['alice'])
        self.addCleanup(os.unlink, path)
        return path

    def test_pipes(self):
        """Pipes can be opened, to read and to write, by root's and by a user's command; output also where somebody else has
        made the pipe."""
        line = f'{BOTH}; cat /dev/stdin; cat /proc/self/fd/0'
        done = self.run_as(None, line, input=b'in', capture_output=True)
        self.assertEqual((done.stdout, done.stderr), (b'a\nc\nin', b'b\n'))
        done = self.run_as('alice', BOTH, capture_output=True)
        self.assertEqual((done.stdout, done.stderr), (b'a\nc\n', b'b\n'))
        done = self.command('/bin/sh', '-c', 'printf in | "$@" 2>&1 | cat', 'sh', self.world.naivec, 'run',
                            self.rootfs_of('alice'), '/bin/sh', '-c', line, user='alice')
        self.assertEqual((done.stdout, done.stderr), (b'a\nb\nc\nin', b''))

    def test_of_a_bus_caller(self):
        """A pipe that comes by the bus is left as it is: its own mode says whether a command opens it by name."""
        for mode, expected in ((0o600, b''), (0o666, b'a\n')):
            reader, writer = os.pipe()
            os.fchmod(writer, mode)
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'echo a > /dev/stdout'], fds={1: writer})
            container.wait()
            self.assertEqual(os.fstat(writer).st_mode & 0o777, mode)
            os.close(writer)
            with os.fdopen(reader, 'rb') as lines:
                self.assertEqual(lines.read(), expected)

    def test_files(self):
        """So can files for output that the command's ids are kept out of: each gets what was written, whole, also to both
        streams. Of one for input nothing is read ahead: a loop of a shell's goes on with the next line."""
        for user in (None, 'alice'):
            with self.subTest(user=user):
                source, target = self.file(f'in-{user}', 0o600, b'one\ntwo\n'), self.file(f'out-{user}', 0o600)
                with open(source) as stdin, open(target, 'w') as stdout:
                    self.run_as(user, f'{BOTH}; head -c 4; head -c 200000 /dev/zero | tr "\\0" x; echo end >&2', stdin=stdin,
                                stdout=stdout, stderr=subprocess.STDOUT)
                    self.assertEqual(os.read(stdin.fileno(), 10), b'two\n')
                with open(target) as file:
                    self.assertEqual(file.read(), 'a\nb\nc\none\n' + 'x' * 200000 + 'end\n')

    def test_as_they_are(self):
        """A file that everybody may open, or that a command with its caller's ids is given, is the command's own."""
        for mode, options in ((0o666, ()), (0o600, ('--userns=self',))):
            target = self.file(f'out{mode:o}', mode)
            with open(target, 'w') as stdout:
                self.run_as('alice', *options, 'echo long; readlink /proc/self/fd/1 >&2', stdout=stdout,
                            stderr=subprocess.PIPE)
            self.assertEqual(os.stat(target).st_mode & 0o777, mode)
