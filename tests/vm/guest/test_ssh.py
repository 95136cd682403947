"""naivec -H over ssh to the same machine."""

import json
import os

import machine
from machine import ROOTFS, Case, output, run, wait_until


class Ssh(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        run('systemctl', 'start', 'ssh.service')
        for home, uid in (('/root', 0), ('/home/alice', 1000)):
            os.makedirs(f'{home}/.ssh', 0o700, exist_ok=True)
            if not os.path.exists('/root/.ssh/id_ed25519'):
                run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', '/root/.ssh/id_ed25519')
            with open('/root/.ssh/id_ed25519.pub') as key, open(f'{home}/.ssh/authorized_keys', 'w') as f:
                f.write(key.read())
            for path in (f'{home}/.ssh', f'{home}/.ssh/authorized_keys'):
                os.chown(path, uid, uid)
        known = wait_until(lambda: run('ssh-keyscan', '-t', 'ed25519', 'localhost', check=False).stdout, what='sshd')
        with open('/root/.ssh/known_hosts', 'w') as f:
            f.write(known)

    def there(self, *arguments, host='root@localhost', **kwargs):
        return run('naivec', '-H', host, *arguments, **kwargs)

    def start(self, name, script):
        return self.there('run', '-d', f'--name={name}', ROOTFS, '/bin/sh', '-c', script).stdout.strip()

    def test_run_detached(self):
        """run -d prints the id; the container runs here"""
        self.assertEqual(self.start('far', 'sleep 100'), 'far')
        self.assertEqual(machine.containers()['far']['state'], 'running')

    def test_list(self):
        """list shows the same as on the spot"""
        self.start('listed', 'sleep 100')
        there = json.loads(self.there('list', '--json=short').stdout)
        self.assertEqual({c['id']: c for c in there}, machine.containers())

    def test_status(self):
        """status shows the state and the last lines"""
        self.start('asked', 'echo a-last-line; sleep 100')
        wait_until(lambda: 'a-last-line' in self.there('status', 'asked', check=False).stdout, what='the line')
        self.assertIn('running', self.there('status', 'asked', check=False).stdout)

    def test_wait(self):
        """wait waits, and passes the exit status on"""
        self.start('waited', 'sleep 2; exit 5')
        done = self.there('wait', 'waited', check=False)
        self.assertEqual((done.stdout.strip(), done.returncode), ('waited exit-code 5', 5))

    def test_logs(self):
        """logs reads what was written, -f to the end"""
        self.start('written', 'echo one; sleep 2; echo two')
        self.assertEqual(self.there('logs', '-f', 'written').stdout, 'one\ntwo\n')
        self.assertEqual(self.there('logs', 'written').stdout, 'one\ntwo\n')

    def test_stop(self):
        """stop ends it"""
        self.start('ended', 'trap "exit 0" TERM; while :; do sleep 0.1; done')
        self.there('stop', 'ended')
        self.assertEqual(machine.containers()['ended']['state'], 'stopped')

    def test_attached_is_refused(self):
        """run without -d says that it cannot, and starts nothing"""
        done = self.there('run', ROOTFS, '/bin/true', check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('--detach', done.stderr)
        self.assertEqual(machine.containers(), {})

    def test_ordinary_user(self):
        """over ssh a user has the user's rights: sees nothing of root's, starts nothing unasked"""
        self.start('roots', 'sleep 100')
        self.assertEqual(json.loads(self.there('list', '--json=short', host='alice@localhost').stdout or '[]'), [])
        done = self.there('--no-ask-password', 'run', '-d', '/home/alice/rootfs', '/bin/true', host='alice@localhost',
                          check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(list(machine.containers()), ['roots'])
