"""Where the benchmark takes place: a mount namespace with a user and a polkit rule of its own, and in it services,
each on a private bus with a polkitd. All in one temporary directory; nothing of it is left."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness.invariants import cgroup_tree, descendants_of, workers_of

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAME = 'org.naive.Runc'
USER, UID = 'naive-bench', 21009
POLKITD = ('/usr/lib/polkit-1/polkitd', '/usr/libexec/polkitd')
INSIDE = 'NAIVE_BENCH_INSIDE'

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path={directory}/socket</listen>
  <servicedir>{directory}/services</servicedir>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_type="method_call"/> <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/> <allow receive_type="method_call"/>
    <allow receive_type="method_return"/> <allow receive_type="error"/> <allow receive_type="signal"/>
  </policy>
</busconfig>
"""

RULE = f"""polkit.addRule(function(action, subject) {{
        return action.id == "org.naive.Runc.run" && subject.user == "{USER}" ? polkit.Result.YES
                                                                             : polkit.Result.NOT_HANDLED;
}});
"""


class Failed(Exception):
    pass


def enter_namespace():
    """Starts this program again in a mount namespace of its own, so that nothing mounted here is seen outside."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = '1'
        os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable, *sys.argv])


def mounts():
    with open('/proc/self/mounts') as f:
        return [line.split() for line in f]


def is_tmpfs(path):
    return any(fields[1:3] == [path, 'tmpfs'] for fields in mounts())


def mount(*arguments):
    subprocess.run(['mount', *arguments], check=True)


def wait_until(condition, what, timeout=15.0):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f'{what} did not come within {timeout} s')
        time.sleep(0.01)


def end(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Place:
    """A bus, a polkitd where there is one, and a service with these lines in its configuration."""

    def __init__(self, world, name, config=''):
        self.world, self.name, self.config = world, name, config
        self.directory, self.state = f'{world.directory}/{name}', f'{world.state}/{name}'
        self.address = f'unix:path={self.directory}/socket'
        self.cgroup_parent = f'{world.cgroup_parent}-{name}'
        self.bus = self.polkit = self.service = None
        os.makedirs(f'{self.directory}/services')
        with open(f'{self.directory}/naive-runc.conf', 'w') as f:
            f.write(f'[Service]\n{config}')

    def service_argv(self):
        return [self.world.program('naive-runcd'), f'--address={self.address}', f'--state-dir={self.state}',
                f'--config={self.directory}/naive-runc.conf', f'--cgroup-parent={self.cgroup_parent}',
                '--idle-timeout=0']

    def start_bus(self):
        with open(f'{self.directory}/bus.conf', 'w') as f:
            f.write(BUS_CONFIG.format(directory=self.directory))
        self.bus = self.run(['dbus-daemon', f'--config-file={self.directory}/bus.conf', '--nofork', '--nopidfile',
                             '--nosyslog'], 'bus')
        wait_until(lambda: os.path.exists(f'{self.directory}/socket') or self.bus.poll() is not None, 'the bus')

    def run(self, argv, log):
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address)
        with open(f'{self.directory}/{log}.log', 'a') as f:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=f, stderr=f, cwd='/', env=environment)

    def start(self):
        self.start_bus()
        if self.world.polkitd:
            self.polkit = self.run([self.world.polkitd, '--no-debug'], 'polkit')
        self.service = self.run(self.service_argv(), 'service')
        wait_until(self.is_up, f'the service "{self.name}"')

    def start_activatable(self):
        """The bus alone; the first call to the service starts it."""
        start = f'{self.directory}/start'
        with open(start, 'w') as f:
            f.write('#!/bin/sh\nexec ' + ' '.join(self.service_argv()) + f' 2>>{self.directory}/service.log\n')
        os.chmod(start, 0o755)
        with open(f'{self.directory}/services/{NAME}.service', 'w') as f:
            f.write(f'[D-BUS Service]\nName={NAME}\nExec={start}\nUser=root\n')
        self.start_bus()

    def activated(self):
        """The service's pid if the bus has started it, else 0."""
        for pid in descendants_of(self.bus.pid):
            try:
                with open(f'/proc/{pid}/comm') as f:
                    if f.read().strip() == 'naive-runcd':
                        return pid
            except (FileNotFoundError, ProcessLookupError):
                pass
        return 0

    def is_up(self):
        if self.service.poll() is not None:
            raise Failed(f'the service "{self.name}" did not start: {self.log()}')
        argv = self.client()
        done = subprocess.run(argv, input='1 0\n', capture_output=True, text=True)
        return done.returncode == 0 and done.stdout.split()[1:2] == ['0']

    def log(self):
        with open(f'{self.directory}/service.log', errors='replace') as f:
            return f.read()[-2000:].strip()

    def client(self, *options, orders=None):
        return [self.world.program('tests/bench/client'), *options, self.address,
                orders or self.world.orders_file]

    def waiting(self):
        """Processes that the service keeps while no container is there: its prepared sandboxes and their maker, but
        not the receiver and what closes for it, which stay."""
        return workers_of(self.service.pid)

    def close(self):
        pid = self.activated() if self.bus and not self.service and self.bus.poll() is None else 0
        if pid:
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not os.path.exists(f'/proc/{pid}/exe'), 'the end of the service')
        for process in (self.service, self.polkit, self.bus):
            end(process)


