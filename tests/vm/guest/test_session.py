"""Ordinary users who have logged in at the machine's console: logind, PAM, polkit and its text agent."""

import fcntl
import json
import os
import socket
import termios

import machine
from machine import BUS, Case, output, run, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))


class Login:
    """A person at a virtual terminal: types, looks at the screen, logs in by name and password."""

    def __init__(self, user, number=1):
        self.user, self.tty, self.screen = user, f'/dev/tty{number}', f'/dev/vcs{number}'
        self.expect('login:')
        self.type(user + '\n')
        self.expect('Password:')
        self.type(user * 2 + '\n')
        self.expect('$ ')
        self.socket_path = f'/run/vm-{user}.socket'
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket_path)
        os.chmod(self.socket_path, 0o666)
        self.listener.listen()
        self.listener.settimeout(30)
        self.type(f'exec python3 {HERE}/in_session.py {self.socket_path}\n')
        self.connection = self.listener.accept()[0].makefile('rw')

    def type(self, text):
        fd = os.open(self.tty, os.O_RDWR | os.O_NOCTTY)
        for character in text.encode():
            fcntl.ioctl(fd, termios.TIOCSTI, bytes([character]))
        os.close(fd)

    def text(self):
        with open(self.screen, errors='replace') as f:
            return f.read()

    def expect(self, words, timeout=60):
        try:
            wait_until(lambda: self.text().rstrip().endswith(words.rstrip()), timeout)
        except AssertionError:
            raise AssertionError(f'{words!r} is not on the screen: {self.text().rstrip()[-800:]!r}') from None

    def run(self, *argv, dialogue=(), timeout=60):
        """A command on a terminal of its own in this session. `dialogue`: what to wait for and what to type
        then, in pairs. What it wrote, and its status."""
        json.dump({'argv': argv, 'dialogue': dialogue, 'timeout': timeout}, self.connection)
        self.connection.write('\n')
        self.connection.flush()
        reply = json.loads(self.connection.readline())
        return reply['output'].replace('\r\n', '\n'), reply['status']

    def close(self):
        self.connection.close()
        self.listener.close()
        os.unlink(self.socket_path)
        wait_until(lambda: self.user not in output('loginctl', 'list-sessions', '--no-legend'), what='the logout')


def forget_authorizations():
    """Kept ones die with polkitd."""
    run('systemctl', 'restart', 'polkit.service')


class Session(Case):
    user = 'alice'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.login = Login(cls.user)

    @classmethod
    def tearDownClass(cls):
        cls.login.close()
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        forget_authorizations()
        machine.start_service()
        self.rootfs = f'/home/{self.user}/rootfs'

    def echo(self, word, *options, password=None, rootfs=None):
        dialogue = [['Password: ', password + '\n']] if password else []
        return self.login.run('naivec', 'run', *options, rootfs or self.rootfs, '/bin/echo', word, dialogue=dialogue)


