"""Rows E51 and E52: what holds a container that was begun as a sandbox."""

import os
import subprocess
import sys

from harness.case import Case
from harness.client import Container
from harness.files import as_user, read, write
from harness.invariants import cgroup_roots
from harness.place import Place
from harness.world import SOURCE, USERS
from judged import Judged

MEMORY, TASKS = 64 << 20, 60

# A process of the user's own: connects, does what argv[2] says, and goes on until it is told.
CALLER = '''import os, sys, time
sys.path.insert(0, sys.argv[1])
from gi.repository import GLib
from harness.client import BusError, RootClient
client = RootClient(os.environ['DBUS_SYSTEM_BUS_ADDRESS'])
def sandbox(*argv):
    mounts = [('/usr', '/usr', 'bind', ['ro']), ('', '/dev', 'dev', []), ('', '/tmp', 'tmpfs', [])] + [(f'usr/{name}', f'/{name}', 'symlink', []) for name in ('bin', 'lib', 'lib64')]
    return client.spawn('', list(argv), EmptyRoot=True, Mounts=mounts, UserNamespace='keep-id', Seccomp='strict',
                        CapabilityBoundingSet=[], WatchBus=True)
def say(*words):
    print(*words, flush=True)
exec(sys.argv[2])
sys.stdin.readline()
os._exit(0)'''


class Bounds(Judged):
    def setUp(self):
        super().setUp()
        config = f'{self.world.directory}/sandbox-bounds.conf'
        write(config, f'[Service]\nPreparedSandboxes=0\nSandboxMemoryMax={MEMORY}\nSandboxTasksMax={TASKS}\n')
        self.place.process.terminate()
        self.place.process.wait()
        self.place.arguments.append(f'--config={config}')
        self.place.start()
        self.fds = 1 << 10  # another service's than the one that was looked at

    def caller(self, act):
        return Case.started(self, *as_user(USERS['alice']), sys.executable, '-c', CALLER, f'{SOURCE}/tests/integration', act,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.place.bus.address))

    def value(self, *names):
        """In the directory of alice's sandboxes, of whichever version of cgroups."""
        for name in names:
            for root in cgroup_roots():
                path = f'{root}{self.place.parent}/{USERS["alice"]}/sandboxes/{name}'
                if os.path.exists(path):
                    return int(read(path))
        self.fail(f'none has {names}')

    def test_memory(self):
        """E51: sandboxes of a user that want all memory get, together, no more than they may."""
        caller = self.caller("bombs = [sandbox('/bin/tail', '/dev/zero') for _ in range(8)]\n"
                             "for bomb in bombs: say(bomb.prop('ControlGroup').split('/')[-2], *bomb.wait(timeout=60), bomb.prop('LimitHit'))")
        for _ in range(8):
            self.assertEqual(caller.stdout.readline(), 'sandboxes oom-kill 9 memory-owner\n')
        self.assertLessEqual(self.value('memory.max_usage_in_bytes', 'memory.peak', 'memory.max'), MEMORY)
        caller.communicate('\n', timeout=60)

    def test_tasks(self):
        """E51: nor more processes, and what is no sandbox of that user's has its own."""
        caller = self.caller("def forks(n): return sandbox('/bin/sh', '-c', f'for i in $(seq {n}); do sleep 600 & done; echo all; exec sleep 600')\n"
                             "first = forks(40)\n"
                             "while first.log() != b'all\\n' and first.state == 'running': time.sleep(.1)\n"
                             "say(forks(40).wait(timeout=60)[0])")
        self.assertEqual(caller.stdout.readline(), 'exit-code\n')
        self.assertEqual(self.value('pids.max'), TASKS)
        self.assertLessEqual(self.value('pids.current'), TASKS)
        other = self.impostor('alice').spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', 'for i in $(seq 80); do /bin/true & done; wait'])
        self.assertEqual(other.wait(timeout=60), ('success', 0), other.log())
        caller.communicate('\n', timeout=60)

    def test_let_go(self):
        """E52: a sandbox ends with its caller, who cannot let it go."""
        caller = self.caller("one = sandbox('/bin/sleep', '600')\n"
                             "try: say(one.call('Update', 'a{sv}', ({'WatchBus': GLib.Variant('b', False)},)))\n"
                             "except BusError as error: say(error.name)\n"
                             "say(one.path)")
        self.assertEqual(caller.stdout.readline(), 'org.freedesktop.DBus.Error.AccessDenied\n')
        container = Container(self.place.client, caller.stdout.readline().strip())
        self.assertEqual(container.state, 'running')
        caller.kill()
        self.assertEqual(container.wait(), ('signal', 9))
