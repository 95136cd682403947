"""Rows A9 to A11 and E2 for volatile and empty roots: the process between the service and the command."""

import hashlib
import itertools
import os
import sys

import test_a_process
from harness.client import BusError
from harness.files import as_user, id_map_of, read_bytes, status_of, write
from harness.world import USERS
from test_e_kinds import Kinds

# sees whose program is in sight of whom has the same id, for as long as there is no file "end"
WATCH = '''
import os, sys
seen = set()
while not os.path.exists(sys.argv[1]):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            program = os.readlink(f"/proc/{pid}/exe")
            os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        seen.add(program)
print("\\n".join(sorted(seen)))
'''


class Spies(Kinds):
    """Each kind, with ids of its own and with its caller's."""
    def modes(self):
        for kind, mode in itertools.product(('volatile', 'bound'), ('auto', 'keep-id')):
            yield kind, {'UserNamespace': mode}

    def created(self, kind, options, argv=('/bin/sleep', '60')):
        root, more = self.words(kind)
        return self.user('alice').create(root, list(argv), **more, **options)

    def words(self, kind):
        tree = self.rootfs_of('alice')
        if kind == 'volatile':
            return tree, {'Volatile': True}
        return '', {'EmptyRoot': True, 'Mounts': [(tree, '/', 'bind', ['ro']), ('', '/proc', 'proc', []),
                                                  ('', '/dev', 'dev', [])]}

    def test_waiting(self):
        """A9 CVE-2016-9962: what waits for its start shows nothing, neither to its ids nor to its owner who has the same."""
        for kind, options in self.modes():
            container = self.created(kind, options)
            for uid in {USERS['alice'], id_map_of(container.pid)[1]}:
                with self.subTest(kind=kind, options=options, uid=uid):
                    done = self.command(*as_user(uid), sys.executable, '-c', test_a_process.SPY, str(container.pid))
                    self.assertEqual((done.stdout, done.stderr), (b'tried\n', b''))
            container.start()
            container.kill()
            container.wait()

    def test_watched(self):
        """A9: nor does it to a process of its owner's that looks all the time while it is set up."""
        end = f'{self.world.directory}/end'
        watch = self.started(*as_user(USERS['alice']), sys.executable, '-c', WATCH, end, stdout=-1)
        try:
            for _ in self.rounds(60, 4):
                for kind, options in self.modes():
                    root, more = self.words(kind)
                    container = self.user('alice').spawn(root, ['/bin/sleep', '0.02'], **more, **options)
                    container.wait()
                    container.delete()
        finally:
            write(end, '')
            seen = watch.communicate()[0].decode().split('\n')
            os.unlink(end)
        self.assertEqual([line for line in seen if 'naive-runcd' in line or 'memfd' in line], [])
        self.assertIn(os.path.realpath(sys.executable), seen)  # it does see what is to be seen

    def test_ids(self):
        """A10 CVE-2020-5291 CVE-2016-8659: an id that nobody has owns the namespaces; the command has mapped ids alone."""
        for kind, options in self.modes():
            for start in (False, True):
                with self.subTest(kind=kind, options=options, start=start):
                    container = self.created(kind, options)
                    if start:
                        container.start()
                    base, status = id_map_of(container.pid)[1], status_of(container.pid)
                    self.assertEqual(set(map(int, status['Uid'].split())), {base})
                    self.assertNotIn('0', status['Gid'].split() + status['Groups'].split())
                    own = base if options['UserNamespace'] == 'auto' else None
                    test_a_process.Identity.check_owner(self, container.pid, own)
                    if own:
                        self.assertEqual(status['Groups'].split(), [])

    NS_GET_OWNER_UID = test_a_process.Identity.NS_GET_OWNER_UID


class Program(Kinds):
    def test_not_by_name(self):
        """A11 CVE-2019-5736: the service's program is neither the command nor its interpreter, and stays as it is."""
        before = hashlib.sha256(read_bytes(self.world.daemon)).hexdigest()
        for kind, tree in self.each():
            os.symlink('/proc/self/exe', f'{tree}/bin/exe')
            write(f'{tree}/bin/script', '#!/proc/self/exe\n')
            os.chmod(f'{tree}/bin/script', 0o755)
            for mode in ('auto', 'self', 'keep-id'):
                for command, text in (('/proc/self/exe', 'magic'), ('/bin/exe', 'magic'), ('/bin/script', 'Permission denied')):
                    with self.subTest(kind=kind, command=command, mode=mode), self.refused('CommandNotExecutable', text=text):
                        self.spawn(kind, tree, [command], UserNamespace=mode)
        self.assertEqual(hashlib.sha256(read_bytes(self.world.daemon)).hexdigest(), before)

    def test_swapped(self):
        """A11 CVE-2019-5736: nor is it where a command is swapped for a link to it all the time; nobody writes to it."""
        before = hashlib.sha256(read_bytes(self.world.daemon)).hexdigest()
        won = lost = 0
        for kind, tree in self.each():
            os.symlink('/proc/self/exe', f'{tree}/bin/exe')
            write(f'{tree}/bin/real', '#!/bin/sh\n(: >/proc/1/exe) 2>/dev/null; echo ran\n')
            os.chmod(f'{tree}/bin/real', 0o755)
            with self.swapping(f'{tree}/bin/real', f'{tree}/bin/exe', pause=100):
                for _ in self.rounds(60, 6):
                    try:
                        container = self.spawn(kind, tree, ['/bin/real', '--version'], UserNamespace='self')
                    except BusError as error:
                        self.assertIn('CommandNotExecutable', error.name)
                        lost += 1
                    else:
                        container.wait()
                        # a shell may find the link when it opens its script once more
                        self.assertNotIn(b'naive-runc', container.log())
                        container.delete()
                        won += 1
        self.race(won + lost, min(won, lost))
        self.assertEqual(hashlib.sha256(read_bytes(self.world.daemon)).hexdigest(), before)


class Streams(Kinds):
    def test_untouched(self):
        """E2 CVE-2026-88265: what a caller passes keeps its owner and its mode, whatever the tree has in place of /dev/null."""
        for kind, tree in self.each():
            os.symlink('/proc/self/fd/1', f'{tree}/dev/null')
            os.symlink('/etc/marker', f'{tree}/dev/stdout')
            for mode in ('auto', 'self', 'keep-id'):
                path = f'{self.place}/file'
                write(path, '')
                os.chmod(path, 0o640)
                os.chown(path, USERS['bob'], USERS['bob'])
                reader, writer = os.pipe()
                with open(path, 'r+b') as file:
                    before = [os.fstat(fd) for fd in (file.fileno(), writer, reader)]
                    container = self.spawn(kind, tree, ['/bin/sh', '-c', 'echo out; echo err >&2; cat /etc/marker'],
                                           fds={0: reader, 1: file.fileno(), 2: writer}, UserNamespace=mode)
                    self.assertEqual(container.wait(), ('success', 0))
                    after = [os.fstat(fd) for fd in (file.fileno(), writer, reader)]
                os.close(writer)
                os.close(reader)
                self.assertEqual([(s.st_uid, s.st_gid, s.st_mode) for s in after],
                                 [(s.st_uid, s.st_gid, s.st_mode) for s in before])
                self.assertEqual(read_bytes(path), b'out\nthis is the rootfs\n')
