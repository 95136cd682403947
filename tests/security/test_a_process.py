"""Rows A8 to A11 and A13: the process between the service and the command, and what of the service it could leak."""

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import struct
import subprocess
import sys

from harness.client import BusError, pump
from harness.files import as_user, id_map_of, read, read_bytes, status_of, write
from harness.hostile_case import Hostile
from harness.world import USERS
from harness import rootfs

SPY = '''
import ctypes, os, sys
pid = int(sys.argv[1])
def attempt(name, function):
    try:
        function()
    except OSError:
        return
    print(name)
for name in ("mem", "environ", "maps", "auxv", "syscall", "stack", "io"):
    attempt(name, lambda: open(f"/proc/{pid}/{name}", "rb").read(64))
for name in ("fd", "root", "cwd", "map_files"):
    attempt(name, lambda: os.listdir(f"/proc/{pid}/{name}/"))
for name in ("exe", "root", "cwd", "ns/user", "ns/mnt", "fd/0"):
    attempt(name, lambda: os.readlink(f"/proc/{pid}/{name}"))
libc = ctypes.CDLL(None, use_errno=True)
def ptrace(request):
    if libc.ptrace(request, pid, 0, 0) < 0:
        raise OSError
attempt("ptrace attach", lambda: ptrace(16))
attempt("ptrace seize", lambda: ptrace(0x4206))
word = ctypes.create_string_buffer(8)
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def read_memory():
    here, there = Piece(ctypes.addressof(word), 8), Piece(0x400000, 8)
    if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) < 0 and ctypes.get_errno() == 1:
        raise OSError
attempt("process_vm_readv", read_memory)
print("tried")
'''


class Descriptors(Hostile):
    FDS, AT_ONCE = range(1024), 64

    def test_names_of_descriptors(self):
        """A8 CVE-2024-21626: no number of an fd is a working directory or a command, nor another of /proc's links."""
        places = [f'/proc/self/fd/{number}' for number in self.FDS] + [
            '/proc/self/root', '/proc/self/cwd', '/proc/1/root', '/proc/thread-self/root/etc', '/dev/fd/3', '/dev/fd/0/..']
        with open(f'{self.rootfs}/bin/busybox', 'rb') as program:
            self.all_refused([((['/bin/true'],), {'WorkingDirectory': place}) for place in places], ('SetupFailed',))
            self.all_refused([(([f'/proc/self/fd/{number}', 'true'], {5: program.fileno()}), {}) for number in self.FDS],
                             ('CommandNotFound', 'CommandNotExecutable'))
        self.assertEqual(self.root.containers(), [])

    def all_refused(self, calls, names):
        """Some at a time."""
        for at in range(0, len(calls), self.AT_ONCE):
            piece = calls[at:at + self.AT_ONCE]
            outcomes = [self.root.spawn_async(self.rootfs, *words, **options) for words, options in piece]
            self.assertTrue(pump(lambda: all(outcomes), timeout=60))
            for (words, options), outcome in zip(piece, outcomes):
                self.assertIsInstance(outcome[0], BusError, (words, options))
                self.assertIn(outcome[0].name.rsplit('.', 1)[1], names, (words, options))

    def test_leaked_by_the_service(self):
        """A8 CVE-2024-21626: a directory that the service itself was started with, or opened, is not there inside."""
        leaked = os.open('/', os.O_PATH)
        numbers = [fcntl.fcntl(leaked, fcntl.F_DUPFD, at) for at in (10, 100, 300, 900)]
        os.close(leaked)
        try:
            self.world.restart_service(numbers)
            self.assertLessEqual(set(numbers), set(self.world.service_fds()))
            for namespace in ('auto', 'self'):  # the service's own child, and its maker's, if that is quick
                waiting = self.root.create(self.rootfs, ['/bin/true'], UserNamespace=namespace)
                self.assertEqual({os.readlink(f'/proc/{waiting.pid}/fd/{fd}')
                                  for fd in os.listdir(f'/proc/{waiting.pid}/fd')} & {'/'}, set())
                for terminal in (False, True):
                    log = self.spawn_output(['/bin/sh', '-c', 'ls /proc/self/fd; for n in /proc/self/fd/*; do '
                                             'ls $n/etc/hostname $n/../etc/hostname 2>/dev/null; done; true'],
                                            Terminal=terminal, UserNamespace=namespace)
                    self.assertEqual(log.split(), ['0', '1', '2', '3'])
        finally:
            for number in numbers:
                os.close(number)
            self.fresh_service()


