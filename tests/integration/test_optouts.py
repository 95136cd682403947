"""Options that take from the isolation: what each changes inside, and that it changes nothing else."""

import os
import shutil
import socket

from harness.files import status_of
from harness.hostile_case import Hostile

CHOWN, NET_ADMIN, SYS_ADMIN = 0, 12, 21


class Optouts(Hostile):
    def status(self, client=None, rootfs=None, **options):
        """/proc/self/status of a container's command"""
        text = self.spawn_output(['/bin/cat', '/proc/self/status'], client=client, rootfs=rootfs, **options)
        return {key: value.strip() for key, value in (line.split(':', 1) for line in text.splitlines())}

    def has(self, status, *numbers):
        for name in ('CapPrm', 'CapEff', 'CapBnd'):
            for number in numbers:
                self.assertTrue(int(status[name], 16) >> number & 1, f'{name} lacks {number}')

    def lacks(self, status, *numbers):
        for name in ('CapPrm', 'CapEff', 'CapBnd', 'CapInh', 'CapAmb'):
            for number in numbers:
                self.assertFalse(int(status[name], 16) >> number & 1, f'{name} has {number}')

    def namespaces(self, **options):
        """The names of those that a container shares with the host."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], **options)
        try:
            return {name for name in os.listdir('/proc/self/ns')
                    if os.readlink(f'/proc/{container.pid}/ns/{name}') ==
                    os.readlink(f'/proc/{self.world.service_pid}/ns/{name}')} - {'time', 'time_for_children',
                                                                                 'pid_for_children'}
        finally:
            self.discard(container.path)


class Namespaces(Optouts):
    def test_shared(self):
        """The namespaces that an option names are shared with the host, and no other."""
        self.assertEqual(self.namespaces(), set())
        self.assertEqual(self.namespaces(UserNamespace='host'), {'user'})
        self.assertEqual(self.namespaces(Network='host'), {'net'})
        self.assertEqual(self.namespaces(Network='host', UserNamespace='host'), {'net', 'user'})
        self.assertEqual(self.namespaces(Network='host', Capabilities=['CAP_SYS_ADMIN']), {'net'})
        self.assertEqual(self.namespaces(Capabilities=['CAP_SYS_ADMIN'], Seccomp='unconfined'), set())

    def test_host_user(self):
        """UserNamespace=host: container root is the host's, with the default capabilities and all else confined."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], UserNamespace='host')
        status = status_of(container.pid)
        self.assertEqual(set(status['Uid'].split()), {'0'})
        self.assertEqual((status['Seccomp'], status['NoNewPrivs']), ('2', '1'))
        self.has(status, CHOWN)
        self.lacks(status, NET_ADMIN, SYS_ADMIN)
        script = ('echo x > /new; echo x > /proc/sys/kernel/domainname; echo x > /sys/kernel/uevent_helper; '
                  'mount -t tmpfs x /mnt; mknod /tmp/sda b 8 0 && head -c 1 /tmp/sda; echo done')
        self.assertEqual(self.spawn_output(['/bin/sh', '-c', f'({script}) 2>/dev/null'], UserNamespace='host'),
                         'done\n')


class Network(Optouts):
    def listen(self):
        server = socket.socket()
        server.bind(('127.0.0.1', 0))
        server.listen()
        server.settimeout(5)
        self.addCleanup(server.close)
        return server

    def test_host_network(self):
        """Network=host: a container reaches what listens on the host; with the default it does not."""
        for namespace in ('auto', 'self', 'host'):
            with self.subTest(namespace=namespace):
                server = self.listen()
                connect = ['/bin/nc', '-w', '3', '127.0.0.1', str(server.getsockname()[1])]
                container = self.root.spawn(self.rootfs, connect, UserNamespace=namespace)
                self.assertEqual(container.wait()[0], 'exit-code')
                container = self.root.spawn(self.rootfs, connect, UserNamespace=namespace, Network='host')
                server.accept()[0].close()
                self.assertEqual(container.wait(), ('success', 0))

    def test_sysfs(self):
        """/sys shows the network that the container has, read-only and masked, and none of the host's mounts in it."""
        for namespace in ('auto', 'self', 'host'):
            for network in ('private', 'host'):
                with self.subTest(namespace=namespace, network=network):
                    log = self.spawn_output(['/bin/sh', '-c', 'ls /sys/class/net; echo -; ls /sys/firmware; '
                                             'cat /proc/self/mountinfo'],
                                            UserNamespace=namespace, Network=network)
                    devices, rest = log.split('-\n', 1)
                    self.assertEqual(devices.split(),
                                     sorted(os.listdir('/sys/class/net')) if network == 'host' else ['lo'])
                    mounts = [line.split() for line in rest.splitlines() if line.split()[4].startswith('/sys')]
                    self.assertLessEqual({line[4] for line in mounts},
                                         {'/sys', '/sys/firmware', '/sys/devices/virtual/powercap'})
                    self.assertIn('/sys', [line[4] for line in mounts])
                    for line in mounts:
                        self.assertTrue(line[5].startswith('ro,nosuid,nodev,noexec'), line)

    def test_counts_for_nothing_there(self):
        """On the host's network CAP_NET_ADMIN counts for nothing, as long as there is a user namespace."""
        down = ['/bin/sh', '-c', 'ip link set lo down 2>&1; true']
        for capabilities in (['CAP_NET_ADMIN'], ['CAP_NET_ADMIN', 'CAP_SYS_ADMIN']):
            log = self.spawn_output(down, Network='host', Capabilities=capabilities)
            self.assertIn('not permitted', log)
            self.assertEqual(self.spawn_output(down, Capabilities=capabilities), '')


