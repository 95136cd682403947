"""The private world: made once by `enter()` in namespaces of its own, shared by all tests of a run."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

from . import rootfs
from .client import RootClient, UserClient, BusError, NAME
from .files import read, write
from .invariants import Prepared, cgroup_tree, own_processes

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
USERS = {'alice': 20001, 'bob': 20002, 'carol': 20003, 'dave': 20004, 'erin': 20005, 'mallory': 20006, 'frank': 20007,
         'fay': 20008, 'grace': 20009}
SUBORDINATE = {'fay': 500000}   # 65536 user and group ids from there on


def mount(*arguments):
    subprocess.run(['mount', *arguments], check=True)


def wait_until(condition, timeout=10.0, what='condition'):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f'{what} did not come within {timeout} s')
        time.sleep(0.01)


class Bus:
    """A dbus-daemon of our own with the system bus's rules."""

    def __init__(self, directory, executable=None, arguments=(), limits=''):
        self.directory = directory
        self.socket = os.path.join(directory, 'socket')
        self.address = f'unix:path={self.socket}'
        for name in ('system.d', 'services'):
            os.makedirs(os.path.join(directory, name))
        shutil.copy('/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf', f'{directory}/system.d')
        shutil.copy(f'{SOURCE}/dbus/org.naive.Runc.conf', f'{directory}/system.d')
        if executable:
            # Arguments must be plain words here: dbus-daemon parses Exec= like a shell would.
            write(f'{directory}/services/{NAME}.service',
                  f'[D-BUS Service]\nName={NAME}\nExec={executable} {" ".join(arguments)}\nUser=root\n')
        text = read(f'{HERE}/bus.conf.in').replace('@socket@', self.socket).replace('@directory@', directory)
        write(f'{directory}/bus.conf', text.replace('<policy ', f'{limits}<policy ', 1))
        self.start()

    def start(self):
        with open(f'{self.directory}/bus.log', 'a') as log:
            self.process = subprocess.Popen(['dbus-daemon', f'--config-file={self.directory}/bus.conf', '--nofork',
                                             '--nopidfile', '--nosyslog'], stdout=log, stderr=log)
        wait_until(lambda: os.path.exists(self.socket), what='the bus')
        time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        if os.path.exists(self.socket):
            os.unlink(self.socket)