class Spies(Hostile):
    def spy(self, pid, uid):
        """What a process of `uid` gets to see of `pid`."""
        done = self.command(*as_user(uid), sys.executable, '-c', SPY, str(pid))
        return done.stdout.decode(), done.stderr

    def test_created_container(self):
        """A9 CVE-2016-9962: what waits for its start shows nothing on the host, to its owner or to its own mapped ids."""
        own = self.started(*as_user(USERS['alice']), 'sleep', '60')  # the spy does see what is to be seen
        self.eventually(lambda: 'setpriv' not in read(f'/proc/{own.pid}/cmdline'), what='sleep')
        seen, words = self.spy(own.pid, USERS['alice'])
        self.assertLessEqual({'environ', 'maps', 'fd', 'root', 'exe', 'ptrace attach'}, set(seen.split('\n')), words)
        for namespace in ('auto', 'self'):
            container = self.user('alice').create(self.rootfs_of('alice'), ['/bin/sleep', '60'], UserNamespace=namespace)
            self.assertEqual(container.state, 'created')
            for uid in {USERS['alice'], id_map_of(container.pid)[1]}:
                with self.subTest(namespace=namespace, uid=uid):
                    self.assertEqual(self.spy(container.pid, uid), ('tried\n', b''))
            container.start()
            self.assertEqual(container.state, 'running')

    def test_service(self):
        """A9: nor does the service show anything to a user."""
        self.assertEqual(self.spy(self.world.service_pid, USERS['alice']), ('tried\n', b''))


class Identity(Hostile):
    NS_GET_OWNER_UID = 0xb704

    def test_ids(self):
        """A10 CVE-2020-5291 CVE-2016-8659: nobody owns the namespaces; all four ids are mapped ones, and no group is left."""
        for state in ('created', 'running'):
            for namespace in ('auto', 'self'):
                with self.subTest(state=state, namespace=namespace):
                    container = self.user('alice').create(self.rootfs_of('alice'), ['/bin/sleep', '60'],
                                                          UserNamespace=namespace)
                    if state == 'running':
                        container.start()
                    base = id_map_of(container.pid)[1]
                    status = status_of(container.pid)
                    self.assertEqual(set(map(int, status['Uid'].split())), {base})
                    self.assertEqual(len(set(map(int, status['Gid'].split()))), 1)
                    self.assertNotIn('0', status['Gid'].split())
                    self.assertEqual(status['Groups'].split(), [])
                    self.assertEqual(status['CapPrm'], status['CapBnd'])
                    self.assertEqual(status['CapInh'], f'{0:016x}')
                    self.check_owner(container.pid, base if namespace == 'auto' else None)

    def check_owner(self, pid, base):
        """The last id of a range of the service's: of the container's own one if it has one."""
        with open(f'/proc/{pid}/ns/user') as namespace:
            owner, = struct.unpack('I', fcntl.ioctl(namespace, self.NS_GET_OWNER_UID, bytes(4)))
        self.assertEqual((owner - 0x70000000) % 65536, 65535)
        self.assertGreater(owner, 0x70000000)
        if base:
            self.assertEqual(owner, base + 65535)
        done = self.command(sys.executable, '-c', f'''
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
    try:
        fd = os.open("/proc/{pid}/ns/" + name, os.O_RDONLY)
    except PermissionError:
        continue
    if libc.setns(fd, 0) == 0:
        print("entered", name)
''', user='alice')
        self.assertEqual((done.stdout, done.stderr), (b'', b''))


