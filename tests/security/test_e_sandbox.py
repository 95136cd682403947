"""Rows E19, E47 and E49: whom and what polkit is asked about as the action sandbox."""

import os
import subprocess
import sys

from harness.case import Case
from harness.client import INFINITY, Container
from harness.fake_polkit import CHALLENGE, NO, YES, always
from harness.files import as_user
from harness.world import SOURCE, USERS
from judged import Judged

SANDBOX, RUN, PRIVILEGED = (f'org.naive.Runc.{word}' for word in ('sandbox', 'run', 'run-privileged'))
GIVE_UP = 'ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)'  # gaining rights: no_new_privs

# Puts itself under Landlock, which then keeps it from making directories, and executes the rest.
LANDLOCK = f'''import ctypes, os, struct, sys
call = ctypes.CDLL(None, use_errno=True).syscall
ruleset = call(444, struct.pack('=Q', 1 << 7), 8, 0)
assert ruleset >= 0 and {GIVE_UP} == 0 and call(446, ruleset, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])'''
# A filter that allows everything, loaded by root, who keeps the right to gain rights.
FILTER = '''import ctypes, os, struct, sys
program = ctypes.create_string_buffer(struct.pack('=HBBI', 6, 0, 0, 0x7fff0000))
words = ctypes.create_string_buffer(struct.pack('=HxxxxxxQ', 1, ctypes.addressof(program)))
assert ctypes.CDLL(None).prctl(22, 2, words, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])'''
# Connects, does what argv[2] says, and asks for a sandbox.
CALLER = '''import ctypes, os, sys, threading
sys.path.insert(0, sys.argv[1])
from harness.client import BusError, RootClient
client = RootClient(os.environ['DBUS_SYSTEM_BUS_ADDRESS'])
def thread(function):
    ready = threading.Event()
    def body():
        function()
        ready.set()
        threading.Event().wait()
    threading.Thread(target=body, daemon=True).start()
    return ready
def when_told():
    sys.stdin.readline()
    act()
    print('done', flush=True)
exec(sys.argv[2])
try:
    container = client.spawn('', ['/usr/bin/true'], EmptyRoot=True, Mounts=[('/usr', '/usr', 'bind', ['ro']), ('usr/lib', '/lib', 'symlink', []),
                             ('usr/lib64', '/lib64', 'symlink', [])], UserNamespace='keep-id', Seccomp='strict',
                             CapabilityBoundingSet=[], WatchBus=True)
    print('started', flush=True)
except BusError as error:
    print(error.name, error.text, flush=True)
os._exit(0)'''


def only_sandbox(polkit, check):
    polkit.answer(check, YES if check.action == SANDBOX else CHALLENGE)


class SandboxCase(Judged):
    def setUp(self):
        super().setUp()
        self.polkit.policy = only_sandbox

    @property
    def bus(self):
        return {'DBUS_SYSTEM_BUS_ADDRESS': self.place.bus.address}

    def naivec(self, *wrapper, options=(), command=('id', '-u'), by_root=()):
        """A process of alice's asks for what qualifies, below what confines it."""
        self.polkit.checks.clear()
        return self.command(*by_root, *as_user(USERS['alice']), *wrapper, self.world.naivec, '--no-ask-password', 'run',
                            '--host-usr', *options, '--', *command, env=self.bus, timeout=60)

    def actions(self):
        return [check.action for check in self.polkit.checks]

    def assert_is_sandbox(self, done):
        self.assertEqual((done.returncode, done.stdout), (0, f'{USERS["alice"]}\n'.encode()), done.stderr)
        self.assertEqual(self.actions(), [SANDBOX])

    def assert_is_run(self, done):
        self.assertEqual((done.returncode, done.stdout), (125, b''), done.stderr)
        self.assertEqual(self.actions(), [RUN], done.stderr)

    def caller(self, act=''):
        """A process of alice's that does that between connecting and asking."""
        self.polkit.checks.clear()
        return Case.started(self, *as_user(USERS['alice']), sys.executable, '-c', CALLER, f'{SOURCE}/tests/integration', act,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ, **self.bus))


