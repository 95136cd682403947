"""Mounts and RootFD: what works, and what hostile callers, trees and sources try. The ids are SECURITY.md's rows."""

import contextlib
import ctypes
import os
import select
import shutil
import socket
import stat
import subprocess

from harness import rootfs
from harness.client import BusError
from harness.files import read, write
from harness.hostile_case import Hostile
from harness.world import SUBORDINATE, USERS, mount

LIBC = ctypes.CDLL(None, use_errno=True)
OPEN_TREE, OPEN_TREE_CLONE = 428, 1
RACE_ROUNDS, RACE_SECONDS = 150, 40
RACE_REFUSALS = 40  # in each test; after 100 of a user the service looks at none for a while


class Trees(Hostile):
    def setUp(self):
        super().setUp()
        self.place = f'{self.world.directory}/trees'
        os.mkdir(self.place)
        self.addCleanup(shutil.rmtree, self.place)

    def directory(self, path, uid=0, mode=0o755, files=()):
        """A directory of `uid` with files {name: (mode, text)}; where it is."""
        if not path.startswith('/'):
            path = f'{self.place}/{path}'
        os.makedirs(path)
        self.addCleanup(shutil.rmtree, path, True)
        for name, (file_mode, text) in dict(files).items():
            write(f'{path}/{name}', text)
            os.chmod(f'{path}/{name}', file_mode)
        rootfs.chown_tree(path, uid, uid)
        os.chmod(path, mode)
        return path

    def home(self, name, what='things', **kwargs):
        return self.directory(f'{self.world.directory}/{name}/{what}', USERS[name], **kwargs)

    def mounted(self, script, *mounts, client=None, tree=None, **options):
        """What a shell says in a container with these mounts; it must succeed."""
        return self.spawn_output(['/bin/sh', '-c', script], client=client, rootfs=tree, Mounts=mounts, **options)

    def own_tree(self, name):
        """A tree of that user's for one test, which may rename it."""
        path = f'{self.world.directory}/{name}/tree'
        rootfs.make(path, None, USERS[name], USERS[name])
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def swapped(self, name, good, other):
        """A link of that user's to `other`, to be swapped with `good`; both are gone after the test."""
        link = f'{self.world.directory}/{name}/swapped'
        os.symlink(other, link)
        self.addCleanup(shutil.rmtree, link, True)
        self.addCleanup(lambda: [os.unlink(path) for path in (link, good) if os.path.islink(path)])
        return link

    def refuses(self, name, mount, text=None, client=None, tree=None, **options):
        with self.refused(name, text=text) as caught:
            (client or self.root).spawn(tree or self.rootfs, ['/bin/true'], Mounts=[mount], **options)
        return caught.exception