class World:
    """`directory`: where everything lies, a tmpfs. `build`: the build directory with the programs. `prepared`: how
    many sandboxes the service keeps ready."""

    def __init__(self, directory, build, prepared=4):
        self.directory, self.build, self.prepared = directory, build, prepared
        self.state_dir = f'{directory}/state'
        self.cgroup_parent = f'/naive-test-{os.path.basename(directory)}'
        self.daemon = f'{build}/naive-runcd'
        self.naivec = f"{build}/cli/{os.environ.get('NAIVEC', 'naivec')}"
        self.sanitized = b'__asan_init' in open(self.daemon, 'rb').read()
        self.slowness = 3.0 if self.sanitized else 1.0
        self.users, self.extra = {}, []
        self.canary = f'{directory}/canary'
        self.service = self.polkit = self.bus = self.root = None
        self.hidden_mountinfo = int(os.environ.get('NAIVE_HOST_MOUNTINFO', '-1'))

    # -- making it ---------------------------------------------------------------------------------
    def build_all(self):
        self._users()
        self._polkit_files()
        write(f'{self.directory}/naive-runc.conf', f'[Service]\nPreparedSandboxes={self.prepared}\n')
        os.environ['ASAN_OPTIONS'] = f'log_path={self.directory}/asan:exitcode=99:detect_leaks=1'
        os.environ['UBSAN_OPTIONS'] = f'log_path={self.directory}/ubsan:print_stacktrace=1:halt_on_error=1'
        rootfs.compile_helpers(f'{self.directory}/programs')
        self.rootfs = rootfs.make(f'{self.directory}/rootfs', f'{self.directory}/programs')
        for name in ('alice', 'bob', 'carol', 'dave', 'frank', 'fay'):
            home = f'{self.directory}/{name}'
            os.mkdir(home)
            rootfs.make(f'{home}/rootfs', f'{self.directory}/programs', USERS[name], USERS[name])
            os.chown(home, USERS[name], USERS[name])
        rootfs.make_canary(self.canary, USERS['bob'])
        self.bus = Bus(f'{self.directory}/bus')
        self.address = self.bus.address
        os.environ['DBUS_SYSTEM_BUS_ADDRESS'] = self.address
        self.root = RootClient(self.address)
        self.start_polkit()
        self.start_service()

    def _users(self):
        for path, line in (('/etc/passwd', '{n}:x:{u}:{u}::/:/bin/sh'), ('/etc/group', '{n}:x:{u}:')):
            copy = f'{self.directory}/{os.path.basename(path)}'
            shutil.copy(path, copy)
            with open(copy, 'a') as f:
                for name, uid in USERS.items():
                    f.write(line.format(n=name, u=uid) + '\n')
            mount('--bind', copy, path)
        for path in ('/etc/subuid', '/etc/subgid'):
            copy = f'{self.directory}/{os.path.basename(path)}'
            with open(copy, 'w') as f:
                for name, first in SUBORDINATE.items():
                    f.write(f'{name}:{first}:65536\n')
            if os.path.exists(path):
                mount('--bind', copy, path)

    def add_users(self, uids):
        """Whom the bus lets in: it takes nobody whose groups it cannot look up. Returns how to undo it."""
        path = f'{self.directory}/passwd'
        before = os.path.getsize(path)
        with open(path, 'a') as f:
            f.writelines(f'user{uid}:x:{uid}:{uid}::/:/bin/sh\n' for uid in uids)
        return lambda: os.truncate(path, before)

    def _polkit_files(self):
        """Rules and actions of our own, over the machine's in this mount namespace only."""
        actions = f'{self.directory}/actions'
        shutil.copytree('/usr/share/polkit-1/actions', actions)
        shutil.copy(f'{SOURCE}/polkit/org.naive.Runc.policy', actions)
        mount('--bind', actions, '/usr/share/polkit-1/actions')
        # no file system of its own: one test binds /etc, and before Linux 6.3 a tmpfs cannot be id-mapped
        os.makedirs(f'{self.directory}/polkit-1/rules.d')
        mount('--bind', f'{self.directory}/polkit-1', '/etc/polkit-1')
        text = read(f'{HERE}/test.rules').replace('@directory@', self.directory)
        write('/etc/polkit-1/rules.d/10-naive-test.rules', text)

    def start_polkit(self):
        with open(f'{self.directory}/polkitd.log', 'a') as log:
            self.polkit = subprocess.Popen(['/usr/lib/polkit-1/polkitd', '--no-debug'], stdout=log, stderr=log)
        wait_until(lambda: 'org.freedesktop.PolicyKit1' in self.bus_names(), what='polkitd')

    def stop_polkit(self):
        self.polkit.kill()
        self.polkit.wait()
        wait_until(lambda: 'org.freedesktop.PolicyKit1' not in self.bus_names(), what="polkitd's end")

    def service_arguments(self, address=None, state=None, parent=None, idle=0):
        return [f'--address={address or self.address}', f'--state-dir={state or self.state_dir}',
                f'--config={self.directory}/naive-runc.conf',
                f'--cgroup-parent={parent or self.cgroup_parent}', f'--idle-timeout={idle}']

    def start_service(self, pass_fds=()):
        self.service_log = f'{self.directory}/service.log'
        with open(self.service_log, 'a') as log:
            self.service = subprocess.Popen([self.daemon, *self.service_arguments()], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd='/', pass_fds=pass_fds)
        try:
            wait_until(lambda: NAME in self.bus_names() or not self.service_alive(), 40, 'the service')
        except TimeoutError:
            pass
        if not self.service_alive() or NAME not in self.bus_names():
            raise RuntimeError('the service did not start:\n' + self.log_tail())
        # What is opened once and kept (a first Run's caches) belongs to the baseline.
        try:
            for client, path in ((self.root, self.rootfs), (self.user('alice'), f'{self.directory}/alice/rootfs')):
                container = client.run(path, 0, ['/bin/true'])
                container.wait()
                container.delete()
        except BusError as error:
            print(f'warm-up: {error}', file=sys.stderr)

    def stop_service(self):
        """SIGTERM, as a service manager would; its exit status."""
        self.service.terminate()
        try:
            return self.service.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.service.kill()
            self.service.wait()
            return None

    def restart_service(self, pass_fds=()):
        if self.service_alive():
            self.stop_service()
        for pid in self.strangers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.remove_cgroups(self.cgroup_parent)
        shutil.rmtree(self.state_dir, ignore_errors=True)
        self.start_service(pass_fds)

    def close(self):
        for user in self.users.values():
            user.close()
        if self.service and self.service_alive():
            self.stop_service()
        self.remove_cgroups(self.cgroup_parent)
        for process in self.extra:
            if process.poll() is None:
                process.kill()
                process.wait()
        if self.polkit:
            self.polkit.kill()
            self.polkit.wait()
        if self.root:
            self.root.close()
        if self.bus:
            self.bus.stop()

    @staticmethod
    def remove_cgroups(parent):
        for path in sorted(cgroup_tree(parent), key=len, reverse=True):
            for _ in range(100):
                try:
                    os.rmdir(path)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)

    # -- looking at it -----------------------------------------------------------------------------
    @property
    def service_pid(self):
        return self.service.pid

    def service_alive(self):
        return self.service is not None and self.service.poll() is None

    def service_fds(self):
        result = {}
        for fd in os.listdir(f'/proc/{self.service_pid}/fd'):
            try:
                result[int(fd)] = os.readlink(f'/proc/{self.service_pid}/fd/{fd}')
            except OSError:
                pass
        return result

    def own_fds(self):
        return Prepared(self).own_fds(self)

    def log_tail(self, lines=12):
        try:
            with open(self.service_log, errors='replace') as f:
                return ''.join(f.readlines()[-lines:])
        except OSError:
            return ''

    def sanitizer_reports(self):
        result = []
        for name in sorted(os.listdir(self.directory)):
            if name.startswith(('asan.', 'ubsan.')):
                result.append(read(f'{self.directory}/{name}'))
        return result

    def mountinfo(self):
        lines = self.mounts_of('self')
        if self.hidden_mountinfo >= 0:  # the machine's own mount namespace, which we left
            os.lseek(self.hidden_mountinfo, 0, os.SEEK_SET)
            data = b''
            while piece := os.read(self.hidden_mountinfo, 1 << 16):
                data += piece
            # Others may mount there while we test; what would be ours has our directory in it.
            lines += ['machine: ' + line for line in data.decode().splitlines() if self.directory in line]
        return lines

    def mounts_of(self, pid):
        with open(f'/proc/{pid}/mountinfo') as f:
            # Not others' mounts in a working tree or in /tmp: who removes such a directory takes them away here, too.
            return [line for line in f.read().splitlines()
                    if re.match(r'/($|proc|sys|dev|run|etc|usr)', line.split()[4]) or self.directory in line]

    def watched_trees(self):
        return [self.canary, self.rootfs] + [f'{self.directory}/{name}/rootfs' for name in ('alice', 'bob')]

    def bus_names(self):
        return {name for name in self.root.bus('ListNames')[0] if not name.startswith(':')}

    def strangers(self):
        """Processes that are neither ours nor known: what a test left behind."""
        ours = {os.getpid(), 1}
        for process in [self.service, self.polkit, self.bus.process] + self.extra:
            if process:
                ours.add(process.pid)
        before = Prepared(self)  # and after: one may come or go meanwhile
        processes = own_processes()
        after = Prepared(self)
        ours |= before.processes | before.closer | after.processes | after.closer
        return {pid: line for pid, line in processes.items()
                if pid not in ours and 'dbus-broker' not in line.split(' ', 1)[0]}  # one bus may be two processes

    def user(self, name):
        if name not in self.users or self.users[name].connection.is_closed():
            self.users[name] = UserClient(self.address, USERS[name])
        return self.users[name]
