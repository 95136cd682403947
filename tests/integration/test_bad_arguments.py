"""Arguments that cannot be used: each has its named error, nothing is started and nothing left behind."""

import os

from harness.case import Case
from harness.client import MANAGER, PATH, RUNC, CONTAINER, BusError, GLib
from harness.files import read_bytes, write
from harness.wire import Wire, Writer


def strv(items):
    return Writer().array(4, items, Writer.s).data


class Command(Case):
    starts_nothing = True

    def bad(self, argv, *names, text=None):
        with self.refused(*names, text=text):
            self.root.run(self.rootfs, 10 << 20, argv)

    def test_empty_argv(self):
        """An empty argv is InvalidArgs."""
        self.bad([], 'InvalidArgs', text='argv')

    def test_empty_command(self):
        """[""] is InvalidArgs."""
        self.bad([''], 'InvalidArgs', text='argv')

    def test_not_found(self):
        """A command that does not exist is CommandNotFound naming it, with a slash and without."""
        self.bad(['/bin/no-such'], 'CommandNotFound', text='/bin/no-such')
        self.bad(['no-such'], 'CommandNotFound', text='no-such')

    def test_not_executable(self):
        """A file without execute permission is CommandNotExecutable."""
        self.bad(['/etc/marker'], 'CommandNotExecutable', text='/etc/marker')

    def test_directory(self):
        """A directory is CommandNotExecutable."""
        self.bad(['/etc'], 'CommandNotExecutable', text='/etc')

    def file(self, name, content, mode=0o755):
        path = f'{self.rootfs}/bin/{name}'
        directory = os.stat(f'{self.rootfs}/bin')
        write(path, content)
        os.chmod(path, mode)

        def undo():
            os.unlink(path)
            os.utime(f'{self.rootfs}/bin', ns=(directory.st_atime_ns, directory.st_mtime_ns))
        return f'/bin/{name}', undo

    def test_wrong_format(self):
        """A file in no format that the kernel knows is CommandNotExecutable."""
        for content in (b'neither a script nor ELF\n', b'', b'\x7fELF' + b'\0' * 60, b'\x7fELF'):
            with self.subTest(content=content):
                path, undo = self.file('odd', content)
                try:
                    self.bad([path], 'CommandNotExecutable', text=path)
                finally:
                    undo()

    def test_dangling_interpreter(self):
        """A script whose interpreter does not exist is an error that names the script."""
        path, undo = self.file('script', b'#!/no/such/interpreter\n')
        try:
            self.bad([path], 'CommandNotFound', 'CommandNotExecutable', text=path)
        finally:
            undo()

    def test_through_a_file(self):
        """A command path that leads through a file is an error of the command."""
        self.bad(['/etc/marker/x'], 'CommandNotFound', 'CommandNotExecutable', text='/etc/marker/x')

    def test_symlink_loop(self):
        """A command that is a loop of symlinks is an error of the command."""
        link = f'{self.rootfs}/bin/loop'
        directory = os.stat(f'{self.rootfs}/bin')
        os.symlink('loop', link)
        try:
            self.bad(['/bin/loop'], 'CommandNotFound', 'CommandNotExecutable', text='/bin/loop')
        finally:
            os.unlink(link)
            os.utime(f'{self.rootfs}/bin', ns=(directory.st_atime_ns, directory.st_mtime_ns))

    def test_too_many_strings(self):
        """1,024 strings are accepted by the checks, 1,025 are refused."""
        container = self.root.run(self.rootfs, 0, ['/bin/true'] + ['x'] * 1023)
        self.assertEqual(container.wait(), ('success', 0))
        self.discard(container.path)
        self.bad(['/bin/true'] + ['x'] * 1024, 'InvalidArgs', 'LimitsExceeded')

    def test_long_string(self):
        """A string longer than the kernel takes is refused."""
        self.bad(['/bin/true', 'x' * (128 * 1024)], 'InvalidArgs', 'LimitsExceeded')

    def test_four_million_strings(self):
        """4 million empty strings are refused; the service neither grows by 64 MiB nor stops answering."""
        def memory():
            with open(f'/proc/{self.world.service_pid}/status') as f:
                return next(int(line.split()[1]) for line in f if line.startswith('VmHWM'))
        before = memory()
        # D-Bus: each empty string is a length of 4 bytes and a NUL, padded to 8; the last is not padded.
        count = 4_000_000
        array = b'\0' * (8 * count - 3)
        body = Writer().s(self.rootfs).t(0).u(len(array)).data + array
        wire = Wire(self.world.address)
        serial = wire.send('org.naive.Runc', PATH, RUNC, 'Run', 'stas', bytes(body))
        name = wire.replies({serial})[serial]
        wire.close()
        self.assertIn(name, ('org.freedesktop.DBus.Error.InvalidArgs', 'org.freedesktop.DBus.Error.LimitsExceeded'))
        self.root.ping(timeout=5)
        if not self.world.sanitized:
            # the message itself has 32 MB; it is held once or, while it is read, twice
            self.assertLess(memory() - before, (64 + 64) * 1024)


