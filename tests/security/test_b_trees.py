"""Rows B1 to B6: whose files a container shows, and what of a caller's tree the service itself believes or waits for."""

import os
import shutil
import statistics
import stat
import struct
import subprocess
import sys
import time

from harness import rootfs
from harness.client import BusError
from harness.files import as_user, status_of, write
from harness.hostile_case import Hostile
from harness.world import USERS

REFUSALS = ('AccessDenied', 'InteractiveAuthorizationRequired', 'RootfsInvalid', 'InvalidArgs')
REFUSALS_MAX = 90  # within 20 s, before a user is told to wait
# chown, dac_override, dac_read_search, fowner, fsetid, mknod, mac_override
FILE_CAPABILITIES = 0x1f | 1 << 27 | 1 << 32


class Paths(Hostile):
    """B1, B4: a path, as its caller means it."""

    def home(self, name):
        return f'{self.world.directory}/{name}'

    def link(self, target, name):
        path = f'{self.home("alice")}/{name}'
        os.symlink(target, path)
        self.addCleanup(os.unlink, path)
        return path

    def test_foreign_places(self):
        """B1 CVE-2026-34078 CVE-2024-42472: no spelling of a path gives a user what is not its own."""
        alice, home, bob = self.user('alice'), self.home('alice'), self.home('bob')
        os.mkdir(f'{bob}/private', 0o700)
        self.addCleanup(os.rmdir, f'{bob}/private')
        os.chown(f'{bob}/private', USERS['bob'], USERS['bob'])
        own, pid = self.rootfs_of('alice'), self.started(*as_user(USERS['alice']), 'sleep', '600').pid
        paths = ['/', '/root', '/etc', '/proc', '/sys', '/dev', '/run', '/.', '//', f'{bob}/rootfs', f'{bob}/private',
                 f'{home}/../bob/rootfs', f'{own}/../../bob/rootfs/.', f'{own}/..//../bob/rootfs/', self.world.rootfs,
                 f'{home}/rootfs/../../rootfs', f'/proc/self/root{own}', f'/proc/1/root{own}', '/proc/self/cwd',
                 f'/proc/{pid}/root{own}', f'/proc/{pid}/cwd{own}', '/proc/self/fd/3',
                 '/dev/fd/3', '/dev/fd/3/..', own + '/x' * 2500, '/' + 'x' * 5000]
        paths += [self.link(target, f'link{number}') for number, target in enumerate(
            ('/', '/root', '/etc', f'{bob}/rootfs', '../bob/rootfs', f'{bob}/private', self.world.rootfs,
             f'/proc/self/root{own}', '/proc/self/root', 'link9'))]
        paths += [f'{self.link("/", "to-root")}{own}/../../bob/rootfs']
        self.assertLess(len(paths), REFUSALS_MAX)
        self.addCleanup(self.fresh_service)
        for path in paths:
            for form in (path, path + '/.') if path == f'{bob}/rootfs' else (path,):
                with self.subTest(path=form[:100]), self.refused(*REFUSALS):
                    alice.run(form, 0, ['/bin/true'])
        for path in (b'/no-\xff', f'{home}/'.encode() + b'\xff\xfe', f'{own}/'.encode() + b'\xc3\x28/..'):
            with self.subTest(path=path), self.refused(*REFUSALS):
                alice.spawn(path, ['/bin/true'])
        for path in (f'{home}/../rootfs', bob + '/rootfs', self.link(self.rootfs, 'judged')):  # by what it leads to
            with self.refused('InteractiveAuthorizationRequired'):
                alice.run(path, 0, ['/bin/true'])
        self.nothing_started()
        # honest spellings of her own tree are no trouble
        for path in (own, f'{own}/', f'{own}/.', f'{home}/../alice/rootfs', self.link('rootfs', 'own')):
            self.output(['/bin/true'], client=alice, rootfs=path)

    def test_swapped_for_anothers(self):
        """B1 CVE-2026-34078: a way that is swapped for a link to another's tree meanwhile: hers runs, or nothing does."""
        home, won = self.home('alice'), 0
        os.mkdir(f'{home}/way')
        self.addCleanup(shutil.rmtree, f'{home}/way')
        rootfs.make(f'{home}/way/rootfs')
        write(f'{home}/way/rootfs/etc/marker', 'hers\n')
        rootfs.chown_tree(f'{home}/way', USERS['alice'], USERS['alice'])
        self.link(self.home('bob'), 'other')
        self.addCleanup(self.fresh_service)
        refused = rounds = 0
        with self.swapping(f'{home}/way', f'{home}/other', user='alice', pause=3000):
            while refused < REFUSALS_MAX and rounds < 2000:
                rounds += 1
                try:
                    container = self.user('alice').run(f'{home}/way/rootfs', 0, ['/bin/cat', '/etc/marker'])
                except BusError as error:
                    self.assertIn(error.name.rsplit('.', 1)[1], REFUSALS, error.text)
                    refused += 1
                    continue
                self.assertEqual(container.wait(), ('success', 0))
                self.assertEqual(container.log(), b'hers\n')
                container.delete()
        won = refused if rounds > refused else 0
        self.race(rounds, won)

    def test_another_mount_namespace(self):
        """B4: what a caller has mounted where only it can see it is not what its path means to the service."""
        shown, own = self.rootfs_of('bob'), self.rootfs_of('alice')
        script = f'''
import os, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", {shown!r}], check=True)
os.mkdir({shown!r} + "/mine")
os.execvp("setpriv", {as_user(USERS["alice"])!r} + [sys.executable, "-c", sys.argv[1]])
'''
        calls = f'''
import os, sys
sys.path.insert(0, {os.path.dirname(sys.modules["harness"].__path__[0])!r})
from harness.wire import Wire, run_body
wire, root = Wire({self.world.address!r}), f"/proc/{{os.getpid()}}/root"
for path in ({shown!r}, root + {shown!r}, "/proc/self/root" + {shown!r}, root + {own!r}):
    print(wire.call("org.naive.Runc", "/org/naive/Runc", "org.naive.Runc", "Run", "stas", run_body(path)))
'''
        done = self.command('unshare', '--mount', '--propagation', 'private', sys.executable, '-c', script, calls)
        *names, last = done.stdout.decode().split()
        self.assertEqual(len(names), 3, done.stderr)
        self.assertLessEqual({name.rsplit('.', 1)[1] for name in names}, set(REFUSALS))
        self.assertEqual(last, 'org.naive.Runc.Error.RootfsInvalid')  # which the rule would let her run
        self.nothing_started()


