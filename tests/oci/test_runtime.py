"""The command line: states, exit codes as a subreaper sees them, errors, and what a killed create leaves."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time

from bundle import BundleCase, cgroups_of


def exit_code(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Life(BundleCase):
    def test_states(self):
        """created, running, paused, running, stopped, gone."""
        self.command('sleep', '1000')
        pid = self.create()
        self.assertEqual(self.status(), 'created')
        self.oci('start', self.id)
        self.assertEqual(self.status(), 'running')
        self.oci('start', self.id, status=1)
        self.oci('pause', self.id)
        self.assertEqual(self.status(), 'paused')
        self.oci('exec', self.id, 'true', status=255)
        self.oci('pause', self.id, status=1)
        self.oci('resume', self.id)
        self.assertIn('not stopped', self.oci('delete', self.id, status=1))
        self.assertEqual(json.loads(self.oci('ps', '-f', 'json', self.id)), [pid])
        self.oci('kill', self.id, 'KILL')
        self.assertEqual(exit_code(pid), -signal.SIGKILL)
        self.assertEqual(self.status(), 'stopped')
        self.assertIn('container not running', self.oci('kill', self.id, status=1))
        self.oci('delete', self.id)
        self.assertIn('does not exist', self.oci('state', self.id, status=1))
        self.oci('delete', '--force', self.id)
        self.assert_nothing_left()

    def test_paused_before(self):
        """One that is paused before its start is refused, and starts once it goes on."""
        self.command('sleep', '1000')
        self.create()
        self.oci('pause', self.id)
        self.oci('start', self.id, status=1)
        self.oci('resume', self.id)
        self.assertEqual(self.status(), 'created')
        self.oci('start', self.id)
        self.assertEqual(self.status(), 'running')

    def test_exit_code(self):
        """The subreaper, who is not the caller, gets init's exit code."""
        self.command('sh', '-c', 'exit 7')
        pid = self.create()
        self.oci('start', self.id)
        self.assertEqual(exit_code(pid), 7)

    def test_exec_exit_code(self):
        """And that of a process that joined, whose pid is in the file."""
        self.command('sleep', '1000')
        self.create()
        self.oci('start', self.id)
        self.oci('exec', '-d', '--pid-file', self.directory + '/exec', self.id, 'sh', '-c', 'exit 5')
        with open(self.directory + '/exec') as f:
            self.assertEqual(exit_code(int(f.read())), 5)
        self.oci('exec', self.id, 'sh', '-c', 'exit 6', status=6)
        self.oci('exec', '--pid-file', self.directory + '/none', self.id, 'no-such', status=255)
        self.assertFalse(os.path.exists(self.directory + '/none'))

    def test_joined_pid_namespace(self):
        """The exit code of a container that has joined another one's pid namespace."""
        pid = os.getpid()

        def join(config):
            for namespace in config['linux']['namespaces']:
                if namespace['type'] == 'pid':
                    namespace['path'] = f'/proc/{pid}/ns/pid'
        self.configure(join)
        self.command('sh', '-c', 'exit 9')
        pid = self.create()
        self.oci('start', self.id)
        self.assertEqual(exit_code(pid), 9)

    def test_run(self):
        """run ends as the command does, and leaves nothing."""
        self.command('sh', '-c', 'echo out; exit 3')
        self.assertEqual(self.oci('run', '-b', self.bundle, self.id, status=3), 'out\n')
        self.assert_nothing_left()