class Signatures(Case):
    def test_wrong_signatures(self):
        """A call with the wrong signature is InvalidArgs, or UnknownMethod for a method that is none."""
        for signature, arguments in (('', ()), ('s', ('x',)), ('stass', (self.rootfs, 0, ['/bin/true'], 'x')),
                                     ('suas', (self.rootfs, 0, ['/bin/true'])), ('sts', (self.rootfs, 0, 'x')),
                                     ('(sxas)', ((self.rootfs, 0, ['/bin/true']),))):
            with self.subTest(signature=signature), self.refused('InvalidArgs'):
                self.root.call(PATH, RUNC, 'Run', f'({signature})', arguments)
        with self.refused('UnknownMethod'):
            self.root.call(PATH, RUNC, 'Walk')
        for member in ('Spawn', 'Create'):
            with self.refused('InvalidArgs'):
                self.root.call(PATH, MANAGER, member, 'stas', (self.rootfs, 0, ['/bin/true']))
        self.nothing_started()

    def test_unknown_container(self):
        """An unknown id is NoSuchContainer, an unknown object UnknownObject."""
        for name in ('nothing', '0/nothing', '4294967295/x', 'a/b/c', '', '..', 'x' * 70000):
            with self.subTest(name=name[:20]), self.refused('NoSuchContainer', 'InvalidArgs'):
                self.root.get_container(name)
        for path in ('/org/naive/Runc/container/0/nothing', '/org/naive/Runc/container/0',
                     '/org/naive/Runc/container', '/org/naive/Runc/container/99999999999/x',
                     '/org/naive/Runc/container/0/x/y', '/elsewhere'):
            with self.subTest(path=path), self.refused('UnknownObject', 'UnknownMethod'):
                self.root.call(path, CONTAINER, 'Start')


class Options(Case):
    starts_nothing = True

    def bad(self, key, **options):
        for member in (self.root.spawn, self.root.create):
            with self.refused('InvalidArgs', text=key):
                member(self.rootfs, ['/bin/true'], **options)

    def test_unknown(self):
        """An unknown option is InvalidArgs naming it."""
        self.bad('NoSuchOption', NoSuchOption=GLib.Variant('s', 'x'))
        self.bad('memorymax', memorymax=GLib.Variant('t', 1))

    def test_wrong_type(self):
        """An option of the wrong type is InvalidArgs naming it, whichever option it is."""
        from harness.client import OPTION_TYPES
        for key, kind in OPTION_TYPES.items():
            wrong = GLib.Variant('d', 1.0)
            with self.subTest(key=key):
                self.bad(key, **{key: wrong})
        self.bad('MemoryMax', MemoryMax=GLib.Variant('u', 1 << 30))
        self.bad('Environment', Environment=GLib.Variant('as', ['A=B']))

    def test_repeated(self):
        """A repeated option is InvalidArgs naming it."""
        argv = str([list(b'/bin/true')])
        for member in ('Spawn', 'Create'):
            with self.refused('InvalidArgs', text='TasksMax'):
                self.root.call_text(
                    PATH, MANAGER, member, '(ayaaya{uh}a{sv})',
                    f"({list(self.rootfs.encode())}, {argv}, @a{{uh}} {{}}, "
                    f"{{'TasksMax': <uint64 10>, 'Hostname': <'x'>, 'TasksMax': <uint64 10>}})")

    def test_bad_values(self):
        """Values that make no sense are InvalidArgs naming the option."""
        for key, values in (
                ('Id', ['', '.', '..', 'a/b', '-x', 'x' * 65, 'ü', 'a b', 'a\n', '_x']),
                ('Hostname', ['', 'x' * 65, 'a b', 'a/b', 'a\n']),
                ('UserNamespace', ['', 'AUTO', 'other']),
                ('Network', ['', 'none', 'HOST']),
                ('Capabilities', [['CAP_'], ['SYS_ADMIN'], ['CAP_CHOWN', 'CAP_NONE'], ['all']]),
                ('Seccomp', ['', 'off', '/etc/profile.json']),
                ('WorkingDirectory', ['', 'relative', '/' + 'x' * 5000]),
                ('Environment', [['novalue'], ['=x'], ['A=1', 'A=2'], ['']]),
                ('TasksMax', [0])):
            for value in values:
                with self.subTest(key=key, value=str(value)[:20]):
                    self.bad(key, **{key: value})

    def test_nul_bytes(self):
        """A NUL byte inside a byte string is refused, not a place to cut."""
        for arguments in ((b'/tmp\0/x', [b'/bin/true']), (self.rootfs.encode(), [b'/bin/true\0x']),
                          (self.rootfs.encode(), [b'/bin/sh', b'a\0b'])):
            with self.subTest(arguments=arguments), self.refused('InvalidArgs', 'RootfsInvalid'):
                self.root.spawn(*arguments)
        self.bad('Environment', Environment=[b'A=b\0c'])
        self.bad('WorkingDirectory', WorkingDirectory=b'/\0x')

    def test_working_directory_missing(self):
        """A working directory that is not there is an error that names it."""
        with self.refused('SetupFailed', 'InvalidArgs', 'CommandNotFound', text='/no/such'):
            self.root.spawn(self.rootfs, ['/bin/true'], WorkingDirectory='/no/such')

    def test_existing_id(self):
        """A second container with the same id is ContainerExists."""
        container = self.root.create(self.rootfs, ['/bin/true'], Id='twin')
        with self.refused('ContainerExists', text='twin'):
            self.root.create(self.rootfs, ['/bin/true'], Id='twin')
        self.discard(container.path)


