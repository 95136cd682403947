"""The Debian package: its installation, and lintian's opinion."""

import os

import machine
from machine import Case, output, run


class Package(Case):
    wants_package = False

    def test_1_lintian(self):
        """lintian finds no errors"""
        with open(f'{machine.PACKAGES}/lintian') as f:
            report = f.read()
        self.assertIn('Lintian', report)
        self.assertEqual([line for line in report.splitlines() if line.startswith('E:')], [])

    def test_2_install(self):
        """apt installs it; unit, bus name and actions are known at once, and nothing runs yet"""
        done = machine.install()
        self.assertNotIn('rror', done.stdout + done.stderr)
        self.assertEqual(machine.unit('LoadState'), 'loaded')
        self.assertEqual(machine.unit('NeedDaemonReload'), 'no')
        self.assertIn('org.naive.Runc', output('busctl', '--activatable', '--no-legend', 'list'))
        actions = output('pkaction')
        for name in ('run', 'run-privileged', 'manage', 'inspect', 'exec'):
            self.assertIn(f'org.naive.Runc.{name}', actions.split())
        self.assertFalse(machine.is_active())

    def test_3_unit_is_sound(self):
        """systemd-analyze has nothing against the units"""
        done = run('systemd-analyze', 'verify', '--man=no', machine.UNIT, machine.CONTAINERS, check=False)
        lines = [line for line in (done.stdout + done.stderr).splitlines() if 'naive' in line]
        self.assertEqual((done.returncode, lines), (0, []))

    def test_3_needrestart(self):
        """needrestart, which reads Perl, chooses no restart of the containers' unit, and may restart the service"""
        path = machine.NEEDRESTART
        self.assertIn(path, output('dpkg-query', '-Wf', '${Conffiles}', 'naive-runc'))
        # as its configuration file reads those of conf.d, and as it looks a unit up
        script = """use strict; our %nrconf = (override_rc => {qr(^dbus) => 0});
                    eval do { local(@ARGV, $/) = shift; <> }; die $@ if $@;
                    for my $unit (@ARGV) {
                            my @found = grep { $unit =~ /$_/ } keys %{$nrconf{override_rc}};
                            print "$unit ", join(",", map { $nrconf{override_rc}->{$_} } @found), "\\n";
                    }"""
        self.assertEqual(output('perl', '-we', script, path, machine.CONTAINERS, machine.UNIT).splitlines(),
                         [f'{machine.CONTAINERS} 0', machine.UNIT])

    def test_4_configuration_file(self):
        """the configuration is a conffile, and files belong to root alone"""
        self.assertIn(machine.CONFIG, output('dpkg-query', '-Wf', '${Conffiles}', 'naive-runc'))
        self.assertEqual(run('dpkg', '--verify', 'naive-runc').stdout, '')
        for path in output('dpkg', '-L', 'naive-runc').splitlines():
            status = os.lstat(path)
            self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o022), (0, 0, 0), path)