class Errors(BundleCase):
    def test_log(self):
        """One line of JSON, and the place in the config."""
        self.configure(lambda config: config['process']['rlimits'].append({'type': 'RLIMIT_X'}))
        log = self.directory + '/log'
        self.oci('--log', log, '--log-format', 'json', 'create', '-b', self.bundle, self.id, status=1)
        with open(log) as f:
            lines = f.read().splitlines()
        self.assertEqual(len(lines), 1)
        self.assertIn('process.rlimits[1].type: ', json.loads(lines[0])['msg'])
        self.assert_nothing_left()

    def test_no_such_command(self):
        """create says so, in words that podman knows, and leaves nothing."""
        self.command('no-such')
        self.assertRegex(self.oci('create', '-b', self.bundle, self.id, status=1),
                         'executable file not found in|no such file')
        self.assert_nothing_left()

    def test_no_cgroup(self):
        """Who wants none has none made, not even to be removed, though create fails."""
        self.command('no-such')
        log = self.directory + '/log'
        subprocess.run(['strace', '-f', '-o', log, '-e', 'trace=mkdir,mkdirat,open,openat',
                        *self.line('--cgroup-manager', 'disabled', 'create', '-b', self.bundle, self.id)],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        with open(log) as f:
            made = [line for line in f if 'mkdir' in line and f'"{self.id}"' in line]
        self.assertEqual(len(made), 1, made)
        self.assert_nothing_left()

    def test_taken_id(self):
        self.command('sleep', '1000')
        self.create()
        self.assertIn('exists already', self.oci('create', '-b', self.bundle, self.id, status=1))
        self.assertEqual(self.status(), 'created')

    def test_systemd(self):
        self.assertIn('not supported', self.oci('--systemd-cgroup', 'create', '-b', self.bundle, self.id, status=1))


class Killed(BundleCase):
    def test_create(self):
        """Whenever create is killed, delete --force leaves nothing."""
        self.command('sleep', '1000')
        for delay in range(0, 60, 2):
            create = subprocess.Popen(self.line('create', '-b', self.bundle, self.id), stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay / 1000)
            create.kill()
            create.wait()
            self.oci('delete', '--force', self.id)
            self.assert_nothing_left()


class Program(BundleCase):
    def test_script_of_itself(self):
        """`#!/proc/self/exe` does not execute the host's naive-oci inside."""
        path = self.bundle + '/rootfs/bin/evil'
        with open(path, 'w') as f:
            f.write('#!/proc/self/exe\n')
        os.chmod(path, 0o755)
        self.command('/bin/evil')
        self.oci('run', '-b', self.bundle, self.id, status=1)
        self.assert_nothing_left()


class Events(BundleCase):
    def test_oom(self):
        """A line for a kill for want of memory, before events ends with the container."""
        def limit(config):
            config['linux'].setdefault('resources', {})['memory'] = {'limit': 16 << 20}
        self.configure(limit)
        self.command('sh', '-c', 'read x < /tmp/go; x=a; while true; do x=$x$x; done')
        os.mkfifo(self.bundle + '/rootfs/tmp/go')
        self.create()
        self.oci('start', self.id)
        events = subprocess.Popen(self.line('events', '--interval', '600s', self.id), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True)
        self.assertEqual(json.loads(events.stdout.readline())['type'], 'stats')  # it looks from then on
        with open(self.bundle + '/rootfs/tmp/go', 'w') as f:
            f.write('\n')
        rest = [json.loads(line) for line in events.communicate(timeout=100)[0].splitlines()]
        self.assertIn({'type': 'oom', 'id': self.id}, rest)


class Others(BundleCase):
    """What is not the container's own, though it has its name."""

    def setUp(self):
        super().setUp()
        self.command('sleep', '1000')
        self.pid = self.create()

    def test_cgroup_of_another(self):
        """A container that has ended has no say in who is in a cgroup of its name by now."""
        self.oci('start', self.id)
        self.oci('kill', self.id, 'KILL')
        self.wait_until(lambda: self.status() == 'stopped')
        directories = cgroups_of(self.id)
        other = subprocess.Popen(['sleep', '1000'])
        try:
            for directory in directories:
                with open(directory + '/cgroup.procs', 'w') as f:
                    f.write(str(other.pid))
            self.oci('kill', '--all', self.id, 'KILL')
            self.oci('delete', '--force', self.id)
            self.assertIsNone(other.poll())
        finally:
            other.kill()
            other.wait()
            for directory in directories:
                os.rmdir(directory)

    def test_directory_of_another(self):
        """Who has waited for the lock of a container that is gone by then does nothing to the next one of its id."""
        state = f'{self.root}/{self.id}'
        lock = os.open(state, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        delete = subprocess.Popen(self.line('delete', '--force', self.id), stdin=subprocess.DEVNULL)
        self.wait_until(lambda: state in [link(f'/proc/{delete.pid}/fd/{fd}') for fd in os.listdir(f'/proc/{delete.pid}/fd')])
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        shutil.rmtree(state)
        os.mkdir(state)
        with open(state + '/mark', 'w'):
            pass
        os.close(lock)
        self.assertEqual(delete.wait(timeout=60), 0)
        self.assertEqual(os.listdir(state), ['mark'])
        shutil.rmtree(state)
        for directory in cgroups_of(self.id):
            os.rmdir(directory)

    def test_mask_of_hooks(self):
        """A hook makes its files with the mask of who called the runtime, not with the one that set-up needs."""
        self.oci('delete', '--force', self.id)
        script = f'umask >> {self.directory}/masks; cat > /dev/null'
        hook = [{'path': '/bin/sh', 'args': ['sh', '-c', script]}]
        self.configure(lambda config: config.update(hooks={'createRuntime': hook, 'createContainer': hook, 'poststart': hook}))
        before = os.umask(0o027)
        try:
            self.create()
            self.oci('start', self.id)
        finally:
            os.umask(before)
        with open(self.directory + '/masks') as f:
            self.assertEqual(f.read(), '0027\n' * 3)


def link(path):
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return None
