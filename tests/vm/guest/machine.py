"""The machine and the product on it, as the tests see them. Everything goes through what users have: systemctl,
busctl, naivec, journalctl, apt."""

import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import time
import unittest

from harness import record, rootfs
from harness.client import Container, RootClient

UNIT = 'naive-runc.service'
CONTAINERS = 'naive-runc-containers.service'
NAME, PATH = 'org.naive.Runc', '/org/naive/Runc'
ROOTFS = '/srv/rootfs'
CONFIG = '/etc/naive-runc.conf'
NEEDRESTART = '/etc/needrestart/conf.d/naive-runc.conf'
BUS = 'unix:path=/run/dbus/system_bus_socket'
CGROUPS = '/sys/fs/cgroup'
PACKAGES = '/vm/package'
USERS = {'alice': 1000, 'bob': 1001, 'carol': 1002}
APT_LIMIT = 1200  # seconds for a test that calls apt, which may take 400 each time


def run(*argv, check=True, timeout=60, input='', user=None):
    """A command; its CompletedProcess, with text."""
    if user:
        argv = ('setpriv', f'--reuid={user}', f'--regid={user}', '--init-groups', *argv)
    done = subprocess.run(argv, input=input, capture_output=True, text=True, errors='surrogateescape',
                          timeout=timeout, cwd='/')
    if check and done.returncode != 0:
        raise AssertionError(f'{" ".join(argv)}: status {done.returncode}\n{done.stdout}{done.stderr}')
    return done


def output(*argv, **kwargs):
    return run(*argv, **kwargs).stdout.strip()


def wait_until(condition, timeout=20, what='condition'):
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'{what}: not within {timeout} s')
        time.sleep(0.05)


def description():
    with open('/etc/os-release') as f:
        name = re.search('PRETTY_NAME="(.*)"', f.read()).group(1)
    return (f'{name}, Linux {os.uname().release}, {output("systemctl", "--version").splitlines()[0]}, '
            f'booted in {open("/proc/uptime").read().split()[0]} s')


# -- preparation -----------------------------------------------------------------------------------------
def prepare():
    """Root file systems, once for each run."""
    if os.path.exists(ROOTFS):
        return
    rootfs.compile_helpers('/srv/programs')
    rootfs.make(ROOTFS, '/srv/programs')
    for name, uid in USERS.items():
        rootfs.make(f'/home/{name}/rootfs', '/srv/programs', uid, uid)


def package(newer=False):
    found = [path for path in glob.glob(f'{PACKAGES}/naive-runc_*.deb') if ('newer' in path) == newer]
    assert len(found) == 1, found
    return found[0]


def apt(*arguments):
    return run('apt-get', '-qy', '-o', 'Dpkg::Use-Pty=0', '-o', 'APT::Sandbox::User=root', *arguments, timeout=400,
               check=False)


def is_installed():
    return run('dpkg-query', '-Wf', '${db:Status-Status}', 'naive-runc', check=False).stdout == 'installed'


def install(newer=False):
    done = apt('install', package(newer))
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def spoil(part):
    """What --break asks for: the product with one part that a careless change has spoilt."""
    if part == 'unit':
        edit(f'/usr/lib/systemd/system/{UNIT}', '^FileDescriptorStoreMax=.*$', 'FileDescriptorStoreMax=0')
    elif part == 'policy':
        edit('/usr/share/polkit-1/actions/org.naive.Runc.policy', '>auth_admin(_keep)?<', '>yes<')
        run('systemctl', 'restart', 'polkit.service')
    elif part == 'limit':
        edit(CONFIG, '^#TasksMax=.*$', 'TasksMax=1000000')
    run('systemctl', 'daemon-reload')
    stop_service()


def edit(path, pattern, replacement):
    with open(path) as f:
        text = f.read()
    changed, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    assert count > 0, f'{pattern} is not in {path}'
    with open(path, 'w') as f:
        f.write(changed)


def edit_record(path, pattern, replacement):
    """A container's record, that still looks as the service wrote it."""
    edit(path, pattern, replacement)
    with open(path) as f:
        text = record.sealed(os.path.basename(path), record.body_of(f.read()))
    with open(path, 'w') as f:
        f.write(text)


def switch_to_broker():
    """As an administrator does it; counts from the next boot."""
    run('systemctl', 'enable', '--force', 'dbus-broker.service')