class Program(Hostile):
    """A11: the service's own program, which its child still is until exec."""
    REPEATS = 500

    def digest(self):
        return hashlib.sha256(read_bytes(self.world.daemon)).hexdigest()

    def setUp(self):
        super().setUp()
        self.before = self.digest()

    def tearDown(self):
        super().tearDown()
        self.assertEqual(self.digest(), self.before)

    def test_as_the_command(self):
        """A11 CVE-2019-5736 CVE-2019-8308: /proc/self/exe is no command, by itself or through links in the tree."""
        tree = self.tree_of('alice')
        os.symlink('/proc/self/exe', f'{tree}/bin/exe')
        os.symlink('exe', f'{tree}/bin/further')
        for command in ('/proc/self/exe', '/proc/1/exe', '/proc/thread-self/exe', '/bin/exe', '/bin/further', 'further'):
            with self.subTest(command=command), self.refused('CommandNotExecutable', text='magic symbolic link'):
                self.user('alice').spawn(tree, [command])
        for directory, command, path in (('/proc/self', './exe', None), ('/proc', 'self/exe', None),
                                         ('/proc/self', 'exe', b'PATH=.'), ('/bin', './exe', None)):
            environment = {'Environment': [path]} if path else {}
            with self.subTest(directory=directory), self.refused('CommandNotExecutable', text='magic symbolic link'):
                self.user('alice').spawn(tree, [command], WorkingDirectory=directory, **environment)

    def in_each_mode(self):
        """(words, client, options) of each kind of owner and user namespace."""
        for name, client in (('alice', self.user('alice')), ('root', self.root)):
            for mode in ('auto', 'self', 'host') if name == 'root' else ('auto', 'self'):
                yield f'{name} {mode}', client, {'UserNamespace': mode}

    def test_as_the_interpreter(self):
        """E12, A11 CVE-2019-5736: a script or a program whose interpreter it would be is not executed, in any user namespace, prepared or not, nor embedded."""
        tree = self.tree_of('alice')
        write(f'{tree}/bin/script', '#!/proc/self/exe\n')
        os.chmod(f'{tree}/bin/script', 0o755)
        subprocess.run(['gcc', '-nostdlib', '-pie', '-fPIE', '-Wl,--dynamic-linker=/proc/self/exe', '-xc', '-', '-o',
                        f'{tree}/bin/program'], input=b'void _start(void) { for (;;); }', check=True)
        for words, client, options in self.in_each_mode():
            for command in ('/bin/script', '/bin/program'):
                for prepared in (True, False):
                    more = {} if prepared else {'ReadOnlyRoot': False, 'Mounts': [('', '/mnt', 'tmpfs', [])]}
                    with self.subTest(words, command=command, prepared=prepared), \
                            self.refused('CommandNotExecutable', text='Permission denied'):
                        client.spawn(tree, [command], **options, **more)
        for command in ('/bin/script', '/bin/program'):
            for mode in ('auto', 'self', 'host'):
                with self.subTest(embedded=mode, command=command):
                    done = self.command(self.world.naivec, '--embedded', 'run', f'--userns={mode}', tree, command,
                                        env={'NAIVE_RUNCD': self.world.daemon})
                    self.assertEqual(done.returncode, 126)
                    self.assertIn(b'Permission denied', done.stderr)

    def test_swapped(self):
        """E12: nor is it what a command has become between Create and Start."""
        tree = self.tree_of('alice')
        for words, client, options in self.in_each_mode():
            with self.subTest(words):
                shutil.copy(f'{tree}/bin/busybox', f'{tree}/bin/swapped')
                container = client.create(tree, ['/bin/swapped', '--version'], **options)
                os.unlink(f'{tree}/bin/swapped')
                os.symlink('/proc/self/exe', f'{tree}/bin/swapped')
                with self.refused('CommandNotExecutable', text='Permission denied'):
                    container.start()
                os.unlink(f'{tree}/bin/swapped')

    def test_where_it_runs(self):
        """E12, A11: the service, the maker and what they prepare run from a mount that is in no namespace, read-only, and from which nothing can be executed."""
        for pid in (self.world.service_pid, *self.world.strangers()):
            with self.subTest(pid=pid):
                flags = os.statvfs(f'/proc/{pid}/exe').f_flag
                self.assertTrue(flags & os.ST_RDONLY and flags & os.ST_NOEXEC, flags)
                with self.assertRaises(PermissionError):
                    subprocess.run([f'/proc/{pid}/exe', '--version'], check=False)
        with self.assertRaises(OSError) as caught:
            os.open(f'/proc/{self.world.service_pid}/exe', os.O_WRONLY)
        self.assertIn(caught.exception.errno, (errno.EROFS, errno.ETXTBSY))

    def test_opened_in_time(self):
        """A11 CVE-2019-5736: nor can it be opened from within while containers start, by whoever looks all the time."""
        tree = self.tree_of('alice')
        alice = self.user('alice')
        watch = alice.spawn(tree, ['/bin/sh', '-c', 'while :; do for p in 1 self; do (: >/proc/$p/exe) && echo opened; '
                                   'done; done 2>/dev/null'], ReadOnlyRoot=True)
        for _ in range(self.REPEATS):
            container = self.root.spawn(tree, ['/bin/sh', '-c', ': >/proc/1/exe'])
            self.assertNotEqual(container.wait(), ('success', 0))
            container.delete()
        watch.kill()
        watch.wait()
        self.assertEqual(watch.log(), b'')