class Descriptors(Case):
    starts_nothing = True

    def test_bad_numbers(self):
        """fd numbers beyond the limit are refused."""
        fd = os.open('/dev/null', os.O_RDWR)
        self.addCleanup(os.close, fd)
        for number in (256, 1000, 2**31, 2**32 - 1):
            with self.subTest(number=number), self.refused('InvalidArgs', 'LimitsExceeded'):
                self.root.spawn(self.rootfs, ['/bin/true'], fds={number: fd})

    def test_repeated_number(self):
        """The same fd number twice is InvalidArgs."""
        body = Writer()
        body.ay(self.rootfs.encode())
        body.array(4, [b'/bin/true'], Writer.ay)

        def handle(w, pair):
            w.u(pair[0]).u(pair[1])
        body.array(8, [(1, 0), (1, 1)], handle)
        body.array(8, [], None)
        wire = Wire(self.world.address)
        fds = [os.open('/dev/null', os.O_RDWR) for _ in range(2)]
        name = wire.call('org.naive.Runc', PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', bytes(body.data), fds=fds)
        wire.close()
        for fd in fds:
            os.close(fd)
        self.assertEqual(name, 'org.freedesktop.DBus.Error.InvalidArgs')

    def test_seventeen_fds(self):
        """17 fds in a message: the bus disconnects the sender, and the service is none the wiser."""
        wire = Wire(self.world.address)
        fds = [os.open('/dev/null', os.O_RDWR) for _ in range(17)]
        with self.assertRaises(ConnectionError):
            wire.call('org.naive.Runc', PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', b'', fds=fds)
        wire.close()
        for fd in fds:
            os.close(fd)
        self.root.ping()

    def test_index_without_fd(self):
        """An fd index that points at no fd is an error, and what came with it is closed."""
        wire = Wire(self.world.address)
        fd = os.open('/dev/null', os.O_RDWR)
        body = Writer()
        body.ay(self.rootfs.encode())
        body.array(4, [b'/bin/true'], Writer.ay)
        body.array(8, [(1, 7)], lambda w, pair: w.u(pair[0]).u(pair[1]))
        body.array(8, [], None)
        name = wire.call('org.naive.Runc', PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', bytes(body.data), fds=[fd])
        wire.close()
        os.close(fd)
        self.assertIsNotNone(name)

    def test_fds_with_run(self):
        """fds on a method that takes none are closed (the count is checked after the test)."""
        wire = Wire(self.world.address)
        fds = [os.open('/dev/null', os.O_RDWR) for _ in range(16)]
        body = Writer().s('/nonexistent').t(0).array(4, ['x'], Writer.s).data
        for _ in range(20):
            wire.call('org.naive.Runc', PATH, RUNC, 'Run', 'stas', bytes(body), fds=fds)
        wire.close()
        for fd in fds:
            os.close(fd)


class Odd(Case):
    def test_non_utf8_and_controls(self):
        """Control characters in a path come back escaped or as they were, and break no log line."""
        with self.refused('RootfsInvalid'):
            self.root.run('/no\n\x1b[31msuch', 0, ['/bin/true'])
        with self.refused('RootfsInvalid'):
            self.root.spawn(b'/no-\xff-such', ['/bin/true'])
        self.assertNotIn(b'\x1b[31m', read_bytes(self.world.service_log))

    def test_no_reply_expected(self):
        """A call that wants no reply still starts its container, once."""
        wire = Wire(self.world.address)
        body = Writer().s(self.rootfs).t(0).array(4, ['/bin/true'], Writer.s).data
        wire.send('org.naive.Runc', PATH, RUNC, 'Run', 'stas', bytes(body), flags=1)
        self.eventually(lambda: [c[1] for c in self.root.containers()] == ['stopped'])
        wire.close()

    def test_property_cannot_be_set(self):
        """Properties are read-only."""
        with self.assertRaises(BusError):
            self.root.call(PATH, 'org.freedesktop.DBus.Properties', 'Set', 'ssv',
                           (MANAGER, 'Version', GLib.Variant('s', 'x')))
