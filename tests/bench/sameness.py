"""Whether the reference program is honest: a command finds the same in its sandbox as in the service's. Compared is all
that a process can see of its mounts, rights, limits, ids and namespaces, and what stands in its cgroups; what must
differ (numbers of devices and of mounts, the range of host ids) is left out."""

import difflib
import re
import subprocess
import time

import candidates
import orders
from harness.invariants import cgroup_tree
from world import Failed

SCRIPT = r"""
cat /proc/self/mountinfo
grep -E '^(Umask|Uid|Gid|Groups|Sig(Blk|Ign|Cgt)|Cap|NoNewPrivs|Seccomp|NSpid)' /proc/self/status
cat /proc/self/limits /proc/self/cgroup /proc/self/uid_map /proc/self/gid_map /proc/self/timerslack_ns
cat /proc/self/oom_score_adj /proc/self/setgroups /proc/sys/kernel/hostname
cut -d ' ' -f 5-7,17-19 /proc/self/stat
ls -ln /dev /dev/pts /dev/shm /dev/mqueue /tmp /proc/self/ns
ls /proc/$$/fd
env | grep -v '^PS1=' | sort
cat /proc/net/dev /sys/class/net/lo/flags
pwd; id
"""


LIMITS = ('memory.limit_in_bytes', 'memory.memsw.limit_in_bytes', 'memory.max', 'memory.high', 'memory.swap.max',
          'memory.oom.group', 'pids.max')

REPLACED = (
    (re.compile(r'^\d+ \d+ \d+:\d+ '), 'mount '),                         # mountinfo: numbers of mounts and devices
    (re.compile(r'^(mount) \S*/null (/proc/\w+ ro)\b.*'), r'\1 NULL \2'),   # of some /dev, that of the host as well
    (re.compile(r'^mount \S*/(dev/\d+|reference-\w+)(?=/| )'), 'mount DEV'),   # where the templates of /dev lie
    (re.compile(r'^mount \S+ / '), 'mount ROOT / '),                       # where the root tree lies
    (re.compile(r'\b(0 +)\d+( +65536)\b'), r'\1BASE\2'),                 # maps
    (re.compile(r'\[\d+\]'), '[N]'),                                      # ns:[…]
    (re.compile(r'[A-Z][a-z]{2} [ \d]\d +\d\d:?\d\d'), 'TIME'),
)


def normalised(text):
    """The lines; those of mounts sorted, for it does not matter which was first."""
    lines = list(replaced(text))
    mounts = sorted(line for line in lines if line.startswith('mount '))
    return mounts + [line for line in lines if not line.startswith('mount ')]


def replaced(text):
    for line in text.splitlines():
        for pattern, words in REPLACED:
            line = pattern.sub(words, line)
        # ids of the host, in a range of its own for each: their place in it
        yield re.sub(r'\b([ug]id)=(\d+)', lambda match: f'{match[1]}={int(match[2]) % 65536}', line)


def output(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f'{command[0]}: {done.stderr.strip()}')
    return normalised(done.stdout)


def read(path):
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError:
        return ''


def limits(parent, command):
    """"hierarchy: file: value" of the leaves below this path that a process of that name is in."""
    for path in cgroup_tree(parent):
        if command in (read(f'/proc/{pid}/comm') for pid in read(f'{path}/cgroup.procs').split()):
            hierarchy = path[:path.index(parent)]
            yield f'{hierarchy}: a leaf'
            for name in LIMITS:
                value = read(f'{path}/{name}')
                if value:
                    yield f'{hierarchy}: {name}: {value}'


def while_running(command, parent):
    """What is ever seen of limits while the command's container runs."""
    process, seen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL), set()
    while process.poll() is None:
        seen |= set(limits(parent, 'sleep'))
        time.sleep(0.02)
    return sorted(seen)


def compare(world, place, argv, look):
    """The differences of what `look` sees in a container of the service and in one of the reference."""
    order = orders.Order(f'{world.directory}/rootfs', argv, environment=['WORD=said'])
    path = orders.write_lines(f'{world.directory}/orders-look', [order.words()])
    reference = world.reference('--show', orders=path)
    parent = reference[1].removeprefix('--cgroup-parent=')
    seen = [look(candidates.naivec_line(world, place, order), place.cgroup_parent), look(reference, parent)]
    if len(seen[0]) < 3:
        raise Failed(f'too little was seen to compare: {seen}')
    return list(difflib.unified_diff(*seen, 'service', 'reference', lineterm='', n=0))


def check(world, place):
    script = SCRIPT.replace('\n', '; ').strip('; ')
    differences = compare(world, place, ['/bin/sh', '-c', script], lambda command, _: output(command))
    differences += compare(world, place, ['/bin/sleep', '0.3'], while_running)
    if differences:
        raise Failed('the reference does not do what the service does:\n' + '\n'.join(differences))
