"""podman, with naive-oci as its runtime."""

import os
import shutil
import subprocess
import tempfile
import unittest

import bundle

CONF = '[containers]\nnetns="none"\nlog_driver="k8s-file"\n[engine]\nevents_logger="file"\n'


@unittest.skipUnless(shutil.which('podman'), 'podman is not installed')
class Podman(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix='oci-podman.')
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        with open(cls.directory + '/containers.conf', 'w') as f:
            f.write(CONF)
        bundle.make_tree(cls.directory + '/tree')
        tar = subprocess.Popen(['tar', '-C', cls.directory + '/tree', '-c', '.'], stdout=subprocess.PIPE)
        subprocess.run(cls.line('import', '-', 'bb'), stdin=tar.stdout, env=cls.environment(), check=True,
                       capture_output=True, timeout=bundle.TIMEOUT)
        tar.wait()

    @classmethod
    def environment(cls):
        return {**os.environ, 'CONTAINERS_CONF': cls.directory + '/containers.conf'}

    @classmethod
    def line(cls, *words):
        where = [f'--{name}={cls.directory}/{name}' for name in ('root', 'runroot', 'tmpdir')]
        return ['podman', *where, '--storage-driver=vfs', '--cgroup-manager=cgroupfs', '--runtime', bundle.PROGRAM, *words]

    def podman(self, *words, status=0):
        done = subprocess.run(self.line(*words), env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=bundle.TIMEOUT)
        self.assertEqual(done.returncode, status, f'{words}: {done.stdout}')
        return done.stdout

    def tearDown(self):
        self.podman('rm', '-f', '-t', '0', '--all')

    def test_exit(self):
        self.assertEqual(self.podman('run', '--rm', 'bb', 'echo', 'hello'), 'hello\n')
        self.podman('run', '--rm', 'bb', 'sh', '-c', 'exit 7', status=7)
        self.podman('run', '--rm', 'bb', 'no-such', status=127)
        self.podman('run', '--rm', 'bb', '/etc', status=126)

    def test_detached(self):
        """exec, top, pause, logs, kill, rm of one that runs."""
        self.podman('run', '-d', '--name=x', 'bb', 'sh', '-c', 'echo said; trap "exit 4" TERM; while sleep 0.1; do :; done')
        self.assertEqual(self.podman('exec', 'x', 'echo', 'in'), 'in\n')
        self.podman('exec', 'x', 'sh', '-c', 'exit 3', status=3)
        self.assertIn('/dev/pts/', self.podman('exec', '-t', 'x', 'tty'))
        self.assertIn('sleep', self.podman('top', 'x'))
        self.podman('pause', 'x')
        self.assertIn('paused', self.podman('inspect', '-f', '{{.State.Status}}', 'x'))
        self.podman('unpause', 'x')
        self.assertIn('said', self.podman('logs', 'x'))
        self.podman('stop', '-t', '60', 'x')
        self.assertIn('4', self.podman('inspect', '-f', '{{.State.ExitCode}}', 'x'))

    def test_limits(self):
        self.podman('run', '-d', '--name=x', '-m', '64m', '--pids-limit', '20', '--cpus', '0.5', 'bb', 'sleep', '1000')
        self.assertIn('67.1', self.podman('stats', '--no-stream', 'x'))

    def test_tree(self):
        self.podman('run', '--rm', '--read-only', 'bb', 'touch', '/x', status=1)
        self.podman('run', '--rm', '--tmpfs', '/y:size=1m', 'bb', 'touch', '/y/x')
        self.assertIn('root', self.podman('run', '--rm', '-v', self.directory + '/tree/etc:/m:ro', 'bb', 'cat', '/m/passwd'))
        self.assertIn('/dev/pts/', self.podman('run', '--rm', '-t', 'bb', 'tty'))

    def test_users(self):
        self.assertRegex(self.podman('run', '--rm', '--user', '5:6', 'bb', 'id'), r'uid=5\S* gid=6')
        mapped = self.podman('run', '--rm', '--uidmap=0:100000:1000', '--gidmap=0:100000:1000', 'bb', 'cat', '/proc/self/uid_map')
        self.assertEqual(mapped.split(), ['0', '100000', '1000'])
        self.podman('run', '--rm', '--cap-drop=all', 'bb', 'true')

    def test_shared_namespaces(self):
        self.podman('run', '-d', '--name=x', 'bb', 'sleep', '1000')
        self.podman('run', '--rm', '--network=container:x', '--pid=container:x', 'bb', 'sh', '-c', 'exit 8', status=8)