class Confined(SandboxCase):
    def test_unconfined(self):
        """E19: who has all that its user may have is asked about as sandbox, and needs no password."""
        self.assert_is_sandbox(self.naivec())

    def test_no_new_privileges(self):
        """E19: a caller that has given up gaining rights is asked about as run."""
        self.assert_is_run(self.naivec('setpriv', '--no-new-privs'))

    def test_landlock(self):
        """E19: a caller under Landlock is asked about as run."""
        self.assert_is_run(self.naivec(sys.executable, '-c', LANDLOCK))

    def test_filter(self):
        """E19: a caller with a filter of system calls is asked about as run, also one that may gain rights."""
        self.assert_is_run(self.naivec(by_root=(sys.executable, '-c', FILTER)))

    def test_bubblewrap(self):
        """E19: a caller that bubblewrap has put in a tree that looks like the host's is asked about as run."""
        self.assert_is_run(self.naivec('bwrap', '--bind', '/', '/'))

    def test_mount_namespace(self):
        """E19: a caller in another mount namespace, with nothing else about it, is asked about as run."""
        self.assert_is_run(self.naivec(by_root=('unshare', '--mount')))

    def test_user_namespace(self):
        """E19: a caller in a user namespace of its own is asked about as run."""
        self.assert_is_run(self.naivec('unshare', '--user', '--map-current-user'))

    def test_root_directory(self):
        """E19: a caller whose root directory is another is asked about as run."""
        tree = f'{self.world.directory}/other-root'
        script = f'mkdir -p {tree} && mount --rbind / {tree} && mount --make-rprivate {tree}'
        self.assertEqual(self.command('sh', '-c', script).returncode, 0)
        try:
            self.assert_is_run(self.naivec(by_root=('chroot', tree)))
        finally:
            self.assertEqual(self.command('umount', '-l', tree).returncode, 0)

    def test_inside(self):
        """E19: a command in a sandbox, with its owner's id and the bus within reach, is asked about as run."""
        mounts = [f'--volume={path}:{path}:ro' for path in (f'{self.place.directory}/bus', self.world.build)]
        line = ('env', f'DBUS_SYSTEM_BUS_ADDRESS={self.place.bus.address}', self.world.naivec, '--no-ask-password', 'run',
                '--host-usr', 'true')
        done = self.naivec(options=mounts, command=line)
        self.assertEqual(done.returncode, 125, done.stderr)
        self.assertEqual(self.actions(), [SANDBOX, RUN], done.stderr)

    def test_one_thread(self):
        """E19: a caller of whose threads one alone is confined is asked about as run."""
        process = self.caller(f'thread(lambda: {GIVE_UP}).wait()')
        self.assertIn('InteractiveAuthorizationRequired', process.stdout.readline())
        self.assertEqual(self.actions(), [RUN])

    def test_lost_ids(self):
        """E19: a process that has other ids than when it connected, by uid, gid or a group less, is asked about as run."""
        for drop in ('os.setgroups([])', f'os.setresgid({USERS["bob"]}, {USERS["bob"]}, {USERS["bob"]})',
                     f'os.setresuid(-1, {USERS["bob"]}, -1)'):
            with self.subTest(drop=drop):
                alice = USERS['alice']
                act = (f'client.close(); os.setgroups([{USERS["carol"]}]); os.setresgid({alice}, {alice}, {alice}); '
                       f'os.setresuid({alice}, {alice}, 0); client = RootClient(os.environ["DBUS_SYSTEM_BUS_ADDRESS"]); '
                       f'os.setresuid(0, 0, 0); {drop}')
                end = f'; os.setresuid({alice}, {alice}, {alice})' if 'uid' not in drop else ''
                self.polkit.checks.clear()
                process = Case.started(self, sys.executable, '-c', CALLER, f'{SOURCE}/tests/integration', act + end,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ, **self.bus))
                self.assertIn('InteractiveAuthorizationRequired', process.stdout.readline())
                self.assertEqual(self.actions(), [RUN])

    def test_confines_itself_meanwhile(self):
        """E49: who confines itself while polkit is asked gets nothing by the answer, and is asked about nothing more."""
        process = self.caller(f'act = lambda: {GIVE_UP}; thread(when_told)')

        def policy(polkit, check):
            process.stdin.write('\n')
            process.stdin.flush()
            process.stdout.readline()
            polkit.answer(check, YES)
        self.polkit.policy = policy
        process.wait()
        self.assertIn('AccessDenied the caller has ended or has less rights', process.stdout.readline())
        self.assertEqual(self.actions(), [SANDBOX])
        self.assertEqual(self.place.client.containers(), [])


