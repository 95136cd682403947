"""A client that does what comes to its mind until it is ended: a process of its own, since Gio does not survive a fork.

usage: worker.py MODE ADDRESS UID SEED ROOTFS DIRECTORY

`load`: containers as they are meant to be; each line says of one that had an end how it ended, and how it should have.
`fuzz`: any method of any object with any arguments; a line for every hundred calls."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'integration'))

from harness.client import (CONTAINER, INFINITY, MANAGER, NAME, OPTION_TYPES, PATH, PROPERTIES, RUNC,  # noqa: E402
                            BusError, Container, GLib, RootClient, UserClient, raw)

WORDS = ['', '/', '.', '..', '/bin/sh', '/bin/true', '/proc/self/fd/0', 'a', 'auto', 'self', 'host', 'private', 'default',
         'unconfined', 'CAP_CHOWN', 'CAP_SYS_ADMIN', 'bind', 'tmpfs', 'ro', 'rw', 'size=1', 'container-1', '0/x', 'all', 'main',
         'x' * 300, '\n', 'ü', '%s', CONTAINER, RUNC]
NUMBERS = [0, 1, 2, 9, 15, 64, 255, 4096, 65535, 65536, 10 ** 6, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 63, INFINITY]
LIMITS = {'y': 2 ** 8, 'q': 2 ** 16, 'u': 2 ** 32, 't': 2 ** 64}
SIGNED = {'n': 2 ** 15, 'i': 2 ** 31, 'x': 2 ** 63}


class Worker:
    def __init__(self, address, uid, seed, rootfs, directory):
        self.random = random.Random(seed)
        self.client = UserClient(address, uid) if uid else RootClient(address)
        self.rootfs, self.directory = rootfs, directory

    # -- what it is meant for ----------------------------------------------------------------------
    def load(self):
        while True:
            try:
                self.one_container()
            except BusError:
                pass  # the service has died, or is not there yet

    def one_container(self):
        code = self.random.randrange(4)
        script = self.random.choice(['exit {}', 'echo words; exit {}', 'sleep 0.1; exit {}', 'sleep 1; exit {}',
                                     'for i in 1 2 3; do (sleep 0.2) & done; exit {}'])
        options = self.random.choice([{}, {'MemoryMax': 64 << 20}, {'TasksMax': 20}, {'CPUWeight': 50}])
        argv = ['/bin/sh', '-c', script.format(code)]
        if self.random.random() < 0.5:
            container = self.client.spawn(self.rootfs, argv, **options)
        else:
            container = self.client.create(self.rootfs, argv, **options)
            container.start()
        if self.random.random() < 0.3:
            self.disturb(container)
            return
        result, seen = container.wait(timeout=20)
        print(f'{result} {seen} {code}', flush=True)
        container.delete()

    def disturb(self, container):
        """Its end is not as the script has it then."""
        for member, signature, arguments in self.random.sample(
                [('Pause', '', ()), ('Resume', '', ()), ('Kill', 'si', ('all', 9)), ('Stop', 'it', (15, 10 ** 5)),
                 ('Update', 'a{sv}', ({'MemoryMax': GLib.Variant('t', 256 << 20)},)), ('Wait', '', ()),
                 ('Exec', 'aaya{uh}a{sv}', ([raw('/bin/true')], {}, {})), ('Delete', '', ())], 4):
            try:
                container.call(member, signature, arguments, timeout=5)
            except BusError:
                pass

    # -- what nobody means -------------------------------------------------------------------------
    def fuzz(self):
        methods = list(self.methods())
        calls = 0
        while True:
            interface, member, types = self.random.choice(methods)
            values = GLib.Variant(f'({"".join(types)})', tuple(self.value(kind) for kind in types))
            fds = [os.open(self.random.choice(['/', '/dev/null', self.rootfs]), os.O_RDONLY)
                   for _ in range(self.random.choice([0, 0, 1, 3]))]
            try:
                self.client.invoke(self.path(), interface, member, values, 2, 0, fds, NAME)
            except BusError:
                pass
            finally:
                for fd in (*fds, *self.client.fds):
                    os.close(fd)
                self.client.fds = []
            calls += 1
            if calls % 100 == 0:
                print(calls, flush=True)

    def methods(self):
        """Of the interfaces' own description, so that a new member is fuzzed as well."""
        import xml.etree.ElementTree as ElementTree
        for interface in (RUNC, MANAGER, CONTAINER, f'{RUNC}.Exec1'):
            tree = ElementTree.parse(f'{self.directory}/{interface}.xml')
            for method in tree.iter('method'):
                yield (interface, method.get('name'),
                       [a.get('type') for a in method.iter('arg') if a.get('direction') != 'out'])
        yield PROPERTIES, 'Get', ['s', 's']
        yield PROPERTIES, 'GetAll', ['s']
        yield PROPERTIES, 'Set', ['s', 's', 'v']

    def path(self):
        try:
            paths = [entry[-1] for entry in self.client.containers()]
        except BusError:
            paths = []
        path = self.random.choice([PATH, *paths[-4:]])
        return path if self.random.random() < 0.9 else f'{path}/exec/{self.random.randrange(3)}'

    def number(self, kind):
        if kind in LIMITS:
            return self.random.choice(NUMBERS) % LIMITS[kind]
        return self.random.choice(NUMBERS) % (2 * SIGNED[kind]) - SIGNED[kind]

    def value(self, kind):
        if kind in LIMITS or kind in SIGNED:
            return self.number(kind)
        if kind in 'sb':
            return self.random.choice(WORDS) if kind == 's' else self.random.random() < 0.5
        if kind == 'h':
            return self.random.choice([0, 0, 1, 2, 2 ** 31 - 1])
        if kind == 'o':
            return self.random.choice(['/', PATH])
        if kind == 'v':
            return self.variant()
        if kind == 'ay':
            return raw(self.random.choice([*WORDS, self.rootfs, self.rootfs]))
        if kind == 'a{sv}':
            return dict(self.option() for _ in range(self.random.randrange(4)))
        if kind[:2] == 'a{':
            key, value = parts(kind[2:-1])
            return {self.value(key): self.value(value) for _ in range(self.random.randrange(3))}
        if kind[0] == 'a':
            return [self.value(kind[1:]) for _ in range(self.random.randrange(4))]
        if kind[0] == '(':
            return tuple(self.value(part) for part in parts(kind[1:-1]))
        raise ValueError(kind)

    def option(self):
        key = self.random.choice([*OPTION_TYPES, 'Nonsense'])
        if self.random.random() < 0.2 or key not in OPTION_TYPES:
            return key, self.variant()
        return key, GLib.Variant(OPTION_TYPES[key], self.value(OPTION_TYPES[key]))

    def variant(self):
        kind = self.random.choice([*OPTION_TYPES.values(), 'v'])
        return GLib.Variant(kind, self.value(kind))


def parts(signature):
    """The complete types of one, in order."""
    while signature:
        length = next(n for n in range(1, len(signature) + 1) if GLib.variant_type_string_is_valid(signature[:n]))
        yield signature[:length]
        signature = signature[length:]


def main():
    mode, address, uid, seed, rootfs, directory = sys.argv[1:]
    getattr(Worker(address, int(uid), seed, rootfs, directory), mode)()


main()
