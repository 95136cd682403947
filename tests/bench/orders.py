"""What is asked for: a mix of orders for containers, other ones in each run of the benchmark unless its seed is given.
Root trees lie in other places, on disk and in memory; commands, arguments, limits, host names and environments
differ. In each round all candidates get the same order, so that they can be compared; the commands end at once, for
the time of a command is nobody's merit."""

import os
import shutil
import string

BUSYBOX = '/bin/busybox'
COMMANDS = ('true', 'sh', 'cat', 'ls', 'echo', 'sleep', 'test', 'grep', 'cut', 'env', 'sort', 'pwd', 'id')
DEFAULT_MEMORY, DEFAULT_TASKS = 64 << 20, 4096


class Order:
    def __init__(self, rootfs, argv, memory=DEFAULT_MEMORY, tasks=DEFAULT_TASKS, hostname='bench', environment=()):
        self.rootfs, self.argv, self.memory, self.tasks = rootfs, argv, memory, tasks
        self.hostname, self.environment = hostname, list(environment)

    def words(self):
        return [str(self.memory), str(self.tasks), self.rootfs, self.hostname, *self.environment, '--', *self.argv]


def write_lines(path, lines):
    """A file for the measuring programs: words between tabs."""
    with open(path, 'w') as f:
        f.writelines('\t'.join(words) + '\n' for words in lines)
    return path


def make_rootfs(path, extra=()):
    for name in ('bin', 'dev', 'proc', 'sys', 'tmp', 'root', 'etc', 'run', 'usr', *extra):
        os.makedirs(f'{path}/{name}')
    shutil.copy(BUSYBOX, f'{path}/bin/busybox')
    for name in COMMANDS:
        os.symlink('busybox', f'{path}/bin/{name}')
    return path


def word(rng, longest=12):
    return ''.join(rng.choices(string.ascii_lowercase + string.digits, k=rng.randint(1, longest)))


def make_trees(world, rng, n):
    """`n` root trees at random depths, every other one in memory where the kernel can id-map that."""
    places = [world.directory]
    if tuple(int(part) for part in os.uname().release.split('.')[:2]) >= (6, 3):
        places.append(f'{world.directory}/memory')
        os.mkdir(places[-1])
        world.mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', places[-1])
    for i in range(n):
        depth = [word(rng) for _ in range(rng.randint(1, 4))]
        yield make_rootfs('/'.join([places[i % len(places)], f'tree-{i}', *depth]), {word(rng) + '.d'})


def random_argv(rng):
    words = [word(rng) for _ in range(rng.randint(0, 6))]
    return rng.choice((
        ['/bin/true', *words],
        ['/bin/busybox', 'true', *words],
        ['/bin/test', '-n', word(rng)],
        ['/bin/echo', *words],
    ))


def make_mix(world, rng, n=24):
    """The mix; its first order is a plain one, for comparison."""
    trees = list(make_trees(world, rng, 5))
    mix = [Order(make_rootfs(f'{world.directory}/rootfs'), ['/bin/true'])]
    while len(mix) < n:
        mix.append(Order(
            rng.choice(trees), random_argv(rng), rng.choice((0, 16, 64, 100, 250, 1000)) << 20, rng.randint(16, 8192),
            word(rng), [f'{word(rng).upper()}_{i}={word(rng, 40)}' for i in range(rng.randint(0, 8))]))
    write_lines(world.orders_file, [order.words() for order in mix])
    return mix
