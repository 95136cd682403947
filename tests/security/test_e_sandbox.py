"""Rows E19 and E47 to E50: the action sandbox, which needs no password."""

import os
import signal
import sys

from harness.case import Case
from harness.files import as_user, read
from harness.world import USERS, wait_until

# Puts itself under Landlock, in which everything but making files is allowed, then executes the rest. As a user it has to
# give up gaining rights first; `root` does it before it becomes that user, and then nothing but that is to be seen.
LANDLOCK = '''import ctypes, os, struct, sys
call = ctypes.CDLL(None, use_errno=True).syscall
ruleset = call(444, struct.pack('=Q', 1 << 8), 8, 0)
assert ruleset >= 0 and ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0 and call(446, ruleset, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])'''
# A filter that allows everything, loaded by root, who keeps the right to gain rights.
FILTER = '''import ctypes, os, struct, sys
program = ctypes.create_string_buffer(struct.pack('=HBBI', 6, 0, 0, 0x7fff0000))
fprog = ctypes.create_string_buffer(struct.pack('=HxxxxxxQ', 1, ctypes.addressof(program)))
assert ctypes.CDLL(None).prctl(22, 2, ctypes.byref(fprog), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])'''
# Another thread alone gives up gaining rights, and waits.
THREAD = '''import ctypes, os, subprocess, sys, threading
ready = threading.Event()
def confine():
    assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0
    ready.set()
    threading.Event().wait()
threading.Thread(target=confine, daemon=True).start()
ready.wait()
sys.path[:0] = sys.argv[1].split(':')
from harness.hostile import Wire
exec(sys.argv[2])'''


class SandboxCase(Case):
    def naivec(self, *wrapper, user='grace', command=('id', '-u'), options=(), root_wrapper=()):
        """A process of the user's asks for what qualifies, below what confines it."""
        return self.command(*root_wrapper, *as_user(USERS[user]), *wrapper, self.world.naivec, '--no-ask-password', 'run',
                            '--host-usr', *options, '--', *command, timeout=60)

    def log_of(self, ask):
        before = os.path.getsize(self.world.service_log)
        result = ask()
        with open(self.world.service_log) as f:
            f.seek(before)
            return result, f.read()

    def asked(self, ask):
        """The actions that polkit has decided about."""
        result, log = self.log_of(ask)
        return result, [word.rstrip(':') for word in log.split() if word.startswith('org.naive.Runc.')]

    def assert_is_sandbox(self, *args, **kwargs):
        done, actions = self.asked(lambda: self.naivec(*args, **kwargs))
        self.assertEqual((done.returncode, done.stdout), (0, f'{USERS["grace"]}\n'.encode()), done.stderr)
        self.assertEqual(actions, ['org.naive.Runc.sandbox'])

    def assert_is_run(self, *args, **kwargs):
        """polkit grants grace every sandbox and nothing else."""
        done, actions = self.asked(lambda: self.naivec(*args, **kwargs))
        self.assertEqual((done.returncode, done.stdout), (125, b''), done.stderr)
        self.assertIn(b'uthenticat', done.stderr)
        self.assertEqual(actions, ['org.naive.Runc.run'])


class Confined(SandboxCase):
    def test_unconfined(self):
        """E19: who has all that its uid may have is asked about as sandbox, and needs no password."""
        self.assert_is_sandbox()

    def test_no_new_privileges(self):
        """E19: a caller that has given up gaining rights is asked about as run."""
        self.assert_is_run('setpriv', '--no-new-privs')

    def test_landlock(self):
        """E19: a caller under Landlock is asked about as run."""
        self.assert_is_run(sys.executable, '-c', LANDLOCK)

    def test_filter(self):
        """E19: a caller with a filter of system calls is asked about as run, also if it may gain rights."""
        self.assert_is_run(root_wrapper=(sys.executable, '-c', FILTER))

    def test_bubblewrap(self):
        """E19: a caller that bubblewrap has put in a tree that looks like the host's is asked about as run."""
        self.assert_is_run('bwrap', '--bind', '/', '/')

    def test_mount_namespace(self):
        """E19: a caller in another mount namespace, with nothing else about it, is asked about as run."""
        self.assert_is_run(root_wrapper=('unshare', '--mount'))

    def test_user_namespace(self):
        """E19: a caller in a user namespace of its own is asked about as run."""
        self.assert_is_run('unshare', '--user', '--map-current-user')

    def test_root_directory(self):
        """E19: a caller whose root directory is another is asked about as run."""
        tree = f'{self.world.directory}/other-root'
        self.assertEqual(self.command('/bin/sh', '-c', f'mkdir -p {tree} && mount --rbind / {tree}').returncode, 0)
        self.addCleanup(self.command, 'umount', '-lR', tree)
        self.assert_is_run(root_wrapper=('chroot', tree))



class Qualifies(SandboxCase):
    def test_more_is_run(self):
        """E47: a request for anything that its caller may lack is asked about as run or run-privileged, never as sandbox."""
        for option in ('--capability=CAP_NET_RAW', '--network=host', '--seccomp=default', '--userns=auto', '--userns=self',
                       '--watch-bus=no'):
            with self.subTest(option=option):
                done, actions = self.asked(lambda: self.naivec(options=(option,)))
                self.assertNotIn('org.naive.Runc.sandbox', actions, done.stderr)
                self.assertNotEqual(done.returncode, 0)
