"""What must be the same after every test as before: security.md's I1 to I7."""

import os
import time

from . import rootfs


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


def own_processes():
    """{pid: command line} of all that lives in this pid namespace."""
    result = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open(f'/proc/{name}/stat') as f:
                    stat = f.read()
                with open(f'/proc/{name}/cmdline') as f:
                    line = f.read().replace('\0', ' ')
            except OSError:
                continue
            result[int(name)] = f'{line} [{stat.split(") ")[1].split()[0]} {stat.split("(")[1].split(")")[0]}]'
    return result


def descendants_of(pid):
    parents = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open(f'/proc/{name}/stat') as f:
                    parents[int(name)] = int(f.read().rsplit(') ', 1)[1].split()[1])
            except OSError:
                pass
    found, size = {pid}, 0
    while len(found) != size:
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


def file_list(directory):
    return {os.path.relpath(os.path.join(top, name), directory)
            for top, directories, files in os.walk(directory) for name in directories + files}


class Snapshot:
    def __init__(self, world):
        self.mounts = world.mountinfo()
        self.rootfs = {path: rootfs.fingerprint(path) for path in world.rootfs_paths()}
        self.fds = len(os.listdir(f'/proc/{world.service_pid}/fd')) if world.service_alive() else -1
        self.cgroups = cgroup_tree(world.cgroup_parent)
        self.children = descendants_of(world.service_pid) if world.service_alive() else set()
        self.strangers = world.strangers()
        self.service = world.service_pid if world.service_alive() else 0
        self.state = file_list(world.state_dir)
        self.threads = len(os.listdir(f'/proc/{world.service_pid}/task')) if world.service_alive() else 0
        self.names = world.bus_names()

    def differences(self, other, world):
        """Words for each invariant that `other`, taken later, breaks."""
        result = []

        def differ(what, before, after):
            if before != after:
                result.append(f'{what}: gone {sorted(before - after)}, new {sorted(after - before)}')
        differ('I1 mount table', set(self.mounts), set(other.mounts))
        for path, before in self.rootfs.items():
            after = other.rootfs.get(path, {})
            changed = sorted(n for n in set(before) | set(after) if before.get(n) != after.get(n))
            if changed:
                result.append(f'I2 {path} changed: {changed[:10]}')
        if self.fds != other.fds:
            result.append(f'I3 service fds: {self.fds} before, {other.fds} after: {world.service_fds()}')
        # A level per owner may stay; leaves may not.
        owners = {c for c in other.cgroups if c.rsplit('/', 1)[0].endswith(world.cgroup_parent)}
        differ('I4 cgroups', self.cgroups, other.cgroups - (owners - self.cgroups))
        differ('I5 processes of the service', self.children, other.children)
        differ('I5 processes', set(self.strangers), set(other.strangers))
        if self.service != other.service:
            result.append(f'I6 the service was {self.service}, is {other.service}')
        if other.threads > 1:
            result.append(f'the service has {other.threads} threads')
        differ('I7 state directory', self.state, other.state)
        differ('bus names', self.names, other.names)
        return result


def check(before, world, patience=3.0):
    """Differences that are still there after `patience` seconds: what is asynchronous may take a moment."""
    deadline = time.monotonic() + patience
    while True:
        found = before.differences(Snapshot(world), world)
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