class World:
    def __init__(self, build):
        self.build = build
        self.directory = tempfile.mkdtemp(prefix='naive-bench-')
        os.chmod(self.directory, 0o755)
        self.name = os.path.basename(self.directory)
        self.cgroup_parent = f'/{self.name}'
        # state belongs on a tmpfs, as /run is on most machines and not on all
        self.state = tempfile.mkdtemp(prefix=f'{self.name}-',
                                      dir='/dev/shm' if is_tmpfs('/dev/shm') else self.directory)
        self.polkitd = next((path for path in POLKITD if os.access(path, os.X_OK)), None)
        self.orders_file = f'{self.directory}/orders'
        self.places, self.references = [], 0
        self.mounted, self.foreign_cgroups = [], []

    def program(self, name):
        path = f'{self.build}/{name}'
        if not os.access(path, os.X_OK):
            raise Failed(f'{path} is missing: build first (meson compile -C {self.build})')
        return path

    def mount(self, *arguments):
        mount(*arguments)
        self.mounted.append(arguments[-1])

    def prepare_user(self):
        """A user who may run containers, by a rule, in this mount namespace only."""
        for path, line in (('/etc/passwd', f'{USER}:x:{UID}:{UID}::/:/bin/sh\n'), ('/etc/group', f'{USER}:x:{UID}:\n')):
            copy = f'{self.directory}/{os.path.basename(path)}'
            shutil.copy(path, copy)
            with open(copy, 'a') as f:
                f.write(line)
            self.mount('--bind', copy, path)
        if not self.polkitd:
            return
        actions = f'{self.directory}/actions'
        shutil.copytree('/usr/share/polkit-1/actions', actions)
        shutil.copy(f'{SOURCE}/polkit/org.naive.Runc.policy', actions)
        self.mount('--bind', actions, '/usr/share/polkit-1/actions')
        self.mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/etc/polkit-1')
        os.mkdir('/etc/polkit-1/rules.d')
        with open('/etc/polkit-1/rules.d/10-naive-bench.rules', 'w') as f:
            f.write(RULE)

    def place(self, name, config=''):
        place = Place(self, name, config)
        self.places.append(place)
        return place

    def start_services(self):
        """(the service as it comes, the one without prepared sandboxes); the first is None if it knows of none."""
        plain = self.place('plain', 'PreparedSandboxes=0\n')
        try:
            plain.start()
        except Failed as failure:
            plain.close()
            if 'unknown key PreparedSandboxes' not in str(failure):
                raise
            plain = self.place('only')
            plain.start()
            return None, plain
        prepared = self.place('prepared')
        prepared.start()
        return prepared, plain

    def reference(self, *options, orders=None):
        # a name of its own for each, or the first to end removes the others' parent
        self.references += 1
        return [self.program('tests/bench/reference'), f'--cgroup-parent={self.cgroup_parent}-{self.references}',
                f'--state-dir={self.state}', *options, orders or self.orders_file]

    def leftovers(self):
        found = []
        for point in {fields[1] for fields in mounts() if fields[2].startswith('cgroup')}:
            if os.path.isdir(point):
                found += [f'{point}/{name}' for name in os.listdir(point) if name.startswith(self.name)]
        return found + [path for path in (self.directory, self.state) if os.path.exists(path)]

    def close(self):
        for place in self.places:
            place.close()
        for parent in self.foreign_cgroups:
            for path in sorted(cgroup_tree(parent), reverse=True):
                os.rmdir(path)
        for point in reversed(self.mounted):
            subprocess.run(['umount', '--lazy', point], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.state, ignore_errors=True)