class Binds(Trees):
    def test_read_only(self):
        """A directory, bound read-only: read, not written to."""
        source = self.directory('s', files={'f': (0o644, 'text')})
        log = self.mounted('cat /mnt/f; touch /mnt/new 2>&1 || true', (source, '/mnt', 'bind', ['ro']))
        self.assertIn('text', log)
        self.assertIn('Read-only file system', log)
        self.assertEqual(os.listdir(source), ['f'])

    def test_writable(self):
        """A15: a directory, bound writable: what is made in it is the caller's on the host; "/" stays read-only."""
        source = self.directory('s')
        self.mounted('echo new > /mnt/new; ! touch /new', (source, '/mnt', 'bind', []))
        self.assertEqual(open(f'{source}/new').read(), 'new\n')
        self.assertEqual(os.stat(f'{source}/new').st_uid, 0)

    def test_users_own(self):
        """A user's own directory needs no more than the action run, and its files are that user's."""
        source = self.home('alice', files={'f': (0o600, 'mine')})
        log = self.mounted('cat /mnt/f; echo new > /mnt/new; ls -n /mnt/f', (source, '/mnt', 'bind', ['rw']),
                           client=self.user('alice'), tree=self.rootfs_of('alice'))
        self.assertIn('mine', log)
        self.assertRegex(log, r'1 0 +0 ')
        self.assertEqual(os.stat(f'{source}/new').st_uid, USERS['alice'])

    def test_file(self):
        """A file covers a file."""
        source = self.directory('s', files={'f': (0o644, 'covering')})
        self.assertEqual(self.mounted('cat /etc/marker', (f'{source}/f', '/etc/marker', 'bind', ['ro'])), 'covering')

    def test_order(self):
        """One mount may lie in another, in the order given."""
        outer, inner = self.directory('o'), self.directory('i', files={'f': (0o644, 'inner')})
        os.mkdir(f'{outer}/sub')
        log = self.mounted('cat /mnt/sub/f', (outer, '/mnt', 'bind', ['ro']), (inner, '/mnt/sub', 'bind', ['ro']))
        self.assertEqual(log, 'inner')

    def test_no_exec(self):
        """noexec counts, and nothing else is needed for nosuid and nodev."""
        source = self.directory('s', files={'f': (0o755, '#!/bin/sh\necho ran\n')})
        os.mknod(f'{source}/null', 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        bound = (source, '/mnt', 'bind', ['ro'])
        self.assertEqual(self.mounted('/mnt/f', bound), 'ran\n')
        self.assertNotIn('ran', self.mounted('/mnt/f 2>&1 || true', (source, '/mnt', 'bind', ['ro', 'noexec'])))
        self.assertIn('ermission', self.mounted('cat /mnt/null 2>&1 || true', bound))

    def test_tmpfs(self):
        """A tmpfs has the size and mode asked for, belongs to container root, and is gone afterwards."""
        log = self.mounted('stat -c "%a %u" /mnt; head -c 2000000 /dev/zero > /mnt/f 2>&1; stat -c %s /mnt/f; ! touch /home/f',
                           ('tmpfs', '/mnt', 'tmpfs', ['size=1M', 'mode=0750']), ('', '/home', 'tmpfs', ['ro']))
        self.assertIn('750 0', log)
        self.assertIn('1048576', log)
        self.assertEqual(os.listdir(f'{self.rootfs}/mnt'), [])

    def test_command_line(self):
        """naivec's --volume and --tmpfs, and its word for a volume that is not there."""
        source = self.directory('s', files={'f': (0o644, 'text')})
        result = self.command(self.world.naivec, 'run', f'--volume={source}:/mnt:ro', '--tmpfs=/home:size=1M',
                              self.rootfs, '/bin/sh', '-c', 'cat /mnt/f; touch /home/x /mnt/x')
        self.assertEqual((result.returncode, result.stdout), (1, b'text'), result.stderr)
        self.assertIn(b'/mnt/x', result.stderr)
        self.assertNotIn(b'/home/x', result.stderr)
        result = self.command(self.world.naivec, 'run', '-v', f'{source}/none:/mnt', self.rootfs, '/bin/true')
        self.assertEqual(result.returncode, 125)
        self.assertIn(f"mount source '{source}/none': No such file".encode(), result.stderr)
        self.assertEqual(self.command(self.world.naivec, 'run', '-v', source, self.rootfs).returncode, 2)


class WrongMounts(Trees):
    starts_nothing = True

    def test_target_missing(self):
        """A4: a target that is not there is MountInvalid by name, and none is made."""
        source = self.directory('s')
        self.refuses('MountInvalid', (source, '/none', 'bind', ['ro']), text="'/none'")
        self.refuses('MountInvalid', ('', '/mnt/none', 'tmpfs', []), text="'/mnt/none'")
        self.refuses('MountInvalid', ('', '/mnt/none', 'tmpfs', []), text="'/mnt/none'", ReadOnlyRoot=False)
        self.assertFalse(os.path.exists(f'{self.rootfs}/none') or os.path.exists(f'{self.rootfs}/mnt/none'))

    def test_target_of_another_kind(self):
        """A directory does not cover a file, nor a file a directory."""
        source = self.directory('s', files={'f': (0o644, '')})
        self.refuses('MountInvalid', (source, '/etc/marker', 'bind', ['ro']), text="'/etc/marker' is not a directory")
        self.refuses('MountInvalid', (f'{source}/f', '/mnt', 'bind', ['ro']), text="'/mnt' is a directory")

    def test_target_link(self):
        """A1, A2, CVE-2019-19921: no link of the tree leads a mount out of it, nor into what the service mounts."""
        canary = self.directory('canary', files={'f': (0o644, 'canary')})
        tree = rootfs.make(f'{self.place}/r')
        before = rootfs.fingerprint(canary)
        source = self.directory('s')
        for name, where in (('abs', canary), ('up', '../../../../../..' + canary), ('proc', '../proc'),
                            ('dev', '/dev'), ('root', '/'), ('in', 'etc')):
            os.symlink(where, f'{tree}/mnt/{name}')
            for target in (f'/mnt/{name}', f'/mnt/{name}/sys'):
                with self.subTest(target=target):
                    self.refuses('MountInvalid', (source, target, 'bind', ['ro']), text=target, tree=tree)
                    self.refuses('MountInvalid', ('', target, 'tmpfs', []), text=target, tree=tree)
        self.assertEqual(rootfs.fingerprint(canary), before)

    def test_source(self):
        """A source that is no file, directory, pipe or socket is MountInvalid naming it."""
        place = self.directory('s')
        os.mknod(f'{place}/disk', 0o666 | stat.S_IFBLK, os.makedev(7, 200))
        os.symlink('loop', f'{place}/loop')
        for name, text in (('none', 'No such file'), ('loop', 'symbolic links'), ('disk', 'is a device')):
            self.refuses('MountInvalid', (f'{place}/{name}', '/mnt', 'bind', ['ro']), text=text)
        for path in ('/proc', '/proc/1', '/proc/self/root', '/proc/version'):
            self.refuses('MountInvalid', (path, '/mnt', 'bind', ['ro']), text=path)

    def test_cannot_be_mapped(self):
        """F34: a source on a file system that cannot be id-mapped is MountInvalid naming that."""
        self.refuses('MountInvalid', ('/sys/kernel', '/mnt', 'bind', ['ro']), text='(sysfs) cannot be id-mapped')

    def test_nobody_learns(self):
        """B3, CVE-2020-16121: of what it cannot reach a user learns nothing: absent, file or directory."""
        closed = self.directory('closed', mode=0o700, files={'a-file': (0o644, '')})
        os.mkdir(f'{closed}/a-tree')
        words = set()
        for name in ('a-tree', 'a-file', 'absent'):
            error = self.refuses('MountInvalid', (f'{closed}/{name}', '/mnt', 'bind', ['ro']),
                                 client=self.user('alice'), tree=self.rootfs_of('alice'))
            words.add((error.name, error.text.replace(name, 'NAME')))
        self.assertEqual(len(words), 1, words)


class WhoseFiles(Trees):
    """B2, CVE-2026-7867: what a user binds gives what that user has, and no more."""

    def alices(self, script, *mounts):
        return self.mounted(script, *mounts, client=self.user('alice'), tree=self.rootfs_of('alice'))

    def test_others_files(self):
        """B2: of a real tree of root's a user reads what all may read, and not what is 0600."""
        place = self.directory('etc', files={'shadow': (0o600, 'secret'), 'motd': (0o644, 'hello')})
        os.mkdir(f'{place}/closed', 0o700)
        shutil.copy(f'{place}/motd', f'{place}/closed/f')
        log = self.alices('cat /mnt/motd; cat /mnt/shadow /mnt/closed/f; id -u; true', (place, '/mnt', 'bind', ['ro']))
        self.assertEqual(log.count('hello'), 1)
        self.assertNotIn('secret', log)
        self.assertEqual(log.count('Permission denied'), 2)
        log = self.alices('ls /mnt/os-release; cat /mnt/shadow /mnt/gshadow 2>&1 || true', ('/etc', '/mnt', 'bind', ['ro']))
        self.assertIn('/mnt/os-release', log)
        self.assertEqual(log.count('Permission denied'), 2)

    def test_the_whole_host(self):
        """B1, B2: with "/" bound, or as its root tree, a user reads no more of it than that user could."""
        with self.refused('MountInvalid', 'RootfsInvalid') as caught:
            self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/cat', '/mnt/etc/shadow'],
                                     Mounts=[('/', '/mnt', 'bind', ['ro'])])
        self.assertIn('cannot be id-mapped', caught.exception.text)  # /proc in it, to begin with

    def test_closed_file(self):
        """B2: what a user cannot read is not bound, whatever could be done with it inside."""
        place = self.directory('p', files={'f': (0o600, 'secret'), 'g': (0o640, 'secret')})
        for source in (f'{place}/f', f'{place}/g', '/etc/shadow'):
            self.refuses('MountInvalid', (source, '/etc/marker', 'bind', ['ro']), text='Permission denied',
                         client=self.user('alice'), tree=self.rootfs_of('alice'))

    def test_another_users_home(self):
        """B1, B2: another user's home, closed or open, gives what its modes give to anybody."""
        closed = self.home('bob', 'closed', mode=0o700, files={'f': (0o644, 'secret')})
        self.refuses('MountInvalid', (closed, '/mnt', 'bind', ['ro']), text='Permission denied',
                     client=self.user('alice'), tree=self.rootfs_of('alice'))
        half_open = self.home('bob', 'open', files={'f': (0o600, 'secret'), 'g': (0o644, 'public')})
        log = self.alices('cat /mnt/f /mnt/g; true', (half_open, '/mnt', 'bind', ['ro']))
        self.assertIn('public', log)
        self.assertNotIn('secret', log)

    def test_writable_needs_more(self):
        """B2, C5: a writable bind of another's directory is run-privileged, of which no rule of run says anything."""
        source = self.directory(f'{self.world.directory}/shared', mode=0o777)
        for name in ('alice', 'bob'):
            with self.refused('AccessDenied', 'InteractiveAuthorizationRequired'):
                self.user(name).spawn(self.rootfs_of(name), ['/bin/true'], Mounts=[(source, '/mnt', 'bind', [])])
        mounts = [(f'{source}/../shared/.', '/mnt', 'bind', ['rw']), ('', '/home', 'tmpfs', ['ro'])]
        container = self.user('bob').spawn(self.rootfs_of('bob'), ['/bin/touch', '/mnt/new'], Mounts=mounts)
        self.assertEqual(container.wait(), ('success', 0), container.log())
        self.assertEqual(container.prop('Deviations'), ['Mounts=privileged'])
        self.assertEqual(os.stat(f'{source}/new').st_uid, 0)  # shown, and so written, with the host's ids
        with self.refused('AccessDenied', 'InteractiveAuthorizationRequired'):
            self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/true'], Mounts=mounts)

    def test_writable_leaves_no_rights(self):
        """B6: who may write to root's files, by that action, still leaves no set-id file of root's."""
        source = self.directory(f'{self.world.directory}/shared')
        log = self.mounted('/bin/plant /mnt; true', (source, '/mnt', 'bind', []),
                           ('', '/home', 'tmpfs', ['ro']), client=self.user('bob'), tree=self.rootfs_of('bob'))
        self.assertIn('harmless: ok', log)
        self.assert_no_rights_in(source)

    def test_read_only_as_others(self):
        """B2: read-only, the same directory shows a user no more than its modes show anybody; root's tree, too."""
        source = self.directory(f'{self.world.directory}/shared', mode=0o777, files={'f': (0o600, 'secret')})
        mounts = [(source, '/mnt', 'bind', ['ro']), ('', '/home', 'tmpfs', ['ro'])]
        log = self.mounted('cat /mnt/f; touch /mnt/new; true', *mounts, client=self.user('bob'),
                           tree=self.rootfs_of('bob'))
        self.assertNotIn('secret', log)
        self.assertEqual(os.listdir(source), ['f'])

    def test_set_id(self):
        """B6, CVE-2025-6019: a set-id program in a source gives nothing, and none is left in one of root's."""
        source = self.directory('s')
        shutil.copy(rootfs.BUSYBOX, f'{source}/busybox')
        os.chmod(f'{source}/busybox', 0o6755)
        log = self.alices('/mnt/busybox id; grep -E "^(Uid|Cap|NoNew)" /proc/self/status', (source, '/mnt', 'bind', ['ro']))
        self.assertIn('uid=0 gid=0', log)
        own = self.alices('/bin/busybox id; grep -E "^(Uid|Cap|NoNew)" /proc/self/status')
        self.assertEqual(log, own)
        os.unlink(f'{source}/busybox')
        self.mounted('/bin/plant /mnt > /dev/null; true', (source, '/mnt', 'bind', []))
        self.assert_no_rights_in(source)

    def test_submount(self):
        """A16: what a mount hides in a source stays hidden, cannot be uncovered, and is read-only with the rest."""
        source = self.directory('s')
        os.mkdir(f'{source}/sub')
        write(f'{source}/sub/hidden', 'secret')
        mount('--bind', self.directory('cover', mode=0o777), f'{source}/sub')
        self.addCleanup(subprocess.run, ['umount', f'{source}/sub'], check=True)
        log = self.alices('ls -a /mnt/sub; umount /mnt/sub; umount /mnt; cat /mnt/sub/hidden; touch /mnt/sub/new; true',
                          (source, '/mnt', 'bind', ['ro', 'bind']))
        self.assertNotIn('secret', log)
        self.assertIn('Read-only file system', log)
        self.assertEqual(os.listdir(f'{source}/sub'), [])

    def test_host_stays_writable(self):
        """A15: a read-only bind leaves the host's own mount as it is."""
        source = self.directory('s')
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], Mounts=[(source, '/mnt', 'bind', ['ro'])])
        open(f'{source}/written', 'w').close()
        container.end()
        open(f'{source}/again', 'w').close()

    def test_subordinate_ids(self):
        """Honest use: a user's own tree with its subordinate ids: chown, and a program that drops its uid."""
        tree, source = self.own_tree('fay'), self.home('fay')
        write(f'{tree}/etc/passwd', 'daemon:x:5:5::/:/bin/sh\n')
        log = self.mounted('touch /etc/y /mnt/z; chown 5:7 /etc/y /mnt/z; stat -c "%u %g" /etc/y /mnt/z; mkdir -m 777 /mnt/d; '
                           'su daemon -c "touch /mnt/d/f; id -u"', (source, '/mnt', 'bind', []),
                           client=self.user('fay'), tree=tree, ReadOnlyRoot=False)
        self.assertEqual(log, '5 7\n5 7\n5\n')
        first = SUBORDINATE['fay']
        for path in (f'{tree}/etc/y', f'{source}/z'):
            status = os.stat(path)
            self.assertEqual((status.st_uid, status.st_gid), (first + 4, first + 6))
        self.assertEqual(os.stat(f'{source}/d/f').st_uid, first + 4)

    def test_subordinate_ids_taken_away(self):
        """B2: ids that are no longer the user's are not shown to the next container as its own."""
        tree = self.own_tree('fay')
        with open(f'{tree}/etc/theirs', 'w') as f:
            os.chown(f.fileno(), SUBORDINATE['fay'] + 4, SUBORDINATE['fay'] + 4)

        def owner():
            return self.mounted('stat -c "%u %g" /etc/theirs', client=self.user('fay'), tree=tree)
        for _ in range(3):  # those that were prepared among them
            self.assertEqual(owner(), '5 5\n')
        for name in ('subuid', 'subgid'):
            path = f'{self.world.directory}/{name}'
            before = read(path)
            write(path, before.replace(str(SUBORDINATE['fay']), str(SUBORDINATE['fay'] + 100000)))
            self.addCleanup(write, path, before)
        for _ in range(3):
            self.assertEqual(owner(), '65534 65534\n')


