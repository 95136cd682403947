"""Settings of the kernel and networks: Sysctl and NetworkNamespaceFD, as a command sees them."""

import os
import signal

from harness.case import Case
from harness.files import as_user
from harness.place import Place
from harness.world import USERS

PORTS = 'net.ipv4.ip_unprivileged_port_start'


class Sysctl(Case):
    def values(self, settings, client=None, rootfs=None, **options):
        paths = ['/proc/sys/' + (key if '/' in key else key.replace('.', '/')) for key in settings]
        return self.spawn_output(['/bin/cat', *paths], client=client, rootfs=rootfs, Sysctl=settings, **options).split('\n')[:-1]

    def test_effect(self):
        """Each is set for the container alone before the command runs, a user's and root's, prepared sandboxes or not."""
        settings = {PORTS: '77', 'net.ipv4.ip_forward': '1', 'net/ipv4/conf/lo/forwarding': '0', 'kernel.shmmax': '123456',
                    'kernel.sem': '250\t32000\t32\t99', 'fs.mqueue.queues_max': '33', 'kernel.domainname': 'a.test'}
        host = {key: self.host(key) for key in settings}
        for client, tree in ((self.root, self.rootfs), (self.user('alice'), self.rootfs_of('alice'))):
            self.assertEqual(self.values(settings, client, tree), list(settings.values()))
        self.assertEqual({key: self.host(key) for key in settings}, host)

    @staticmethod
    def host(key):
        with open('/proc/sys/' + (key if '/' in key else key.replace('.', '/'))) as f:
            return f.read()

    def test_with_other_options(self):
        """So it is with a second user namespace, with root of the caller alone and with none; no isolation is less."""
        for options in ({'Capabilities': ['CAP_SYS_ADMIN']}, {'UserNamespace': 'self'}, {'UserNamespace': 'host'}):
            with self.subTest(str(options)):
                self.assertEqual(self.values({PORTS: '78', 'kernel.msgmax': '4097', 'kernel.domainname': 'b'}, **options),
                                 ['78', '4097', 'b'])
        container = self.root.spawn(self.rootfs, ['/bin/true'], Sysctl={PORTS: '79'})
        self.assertEqual(container.prop('Deviations'), [])

    def test_refused(self):
        """What is the host's, or what no key can be, is refused by name; so is a network's without one of its own."""
        for key in ('kernel.core_pattern', 'kernel/core_pattern', 'net/../kernel/core_pattern', 'net.//.kernel.core_pattern',
                    'net./.x', 'vm.overcommit_memory', 'fs.file-max', 'kernel.hostname', 'kernel.shm_next_id', '', 'net',
                    'net/', '/net/ipv4/ip_forward', 'net.ipv4.a b', 'fs.mqueue/../file-max', 'net.' + 'x' * 300,
                    'user.max_user_namespaces', 'net.\x1b[31m'):
            with self.subTest(key[:30]), self.refused('InvalidArgs', text='Sysctl') as caught:
                self.root.spawn(self.rootfs, ['/bin/true'], Sysctl={key: '1'})
            self.assertNotIn('\x1b', caught.exception.text)
        with self.refused('InvalidArgs', text='twice'):
            self.root.spawn(self.rootfs, ['/bin/true'], Sysctl={PORTS: '1', PORTS.replace('.', '/'): '2'})
        with self.refused('InvalidArgs', text=PORTS):
            self.root.spawn(self.rootfs, ['/bin/true'], Sysctl={PORTS: '1'}, Network='host')
        for settings, words in (({f'net.x{i}': 'x' * 1000 for i in range(17)}, 'bytes'), ({PORTS: 'x' * 16384}, 'bytes'),
                                ({PORTS: ''}, 'empty'), ({'kernel.domainname': 'x' * 65}, 'longer')):
            with self.subTest(words), self.refused('InvalidArgs', text=words):
                self.root.spawn(self.rootfs, ['/bin/true'], Sysctl=settings)

    def test_missing(self):
        """A key that this kernel lacks, and a value that it does not take, are told as such, by name."""
        for key, value, words in (('net.no.such', '1', "no 'net.no.such'"), (PORTS, 'many', "cannot set"),
                                  (PORTS, '70000', PORTS)):
            with self.subTest(key), self.refused('InvalidArgs', text=words):
                self.root.spawn(self.rootfs, ['/bin/true'], Sysctl={key: value})

    def test_naivec(self):
        """--sysctl takes several; the last value of a key counts."""
        done = self.command(self.world.naivec, 'run', '--sysctl', f'{PORTS}=5', f'--sysctl={PORTS}=6', '--sysctl',
                            'kernel.msgmni=44', self.rootfs, 'cat', '/proc/sys/' + PORTS.replace('.', '/'),
                            '/proc/sys/kernel/msgmni')
        self.assertEqual(done.stdout, b'6\n44\n', done.stderr)
        for wrong in (PORTS, '=5'):
            self.assertEqual(self.command(self.world.naivec, 'run', '--sysctl', wrong, self.rootfs).returncode, 2)


