"""Where the administrator lets users make no user namespaces, bubblewrap fails and naive-bwrap works."""

import os

from machine import Case, output, run

RULE = '/etc/polkit-1/rules.d/50-naive-runc-bwrap.rules'
LINE = ('--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev '
        '--tmpfs /tmp --unshare-all').split()


class Bwrap(Case):
    def setUp(self):
        super().setUp()
        with open(RULE, 'w') as f:
            f.write('polkit.addRule(function(action, subject) {\n'
                    '    if (action.id == "org.naive.Runc.run" && subject.user == "bob") return polkit.Result.YES;\n});\n')
        self.addCleanup(os.unlink, RULE)
        run('systemctl', 'restart', 'polkit.service')

    def says(self, program, *prefix):
        done = run(*prefix, program, *LINE, 'id', '-u', user=None if prefix else 'bob', check=False)
        return done.returncode, done.stdout

    def check(self, *prefix):
        self.assertEqual(self.says('naive-bwrap', *prefix), (0, '1001\n'))
        status, said = self.says('bwrap', *prefix)
        self.assertNotEqual(status, 0)
        self.assertEqual(said, '')

    def test_open(self):
        """as the machine is, both work alike"""
        for program in ('bwrap', 'naive-bwrap'):
            self.assertEqual(self.says(program), (0, '1001\n'), program)

    def test_closed_on_the_machine(self):
        """with Debian's kernel.unprivileged_userns_clone=0"""
        name = 'kernel.unprivileged_userns_clone'
        before = output('sysctl', '-n', name)
        run('sysctl', '-qw', f'{name}=0')
        self.addCleanup(run, 'sysctl', '-qw', f'{name}={before}')
        self.check()

    def test_closed_for_a_unit(self):
        """with systemd's RestrictNamespaces for whatever the user's unit runs"""
        self.check('systemd-run', '--quiet', '--wait', '--pipe', '--collect', '--uid=bob', '--property=RestrictNamespaces=yes')