class Rights(Optouts):
    def test_capabilities(self):
        """Those named are there beside the default set, and no others."""
        default = self.status()
        added = self.status(Capabilities=['CAP_NET_ADMIN', 'CAP_CHOWN'])
        for name in ('CapPrm', 'CapEff', 'CapBnd'):
            self.assertEqual(int(added[name], 16), int(default[name], 16) | 1 << NET_ADMIN, name)
        self.assertEqual((added['Seccomp'], added['NoNewPrivs']), ('2', '1'))
        both = self.status(Capabilities=['CAP_NET_ADMIN', 'CAP_SYS_ADMIN'])
        self.assertEqual(int(both['CapEff'], 16), int(default['CapEff'], 16) | 1 << NET_ADMIN | 1 << SYS_ADMIN)

    def test_calls_of_a_capability(self):
        """The filter lets pass what an added capability is for, with the filter on."""
        script = 'hostname other && hostname && mount -t tmpfs x /mnt && echo y > /mnt/z && cat /mnt/z'
        self.assertEqual(self.spawn_output(['/bin/sh', '-c', script], Capabilities=['CAP_SYS_ADMIN']), 'other\ny\n')
        for capabilities in ([], ['CAP_NET_ADMIN'], ['CAP_SYS_PTRACE']):
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', script], Capabilities=capabilities)
            self.assertEqual(container.wait()[0], 'exit-code')
        self.assertEqual(self.status(Capabilities=['CAP_SYS_ADMIN'])['Seccomp'], '2')

    def test_ids_are_the_same(self):
        """In the second user namespace the ids are those of the first, all of them, for the caller's files too."""
        for options in ({}, {'Capabilities': ['CAP_SYS_ADMIN']}):
            log = self.spawn_output(['/bin/sh', '-c', 'cat /proc/self/uid_map; stat -c %u:%g /bin/busybox; '
                                     'touch /tmp/x; chown 5:60000 /tmp/x; stat -c %u:%g /tmp/x'],
                                    client=self.user('frank') if options else None,
                                    rootfs=self.rootfs_of('frank') if options else self.rootfs, **options)
            uids, *rest = log.splitlines()
            self.assertEqual((uids.split()[0], uids.split()[2]), ('0', '65536'))
            self.assertEqual(rest, ['0:0', '5:60000'])

    def test_filter(self):
        """Seccomp=unconfined: no filter, all else as it is."""
        status = self.status(Seccomp='unconfined')
        self.assertEqual((status['Seccomp'], status['NoNewPrivs']), ('0', '1'))
        self.assertEqual(status['CapEff'], self.status()['CapEff'])
        make = ['/bin/sh', '-c', 'unshare -U true 2>&1; true']
        self.assertIn('not permitted', self.spawn_output(make))
        self.assertEqual(self.spawn_output(make, Seccomp='unconfined'), '')

    def test_no_new_privileges(self):
        """NoNewPrivileges=no: a set-id program of the tree has the rights of its owner, with the filter on all the same."""
        tree = self.tree_of('root')
        shutil.copy(f'{tree}/bin/probe', f'{tree}/bin/gain')
        os.chmod(f'{tree}/bin/gain', 0o4755)
        gain = ['/bin/probe', 'drop', '1000', '/bin/gain', 'euid']
        self.assertEqual(self.spawn_output(gain, rootfs=tree), '1000\n')
        self.assertEqual(self.spawn_output(gain, rootfs=tree, NoNewPrivileges=False), '0\n')
        for namespace in ('auto', 'self', 'host'):
            status = self.status(rootfs=tree, UserNamespace=namespace, NoNewPrivileges=False)
            self.assertEqual((status['Seccomp'], status['NoNewPrivs']), ('2', '0'))