class Prompt(Session):
    """alice, who may administer with her own password."""

    def test_session_is_real(self):
        """logind has an active session of alice's on seat0"""
        text, _ = self.login.run('/bin/sh', '-c', 'echo $XDG_SESSION_ID')
        properties = output('loginctl', 'show-session', text.strip())
        for line in ('Name=alice', 'Seat=seat0', 'Active=yes', 'Remote=no', 'Class=user'):
            self.assertIn(line, properties.splitlines())

    def test_right_password(self):
        """the right password starts the container"""
        text, status = self.echo('started', password='alicealice')
        self.assertEqual(status, 0, text)
        self.assertIn('AUTHENTICATION COMPLETE', text)
        self.assertTrue(text.rstrip().endswith('started'), text)

    def test_wrong_password(self):
        """a wrong password starts nothing"""
        text, status = self.login.run('naivec', 'run', self.rootfs, '/bin/echo', 'started',
                                      dialogue=[['Password: ', 'mistaken\n']] * 3)
        self.assertEqual(status, 125, text)
        self.assertIn('AUTHENTICATION FAILED', text)
        self.assertNotIn('\nstarted\n', text)
        self.assertEqual(machine.containers(), {})

    def test_prompt_names_it(self):
        """the prompt says what is going to run, and where"""
        text, _ = self.echo('a-certain-word', password='alicealice')
        self.assertIn('AUTHENTICATING FOR org.naive.Runc.run ', text)
        joined = text.replace('\n', '')
        self.assertIn('/bin/echo a-certain-word', joined)
        self.assertIn(self.rootfs, joined)

    def test_second_run_is_kept(self):
        """a second Run of the same process within the kept time does not ask"""
        # polkit keeps an authorization for the process that owns the bus name; each naivec is another one.
        text, status = self.login.run('/usr/bin/python3', f'{HERE}/run_twice.py', BUS, self.rootfs,
                                      dialogue=[['Password: ', 'alicealice\n']])
        self.assertEqual(status, 0, text)
        self.assertEqual(text.count('AUTHENTICATING FOR org.naive.Runc.run '), 1, text)
        self.assertEqual(len(machine.containers()), 2)

    def test_next_process_asks(self):
        """what was kept for one process is no other process's"""
        for word in ('one', 'two'):
            text, status = self.echo(word, password='alicealice')
            self.assertIn('AUTHENTICATING', text)
            self.assertEqual(status, 0, text)

    def test_privileged_asks_every_time(self):
        """run-privileged is asked for every time, also of one process"""
        check = 'pkcheck --process $$ --allow-user-interaction --action-id org.naive.Runc.run-privileged'
        text, status = self.login.run('/bin/bash', '-c', f'pkttyagent --process $$ & sleep 3; {check} && {check}',
                                      dialogue=[['Password: ', 'alicealice\n']] * 2)
        self.assertEqual(status, 0, text)
        self.assertEqual(text.count('AUTHENTICATING FOR org.naive.Runc.run-privileged '), 2, text)
        self.assertIn('change anything on this computer', text.replace('\n', ' '))

    def test_no_terminal_no_question(self):
        """--no-ask-password fails at once and says so"""
        text, status = self.login.run('naivec', '--no-ask-password', 'run', self.rootfs, '/bin/true')
        self.assertEqual(status, 125, text)
        self.assertNotIn('AUTHENTICATING', text)

    def test_separate_agent(self):
        """busctl call … Run with a pkttyagent of the session's own"""
        script = (f'pkttyagent --process $$ & sleep 3; exec busctl --timeout=60 call '
                  f'{machine.NAME} {machine.PATH} {machine.NAME} Run stas {self.rootfs} 10485760 1 /bin/true')
        text, status = self.login.run('/bin/bash', '-c', script, dialogue=[['Password: ', 'alicealice\n']])
        self.assertEqual(status, 0, text)
        self.assertIn('/org/naive/Runc/container/1000/', text)

    def test_caller_gives_up(self):
        """Ctrl-C at the prompt starts nothing"""
        text, status = self.login.run('naivec', 'run', self.rootfs, '/bin/true', dialogue=[['Password: ', '\x03']])
        self.assertNotEqual(status, 0, text)
        self.assertEqual(machine.containers(), {})

    def test_container_is_theirs(self):
        """the container belongs to alice, with her files as root's, and she ends it without a question"""
        text, status = self.login.run('naivec', 'run', '-d', '--name=mine', self.rootfs, '/bin/sleep', '100',
                                      dialogue=[['Password: ', 'alicealice\n']])
        self.assertEqual(status, 0, text)
        container = self.container('1000/mine')
        self.assertEqual(container.prop('OwnerUID'), 1000)
        self.assertNotEqual(os.stat(f'/proc/{container.pid}').st_uid, 0)
        text, status = self.login.run('naivec', 'stop', '--time=0', 'mine')
        self.assertEqual((text, status), ('', 0))
        text, status = self.login.run('naivec', 'delete', 'mine')
        self.assertEqual((text, status), ('', 0))


class Stranger(Session):
    """bob, who may not administer: the question goes to alice."""
    user = 'bob'

    def test_asks_for_an_administrator(self):
        """an administrator's password starts it, for bob"""
        text, status = self.echo('hers', password='alicealice')
        self.assertEqual(status, 0, text)
        self.assertIn('Authenticating as: alice', text)

    def test_own_password_is_not_enough(self):
        """his own password does not"""
        text, status = self.login.run('naivec', 'run', self.rootfs, '/bin/echo', 'his',
                                      dialogue=[['Password: ', 'bobbob\n']])
        self.assertEqual(status, 125, text)

    def test_others_container(self):
        """of another user's container he sees, reads and touches nothing"""
        run('naivec', 'run', '-d', '--name=secret', machine.ROOTFS, '/bin/sh', '-c', 'echo hidden; sleep 1000')
        text, status = self.login.run('naivec', '-q', '--no-pager', 'list', '--json=short')
        self.assertEqual((json.loads(text or '[]'), status), ([], 0), text)
        for verb in (('status',), ('logs',), ('stop',), ('kill',), ('delete',), ('wait',), ('attach',)):
            text, status = self.login.run('naivec', '--no-ask-password', *verb, '0/secret')
            unknown, unknown_status = self.login.run('naivec', '--no-ask-password', *verb, '0/nothere')
            self.assertNotEqual(status, 0, f'{verb}: {text}')
            self.assertNotIn('hidden', text)
            self.assertEqual((text.replace('secret', 'nothere'), status), (unknown, unknown_status))
        self.assertEqual(self.container('secret').state, 'running')
        path = self.container('secret').path
        text, status = self.login.run('busctl', 'introspect', machine.NAME, path)
        self.assertNotIn('Pid', text)
        pid = self.container('secret').pid
        for file in ('root', 'cwd', 'environ', 'fd'):
            text, status = self.login.run('ls', '-la', f'/proc/{pid}/{file}/')
            self.assertNotEqual(status, 0, text)
        text, status = self.login.run('kill', '-9', str(pid))
        self.assertNotEqual(status, 0)
        self.assertTrue(os.path.exists(f'/proc/{pid}'))

    def test_journal_is_not_theirs(self):
        """the journal shows him no output of another's container"""
        name = machine.naivec('run', '-d', machine.ROOTFS, '/bin/echo', 'not-for-bob')
        machine.naivec('wait', name)
        run('journalctl', '--sync')
        text, _ = self.login.run('journalctl', '--no-pager', '-q')
        self.assertNotIn('not-for-bob', text)