class Races(Trees):
    """A race that is never won counts as not run."""

    def against(self, good, link, user, tree, argv, mount, refusal):
        """Runs with that mount while the two names are swapped, until enough were refused: (logs of those that ran, how many
        were refused)."""
        logs, refused = [], 0
        with self.swapping(good, link):
            for _ in self.rounds(RACE_ROUNDS, RACE_SECONDS):
                try:
                    container = self.user(user).spawn(tree, argv, Mounts=[mount])
                except BusError as error:
                    self.assertRegex(error.name, refusal)
                    refused += 1
                    if refused == RACE_REFUSALS:
                        break
                    continue
                container.wait()
                logs.append(container.log())
                self.discard(container.path)
        self.assertTrue(logs, 'only the swapped state was seen')
        return logs, refused

    def test_source(self):
        """B1, CVE-2026-34078: a source swapped for a link to another user's directory never shows what is in that."""
        good = self.home('alice', 'good', files={'f': (0o644, 'mine')})
        link = self.swapped('alice', good, self.home('bob', 'secret', files={'f': (0o600, 'secret')}))
        # read-only, for which `run` is enough whosever it is
        logs, _ = self.against(good, link, 'alice', self.rootfs_of('alice'), ['/bin/cat', '/mnt/f'],
                               (good, '/mnt', 'bind', ['ro']), 'none')
        self.assertNotIn(b'secret', b''.join(logs))
        won = sum(b'mine' not in log for log in logs)
        self.assertGreater(len(logs), won, 'only the swapped state was seen')
        self.race(len(logs), won)

    def test_owner(self):
        """B1, C4: judged as the caller's own, a source is still that when it is mounted, though its name is not."""
        good = self.home('bob', 'good', mode=0o777)
        other = self.directory(f'{self.world.directory}/shared', mode=0o777)
        logs, refused = self.against(good, self.swapped('bob', good, other), 'bob', self.rootfs_of('bob'),
                                     ['/bin/touch', '/mnt/planted'], (good, '/mnt', 'bind', []),
                                     'AccessDenied|InteractiveAuthorizationRequired')
        self.assertEqual(os.listdir(other), [])
        self.race(len(logs) + refused, refused)

    def test_target(self):
        """A3, CVE-2021-30465: a target swapped for a link out of the tree is mounted on, or refused; never the link."""
        tree, canary = self.own_tree('fay'), self.directory('canary', mode=0o777)
        os.symlink('../../../../../../..' + canary, f'{tree}/link')
        before = rootfs.fingerprint(canary)
        logs, refused = self.against(f'{tree}/mnt', f'{tree}/link', 'fay', tree, ['/bin/true'],
                                     (self.home('fay', 'good'), '/mnt', 'bind', []), 'MountInvalid')
        self.assertEqual(rootfs.fingerprint(canary), before)
        self.race(len(logs) + refused, refused)


