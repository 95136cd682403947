"""What must hold after every test: SECURITY.md's I1 to I8."""

import contextlib
import os
import re
import stat
import time
from collections import Counter

from . import rootfs
from .files import read


def cgroup_roots():
    """The mount points of every cgroup hierarchy."""
    with open('/proc/self/mountinfo') as f:
        for line in f:
            left, right = line.split(' - ')
            if right.split()[0] in ('cgroup', 'cgroup2'):
                yield left.split()[4]


def cgroup_tree(parent):
    found = set()
    for root in cgroup_roots():
        top = root + parent
        for directory, names, _ in os.walk(top):
            found.add(directory)
    return found


def leaves(parent):
    """Of containers: not the directories of their owners, nor those of their owners' sandboxes, which stay."""
    return {path for path in cgroup_tree(parent)
            if path.split(parent)[1].count('/') > 1 and not path.endswith('/sandboxes')}


def processes():
    """(pid, name, state, parent) of all that live in this pid namespace."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            name, rest = read(f'/proc/{pid}/stat').split('(', 1)[1].rsplit(') ', 1)
        except OSError:
            continue
        state, parent = rest.split()[:2]
        yield int(pid), name, state, int(parent)


def own_processes():
    """{pid: command line} of these."""
    result = {}
    for pid, name, state, _ in processes():
        with contextlib.suppress(OSError):
            result[pid] = read(f'/proc/{pid}/cmdline').replace('\0', ' ') + f' [{state} {name}]'
    return result


def descendants_of(pid):
    parents = {child: parent for child, _, _, parent in processes()}
    found, size = {pid}, 0
    while len(found) != size:
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


MAKER, RECEIVER, TELLER = 'naive-runc-make', 'naive-runc-recv', 'naive-runc-tell'


def helper_of(service, helper):
    """The pid of the process that makes the service's sandboxes in advance (service/sandbox/maker.h), or of the one that
    keeps callers' descriptors from it (service/receiver.h), or 0: a child of its own, by that name, in its own namespaces
    (what the maker has just made has its name for a moment) and its own cgroup."""
    def place(pid):
        return os.readlink(f'/proc/{pid}/ns/mnt'), os.readlink(f'/proc/{pid}/ns/pid'), read(f'/proc/{pid}/cgroup')
    for pid, name, _, parent in processes() if service else ():
        with contextlib.suppress(OSError):
            if name == helper and parent == service and place(pid) == place(service):
                return pid
    return 0


def workers_of(service):
    """The processes below it but those that keep callers' descriptors, which a bus brings with each caller's ProcessFD."""
    receiver = helper_of(service, RECEIVER)
    return descendants_of(service) - ({receiver} | descendants_of(receiver) if receiver else set())


def received_fds(receiver):
    """What the receiver has open beside its standard streams, its sockets to the service and to the process that closes
    for it, and its epoll instance."""
    found = []
    for fd in os.listdir(f'/proc/{receiver}/fd') if receiver else ():
        with contextlib.suppress(OSError):
            target = os.readlink(f'/proc/{receiver}/fd/{fd}')
            if int(fd) > 2 and target != 'anon_inode:[eventpoll]':
                found.append(plain(target))
    for _ in range(min(found.count('socket'), 3)):
        found.remove('socket')
    return sorted(found)


class Prepared:
    """The sandboxes that the service keeps ready (service/manager/pool.h): waiting processes with leaves, known by their
    number and never by what they should leave behind, so that anything else still counts. Beside them, one that
    makes them."""

    def __init__(self, world):
        self.pids, self.leaves, self.mounts = set(), set(), set()
        service = world.service_pid if world.service_alive() else 0
        self.helpers = {helper_of(service, MAKER), helper_of(service, RECEIVER)} - {0}
        # one for each user who has passed a StatusFD lately (service/container/status/teller.h)
        self.helpers |= {pid for pid, name, _, parent in processes() if name == TELLER and parent == service != 0}
        self.processes = set(self.helpers)
        self.closer = {pid for pid, name, _, parent in processes() if name == RECEIVER and parent in self.helpers}
        if len(self.closer) > 1:  # one waits for work; the others are at it
            self.closer.clear()
        for pid, name, _, parent in processes() if service else ():
            if name != '(naive-runc)' or parent != service:
                continue
            with contextlib.suppress(OSError):
                leaves = {line.split(':', 2)[2] for line in read(f'/proc/{pid}/cgroup').splitlines()}
                self.mounts.add(os.readlink(f'/proc/{pid}/ns/mnt'))
                self.pids.add(pid)
                self.processes.add(pid)
                self.leaves |= {root + leaf for leaf in leaves if world.cgroup_parent in leaf for root in cgroup_roots()}

    def has_fd(self, world, fd, target):
        """Is that descriptor of the service's one of theirs? Their sockets look like any other."""
        if target == 'anon_inode:[pidfd]':
            info = read(f'/proc/{world.service_pid}/fdinfo/{fd}').splitlines()
            return any(line.split() == ['Pid:', str(pid)] for line in info for pid in self.processes)
        return target in self.mounts or target in self.leaves or os.path.dirname(target) in self.leaves

    def own_fds(self, world):
        """What the service's other descriptors lead to. Of sockets, one for each of them and of the helpers is left
        out, and of the eventfds by which cgroup v1 tells of the end of memory (one is the loop's) one for each."""
        found = []
        for fd, target in world.service_fds().items():
            try:
                if not self.has_fd(world, fd, target):
                    found.append(plain(target))
            except OSError:  # closed meanwhile
                pass
        for pid in self.processes:
            if 'socket' in found:
                found.remove('socket')
            if pid not in self.helpers and found.count('anon_inode:[eventfd]') > 1:
                found.remove('anon_inode:[eventfd]')
        return found