class Owners(Hostile):
    """B2: files of others keep their "other" bits inside, and no more."""

    READ = 'for f in $(find . -type f -o -type d | sort); do ( [ -d $f ] && ls $f || cat $f ) >/dev/null 2>&1 && echo r $f; done'
    WRITE = ('for f in $(find . | sort); do [ -d $f ] && f=$f/made; '
             '[ -h $f ] || [ -p $f ] || (: >>$f) 2>/dev/null && [ -f $f ] && echo w $f; done')

    def foreign_tree(self, uid, top=0o755):
        """A tree in alice's directory that is another's, with files of all modes and owners."""
        path = f'{self.world.directory}/alice/foreign'
        rootfs.make(path)
        self.addCleanup(shutil.rmtree, path)
        rootfs.chown_tree(path, uid, uid)
        os.mkdir(f'{path}/files')
        for owner in (0, USERS['bob'], USERS['alice']):
            for mode in (0o600, 0o640, 0o644, 0o666, 0o606, 0o4600, 0o6755):
                name = f'{path}/files/{owner}-{mode:o}'
                write(name, name)
                os.chown(name, owner, owner)
                os.chmod(name, mode)
            for mode in (0o700, 0o755, 0o777, 0o733):
                name = f'{path}/files/d{owner}-{mode:o}'
                os.mkdir(name)
                write(f'{name}/file', name)
                os.chmod(f'{name}/file', 0o604)
                os.chown(name, owner, owner)
                os.chmod(name, mode)
        os.chmod(path, top)
        return path

    def reach(self, text):
        """Names in it, without what a walk made."""
        return {line for line in text.splitlines() if line[:2] in ('r ', 'w ')}

    def test_no_more_than_the_caller(self):
        """B2 CVE-2026-7867: in a tree with files of root and of others a user reads and writes what it could, no more."""
        uses = 0
        for uid in (0, USERS['bob']):
            for namespace in ('auto', 'self'):
                with self.subTest(uid=uid, namespace=namespace):
                    path = self.foreign_tree(uid)
                    script = f'cd {{}} && {self.READ}; {self.WRITE}'
                    hers = self.reach(self.command('sh', '-c', script.format(f'{path}/files'), user='alice').stdout.decode())
                    self.doCleanups()
                    path = self.foreign_tree(uid)
                    log = self.spawn_output(['/bin/sh', '-c', script.format('/files') + '; true'], rootfs=path,
                                            client=self.user('alice'), UserNamespace=namespace, ReadOnlyRoot=False)
                    inside = self.reach(log)
                    self.assertEqual(inside - hers, set())
                    uses += len(inside)
                    self.doCleanups()
        self.assertGreater(uses, 50)  # there was something to reach

    def test_host_tree(self):
        """B2, A16: run on the host's own tree, a user reads and writes nothing there that it could not before."""
        host = f'{self.world.directory}/alice/host'
        os.mkdir(host)
        self.addCleanup(os.rmdir, host)
        subprocess.run(['mount', '--bind', '/', host], check=True)
        self.addCleanup(subprocess.run, ['umount', '--lazy', host], check=True)
        script = ('cat /etc/shadow; ls /root; for x in / /etc /etc/passwd /usr/bin /var/lib /root; do '
                  'test -w $x && echo "writes $x"; done; echo done')
        # what there is to be seen: root's container shows it
        self.assertIn('root:', self.spawn_output(['/bin/sh', '-c', script], rootfs=host))
        for namespace in ('auto', 'self'):
            for read_only in (True, False):
                with self.subTest(namespace=namespace, read_only=read_only):
                    try:
                        log = self.spawn_output(['/bin/sh', '-c', f'({script}) 2>/dev/null'], client=self.user('alice'),
                                                rootfs=host, UserNamespace=namespace, ReadOnlyRoot=read_only)
                    except BusError as error:
                        self.assertIn('cannot be id-mapped', error.text)
                        continue
                    self.assertEqual(log, 'done\n')


