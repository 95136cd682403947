"""Row E59: what other rows say of containers holds for those of naive-oci that have no user namespace, too."""

import os
import signal

from harness.files import read, write
from test_e_oci_engine import Bundle


class Rows(Bundle):
    def lines(self, script, **options):
        return self.run_in(script, **options).splitlines()

    def test_settings_of_the_kernel(self):
        """E59 A7 CVE-2019-16884: a setting is written to the kernel's own file, not to one that the tree has in its place."""
        os.makedirs(f'{self.tree}/proc/sys/net/ipv4')
        write(f'{self.tree}/proc/sys/net/ipv4/ip_default_ttl', 'of the tree\n')
        mounts = [mount for mount in self.configure()['mounts'] if mount['destination'] != '/proc']
        self.configure(mounts=mounts, linux={'sysctl': {'net.ipv4.ip_default_ttl': '77'}, 'maskedPaths': [],
                                             'readonlyPaths': []})
        self.assertEqual(self.run_in('cat /proc/sys/net/ipv4/ip_default_ttl'), 'of the tree\n')

    def test_terminal(self):
        """E59 A6 CVE-2025-52565: a terminal comes from a devpts, whatever the tree has under that name."""
        os.makedirs(f'{self.tree}/dev/pts')
        os.mknod(f'{self.tree}/dev/pts/ptmx', 0o020666, os.makedev(5, 2))
        mounts = [mount for mount in self.configure()['mounts'] if not mount['destination'].startswith('/dev')]
        self.configure(mounts=mounts, process={'terminal': True})
        self.assertIn('cannot open a terminal', self.run_in('true', status=1))

    def test_program(self):
        """E59 A11 E12 CVE-2019-5736: the runtime's program is no interpreter inside, and cannot be written to."""
        with open(f'{self.tree}/bin/evil', 'w') as f:
            f.write('#!/proc/self/exe\n')
        os.chmod(f'{self.tree}/bin/evil', 0o755)
        self.configure(process={'args': ['/bin/evil']})
        said = self.oci('run', '-b', self.bundle, 'one', status=1)
        self.assertNotIn('usage', said)
        self.assertIn('cannot execute', said)

    def test_cgroup(self):
        """E59 A12: it sees its own cgroup as the root, and can write to no file of cgroups."""
        said = self.lines('cut -d: -f3 /proc/self/cgroup | sort -u; find /sys/fs/cgroup -name cgroup.procs | while read f; do '
                          'echo 1 2>/dev/null > $f && echo written; done; echo end')
        self.assertEqual(said, ['/', 'end'])

    def test_read_only_root(self):
        """E59 A15: a root that is read-only inside stays writable for the host."""
        self.configure(root={'path': 'rootfs', 'readonly': True}, process={'args': ['/bin/sleep', '1000']})
        process = self.create()
        self.oci('start', 'one')
        write(f'{self.tree}/new', 'from outside')
        self.assertEqual(read(f'/proc/{process}/root/new'), 'from outside')
        self.oci('exec', 'one', '/bin/sh', '-c', 'echo > /other', status=1)
        self.assertFalse(os.path.exists(f'{self.tree}/other'))

    def test_devices(self):
        """E59 B6: a node of a device that is made inside opens nothing that the bundle does not allow."""
        every = ['CAP_MKNOD', 'CAP_SYSLOG', 'CAP_DAC_OVERRIDE']
        self.configure(process={'capabilities': dict.fromkeys(('bounding', 'effective', 'permitted'), every)})
        script = 'mknod /dev/there c 1 11; (: < /dev/there) && echo opened; mknod /dev/none c 1 3 && echo > /dev/none && echo'
        with_cgroups = self.flags
        self.flags = ()
        try:
            for allow, found in ((False, False), (True, True)):
                self.configure(linux={'resources': {'devices': [{'allow': allow, 'access': 'rwm'}]}})
                self.assertEqual('opened' in self.run_in(script, status=0), found)
        finally:
            self.flags = with_cgroups

    def test_ids_and_capabilities(self):
        """E59 D3 D4: no group but those of the bundle, and the five sets of capabilities exactly."""
        sets = {'bounding': ['CAP_KILL', 'CAP_CHOWN', 'CAP_SETUID'], 'permitted': ['CAP_KILL', 'CAP_CHOWN'],
                'effective': ['CAP_KILL'], 'inheritable': ['CAP_KILL', 'CAP_CHOWN'], 'ambient': ['CAP_KILL']}
        kill, chown, setuid = 1 << 5, 1 << 0, 1 << 7
        keys = ('CapBnd', 'CapPrm', 'CapEff', 'CapInh', 'CapAmb')
        for uid, groups in ((1234, [7, 8]), (0, [])):
            self.configure(process={'capabilities': sets, 'user': {'uid': uid, 'gid': uid, 'additionalGids': groups}})
            found = dict(line.split(':\t', 1) for line in self.lines('exec cat /proc/self/status') if ':\t' in line)
            self.assertEqual(found['Groups'].split(), list(map(str, groups)))
            bounding = kill | chown | setuid
            gained = kill if uid else kill | chown  # by exec, without new privileges: root what was permitted, others what is ambient
            self.assertEqual([int(found[key], 16) for key in keys], [bounding, gained, gained, kill | chown, kill], uid)

    def test_network(self):
        """E59 D6: no interface and no abstract socket of the host's."""
        said = self.lines('ls /sys/class/net; cat /proc/net/unix')
        self.assertEqual(said[0], 'lo')
        self.assertEqual(len(said), 2, said)

    def test_kernel_files(self):
        """E59 D8: what /proc and /sys let be written is what the bundle leaves."""
        for path in ('/proc/sys/kernel/hostname', '/proc/sysrq-trigger', '/sys/kernel/uevent_helper'):
            self.assertNotIn('written', self.run_in(f'echo x 2>/dev/null > {path} && echo written; echo'))
        self.assertEqual(self.lines('wc -c < /proc/keys; ls /sys/firmware | wc -l'), ['0', '0'])

    def test_attributes(self):
        """E59 D10: no mask, no ignored or blocked signal of the runtime's or its caller's reaches the command."""
        def strange():
            os.umask(0o077)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
        self.configure(process={'args': ['/bin/grep', '-E', '^(Umask|Sig(Blk|Ign))', '/proc/self/status']})
        said = self.oci('run', '-b', self.bundle, 'one', preexec_fn=strange)
        self.assertEqual([int(line.split()[1], 16) for line in said.splitlines()], [0x022, 0, 0])

    def test_arguments(self):
        """E59 D11: arguments and environment of every length arrive whole, or are refused."""
        words = ['', 'a' * 100000, '-x', 'ü\n']
        self.configure(process={'args': ['/bin/busybox', 'printf', '%s|', *words]})
        self.assertEqual(self.oci('run', '-b', self.bundle, 'one'), ''.join(word + '|' for word in words))
        self.configure(process={'args': ['/bin/true', 'a' * (1 << 20)]})
        self.assertIn('cannot execute', self.oci('run', '-b', self.bundle, 'one', status=1))
