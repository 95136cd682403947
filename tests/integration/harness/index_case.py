"""A case about containers of the OCI command line: files of the index as it writes them, for processes in cgroups of
the test's own."""

import contextlib
import hashlib
import os
import signal
import time

from . import invariants
from .case import Case
from .client import Container
from .files import read, write
from .invariants import cgroup_roots

SLEEP = ('/bin/sleep', '600')
ID = 'c0ffee' * 10 + 'c0de'


def start_time(pid):
    return int(read(f'/proc/{pid}/stat').rsplit(')', 1)[1].split()[19])


class Leaf:
    """A cgroup of one path in every hierarchy."""

    def __init__(self, path):
        self.path = path
        self.directories = [root + path for root in cgroup_roots()]
        for root, directory in zip(cgroup_roots(), self.directories):
            with contextlib.suppress(OSError):
                write(f'{root}/cgroup.subtree_control', '+memory +pids +cpu')
            os.makedirs(directory, exist_ok=True)
            for name in ('cpuset.cpus', 'cpuset.mems'):
                if os.path.exists(f'{directory}/cgroup.clone_children') and os.path.exists(f'{directory}/{name}'):
                    write(f'{directory}/{name}', read(f'{root}/{name}'))

    def enter(self):
        for directory in self.directories:
            with open(f'{directory}/cgroup.procs', 'w') as f:
                f.write('0')

    def file(self, name):
        return next(f'{d}/{name}' for d in self.directories if os.path.exists(f'{d}/{name}'))

    def remove(self):
        """Ends what is left in it; False: it has not ended yet."""
        for directory in filter(os.path.isdir, self.directories):
            for pid in read(f'{directory}/cgroup.procs').split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        return not any(map(os.path.exists, self.directories))


class IndexCase(Case):
    is_another = False  # the service is another one than before the test
    serials = {}  # of all tests: what was a name once is none again

    def setUp(self):
        super().setUp()

        def settle():
            if self.is_another:
                Case.baseline = invariants.baseline(self.world)
        self.addCleanup(settle)  # the last of all

    def directory(self, place=None):
        return f'{place.state if place else self.world.state_dir}/oci'

    def files(self):
        return [name for name in os.listdir(self.directory()) if name[0] != '.']

    def leaf(self, name):
        leaf = Leaf(f'/naive-oci-test-{os.path.basename(self.world.directory)}-{name}')
        self.addCleanup(lambda: self.eventually(leaf.remove, what='an empty cgroup'))
        return leaf

    def publish(self, process, leaf, id=ID, directory=None, **changes):
        """The file's path; it is there in one moment, as with rename()."""
        now = int(time.time() * 1e6)
        values = {'Id': id, 'Root': '/run/naive-oci', 'BelongsTo': 'podman', 'Pid': process.pid,
                  'Serial': self.serials.setdefault((id, process.pid, start_time(process.pid)), len(self.serials) + 1),
                  'StartTime': start_time(process.pid), 'CreatedUSec': now, 'StartedUSec': now,
                  'Cgroups': ''.join(f'{d};' for d in leaf.directories), **changes}
        text = '[Container]\n' + ''.join(f'{key}={value}\n' for key, value in values.items())
        return self.put(text, hashlib.sha256(id.encode()).hexdigest(), directory)

    def put(self, text, name, directory=None, mode=0o600, uid=0):
        directory = directory or self.directory()
        path, new = f'{directory}/{name}', f'{directory}/.{name}'
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w') as f:
            f.write(text)
        os.chmod(new, mode)
        os.chown(new, uid, uid)
        os.rename(new, path)
        self.addCleanup(self.withdraw, path)
        return path

    def withdraw(self, path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if self.world.service_alive() and os.path.dirname(path) == self.directory():
            self.eventually(lambda: len(self.shown()) <= len(self.files()), what='the end of its object')

    def service_again(self, number=signal.SIGTERM, meanwhile=lambda: None):
        """Ends the service, and starts the next one. It is no leak that it is another."""
        self.world.service.send_signal(number)
        self.world.service.wait(timeout=20)
        meanwhile()
        self.world.start_service()
        self.is_another = True

    def shown(self, client=None):
        return [row for row in (client or self.root).containers() if row[0].startswith('oci-')]

    def podmans(self, line=SLEEP, id=ID, name='web', **changes):
        """A process, its leaf, the object of it, and the file."""
        leaf = self.leaf(name)
        process = self.started(*line, preexec_fn=leaf.enter)
        before = {row[4] for row in self.shown()}
        path = self.publish(process, leaf, id, **changes)
        self.eventually(lambda: {row[4] for row in self.shown()} - before, what='the container')
        new, = {row[4] for row in self.shown()} - before
        return process, leaf, Container(self.root, new), path
