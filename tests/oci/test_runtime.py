"""The command line: states, exit codes as a subreaper sees them, errors, and what a killed create leaves."""

import json
import os
import signal
import subprocess
import time

from bundle import BundleCase


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
