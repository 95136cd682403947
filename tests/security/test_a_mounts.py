"""Rows A1 to A7, A12 and A14 to A16: root trees that lead set-up astray, and what a container can do to its mounts."""

import contextlib
import os
import shutil
import socket
import subprocess

from harness import rootfs
from harness.client import BusError
from harness.files import id_map_of, read, write
from harness.hostile_case import Hostile
from harness.world import mount

ROUNDS = 2000


class Trees(Hostile):
    """Trees for one test, made at `place`."""

    def setUp(self):
        super().setUp()
        self.place, self.cover = f'{self.world.directory}/trees', f'{self.world.directory}/cover'
        for directory in (self.place, self.cover):
            os.mkdir(directory)
            self.addCleanup(shutil.rmtree, directory)

    def make(self, without=(), programs=False):
        """A root's tree, without some of its directories."""
        shutil.rmtree(f'{self.place}/r', ignore_errors=True)
        return rootfs.make(f'{self.place}/r', f'{self.world.directory}/programs' if programs else None,
                           without=without)

    def mount_on(self, path):
        """Covers it with an empty directory: before Linux 6.3 a tmpfs could not be id-mapped with the tree."""
        os.makedirs(path, exist_ok=True)
        mount('--bind', self.cover, path)
        self.addCleanup(subprocess.run, ['umount', '--recursive', '--lazy', path], check=True)
        return path


class Links(Trees):
    starts_nothing = True

    def bad(self, path, text):
        with self.refused('RootfsInvalid', text=text):
            self.root.run(path, 0, ['/bin/true'])

    def test_dev_is_a_link(self):
        """A1 CVE-2026-41579 CVE-2026-47766: /dev a link, out of the tree or within: refused by name, nothing follows."""
        canary = self.world.canary
        for target in (canary, '../../canary', f'/proc/1/root{canary}', f'/proc/self/root{canary}', '/proc/self/cwd',
                       'etc', '/etc', '/', '.', 'dev'):
            with self.subTest(target=target):
                path = self.make(without=('dev',))
                os.symlink(target, f'{path}/dev')
                before = rootfs.fingerprint(path)
                self.bad(path, "'dev' is not a directory but a symbolic link")
                self.assertEqual(rootfs.fingerprint(path), before)

    def test_not_a_directory(self):
        """A2 CVE-2019-19921 CVE-2023-27561 CVE-2023-28642 CVE-2019-18837: what is to be mounted on must be a directory."""
        def listen(path):
            with socket.socket(socket.AF_UNIX) as listener:
                directory = os.getcwd()
                os.chdir(os.path.dirname(path))
                listener.bind(os.path.basename(path))
                os.chdir(directory)
        makers = {
            'link out': lambda path: os.symlink(self.world.canary, path),
            'link up': lambda path: os.symlink('../../canary', path),
            'link within': lambda path: os.symlink('etc', path),
            'link to itself': lambda path: os.symlink(os.path.basename(path), path),
            'file': lambda path: open(path, 'w').close(),
            'fifo': os.mkfifo,
            'socket': listen,
            'device': lambda path: os.mknod(path, 0o020666, os.makedev(1, 3)),
        }
        # a link in place of /tmp counts inside the root, where '../../canary' is missing
        inside = ('link up', 'link within')
        for name in ('proc', 'sys', 'dev', 'tmp'):
            for kind, make in makers.items():
                if name == 'tmp' and kind in inside:
                    continue
                with self.subTest(name=name, kind=kind):
                    path = self.make(without=(name,))
                    make(f'{path}/{name}')
                    before = rootfs.fingerprint(path)
                    self.bad(path, f"its '{name}' is not a directory but")
                    self.assertEqual(rootfs.fingerprint(path), before)

    def test_tmp_is_a_link(self):
        """A2 A3: a link in place of /tmp leads inside the root alone, and what it leads to there gets the mount, or nothing."""
        canary = rootfs.fingerprint(self.world.canary)
        for target, where in (('etc', '/etc'), ('../../etc/../etc', '/etc'), ('../../canary', None)):
            with self.subTest(target=target):
                path = self.make(without=('tmp',))
                os.symlink(target, f'{path}/tmp')
                before = rootfs.fingerprint(path)
                container = self.root.run(path, 0, ['/bin/sh', '-c', f'touch {where}/new' if where else '! touch /tmp/new'])
                self.assertEqual(container.wait(), ('success', 0), container.log())
                container.delete()
                self.assertEqual(rootfs.fingerprint(path), before)
        self.assertEqual(rootfs.fingerprint(self.world.canary), canary)

    def test_missing(self):
        """A4 CVE-2024-45310 CVE-2025-24965: a directory that is missing is an error by name; none is made, nor elsewhere."""
        for name in ('proc', 'sys', 'dev'):
            path = self.make(without=(name,))
            before = rootfs.fingerprint(path)
            for read_only in (True, False):
                with self.subTest(name=name, read_only=read_only):
                    with self.refused('RootfsInvalid', text=f"has no directory '{name}'"):
                        self.root.spawn(path, ['/bin/true'], ReadOnlyRoot=read_only)
                    self.assertEqual(rootfs.fingerprint(path), before)


