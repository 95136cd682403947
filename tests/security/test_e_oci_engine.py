"""Rows E65 to E69: containers that the OCI command line makes, whose bundles and trees are hostile."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading

from harness.case import Case
from harness.files import read, write

# naive-oci tells the service of what it makes, by a directory of /run: that of the machine is left alone
PLACE = 'mount -t tmpfs run /run && exec "$0" "$@"'
TOOLS = ('sh', 'cat', 'cut', 'echo', 'find', 'grep', 'ls', 'mknod', 'readlink', 'sleep', 'sort', 'stat', 'true', 'wc')


class Bundle(Case):
    flags = ('--cgroup-manager', 'disabled')

    def setUp(self):
        super().setUp()
        self.bundle = tempfile.mkdtemp(prefix='bundle-', dir=self.world.directory)
        self.addCleanup(shutil.rmtree, self.bundle, ignore_errors=True)
        self.tree = f'{self.bundle}/rootfs'
        os.makedirs(f'{self.tree}/bin')
        shutil.copy(shutil.which('busybox'), f'{self.tree}/bin/busybox')
        for tool in TOOLS:
            os.symlink('busybox', f'{self.tree}/bin/{tool}')
        self.oci('spec', '-b', self.bundle)
        self.configure(process={'terminal': False})

    def configure(self, **changes):
        config = json.loads(read(f'{self.bundle}/config.json'))
        for key, value in changes.items():
            if isinstance(value, dict):
                config.setdefault(key, {}).update(value)
            else:
                config[key] = value
        write(f'{self.bundle}/config.json', json.dumps(config))
        return config

    def oci(self, *words, status=0, before='', **options):
        """What it and the container say. The output is a file: a container that stays has it open."""
        line = ['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c', before + PLACE,
                f'{self.world.build}/cli/oci/naive-oci', '--root', f'{self.bundle}/states', *self.flags, *words]
        with tempfile.TemporaryFile('w+', dir=self.bundle) as out:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60, **options)
            out.seek(0)
            said = out.read()
        self.assertEqual(done.returncode, status, said)
        return said

    def run_in(self, script, status=0, **options):
        self.configure(process={'args': ['/bin/sh', '-c', script]})
        return self.oci('run', '-b', self.bundle, 'one', status=status, **options)

    def create(self, **options):
        self.oci('create', '-b', self.bundle, '--pid-file', f'{self.bundle}/pid', 'one', **options)
        self.addCleanup(self.oci, 'delete', '--force', 'one')
        return int(read(f'{self.bundle}/pid'))


class Engine(Bundle):
    def test_links(self):
        """E65 A1 A3 A4 CVE-2026-47766: links of the tree lead mounts, devices and directories nowhere but into the tree."""
        outside = f'{self.bundle}/outside'
        os.mkdir(outside)
        os.symlink(outside, f'{self.tree}/dev')
        os.symlink('../../../../../../../..', f'{self.tree}/out')
        self.configure(mounts=[*self.configure()['mounts'], {'destination': '/out/made', 'type': 'tmpfs', 'source': 't'}])
        said = self.run_in('echo > /dev/null && stat -f -c %T /made && stat -c %t:%T /dev/zero')
        self.assertEqual(said, 'tmpfs\n1:5\n')
        self.assertEqual(os.listdir(outside), [])
        self.assertFalse(os.path.exists('/made'))

    def test_proc(self):
        """E65 A2 A8 CVE-2019-16884: proc stands on a directory of that name, and no link of proc's is a way to anything."""
        os.symlink('bin', f'{self.tree}/proc')
        self.assertIn("mounts[0] ('/proc')", self.run_in('true', status=1))
        os.unlink(f'{self.tree}/proc')
        self.configure(process={'cwd': '/proc/self/fd/7'})
        self.assertIn('process.cwd', self.run_in('true', status=1))
        self.configure(process={'cwd': '/', 'args': ['/proc/self/exe']})
        self.assertIn('magic', self.oci('run', '-b', self.bundle, 'one', status=1))

    def test_covers(self):
        """E66 A5 CVE-2025-31133: what is masked is empty, whatever the tree has under the names of what covers it."""
        for name in ('file', 'dev'):
            if name == 'dev':
                os.mkdir(f'{self.bundle}/dev')
            write(f'{self.bundle}/dev/null' if name == 'dev' else f'{self.tree}/file', 'from the tree')
        os.mkdir(f'{self.tree}/directory')
        write(f'{self.tree}/directory/x', '')
        config = self.configure(linux={'maskedPaths': ['/proc/version', '/proc/irq', '/nowhere']})
        mounts = [mount for mount in config['mounts'] if not mount['destination'].startswith('/dev')]
        self.configure(mounts=[*mounts, {'destination': '/dev', 'type': 'bind', 'source': f'{self.bundle}/dev',
                                         'options': ['bind']}])
        said = self.run_in('wc -c < /proc/version; ls /proc/irq | wc -l; cat /dev/null')
        self.assertEqual(said, '0\n0\nfrom the tree')

    def test_waits(self):
        """E67 A8 A9 CVE-2024-21626: what waits for its start holds its standard streams and one socket, and cannot be traced."""
        self.configure(process={'user': {'uid': 1234, 'gid': 1234}})
        leaked = os.open('/', os.O_RDONLY)
        self.addCleanup(os.close, leaked)
        process = self.create(pass_fds=[leaked])
        places = [os.readlink(f'/proc/{process}/fd/{fd}') for fd in os.listdir(f'/proc/{process}/fd')]
        self.assertEqual(len([place for place in places if place.startswith('socket:')]), 1)
        self.assertEqual(len(places), 4, places)
        self.assertEqual(os.stat(f'/proc/{process}/environ').st_uid, 0, 'its files in /proc are its own: it can be traced')

    def test_propagation(self):
        """E68 A14: nothing that is mounted for a container appears on the host, whatever its bundle asks for."""
        look = 'mount --make-rshared / && cat /proc/self/mountinfo > "$0.before"; "$0" "$@"; cat /proc/self/mountinfo > "$0.after"'
        program = f'{self.bundle}/naive-oci'
        shutil.copy(f'{self.world.build}/cli/oci/naive-oci', program)
        for propagation in ('rshared', 'rslave', 'rprivate'):
            self.configure(linux={'rootfsPropagation': propagation}, process={'args': ['/bin/true']})
            done = subprocess.run(['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c',
                                   'mount -t tmpfs run /run; ' + look, program, '--root', f'{self.bundle}/states',
                                   '--cgroup-manager', 'disabled', 'run', '-b', self.bundle, 'one'],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                                  text=True)
            self.assertEqual((done.returncode, done.stdout), (0, ''))
            self.assertEqual(read(program + '.before'), read(program + '.after'), propagation)

    def test_hook_inside(self):
        """E69: a startContainer hook, a program of the tree, has no more rights than the container's command."""
        os.mkdir(f'{self.tree}/log')
        script = "(grep -Eh '^(Cap[EBP]|Seccomp:|NoNew)' /proc/self/status; ulimit -n) > /log/"
        config = self.configure(hooks={'startContainer': [{'path': '/bin/sh', 'args': ['sh', '-c', script + 'hook']}]})
        config['process']['user'] = {'uid': 0, 'gid': 0}
        config['root'] = {'path': 'rootfs', 'readonly': False}
        refused = [{'names': ['personality'], 'action': 'SCMP_ACT_ERRNO'}]
        self.configure(root=config['root'], linux={'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': refused}},
                       process={'rlimits': [{'type': 'RLIMIT_NOFILE', 'soft': 999, 'hard': 999}]})
        self.run_in(script + 'command')
        self.assertEqual(read(f'{self.tree}/log/hook'), read(f'{self.tree}/log/command'))
        self.assertIn('Seccomp:\t2\n', read(f'{self.tree}/log/hook'))

    def test_joins(self):
        """E67 CVE-2016-9962: a process that joins holds nothing of the host's when those inside first see it."""
        self.configure(process={'args': ['/bin/sleep', '1000']})
        self.create()
        self.oci('start', 'one')
        process = self.held_up_joiner()
        places = [os.readlink(f'/proc/{process}/fd/{fd}') for fd in os.listdir(f'/proc/{process}/fd')]
        self.assertEqual([place for place in places if place.startswith('/') and not place.startswith(self.bundle + '/#')
                          and place != '/dev/null'], [], places)

    def test_joiner_rights(self):
        """E58 CVE-2016-9962: nor does it ever have more rights there than its command: to trace it gains nothing."""
        refused = [{'names': ['personality'], 'action': 'SCMP_ACT_ERRNO'}]
        self.configure(linux={'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': refused}})
        names = ['CAP_SYS_PTRACE', 'CAP_CHOWN']
        sets = dict.fromkeys(('bounding', 'effective', 'permitted'), names)
        for more in (False, True):
            self.configure(process={'args': ['/bin/sleep', '1000'], 'capabilities': sets, 'noNewPrivileges': more})
            first = self.create()
            self.oci('start', 'one')
            process = self.held_up_joiner()
            rights = [[line for line in read(f'/proc/{pid}/status').splitlines()
                       if line.split(':')[0] in ('Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb',
                                                 'NoNewPrivs', 'Seccomp')] for pid in (first, process)]
            self.assertEqual(*rights)
            self.held_up.join()
            self.oci('delete', '--force', 'one')

    def held_up_joiner(self):
        """A process of `exec`, on its way in, at the first moment at which those inside can see it."""
        self.held_up = threading.Thread(target=self.oci, args=('exec', 'one', '/bin/true'), kwargs={
            'before': 'exec strace -f -qq -o /dev/null -e trace=setsid -e inject=setsid:delay_enter=2000000 "$0" "$@"; '})
        self.held_up.start()
        self.addCleanup(self.held_up.join)
        self.eventually(self.joiner, what='a process that joins')
        return self.joiner()

    @staticmethod
    def joiner():
        """The process that is on its way into a container, and has not executed its command."""
        for process in filter(str.isdigit, os.listdir('/proc')):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                status = read(f'/proc/{process}/status')
                numbers = next(line.split()[1:] for line in status.splitlines() if line.startswith('NSpid:'))
                if status.startswith('Name:\t(naive-runc)\n') and len(numbers) == 2 and numbers[1] != '1':
                    return process
        return None

    def test_passwd(self):
        """E66 A13: what the tree calls its passwd is opened if it is a file, and not before that is known."""
        os.makedirs(f'{self.tree}/etc')
        os.mkfifo(f'{self.tree}/etc/passwd')
        writer = subprocess.Popen(['/bin/sh', '-c', 'echo > "$0"', f'{self.tree}/etc/passwd'], stderr=subprocess.DEVNULL)
        self.addCleanup(writer.wait)
        self.addCleanup(writer.kill)
        self.configure(process={'env': ['PATH=/bin']})
        self.assertEqual(self.run_in('echo $HOME'), '/root\n')
        self.assertIsNone(writer.poll(), 'it has found a reader')

    def test_settings(self):
        """E68: a setting of the host's is not the container's to make, though a path calls the namespace its own."""
        self.configure(process={'args': ['/bin/true']})
        config = self.configure(linux={'sysctl': {'net.ipv4.ip_default_ttl': read('/proc/sys/net/ipv4/ip_default_ttl').strip()}})
        namespaces = [space for space in config['linux']['namespaces'] if space['type'] != 'network']
        self.configure(linux={'namespaces': [*namespaces, {'type': 'network', 'path': '/proc/self/ns/net'}]})
        self.assertIn('linux.sysctl', self.oci('run', '-b', self.bundle, 'one', status=1))
