"""The action sandbox: an ordinary user at the machine needs no password, by ssh and from services a rule."""

import os
import shutil

from machine import Case, output, run, wait_until
from test_bwrap import LINE
from test_session import Session, forget_authorizations

EXAMPLE = '/usr/share/naive-runc/50-naive-sandbox.rules'
RULE = '/etc/polkit-1/rules.d/50-naive-sandbox.rules'
HOST_USR = ('naivec', '--no-ask-password', 'run', '--host-usr')


class Active(Session):
    """bob, who may not administer, at the console: no rule, no password."""
    user = 'bob'

    def test_bwrap(self):
        """naive-bwrap works"""
        text, status = self.login.run('naive-bwrap', *LINE, 'id', '-u')
        self.assertEqual((text, status), ('1001\n', 0))

    def test_host_usr(self):
        """naivec run --host-usr works"""
        text, status = self.login.run('naivec', 'run', '--host-usr', 'id', '-u')  # after the key to leave it
        self.assertEqual((text.splitlines()[-1], status), ('1001', 0))

    def test_confined(self):
        """not for who has given up gaining rights"""
        text, status = self.login.run('setpriv', '--no-new-privs', *HOST_USR, 'id', '-u')
        self.assertEqual(status, 125, text)

    def test_run_as_before(self):
        """an image, and more than the caller has, need a password as ever"""
        for line in (('run', self.rootfs), ('run', '--host-usr', '--network=host'), ('run', '--host-usr', '--cap-add=CAP_NET_RAW'),
                     ('run', '--host-usr', '--userns=auto'), ('run', '--host-usr', '--seccomp=default')):
            text, status = self.login.run('naivec', '--no-ask-password', *line, '/bin/true')
            self.assertEqual(status, 125, text)
            self.assertIn('uthenticat', text)


class NoSession(Case):
    """bob from a service, where no session is."""

    def setUp(self):
        super().setUp()
        # a logout lasts some seconds, and what he begins until its end ends with it
        wait_until(lambda: run('loginctl', 'show-user', 'bob', check=False).returncode, timeout=60, what="bob's logout")

    def says(self, *line):
        done = run(*line, 'id', '-u', user='bob', check=False)
        self.told = done.stderr
        return done.returncode, done.stdout

    def test_challenge(self):
        """an administrator is asked for"""
        self.assertEqual(self.says(*HOST_USR), (125, ''))

    def test_example_rule(self):
        """with the example rule no password is needed by the group's members, and by nobody else"""
        shutil.copy(EXAMPLE, RULE)
        run('groupadd', 'naive-sandbox')
        self.addCleanup(forget_authorizations)
        self.addCleanup(run, 'groupdel', 'naive-sandbox')
        self.addCleanup(os.unlink, RULE)
        forget_authorizations()
        self.assertEqual(self.says(*HOST_USR), (125, ''))
        run('gpasswd', '-a', 'bob', 'naive-sandbox')
        forget_authorizations()
        self.assertEqual(self.says(*HOST_USR), (0, '1001\n'), self.told)
        self.assertEqual(self.says('naive-bwrap', *LINE), (0, '1001\n'), self.told)
        self.assertEqual(self.says('naivec', '--no-ask-password', 'run', '/home/bob/rootfs')[0], 125)
        self.assertIn('naive-sandbox', output('id', '-nG', 'bob'))