def plain(target):
    """What a descriptor leads to, without the number that differs each time."""
    return re.sub(r'(socket|pipe):\[[0-9]+\]', r'\1', target).removesuffix(' (deleted)')


def file_list(directory):
    return {os.path.relpath(os.path.join(top, name), directory)
            for top, directories, files in os.walk(directory) for name in directories + files}


def device_nodes(*directories):
    """{path: mode, owner, group and number} of each."""
    result = {}
    for directory in directories:
        for entry in os.scandir(directory) if os.path.isdir(directory) else ():
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                result[entry.path] = oct(status.st_mode), status.st_uid, status.st_gid, status.st_rdev
    return result


class Snapshot:
    def __init__(self, world, trees=True):
        self.mounts = world.mountinfo()
        self.trees = {path: rootfs.fingerprint(path) for path in world.watched_trees()} if trees else None
        self.nodes = device_nodes('/dev', f'{world.state_dir}/dev/0')
        self.prepared = Prepared(world)
        # A user namespace stays open for each range of ids that was ever in use: kept for the next container.
        self.fds = sorted(target for target in self.prepared.own_fds(world)
                          if not target.startswith('user:')) if world.service_alive() else []
        # The parent and a level per owner may come and stay; leaves may not.
        self.cgroups = leaves(world.cgroup_parent) - self.prepared.leaves
        self.children = descendants_of(world.service_pid) if world.service_alive() else set()
        self.children -= self.prepared.processes | self.prepared.closer
        self.received = received_fds(helper_of(world.service_pid, RECEIVER)) if world.service_alive() else []
        self.strangers = world.strangers()
        self.service = world.service_pid if world.service_alive() else 0
        # An owner's /dev stays for the owner's next container.
        self.state = {name for name in file_list(world.state_dir) if not re.match('dev/[0-9]', name)}
        self.threads = len(os.listdir(f'/proc/{world.service_pid}/task')) if world.service_alive() else 0
        self.names = world.bus_names()

    def differences(self, other, world):
        """Words for each invariant that `other`, taken later, breaks."""
        result = []

        def differ(what, before, after):
            if before != after:
                result.append(f'{what}: gone {sorted(before - after)}, new {sorted(after - before)}')
        differ('I1 mount table', set(self.mounts), set(other.mounts))
        differ('I2 device nodes', set(self.nodes.items()), set(other.nodes.items()))
        if self.fds != other.fds:
            gone, new = Counter(self.fds), Counter(other.fds)
            result.append(f'I3 service fds: gone {list((gone - new).elements())}, '
                          f'new {list((new - gone).elements())}')
        if other.received:
            result.append(f'I3 descriptors of callers: {other.received}')
        differ('I4 cgroups', self.cgroups, other.cgroups)
        differ('I5 processes of the service', self.children, other.children)
        differ('I5 processes', set(self.strangers), set(other.strangers))
        if len(other.prepared.pids) > world.prepared:
            result.append(f'{len(other.prepared.pids)} sandboxes are prepared, not {world.prepared} at most')
        if self.service != other.service:
            result.append(f'I6 the service was {self.service}, is {other.service}')
        if other.threads > 1:
            result.append(f'the service has {other.threads} threads')
        differ('I7 state directory', self.state, other.state)
        differ('bus names', self.names, other.names)
        # These take longest to look at: not before all else is as it was.
        for path, before in self.trees.items() if not result else ():
            after = rootfs.fingerprint(path)
            changed = sorted(n for n in set(before) | set(after) if before.get(n) != after.get(n))
            if changed:
                result.append(f'I2 {path} changed: {changed[:10]}')
        return result


def baseline(world, patience=3.0):
    """A snapshot of what stays: what the service makes in advance has neither its name nor its place yet while it is
    being made, and would be missed later."""
    deadline = time.monotonic() + patience
    while True:
        before = Snapshot(world)
        time.sleep(0.02)
        after = Snapshot(world, trees=False)
        if before.prepared.processes == after.prepared.processes and not before.differences(after, world):
            return before
        if time.monotonic() > deadline:
            raise TimeoutError(f'nothing stays as it is: {before.differences(after, world)}')


def check(before, world, clean, patience=3.0):
    """Differences that are still there after `patience` seconds: what is asynchronous may take a moment,
    and a call of one who left may still become a container, which `clean` removes."""
    deadline = time.monotonic() + patience
    while True:
        clean()
        found = before.differences(Snapshot(world, trees=False), world)
        if not found or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    if world.service_alive():
        started = time.monotonic()
        try:
            world.root.ping(timeout=5)
        except Exception as error:
            found.append(f'I6 Ping: {error}')
        if time.monotonic() - started > world.slowness:
            found.append(f'I6 Ping took {time.monotonic() - started:.1f} s')
    else:
        found.append('I6 the service is dead')
    return found