class Races(Trees):
    """What a container is made of is renamed meanwhile. Whatever comes first, it is all of ours or an error."""

    def run_against(self, path, argv, good):
        """Runs to the end; the name of what went wrong, or None. Deadlines are the client's own."""
        try:
            container = self.root.spawn(path, argv, ReadOnlyRoot=False)
        except BusError as error:
            self.assertIn(error.name.rsplit('.', 1)[1], ('RootfsInvalid', 'SetupFailed'), error.text)
            return error.text
        result = container.wait()
        self.assertIn(result, good, container.log())
        container.delete()
        return None

    def test_directory_and_link(self):
        """A3 CVE-2021-30465: directories swapped for links out and within: nothing is mounted where a link leads."""
        path, won, rounds = self.make(), 0, 0
        names = {'proc': self.world.canary, 'dev': '/', 'sys': 'etc', 'tmp': '../../canary'}
        # grep finds a mount on a link's target: 0. None: 1. Its own /proc is out of the way just now: 2.
        argv = ['/bin/grep', '-qE', ' /(etc|canary|bin)[ /]', '/proc/self/mountinfo']
        for name, target in names.items():
            os.symlink(target, f'{path}/{name}.link')
            with self.swapping(f'{path}/{name}', f'{path}/{name}.link'):
                for _ in self.rounds(ROUNDS // len(names), 15):
                    rounds += 1
                    trouble = self.run_against(path, argv, (('exit-code', 1), ('exit-code', 2)))
                    won += trouble is not None and 'symbolic link' in trouble
        self.assertEqual(os.listdir(f'{path}/etc'), ['marker'])
        self.race(rounds, won)

    def test_directory_and_nothing(self):
        """A4 CVE-2024-45310: directories that come and go as links: none is made, in the tree or where they lead."""
        path, won, rounds = self.make(), 0, 0
        os.symlink(f'{self.world.canary}/sub', f'{path}/absent')
        os.symlink(f'{self.world.canary}/sub/none', f'{path}/dangling')
        before = rootfs.fingerprint(path)
        for link in ('absent', 'dangling'):
            with self.swapping(f'{path}/dev', f'{path}/{link}'):
                for _ in self.rounds(ROUNDS // 2, 30):
                    rounds += 1
                    trouble = self.run_against(path, ['/bin/true'], (('success', 0),))
                    won += trouble is not None and 'symbolic link' in trouble
        after = rootfs.fingerprint(path)
        self.assertEqual(dict(after, **{'.': before['.']}), before)
        self.race(rounds, won)

    def test_masks_by_name(self):
        """A3, A5 CVE-2025-31133: /proc swapped for an empty directory during set-up takes no mask away."""
        path, won = self.make(), 0
        os.mkdir(f'{path}/proc.decoy')
        container = self.root.spawn(path, ['/bin/cat', '/proc/self/mountinfo'])
        self.assertEqual(container.wait(), ('success', 0))
        masks = container.log().count(b' /proc/')
        self.assertGreater(masks, 5)
        container.delete()
        with self.swapping(f'{path}/proc', f'{path}/proc.decoy', pause=400):
            for rounds in self.rounds(ROUNDS):
                try:
                    container = self.root.spawn(path, ['/bin/cat', '/proc/self/mountinfo',
                                                       '/proc.decoy/self/mountinfo'])
                except BusError as error:
                    self.assertIn('SetupFailed', error.name)
                    continue
                container.wait()
                log = container.log()
                # it has one of the two names while the table is made, and perhaps the other for cat's second file
                found = {line.split()[0] for line in log.splitlines() if b' /proc/' in line or b' /proc.decoy/' in line}
                if b'proc none' in log:
                    self.assertEqual(len(found), masks, log.decode())
                    won += b' /proc.decoy ' in log
                container.delete()
        self.race(rounds, won)


class Proc(Trees):
    MASKED = ('acpi', 'asound', 'interrupts', 'kcore', 'keys', 'latency_stats', 'sched_debug', 'scsi', 'timer_list',
              'timer_stats')
    READ_ONLY = ('sys/kernel/core_pattern', 'sys/kernel/hostname', 'sysrq-trigger', 'irq/default_smp_affinity')

    def test_null_is_a_link(self):
        """A5 CVE-2025-31133 CVE-2026-88265: the tree's own /dev/null masks nothing, whatever it is."""
        before = read('/proc/sys/kernel/core_pattern')
        script = '; '.join([
            f'for f in {" ".join(self.MASKED)}; do [ -e /proc/$f ] || continue; '
            '[ -d /proc/$f ] && ls -A /proc/$f || cat /proc/$f; done',
            f'for f in {" ".join(self.READ_ONLY)}; do [ -e /proc/$f ] && (echo x >/proc/$f) 2>/dev/null && '
            'echo "writes $f"; done', 'echo done'])
        for target in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', self.world.canary, None):
            with self.subTest(target=target):
                path = self.make()
                for name in ('pts', 'shm', 'mqueue'):
                    os.mkdir(f'{path}/dev/{name}')
                if target:
                    os.symlink(target, f'{path}/dev/null')
                else:
                    write(f'{path}/dev/null', 'the tree\'s own')
                kept = rootfs.fingerprint(path)
                self.assertEqual(self.shell(script, rootfs=path), 'done\n')
                self.assertEqual(read('/proc/sys/kernel/core_pattern'), before)
                self.assertEqual(rootfs.fingerprint(path), kept)

    def test_terminal_is_a_link(self):
        """A6 CVE-2025-52565 CVE-2026-88264: a terminal comes from a devpts of the container's own, not by names in the tree."""
        path = self.make()
        os.mkdir(f'{path}/dev/pts')
        for name in ('dev/ptmx', 'dev/console', 'dev/tty', 'dev/pts/0', 'dev/pts/ptmx'):
            os.symlink('/proc/sys/kernel/core_pattern' if 'pts' in name else f'{self.world.canary}/console',
                       f'{path}/{name}')
        kept, before = rootfs.fingerprint(path), read('/proc/sys/kernel/core_pattern')
        container = self.root.spawn(path, ['/bin/sh', '-c', 'tty; stat -c "%t %T" $(tty); stat -f -c %T /dev/pts; '
                                           'echo written >/dev/tty; exit 3'], Terminal=True)
        self.assertEqual(container.wait(), ('exit-code', 3))
        log = container.log().replace(b'\r', b'').decode().split('\n')
        self.assertEqual(log[0], '/dev/pts/0')
        self.assertEqual(log[1], '88 0')  # a Unix98 slave
        self.assertEqual(log[3], 'written')
        self.assertEqual(read('/proc/sys/kernel/core_pattern'), before)
        self.assertEqual(rootfs.fingerprint(path), kept)

    def test_fake_proc(self):
        """A7 CVE-2025-52881 CVE-2019-16884: ids, labels and scores are written to the kernel's files, not to the tree's."""
        path = self.make()
        names = ('uid_map', 'gid_map', 'setgroups', 'oom_score_adj', 'attr/current', 'attr/exec', 'loginuid', 'ns/user')
        for pid in ('self', 'thread-self', '1', '2'):
            for name in names:
                os.makedirs(os.path.dirname(f'{path}/proc/{pid}/{name}'), exist_ok=True)
                write(f'{path}/proc/{pid}/{name}', 'fake')
        rootfs.chown_tree(path, 20001, 20001)
        self.adopt(path, 'alice')
        kept = rootfs.fingerprint(f'{self.world.directory}/alice/fake')
        for namespace in ('auto', 'self'):
            with self.subTest(namespace=namespace):
                container = self.user('alice').spawn(f'{self.world.directory}/alice/fake', ['/bin/sleep', '60'],
                                                     UserNamespace=namespace, ReadOnlyRoot=False)
                proc = f'/proc/{container.pid}'
                for kind in ('uid', 'gid'):
                    inside, outside, count = id_map_of(container.pid, kind)
                    self.assertEqual((inside, count), (0, 65536 if namespace == 'auto' else 1))
                    self.assertTrue(outside > 65535 if namespace == 'auto' else outside == 20001)
                self.assertEqual(read(f'{proc}/setgroups'), 'allow\n' if namespace == 'auto' else 'deny\n')
                # as the service's own, but what spares the service spares no container
                self.assertEqual(int(read(f'{proc}/oom_score_adj')),
                                 max(0, int(read('/proc/self/oom_score_adj'))))
                with contextlib.suppress(OSError):  # a kernel without a security module has no label
                    self.assertEqual(read(f'{proc}/attr/current'),
                                     read(f'/proc/{self.world.service_pid}/attr/current'))
                self.assertEqual(rootfs.fingerprint(f'{self.world.directory}/alice/fake'), kept)

    def adopt(self, path, name):
        os.rename(path, f'{self.world.directory}/{name}/fake')
        self.addCleanup(shutil.rmtree, f'{self.world.directory}/{name}/fake')


class Cgroups(Trees):
    def test_out_of_reach(self):
        """A12 CVE-2023-25809 CVE-2022-0492: no cgroup file is there to be written, none can be mounted, the limit bites."""
        script = '''
            cat /proc/self/cgroup; grep -c cgroup /proc/self/mountinfo; awk '$5 == "/sys"' /proc/self/mountinfo
            for d in /sys/fs/cgroup /sys/fs/cgroup/memory /sys/fs/cgroup/unified; do
                mkdir $d/mine && echo made $d; ls -A $d
                for f in cgroup.procs memory.max memory.limit_in_bytes cgroup.kill release_agent notify_on_release; do
                    echo 1 >$d/$f && echo wrote $d/$f
                done
            done 2>/dev/null
            for t in cgroup cgroup2; do mkdir -p /tmp/$t; mount -t $t none /tmp/$t 2>/dev/null && echo mounted $t; done
            exec /bin/touchmem 32'''
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', script], MemoryMax=10 << 20)
        self.assertEqual(container.wait()[0], 'oom-kill')
        log = container.log().decode()
        for line in log.splitlines():
            if ' /sys ' not in line and ':' in line:
                self.assertRegex(line, r'^[0-9]+:[^:]*:/$')
            else:
                self.assertRegex(line, r'^(0|.* /sys ro,nosuid,nodev,noexec.*)$')
        self.assertIn(' /sys ro', log)


class Mounts(Trees):
    SUBMOUNTS, RUNS = 200, 40

    def test_propagation(self):
        """A14: from a tree on a shared mount nothing comes to the host, and nothing holds the tree after the end."""
        top = f'{self.place}/shared'
        path = f'{top}/r'
        os.mkdir(top)
        mount('--bind', top, top)
        self.addCleanup(subprocess.run, ['umount', '--quiet', '--recursive', '--lazy', top])
        mount('--make-shared', top)
        rootfs.make(path)
        for number in range(self.SUBMOUNTS):
            os.mkdir(f'{path}/mnt/{number}')
            mount('--bind', self.cover, f'{path}/mnt/{number}')
        before = self.world.mountinfo()
        flag = f'{self.place}/busy'
        open(flag, 'w').close()
        busy = self.started('/bin/sh', '-c', f'while [ -e {flag} ]; do mount --bind {self.cover} {path}/home && '
                            f'umount {path}/home || exit; done', stderr=subprocess.DEVNULL)
        try:
            for _ in range(self.RUNS):
                container = self.root.run(path, 0, ['/bin/true'])
                self.assertEqual(container.wait(), ('success', 0))
        finally:
            os.unlink(flag)
            busy.wait()
            subprocess.run(['umount', '--quiet', f'{path}/home'])  # if it was busy, the loop has ended early
        self.assertEqual(self.world.mountinfo(), before)
        for number in range(self.SUBMOUNTS):
            subprocess.run(['umount', f'{path}/mnt/{number}'], check=True)
        self.eventually(lambda: subprocess.run(['umount', top], stderr=subprocess.DEVNULL).returncode == 0,
                        timeout=2, what='umount of the tree')

    def test_host_stays_writable(self):
        """A15: a root that is read-only inside stays writable for the host, meanwhile and after."""
        path = self.make()
        container = self.root.run(path, 0, ['/bin/sh', '-c', 'until [ -e /etc/new ]; do sleep .05; done; '
                                            '(echo x >/etc/new) 2>/dev/null || exit 7'])
        write(f'{path}/etc/new', 'x')
        self.assertEqual(container.wait(timeout=10), ('exit-code', 7))
        write(f'{path}/etc/newer', 'x')

    def test_read_only_throughout(self):
        """A15, A16: read-only, set-id bits and devices off: the tree and every mount in it."""
        path = self.make(programs=True)
        self.mount_on(f'{path}/mnt')
        for directory in (path, f'{path}/mnt'):
            os.mknod(f'{directory}/node', 0o020666, os.makedev(1, 3))
            shutil.copy('/bin/busybox', f'{directory}/set-id')
            os.chmod(f'{directory}/set-id', 0o6755)
            os.chmod(directory, 0o777)
        log = self.shell('''
            for d in / /etc /home /mnt; do
                (echo x >$d/new) 2>&1 | grep -v "Read-only file system"; [ -e $d/new ] && echo wrote $d
            done
            for d in / /mnt; do (echo x >$d/node) 2>/dev/null && echo opened $d/node; done
            chown 1000 /tmp; cd /tmp
            awk '($5 == "/" || $5 == "/mnt") && $6 !~ /^ro,nosuid,nodev/' /proc/self/mountinfo
            echo done''', rootfs=path)
        self.assertEqual(log, 'done\n')

    def test_hidden_by_a_mount(self):
        """A16: what the host hides under a mount stays hidden, and no mount can be taken off or made writable."""
        path = self.make(programs=True)
        os.mkdir(f'{path}/hidden')
        write(f'{path}/hidden/secret', 'secret\n')
        self.mount_on(f'{path}/hidden')
        write(f'{path}/hidden/shown', 'shown\n')
        for options in ({}, {'ReadOnlyRoot': False}):
            log = self.spawn_output(['/bin/sh', '-c', '''
                for way in "umount /hidden" "umount -l /hidden" "umount -l /" "mount -o remount,rw,bind /hidden" \
                           "mount -o remount,rw,bind /" "mount --move /hidden /tmp" "mount --bind / /tmp" \
                           "unshare -Urm umount /hidden"; do
                    $way 2>/dev/null && echo "$way: done"
                done
                ls /hidden; cat /hidden/* | grep -c secret; ls /tmp'''], rootfs=path, **options)
            self.assertEqual(log, 'shown\n0\n')

    def test_no_way_back(self):
        """A14, A16: no way leads to the old root: "..", umount of "/" and of what covers it, new mounts."""
        for options in ({}, {'UserNamespace': 'self'}):  # with a sandbox that may have waited, and never has
            for line in self.spawn_output(['/bin/probe', 'old-root'], **options).splitlines():
                if line.startswith(('umount', 'remount', 'open_tree')):
                    self.assertNotIn(': ok', line)
            # ".." of "/" is "/", and our own marker shows there
            for script, words in (('cd /; cd ../../..; cat etc/marker; ls -a ..', 'this is the rootfs'),
                                  ('ls ../../../../../../', 'etc')):
                log = self.spawn_output(['/bin/sh', '-c', script], **options)
                self.assertIn(words, log)
                self.assertNotIn('usr', log.split())
