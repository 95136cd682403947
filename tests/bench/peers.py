"""The peers, as far as they are installed and can run here: each with its own defaults, told of root tree, command and
memory limit; whole processes. What one cannot do here, or does less than the profile, stands beside its name."""

import json
import os
import shutil
import subprocess

import orders


class Peer:
    """prepare(world, mix) gives a command line for each order, and what the peer does and does not do."""

    def __init__(self, name, program, prepare, needs=None, is_heavy=False, prefix=()):
        self.name, self.program, self.prepare, self.needs = name, program, prepare, needs
        self.is_heavy, self.prefix = is_heavy, prefix


def has(kind):
    with open('/proc/self/mounts') as f:
        return any(line.split()[2] == kind for line in f)


def is_systemd():
    return os.path.isdir('/run/systemd/system')


def bundle_lines(world, runtime, mix, limits, command):
    """A bundle for each order: the runtime's own default configuration, for our command and root tree."""
    top = f'{world.directory}/bundles-{command[0]}-{len(os.listdir(world.directory))}'
    os.mkdir(top)
    subprocess.run([runtime, 'spec'], cwd=top, check=True, capture_output=True)
    with open(f'{top}/config.json') as f:
        default = f.read()
    for i, order in enumerate(mix):
        config = json.loads(default)
        config['process'] |= {'terminal': False, 'args': order.argv,
                              'env': config['process']['env'] + order.environment}
        config['root'] = {'path': order.rootfs, 'readonly': True}
        config['hostname'] = order.hostname
        if not limits:  # crun's device rules need more than v2 without controllers gives
            config['linux'].pop('resources', None)
        elif order.memory:
            config['linux'].setdefault('resources', {})['memory'] = {'limit': order.memory}
        os.mkdir(f'{top}/{i}')
        with open(f'{top}/{i}/config.json', 'w') as f:
            json.dump(config, f)
        yield [*command, 'run', '--bundle', f'{top}/{i}', f'{world.name}-{command[0]}-@@']


def runc(world, mix):
    command = ['runc', '--root', f'{world.directory}/runc-state']
    lines = list(bundle_lines(world, 'runc', mix, True, command))
    return lines, 'its default, memory limit; no user namespace, seccomp'


def crun(manager):
    def prepare(world, mix):
        limits = manager != 'disabled' and not has('cgroup')
        command = ['crun', '--root', f'{world.directory}/crun-state-{manager}', f'--cgroup-manager={manager}']
        about = 'no cgroup' if manager == 'disabled' else 'memory limit' if limits else 'a v2 leaf without limits'
        return list(bundle_lines(world, 'crun', mix, limits, command)), f'{about}; no user namespace, seccomp'
    return prepare


def bwrap(world, mix):
    lines = [['bwrap', '--unshare-all', '--ro-bind', order.rootfs, '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs',
              '/tmp', '--hostname', order.hostname, '--new-session', '--die-with-parent', '--clearenv', '--cap-drop',
              'ALL', *order.argv] for order in mix]
    return lines, '--unshare-all, user namespace; no cgroup, seccomp, masks'


def nspawn(world, mix):
    # a scope, and so a limit, takes a systemd that runs
    unit = ['--register=no', '--property=MemoryMax={}' if is_systemd() else '--keep-unit']
    lines = [['systemd-nspawn', '--quiet', *[word.format(order.memory or 'infinity') for word in unit],
              f'--machine={world.name.replace("_", "x")}-@@', f'--directory={order.rootfs}', '--read-only',
              '--private-network',
              '--private-users=no', '--link-journal=no', '--resolv-conf=off', '--timezone=off', '--console=pipe',
              *order.argv] for order in mix]
    return lines, 'seccomp, private network; no user namespace' + ('' if is_systemd() else ', no limit')


def podman(world, mix):
    # a tree of its own: podman makes mount points in it
    tree = orders.make_rootfs(f'{world.directory}/podman-rootfs')
    top = f'{world.directory}/podman'
    command = ['podman', f'--root={top}/root', f'--runroot={top}/run', f'--tmpdir={top}/tmp',
               '--cgroup-manager=cgroupfs', '--events-backend=none', '--log-level=error']
    parent = f'/{world.name}-podman'
    world.foreign_cgroups.append(parent)  # it leaves them
    # its own defaults raise limits, which root without CAP_SYS_RESOURCE may not
    limits = ['--ulimit=nofile=1024:1024', '--ulimit=nproc=1024:1024', f'--cgroup-parent={parent}']
    if has('cgroup') and shutil.which('runc'):  # crun refuses hybrid cgroups
        command += ['--runtime=runc']
    command += ['run', '--rm', '--quiet', *limits, '--network=none', '--read-only', '--log-driver=none']
    lines = [[*command, *([f'--memory={order.memory}b'] if order.memory else []), '--rootfs', tree, *order.argv]
             for order in mix]
    return lines, '--rootfs, memory limit, seccomp; no user namespace'


def systemd_run(world, mix):
    lines = [['systemd-run', '--wait', '--quiet', '--collect', f'--property=RootDirectory={order.rootfs}',
              f'--property=MemoryMax={order.memory or "infinity"}', '--property=PrivateNetwork=yes',
              '--property=MountAPIVFS=yes', '--property=NoNewPrivileges=yes', *order.argv] for order in mix]
    return lines, 'a transient unit: RootDirectory, MemoryMax, PrivateNetwork'


# crun refuses hybrid cgroups, so it gets a mount namespace where only v2 is mounted; there it makes a leaf, but v2
# has no controllers to limit with.
ONLY_V2 = ('unshare', '--mount', 'sh', '-c', 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"', 'sh')


def all_peers():
    crun_prefix = ONLY_V2 if has('cgroup') else ()
    return (
        Peer('runc', 'runc', runc),
        Peer('crun', 'crun', crun('cgroupfs'), prefix=crun_prefix),
        Peer('crun, no cgroups', 'crun', crun('disabled'), prefix=crun_prefix),
        Peer('bwrap', 'bwrap', bwrap),
        Peer('systemd-nspawn', 'systemd-nspawn', nspawn, is_heavy=True),
        Peer('podman', 'podman', podman, is_heavy=True),
        Peer('systemd-run', 'systemd-run', systemd_run, is_heavy=True,
             needs=None if is_systemd() else 'PID 1 is not systemd'),
    )


def found(notes):
    for peer in all_peers():
        if not shutil.which(peer.program):
            notes.append(f'{peer.name} is not installed')
        elif peer.needs:
            notes.append(f'{peer.name} cannot run here: {peer.needs}')
        else:
            yield peer
