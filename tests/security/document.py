"""What /bin/inside prints in a container, put into words that do not depend on the day, and held against expected.json.

In expected.json a string that begins with "~" is a pattern for the whole value, a key that begins with "?" may be
missing, and "variants" says what differs from "default" for which kind of container."""

import ctypes
import functools
import json
import os
import re
import resource
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
STATUS = {'ids': 'Uid Gid Groups', 'rights': 'CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp',
          'signals': 'SigPnd ShdPnd SigBlk SigIgn SigCgt'}
LIMITS = {name[7:]: getattr(resource, name) for name in dir(resource)
          if name.startswith('RLIMIT_') and name != 'RLIMIT_OFILE'}
NATIVE = {'x86_64': 0xC000003E, 'aarch64': 0xC00000B7}
OWN_LIMITS = 'CORE MEMLOCK MSGQUEUE NICE RTPRIO SIGPENDING'.split()  # whatever the service was started with

# Newer than the oldest libseccomp; a new call has the same number on every architecture.
NEW_CALLS = dict(enumerate(
    ('cachestat', 'fchmodat2', 'map_shadow_stack', 'futex_wake', 'futex_wait', 'futex_requeue', 'statmount',
     'listmount', 'lsm_get_self_attr', 'lsm_set_self_attr', 'lsm_list_modules', 'mseal', 'setxattrat', 'getxattrat',
     'listxattrat', 'removexattrat', 'open_tree_attr', 'file_getattr', 'file_setattr', 'listns'), start=451))


@functools.cache
def call_name(number):
    name = NEW_CALLS.get(number) or {335: 'uretprobe', 336: 'uprobe'}.get(number)
    if not name:
        resolve = ctypes.CDLL('libseccomp.so.2').seccomp_syscall_resolve_num_arch
        resolve.restype = ctypes.c_void_p
        found = resolve(NATIVE[os.uname().machine], number)
        name = ctypes.string_at(found).decode() if found else f'number {number}'
    return name


def limits_of(pid):
    """{name: [soft, hard]} of a process of the host's, -1 for none."""
    return {name: list(resource.prlimit(pid, number)) for name, number in LIMITS.items()}


def facts(text):
    """{group: {name: value}}, or a list of the values of a group whose names are empty, or the only one that it has."""
    document, fields = {}, text.split('\0')
    for group, name, value in zip(*(fields[at::3] for at in range(3))):
        if name:
            document.setdefault(group, {})[name] = value
        elif group in ('environment', 'writable'):
            document.setdefault(group, []).append(value)
        else:
            document[group] = value
    if 'masked' in document:
        document.setdefault('writable', [])
    return document


def load(text, limits, cpus):
    """`limits`: what the service was started with; `cpus`: how many there are for it."""
    document = facts(text if isinstance(text, str) else text.decode(errors='surrogateescape'))
    if 'status' in document:
        status = dict(line.split(':', 1) for line in document.pop('status').splitlines())
        document |= {group: {name: status[name].strip() for name in names.split()} for group, names in STATUS.items()}
        document['mounts'] = by_point(document['mounts'].splitlines())
        document['rlimits'] = {name: list(map(int, document['rlimits'][str(number)].split()))
                               for name, number in LIMITS.items()}
        for group in ('process', 'scheduling'):
            document[group] = {name: int(value) if re.fullmatch('-?[0-9]+', value) else value
                               for name, value in document[group].items()}
    if 'namespaces' in document:
        document['namespaces'] = {name: 'host' if os.readlink(f'/proc/self/ns/{name}') == target else 'own'
                                  for name, target in document['namespaces'].items()}
    for name, values in document.get('rlimits', {}).items():
        if limits.get(name) == values and name not in OWN_LIMITS:
            document['rlimits'][name] = 'inherited'
    if 'scheduling' in document and document['scheduling']['cpus'] == cpus:
        document['scheduling']['cpus'] = 'all'
    if 'cgroup' in document:
        document['cgroup'] = sorted({line.split(':', 2)[2] for line in document['cgroup'].splitlines()})
    if 'calls' in document:
        document['calls'] = {call_name(int(number)): outcome for number, outcome in document['calls'].items()}
    for entry in ('x32', 'i386'):
        if entry in document:
            document[entry] = ', '.join(sorted(set(document[entry].values())))
    return document


def kind_of(directory):
    """The type of the file system that it lies on."""
    return subprocess.run(['findmnt', '--noheadings', '--output=FSTYPE', f'--target={directory}'], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def by_point(lines):
    """Of mountinfo: how each mount is, without the number of its peer group."""
    result = {}
    for line in lines:
        fields, rest = line.split(' - ')
        point, options, *tags = fields.split()[4:]
        result[f'{point} once more' if point in result else point] = {
            'type': rest.split()[0], 'options': options, 'propagation': tags[0].split(':')[0] if tags else 'private'}
    return result


def expand_calls(lists):
    """From the lists of names to {name: pattern}; what is in no list must be as if the kernel did not know it."""
    result = {}
    for names, pattern in ((lists['allowed'], '~(?!ENOSYS|signal).*'), (lists['allowed where known'], '~(?!signal).*'),
                           (lists['refused'], 'EPERM'), (lists['refused where known'], '~EPERM|ENOSYS')):
        result.update(dict.fromkeys(' '.join(names).split(), pattern))
    result.update(lists['by argument'])
    return result


def expected(variant, state_dir):
    """`state_dir`: the service's, where its /dev lies: on a tmpfs, wherever /run is one."""
    with open(f'{HERE}/expected.json') as f:
        text = json.loads(f.read().replace('@state@', kind_of(state_dir)))
    result = text['default']
    result['calls'] = expand_calls(result['calls'])

    def merge(base, changes):
        for key, value in changes.items():
            if isinstance(value, dict):
                merge(base[key], value)
            else:
                base[key] = value
    merge(result, text['variants'][variant])
    return result


def differences(wanted, found, path=''):
    """What differs, each named by its field."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        names = {name.removeprefix('?'): name for name in wanted}
        result = []
        for name in sorted(set(names) | set(found)):
            field = f'{path}.{name}' if path else name
            if name not in names:
                if path != 'calls' or found[name] != 'ENOSYS':
                    result.append(f'{field}: {found[name]!r}, where nothing is expected')
            elif name in found:
                result += differences(wanted[names[name]], found[name], field)
            # a call that has no number here is none
            elif not names[name].startswith('?') and path != 'calls':
                result.append(f'{field}: not there')
        return result
    if isinstance(wanted, str) and wanted.startswith('~') and isinstance(found, str):
        fits = re.fullmatch(wanted[1:], found)
    else:
        fits = wanted == found
    return [] if fits else [f'{path}: {found!r}, expected {wanted!r}']