class Untouched(Hostile):
    """A13: nothing of the tree is opened before the command."""
    IN_OPEN, IN_ACCESS, IN_MODIFY, IN_NONBLOCK = 0x20, 0x1, 0x2, 0o4000
    LURES = ('etc/passwd', 'etc/group', 'etc/nsswitch.conf', 'etc/ld.so.preload', 'etc/ld.so.cache', 'etc/localtime',
             'etc/shadow', 'etc/subuid', 'etc/resolv.conf', 'etc/systemd/nspawn/r.nspawn', 'etc/os-release',
             'usr/lib/locale/locale-archive', 'usr/lib/gconv/gconv-modules', 'lib/libnss_files.so.2', 'root/.profile')

    def watch(self, tree):
        """An inotify fd on all that is in the tree, and {watch: directory}."""
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.inotify_init1(self.IN_NONBLOCK)
        names = {}
        for top in [top for top, _, _ in os.walk(tree)]:
            number = libc.inotify_add_watch(fd, top.encode(), self.IN_OPEN | self.IN_ACCESS | self.IN_MODIFY)
            self.assertGreaterEqual(number, 0)
            names[number] = os.path.relpath(top, tree)
        return fd, names

    def opened(self, fd, names):
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return set()
        found, at = set(), 0
        while at < len(data):
            number, _, _, length = struct.unpack_from('iIII', data, at)
            name = data[at + 16:at + 16 + length].rstrip(b'\0').decode()
            found.add(os.path.normpath(f'{names[number]}/{name}'))
            at += 16 + length
        return found

    def test_lures(self):
        """A13 CVE-2026-40226: FIFOs and files that a set-up might read are not opened: only the command is."""
        tree = self.tree_of('alice')
        for number, name in enumerate(self.LURES):
            path = f'{tree}/{name}'
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if number % 2:
                os.mkfifo(path)
            else:
                write(path, 'evil:x:0:0::/:/bin/sh\n')
        rootfs.chown_tree(tree, USERS['alice'], USERS['alice'])
        with open(f'{tree}/etc/nsswitch.conf', 'r+') as f:
            f.write('passwd: evil\n')
        fd, names = self.watch(tree)
        try:
            read(f'{tree}/etc/marker')
            self.assertEqual(self.opened(fd, names), {'etc/marker'})  # it does see what is opened
            for options in ({}, {'UserNamespace': 'self'}, {'Terminal': True}, {'ReadOnlyRoot': False}):
                with self.subTest(options=options):
                    container = self.user('alice').spawn(tree, ['/bin/probe', 'signals'], **options)
                    self.assertEqual(container.wait(), ('success', 0))
                    self.assertEqual(self.opened(fd, names), {'bin/probe'})
        finally:
            os.close(fd)