class Existence(Hostile):
    """B3: whether a file is there that the caller could not look for."""
    starts_nothing = True
    NAMES = ('a-tree', 'a-file', 'linked', 'a-fifo', 'a-tree/deep', 'absent')

    def setUp(self):
        super().setUp()
        self.closed = f'{self.world.directory}/closed'
        rootfs.make(f'{self.closed}/a-tree')
        os.mkdir(f'{self.closed}/a-tree/deep')
        open(f'{self.closed}/a-file', 'w').close()
        os.symlink('/', f'{self.closed}/linked')
        os.mkfifo(f'{self.closed}/a-fifo')
        os.chmod(self.closed, 0o700)
        self.addCleanup(shutil.rmtree, self.closed)

    def ask(self, client, name):
        with self.assertRaises(BusError) as caught:
            client.run(f'{self.closed}/{name}', 0, ['/bin/true'])
        return caught.exception

    def test_words(self):
        """B3 CVE-2020-16121 CVE-2020-15703 CVE-2018-6556: absent, file or tree behind a closed door: one name, one text."""
        for user in ('alice', 'mallory', 'dave'):  # allowed in her own, without a rule, denied
            errors = [self.ask(self.user(user), name) for name in self.NAMES]
            words = {(error.name, error.text.replace(name, 'NAME')) for error, name in zip(errors, self.NAMES)}
            self.assertEqual(len(words), 1, words)
            self.assertIn('RootfsInvalid', errors[0].name)

    def test_time(self):
        """B3: nor does the time that the answer takes tell them apart."""
        times = {name: [] for name in ('a-tree', 'absent')}
        for _ in range(20):
            for name, list_of_times in times.items():
                started = time.monotonic()
                self.ask(self.user('carol'), name)
                list_of_times.append(time.monotonic() - started)
        medians = sorted(statistics.median(values) for values in times.values())
        self.assertLess(medians[1], 2 * medians[0] + 0.002, times)


