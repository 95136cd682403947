"""A bundle with a busybox in it, and naive-oci on a directory of states of its own."""

import glob
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

PROGRAM = None
TIMEOUT = 120


def make_tree(path):
    os.makedirs(path + '/bin')
    for name in ('etc', 'tmp', 'root'):
        os.mkdir(f'{path}/{name}')
    shutil.copy(shutil.which('busybox'), path + '/bin/busybox')
    for name in ('sh', 'cat', 'echo', 'id', 'ls', 'ps', 'sleep', 'stat', 'true', 'touch', 'tty'):
        os.symlink('busybox', f'{path}/bin/{name}')
    with open(path + '/etc/passwd', 'w') as f:
        f.write('root:x:0:0:root:/root:/bin/sh\n')


def cgroups_of(name):
    """Directories of that name in any hierarchy."""
    found = subprocess.run(['find', '/sys/fs/cgroup', '-type', 'd', '-name', name], capture_output=True, text=True)
    return found.stdout.split()


class BundleCase(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix='oci-test.')
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.root = self.directory + '/states'
        self.bundle = self.directory + '/bundle'
        self.id = os.path.basename(self.directory)
        make_tree(self.bundle + '/rootfs')
        self.oci('spec', '-b', self.bundle)
        self.addCleanup(self.oci, 'delete', '--force', self.id)
        self.configure(lambda config: config['process'].update(terminal=False))

    def configure(self, change):
        path = self.bundle + '/config.json'
        with open(path) as f:
            config = json.load(f)
        change(config)
        with open(path, 'w') as f:
            json.dump(config, f)

    def command(self, *args):
        self.configure(lambda config: config['process'].update(args=list(args)))

    def line(self, *words):
        return [PROGRAM, '--root', self.root, *words]

    def oci(self, *words, status=0, **options):
        """What it says on stdout and stderr. A container that stays behind has files, not pipes, for both."""
        with tempfile.TemporaryFile('w+') as out:
            done = subprocess.run(self.line(*words), stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT,
                                  **options)
            out.seek(0)
            text = out.read()
        self.assertEqual(done.returncode, status, f'{words}: {text}')
        return text

    def create(self, *flags):
        self.oci('create', '-b', self.bundle, '--pid-file', self.directory + '/pid', *flags, self.id)
        with open(self.directory + '/pid') as f:
            return int(f.read())

    def status(self):
        return json.loads(self.oci('state', self.id))['status']

    def wait_until(self, holds):
        end = time.monotonic() + TIMEOUT
        while not holds():
            self.assertLess(time.monotonic(), end, 'it never came')
            time.sleep(0.02)

    def assert_nothing_left(self):
        self.assertEqual(glob.glob(self.root + '/*'), [])
        self.assertEqual(cgroups_of(self.id), [])