# -- the service -----------------------------------------------------------------------------------------
def unit(property, name=UNIT):
    return output('systemctl', 'show', '-P', property, name)


def is_active(name=UNIT):
    return unit('ActiveState', name) == 'active'


def systemd_version():
    return int(output('systemctl', '--version').split()[1].split('~')[0])


def stop_service():
    run('systemctl', 'stop', UNIT)
    run('systemctl', 'reset-failed', UNIT, check=False)


def start_service():
    """By a call, as everybody does it."""
    run('busctl', 'call', NAME, PATH, 'org.freedesktop.DBus.Peer', 'Ping')


def is_prepared(directory):
    """Whether in that leaf there is but a sandbox that the service keeps ready (service/manager/pool.h): its child, of a name
    that nothing has after exec."""
    with open(f'{directory}cgroup.procs') as f:
        pids = f.read().split()
    parents = set()
    for pid in pids:
        with open(f'/proc/{pid}/stat') as f:
            name, rest = f.read().split(' ', 1)[1].rsplit(') ', 1)
        if name != '((naive-runc)':
            return False
        parents.add(rest.split()[1])
    return bool(parents) and parents == {unit('MainPID')}


def leaves():
    """{cgroup: whether something lives in it} of all containers' leaves, by the kernel's own word."""
    result = {}
    # A level for each owner and one for the owner's sandboxes, which may stay, then a leaf for each container.
    for directory in (path for place in (CONTAINERS, UNIT, 'naive-runc-containers') for level in ('*', '*/sandboxes')
                      for path in glob.glob(f'{CGROUPS}/system.slice/{place}/{level}/[!s]*/')):
        with contextlib.suppress(OSError), open(f'{directory}cgroup.events') as f:
            if not is_prepared(directory):
                result[directory.removeprefix(CGROUPS).rstrip('/')] = 'populated 1' in f.read()
    return result


def parse_path(text):
    return re.search('"(/org/naive/Runc/container/[^"]*)"', text).group(1)


def busctl_run(root, memory, *argv):
    """The call of the README; the container's object path."""
    return parse_path(output('busctl', 'call', NAME, PATH, NAME, 'Run', 'stas', root, str(memory),
                             str(len(argv)), *argv))


def naivec(*arguments, **kwargs):
    return output('naivec', *arguments, **kwargs)


def containers():
    return {entry['id']: entry for entry in json.loads(naivec('list', '--json=short') or '[]')}


class Case(unittest.TestCase):
    """Installs the package if it is not there; ends what a test left."""
    longMessage = True
    maxDiff = None
    wants_package = True

    @classmethod
    def setUpClass(cls):
        if cls.wants_package and not is_installed():
            install()

    def setUp(self):
        self._client = None
        self.addCleanup(self.end_what_is_left)  # the last one; also if a setUp does not get to its end

    def end_what_is_left(self):
        if self._client:
            self._client.close()
        if not is_installed():
            return
        problem = None
        if containers():
            naivec('stop', '--all', '--time=0', timeout=60)
            done = run('naivec', 'delete', *[f'{c["owner"]}/{name}' for name, c in containers().items()], check=False)
            problem = done.stderr or None
        with contextlib.suppress(AssertionError):  # a leaf is made a moment before what is prepared in it
            wait_until(lambda: not leaves(), timeout=3)
        left = set(leaves())
        if left or problem:
            self.fail(f'left behind: {left} {problem}')

    @property
    def client(self):
        """A connection of root's to the system bus."""
        if not self._client:
            self._client = RootClient(BUS)
        return self._client

    def container(self, name):
        return self.client.get_container(name)

    def configure(self, text):
        """The configuration for this test, as an administrator would write it; counts from the next start."""
        shutil.copy(CONFIG, '/run/naive-runc.conf.saved')
        with open(CONFIG, 'w') as f:
            f.write(text)
        stop_service()

        def restore():
            shutil.move('/run/naive-runc.conf.saved', CONFIG)
            stop_service()
        self.addCleanup(restore)

    def journal(self, *matches):
        """Entries as dictionaries."""
        run('journalctl', '--sync')
        text = output('journalctl', '-o', 'json', '--no-pager', *matches)
        return [json.loads(line) for line in text.splitlines()]