class Asked(SandboxCase):
    def test_what_is_told(self):
        """E47: polkit is told the program, the unit and the label, and of the command what it is told for run."""
        self.assert_is_sandbox(self.naivec())
        check, = self.polkit.checks
        self.assertEqual(check.details['executable'],  # the one that naivec executes
                         os.path.join(os.path.dirname(os.path.realpath(self.world.naivec)), 'naivec-full'))
        self.assertEqual((check.details['label'], check.details['command_line'], check.details['verb']), ('', 'id -u', 'Create'))
        self.assertIn('unit', check.details)
        self.assertEqual(check.details['memory_max'], str(1 << 30))
        self.assertEqual(check.flags, 0)

    def test_not_yes(self):
        """E47: where polkit does not say yes, run is asked about, as if nothing had been: once, with a prompt if the caller allows."""
        for judgement in (NO, CHALLENGE):
            def policy(polkit, check):
                polkit.answer(check, judgement if check.action == SANDBOX else YES)
            self.polkit.policy = policy
            self.polkit.checks.clear()
            process = self.caller('from harness.client import INTERACTIVE; call = client.call; '
                                  'client.call = lambda *words, **more: call(*words, **dict(more, flags=INTERACTIVE))')
            self.assertEqual(process.stdout.readline(), 'started\n')
            self.assertEqual([(check.action, check.flags) for check in self.polkit.checks], [(SANDBOX, 0), (RUN, 1)])
            self.assertEqual(self.polkit.checks[1].details['memory_max'], 'infinity')
            self.assertNotIn('executable', self.polkit.checks[1].details)

    def test_error(self):
        """E47: where polkit does not know the action, run is asked about."""
        def policy(polkit, check):
            if check.action == SANDBOX:
                polkit.answer_error(check, 'org.freedesktop.PolicyKit1.Error.Failed', 'Action is not registered')
            else:
                polkit.answer(check, YES)
        self.polkit.policy = policy
        self.assertEqual(self.naivec().returncode, 0)
        self.assertEqual(self.actions(), [SANDBOX, RUN])

    def test_more(self):
        """E47: an order for anything that its caller may lack, or that its caller may outlive, is never asked about as sandbox."""
        self.polkit.policy = always(NO)
        more = {'--cap-add=CAP_NET_RAW': PRIVILEGED, '--network=host': PRIVILEGED, '--seccomp=default': RUN,
                '--seccomp=unconfined': PRIVILEGED, '--userns=auto': RUN, '--userns=self': RUN, '--userns=host': PRIVILEGED,
                '--cap-drop=CAP_KILL': RUN, '-d': RUN}
        for option, action in more.items():
            with self.subTest(option=option):
                done = self.naivec(options=(option,))
                self.assertEqual((done.returncode, self.actions()), (125, [action]), done.stderr)

    def test_bounds(self):
        """E47: what is said of memory is kept; where nothing is said there is 1 GiB, in a sandbox alone."""
        for options, memory in (((), 1 << 30), (('--memory=5M',), 5 << 20), (('--memory=infinity',), INFINITY)):
            with self.subTest(options=options):
                process = Case.started(self, *as_user(USERS['alice']), self.world.naivec, 'run', '--host-usr', *options, 'sleep', '60',
                                       env=dict(os.environ, **self.bus), stdin=subprocess.DEVNULL)
                self.eventually(lambda: len(self.place.client.containers()) == 1, what='the container')
                (*_, path), = self.place.client.containers()
                container = Container(self.place.client, path)
                self.assertEqual(container.prop('MemoryMax'), memory)
                process.terminate()
                self.eventually(lambda: not self.place.client.containers(), timeout=20, what='its end with its caller')