class Hangs(Trees):
    def test_source_never_answers(self):
        """B5: a source that is never found ends in an error within the deadline; others are served meanwhile."""
        fuse = self.silent_fuse('alice/fuse', 'alice', lookups=0)
        with self.refused('MountInvalid', 'RootfsInvalid', text='not answer'):
            self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/true'],
                                     Mounts=[(f'{fuse.where}/x', '/mnt', 'bind', ['ro'])])
        self.root.ping()


class RootFd(Trees):
    def with_fd(self, fd, client, argv=('/bin/cat', '/etc/marker'), **options):
        return client.spawn('', argv, RootFD=fd, **options)

    @contextlib.contextmanager
    def opened(self, path, flags=os.O_RDONLY):
        fd = os.open(path, flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def test_works(self):
        """The root tree as an fd, opened as a path or for reading, whatever name it has by then."""
        tree = self.own_tree('alice')
        self.addCleanup(shutil.rmtree, f'{tree}-renamed')
        alice = self.impostor('alice')
        with self.opened(tree, os.O_PATH | os.O_DIRECTORY) as path_fd, self.opened(tree) as fd:
            os.rename(tree, f'{tree}-renamed')
            os.symlink(self.rootfs_of('bob'), tree)
            self.addCleanup(os.unlink, tree)
            for client in (alice, self.root):
                for one in (path_fd, fd):
                    container = self.with_fd(one, client, ('/bin/ls', '-dn', '/'))
                    self.assertEqual(container.wait(), ('success', 0))
                    self.assertRegex(container.log(), rb' 0 +0 ' if client is alice else rb' 20001 ')

    def test_judged_by_its_path(self):
        """B1, C4: a rule judges the path that the fd has: outside her own directory alice is refused."""
        with self.opened(self.rootfs) as fd, \
                self.refused('AccessDenied', 'InteractiveAuthorizationRequired'):
            self.with_fd(fd, self.impostor('alice'))

    def kinds(self):
        """(what, fd, words) of all that is no directory of a tree"""
        reader, writer = os.pipe()
        one, other = socket.socketpair()
        file = f'{self.place}/file'
        open(file, 'w').close()
        os.symlink('/', f'{self.place}/link')
        epoll = select.epoll()
        self.addCleanup(epoll.close)
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        result = [
            ('file', os.open(file, os.O_RDONLY), 'is a file'),
            ('path of a file', os.open(file, os.O_PATH), 'is a file'),
            ('pipe', reader, 'is a pipe'), ('other end', writer, 'is a pipe'),
            ('socket', os.dup(one.fileno()), 'is a socket'),
            ('memfd', os.memfd_create('m'), 'is a file'),
            ('pidfd', os.pidfd_open(os.getpid()), 'not a directory'),
            ('epoll', os.dup(epoll.fileno()), 'not a directory'),
            ('device', os.open('/dev/null', os.O_RDWR), 'is a device'),
            ('symlink', os.open(f'{self.place}/link', os.O_PATH | os.O_NOFOLLOW), 'symbolic link'),
            ('proc', os.open('/proc', os.O_RDONLY), 'proc file system'),
            ('process', os.open('/proc/self', os.O_RDONLY), 'proc file system'),
            ('sys', os.open('/sys/kernel', os.O_RDONLY), 'cannot be id-mapped'),
        ]
        for _, fd, _ in result:
            self.addCleanup(os.close, fd)
        return result

    def test_kinds(self):
        """B1: an fd of any other kind is RootfsInvalid saying what it is, for a user and for root."""
        alice = self.impostor('alice')
        for what, fd, words in self.kinds():
            for client in (self.root, alice) if what != 'sys' else (self.root,):
                with self.subTest(what=what, root=client is self.root), self.refused('RootfsInvalid', text=words):
                    self.with_fd(fd, client)

    def test_deleted(self):
        """A directory that is deleted is no tree, whatever its name was."""
        for name in ('gone', 'x (deleted)'):
            place = self.home('alice', name)
            with self.opened(place) as fd:
                os.rmdir(place)
                for client in (self.root, self.impostor('alice')):
                    with self.refused('RootfsInvalid', text='deleted'):
                        self.with_fd(fd, client)

    def test_closed(self):
        """B2: a directory that its holder cannot enter is not entered for it."""
        tree = f'{self.world.directory}/alice/closed'
        rootfs.make(tree)
        self.addCleanup(shutil.rmtree, tree)
        os.chmod(tree, 0o700)
        with self.opened(tree) as fd, self.refused('RootfsInvalid', text='Permission denied'):
            self.with_fd(fd, self.impostor('alice'))
        with self.refused('RootfsInvalid', text='Permission denied'):  # nor by its name, which the kernel's cache knows
            self.user('alice').run(tree, 0, ['/bin/true'])

    def foreign(self, path):
        """A process in a mount namespace of its own, with a tmpfs on `path` that holds a tree."""
        script = f'mount -t tmpfs tmpfs {path} && cp -a {self.rootfs}/. {path} && echo ready && exec sleep 100'
        process = self.started('unshare', '--mount', '--propagation', 'private', 'sh', '-c', script,
                               stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b'ready\n')
        return process.pid

    def test_foreign_namespace(self):
        """B4: a directory of another mount namespace is refused by name, though its path looks right (flatpak 28634c7f)."""
        where = self.rootfs_of('alice')
        pid = self.foreign(where)
        with self.opened(f'/proc/{pid}/root{where}', os.O_PATH) as fd:
            self.assertEqual(os.readlink(f'/proc/self/fd/{fd}'), where)
            for client in (self.root, self.impostor('alice')):
                with self.refused('RootfsInvalid', text='mount namespace'):
                    self.with_fd(fd, client)

    def test_detached(self):
        """B1, B4: a detached mount cannot pass for the path that it has inside itself."""
        top = self.directory('top')
        where = self.rootfs_of('alice')
        shutil.copytree(self.rootfs, f'{top}{where}', symlinks=True)
        fd = LIBC.syscall(OPEN_TREE, -100, top.encode(), OPEN_TREE_CLONE | os.O_CLOEXEC)
        self.assertGreaterEqual(fd, 0)
        self.addCleanup(os.close, fd)
        inner = os.open(where[1:], os.O_PATH, dir_fd=fd)
        self.addCleanup(os.close, inner)
        self.assertEqual(os.readlink(f'/proc/self/fd/{inner}'), where)
        for client in (self.root, self.impostor('alice')):
            with self.refused('RootfsInvalid', text='mount namespace'):
                self.with_fd(inner, client)

    def test_never_answers(self):
        """B5: an fd on a file system that stopped answering ends in an error; others are served meanwhile."""
        fuse = self.silent_fuse('alice/fuse', 'alice', lookups=1)
        fd = os.open(f'{fuse.where}/x', os.O_PATH)
        self.addCleanup(os.close, fd)
        with self.paused(fuse.process):
            error = self.refusal(self.impostor('alice').spawn_async('', ['/bin/true'], RootFD=fd), 9)
        self.assertIn('RootfsInvalid', error.name)
        self.assertIn('not answer', error.text)


class Memory(Trees):
    """What lies in a tmpfs counts like any memory."""

    def test_counts(self):
        """D9: /tmp, /dev/shm and a tmpfs asked for are no way around the memory limit."""
        for target, mounts in (('/tmp', []), ('/dev/shm', []), ('/mnt', [('', '/mnt', 'tmpfs', [])])):
            with self.subTest(target=target):
                container = self.root.spawn(
                    self.rootfs, ['/bin/sh', '-c', f'head -c 60000000 /dev/zero > {target}/f; echo survived'],
                    MemoryMax=16 << 20, Mounts=mounts)
                self.assertEqual(container.wait()[0], 'oom-kill')
                self.assertNotIn(b'survived', container.log())

    def test_bound(self):
        """Without a limit a tmpfs holds at most half of the machine's memory, and /dev/shm 64 MiB."""
        log = self.mounted('df -k /tmp /mnt /dev/shm | tail -n +2', ('', '/mnt', 'tmpfs', []))
        sizes = [int(line.split()[1]) for line in log.splitlines()]
        half = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2048
        self.assertEqual(len(sizes), 3)
        self.assertTrue(all(0 < size <= half for size in sizes), (sizes, half))
        self.assertEqual(sizes[2], 65536)