class Network(Case):
    def namespace(self, user=None, more='true'):
        """(fd, path, inode) of a network namespace that has nothing to do with the service."""
        line = ['unshare', *(['-U', '-r'] if user else []), '-n', 'sh', '-c', f'{more}; echo on; exec sleep 600']
        process = self.started(*(as_user(USERS[user]) if user else []), *line, stdout=-1)
        if process.stdout.readline() != b'on\n':
            self.skipTest('no such namespace can be made here')
        path = f'/proc/{process.pid}/ns/net'
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.addCleanup(os.close, fd)
        return fd, path, os.readlink(path)

    def seen(self, fd, client=None, tree=None, **options):
        return self.spawn_output(['/bin/sh', '-c', f'readlink /proc/self/ns/net; cat /proc/sys/{PORTS.replace(".", "/")}; '
                                                   'ls /sys/class/net'],
                                 client=client, rootfs=tree, NetworkNamespaceFD=fd, **options).split()

    def test_effect(self):
        """The command is in that network, and /sys shows it; root's container says so among its deviations."""
        fd, _, inode = self.namespace(more=f'sysctl -qw {PORTS}=55; ip link add naive0 type dummy 2>/dev/null')
        names = self.command('nsenter', f'--net=/proc/self/fd/{fd}', 'true')  # the descriptor is not inherited
        self.assertNotEqual(names.returncode, 0)
        for options in ({}, {'UserNamespace': 'host'}, {'Capabilities': ['CAP_SYS_ADMIN']}):
            with self.subTest(str(options)):
                found, port, *devices = self.seen(fd, **options)
                self.assertEqual((found, port), (inode, '55'))
                self.assertIn('lo', devices)
                self.assertLessEqual(set(devices), {'lo', 'naive0'})
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '600'], NetworkNamespaceFD=fd)
        self.assertEqual(container.prop('Deviations'), ['NetworkNamespaceFD=privileged'])
        self.assertEqual(os.readlink(f'/proc/{container.pid}/ns/net'), inode)
        self.assertEqual(os.readlink(f'/proc/{self.world.service_pid}/ns/net'), os.readlink('/proc/self/ns/net'))
        done = self.command(self.world.naivec, 'exec', container.id, 'readlink', '/proc/self/ns/net')
        self.assertEqual(done.stdout.decode().strip(), inode, done.stderr)

    def test_wrong(self):
        """What is no network namespace, or not open to read, is refused by name; so are two networks, and its settings."""
        fd, path, _ = self.namespace()
        for other in ('/proc/self/ns/mnt', '/proc/self/ns/user', '/dev/null', '/etc', '/proc/self/ns'):
            with self.subTest(other), self.refused('InvalidArgs', text='NetworkNamespaceFD'):
                wrong = os.open(other, os.O_RDONLY)
                self.addCleanup(os.close, wrong)
                self.seen(wrong)
        by_path = os.open(path, os.O_PATH)
        self.addCleanup(os.close, by_path)
        with self.refused('InvalidArgs', text='NetworkNamespaceFD'):
            self.seen(by_path)
        for more in ({'Network': 'host'}, {'Network': 'private'}):
            with self.refused('InvalidArgs', text='Network'):
                self.seen(fd, **more)
        with self.refused('InvalidArgs', text=PORTS):
            self.seen(fd, Sysctl={PORTS: '1'})

    def test_naivec(self):
        """--network=ns:PATH, as podman spells it; none is loopback alone; a path that is not there is told."""
        _, path, inode = self.namespace()
        for network, wanted in ((f'ns:{path}', inode), ('host', os.readlink('/proc/self/ns/net'))):
            done = self.command(self.world.naivec, 'run', f'--network={network}', self.rootfs, 'readlink', '/proc/self/ns/net')
            self.assertEqual(done.stdout.decode().strip(), wanted, done.stderr)
        done = self.command(self.world.naivec, 'run', '--network=none', self.rootfs, 'ls', '/sys/class/net')
        self.assertEqual(done.stdout, b'lo\n', done.stderr)
        done = self.command(self.world.naivec, 'run', '--network=ns:/no/such', self.rootfs)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b'No such file', done.stderr)

    def test_after_restart(self):
        """The next service joins the same network with Exec, and tells the deviation."""
        fd, _, inode = self.namespace()
        place = Place(self, 'network-restart')
        container = place.client.spawn(self.rootfs, ['/bin/sleep', '600'], NetworkNamespaceFD=fd, Id='c')
        place.process.send_signal(signal.SIGTERM)
        place.process.wait(timeout=20)
        place.start()
        self.assertEqual(container.prop('Deviations'), ['NetworkNamespaceFD=privileged'])
        done = self.command(self.world.naivec, f'--address={place.bus.address}', 'exec', 'c', 'readlink', '/proc/self/ns/net')
        self.assertEqual(done.stdout.decode().strip(), inode, done.stderr)
        container.end()
