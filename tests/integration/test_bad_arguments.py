"""What cannot be run: each has its named error, nothing is started and nothing left behind. An example for each error;
every single check of the arguments is shown in tests/dbus/decode/test-spec-decode.c and tests/service/spec/test-run-spec.c."""

import os
import shutil

from harness.case import Case
from harness.client import MANAGER, PATH, RUNC, GLib
from harness.files import write
from harness.wire import Wire, Writer, run_body, spawn_body

COMMAND_ERRORS = 'CommandNotFound', 'CommandNotExecutable'


class Bad(Case):
    starts_nothing = True

    def setUp(self):
        super().setUp()
        self.place = f'{self.rootfs}/bin'
        self.addCleanup(os.utime, self.place, ns=(os.stat(self.place).st_atime_ns, os.stat(self.place).st_mtime_ns))

    def bad(self, argv, *names, text=None):
        with self.refused(*names, text=text):
            self.root.run(self.rootfs, 10 << 20, argv)

    def bad_file(self, content, *names):
        """A command with that content."""
        write(f'{self.place}/odd', content)
        os.chmod(f'{self.place}/odd', 0o755)
        try:
            self.bad(['/bin/odd'], *names, text='/bin/odd')
        finally:
            os.unlink(f'{self.place}/odd')


class Command(Bad):
    def test_not_found(self):
        """A command that does not exist is CommandNotFound naming it, with a slash and without."""
        self.bad(['/bin/no-such'], 'CommandNotFound', text='/bin/no-such')
        self.bad(['no-such'], 'CommandNotFound', text='no-such')

    def test_not_executable(self):
        """A file without execute permission, a directory and a file in no known format are CommandNotExecutable."""
        for command in ('/etc/marker', '/etc'):
            self.bad([command], 'CommandNotExecutable', text=command)
        for content in (b'neither a script nor ELF\n', b'', b'\x7fELF' + b'\0' * 60, b'\x7fELF'):
            with self.subTest(content=content):
                self.bad_file(content, 'CommandNotExecutable')

    def test_leads_nowhere(self):
        """A script without its interpreter, a path through a file and a loop of links are errors that name the command."""
        self.bad_file(b'#!/no/such/interpreter\n', *COMMAND_ERRORS)
        self.bad(['/etc/marker/x'], *COMMAND_ERRORS, text='/etc/marker/x')
        os.symlink('loop', f'{self.place}/loop')
        try:
            self.bad(['/bin/loop'], *COMMAND_ERRORS, text='/bin/loop')
        finally:
            os.unlink(f'{self.place}/loop')

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
        wire.socket.settimeout(180)  # half a minute with ASan on a quiet machine
        name = wire.call('org.naive.Runc', PATH, RUNC, 'Run', 'stas', bytes(body))
        wire.close()
        self.assertIn(name, ('org.freedesktop.DBus.Error.InvalidArgs', 'org.freedesktop.DBus.Error.LimitsExceeded'))
        self.root.ping(timeout=5)
        if not self.world.sanitized:
            # the message itself has 32 MB; it is held once or, while it is read, twice
            self.assertLess(memory() - before, (64 + 64) * 1024)


class Rootfs(Bad):
    def test_leads_to_no_tree(self):
        """A rootfs that is missing, no directory, behind a file, a loop of links, a FIFO or /proc is named, none opened."""
        place = f'{self.world.directory}/bad'
        os.mkdir(place)
        self.addCleanup(shutil.rmtree, place)
        write(f'{place}/file', '')
        os.symlink('b', f'{place}/a')
        os.symlink('a', f'{place}/b')
        os.mkfifo(f'{place}/fifo')
        for path in (f'{place}/none', f'{place}/file', f'{place}/file/rootfs', f'{place}/a', f'{place}/fifo', '/proc'):
            with self.subTest(path=path), self.refused('RootfsInvalid', text=path):
                self.root.run(path, 10 << 20, ['/bin/true'])


class Arguments(Bad):
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

    def test_options(self):
        """An option that is unknown, has the wrong type, no sense or a NUL is InvalidArgs naming it, of Spawn and Create."""
        for key, value in (('NoSuchOption', GLib.Variant('s', 'x')), ('MemoryMax', GLib.Variant('u', 1 << 30)),
                           ('UserNamespace', 'other'), ('Environment', [b'A=b\0c']), ('WorkingDirectory', b'/\0x')):
            for member in (self.root.spawn, self.root.create):
                with self.subTest(key=key), self.refused('InvalidArgs', text=key):
                    member(self.rootfs, ['/bin/true'], **{key: value})

    def test_working_directory_missing(self):
        """A working directory that is not there is SetupFailed naming it."""
        with self.refused('SetupFailed', text='/no/such'):
            self.root.spawn(self.rootfs, ['/bin/true'], WorkingDirectory='/no/such')

    def test_existing_id(self):
        """A second container with the same id is ContainerExists."""
        container = self.root.create(self.rootfs, ['/bin/true'], Id='twin')
        with self.refused('ContainerExists', text='twin'):
            self.root.create(self.rootfs, ['/bin/true'], Id='twin')
        self.discard(container.path)

    def test_seventeen_fds(self):
        """17 fds in a message: the bus disconnects the sender, and the service is none the wiser."""
        wire = Wire(self.world.address)
        with open('/dev/null', 'rb') as f, self.assertRaises(ConnectionError):
            wire.call('org.naive.Runc', PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', spawn_body(''), fds=[f.fileno()] * 17)
        wire.close()
        self.root.ping()


class Odd(Case):
    def test_no_reply_expected(self):
        """A call that wants no reply still starts its container, once."""
        wire = Wire(self.world.address)
        wire.send('org.naive.Runc', PATH, RUNC, 'Run', 'stas', run_body(self.rootfs), flags=1)
        self.eventually(lambda: [c[1] for c in self.root.containers()] == ['stopped'])
        wire.close()