class Hangs(Hostile):
    """Trees and files on a file system that stops answering. Others are served all the while."""

    def test_deleted_on_a_silent_one(self):
        """B5: the same name on a file system that answered once: the service does not look for itself."""
        fuse = self.silent_fuse('fuse', 'carol', lookups=1)
        outcome = self.run_async(self.impostor('carol'), f'{fuse.where}/x (deleted)')
        self.assertIn('RootfsInvalid', self.refusal(outcome, 8).name)
        self.assertEqual(fuse.lookups(), 1)
        self.answers_for(1)

    def test_never_answers(self):
        """B5: a tree that is never found ends in an error that says so, for a user and for root."""
        fuse = self.silent_fuse('fuse', 'carol', lookups=0)
        outcomes = [self.run_async(self.impostor('carol'), f'{fuse.where}/x'),
                    self.run_async(self.another_client(), f'{fuse.where}/y')]
        for outcome in outcomes:
            error = self.refusal(outcome, 9)
            self.assertIn('RootfsInvalid', error.name)
            self.assertIn('not answer', error.text)

    def test_cannot_be_mapped(self):
        """F34, B5: a tree that no mount can map is refused by name, without a walk along its path."""
        fuse = self.silent_fuse('alice/fuse', 'alice', lookups=1)
        outcome = self.run_async(self.impostor('alice'), f'{fuse.where}/x')
        error = self.refusal(outcome, 8)
        self.assertIn('RootfsInvalid', error.name)
        self.assertIn('(fuse) cannot be id-mapped', error.text)
        self.assertEqual(fuse.lookups(), 1)
        self.answers_for(1)

    def test_lookup_has_nothing(self):
        """A8, B12: what walks along a caller's path has no fd of the service's, and no right to others' files."""
        world = self.world
        fuse = self.silent_fuse('fuse', 'carol', lookups=0)
        outcome = self.run_async(self.impostor('carol'), f'{fuse.where}/x')
        self.eventually(fuse.lookups, what='the lookup')
        helper, = world.strangers()
        fds = os.listdir(f'/proc/{helper}/fd')
        self.assertEqual(len([fd for fd in fds if int(fd) > 2]), 1, fds)
        status = status_of(helper)
        # root's for signals, so that carol cannot send it any; carol's for files
        self.assertEqual([int(uid) for uid in status['Uid'].split()], [0, 0, 0, USERS['carol']])
        self.assertEqual(int(status['CapEff'], 16) & FILE_CAPABILITIES, 0)
        self.refusal(outcome, 9)

    def test_descriptor(self):
        """B5: an fd of a file system that does not answer is judged without asking it."""
        fuse = self.silent_fuse('fuse', 'carol', lookups=1)
        fd = os.open(fuse.where, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        with self.paused(fuse.process):
            outcome = self.impostor('alice').spawn_async(self.rootfs_of('alice'), ['/bin/true'], fds={5: fd})
            error = self.refusal(outcome, 5)
            self.assertIn('InvalidArgs', error.name)
            self.assertIn('directory', error.text)


class Plants(Hostile):
    """Files with rights, made inside, as the host sees them."""

    def plant(self, client, tree, **options):
        log = self.spawn_output(['/bin/plant', '/mnt'], client=client, rootfs=tree, ReadOnlyRoot=False, **options)
        return dict(line.split(': ') for line in log.splitlines())

    def files(self, tree):
        """[(name, mode, uid, gid, capability or None)] of all that has any right in it"""
        result = []
        for name in sorted(os.listdir(f'{tree}/mnt')):
            path = f'{tree}/mnt/{name}'
            status = os.lstat(path)
            capability = None
            if 'security.capability' in os.listxattr(path):
                capability = os.getxattr(path, 'security.capability')
            if status.st_mode & (stat.S_ISUID | stat.S_ISGID) or capability:
                result.append((name, oct(status.st_mode), status.st_uid, status.st_gid, capability))
        return result

    def test_root_leaves_none(self):
        """B6: in root's own tree a container makes no set-id file and none with capabilities, by no call."""
        tree = self.tree_of('root')
        tried = self.plant(self.root, tree)
        self.assertEqual(tried.pop('harmless'), 'ok')
        tried.pop('linkat', None)
        refusals = {'Operation not permitted', 'Function not implemented'}
        self.assertEqual({what: how for what, how in tried.items() if how not in refusals}, {})
        self.assertEqual(self.files(tree), [])
        self.assertTrue(os.path.exists(f'{tree}/mnt/file'))

    def test_user_leaves_only_its_own(self):
        """B6: what a user's container makes set-id is that user's own; capabilities in it hold for no host process."""
        tree = self.tree_of('alice')
        self.assertEqual(self.plant(self.user('alice'), tree)['chmod'], 'ok')
        found = self.files(tree)
        self.assertIn('open', [name for name, *_ in found])
        for name, mode, uid, gid, capability in found:
            self.assertEqual((uid, gid), (USERS['alice'], USERS['alice']), name)
            if capability:  # version 3, which names the user id whose namespaces it is for
                self.assertEqual(len(capability), 24, name)
                self.assertNotEqual(struct.unpack_from('<I', capability, 20), (0,), name)

    def test_read_only_root(self):
        """A15, B6: with the root read-only, as it is by default, nothing is made at all."""
        container = self.root.spawn(self.rootfs, ['/bin/plant', '/mnt'])
        self.assertEqual(container.wait(), ('exit-code', 3))

    def test_rights_in_the_tree(self):
        """B6 CVE-2025-6019: set-id bits, file capabilities and device nodes that a tree brings along give nothing."""
        tree = self.tree_of('alice')
        write(f'{tree}/etc/passwd', 'root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n')
        capabilities = struct.pack('<5I', 0x02000001, 0xffffffff, 0, 0x1ff, 0)
        for owner in (0, USERS['alice'], USERS['bob']):
            path = f'{tree}/bin/ids-{owner}'
            shutil.copy(f'{tree}/bin/probe', path)
            os.chown(path, owner, owner)
            os.chmod(path, 0o6755)
            os.setxattr(path, 'security.capability', capabilities)
        os.mknod(f'{tree}/disk', stat.S_IFBLK | 0o666, os.makedev(7, 0))
        os.mknod(f'{tree}/mem', stat.S_IFCHR | 0o666, os.makedev(1, 1))
        os.mknod(f'{tree}/null', stat.S_IFCHR | 0o666, os.makedev(1, 3))
        script = ('for i in /bin/ids-*; do su user -s $i ids; done; for n in /disk /mem /null; do '
                  '(: <$n) 2>/dev/null && echo opened $n; (: >$n) 2>/dev/null && echo opened $n; done; true')
        for client in (self.user('alice'), self.root):
            for options in ({}, {'ReadOnlyRoot': False}):
                with self.subTest(client=client, options=options):
                    log = self.spawn_output(['/bin/sh', '-c', script], client=client, rootfs=tree, **options)
                    self.assertEqual(log, 'uid 1000 1000 1000 gid 1000 1000 1000 effective 0 permitted 0\n' * 3)
