"""A container found by one of its processes, and its root directory from outside."""

import os
import shutil
import subprocess

from harness import rootfs
from harness.case import Case
from harness.client import CONTAINER, MANAGER, PATH, identity, options_variant, raw
from harness.files import write
from harness.world import USERS

SLEEP = ['/bin/sleep', '600']


class Find(Case):
    def find(self, client, pidfd):
        return client.call(PATH, MANAGER, 'GetContainerByPIDFD', 'h', (0,), fds=(pidfd,))

    def pidfd(self, pid):
        fd = os.pidfd_open(pid)
        self.addCleanup(os.close, fd)
        return fd

    def processes(self, container):
        return [pid for pid, _ in container.call('GetProcesses')[0]]

    def test_any_process(self):
        """The first process, a child of it and one that has joined are all in the container, for owner and root; for
        anybody else they are in none. So it is after a restart of the service."""
        alice = self.user('alice')
        container = alice.spawn(self.rootfs_of('alice'), ['/bin/sh', '-c', 'sleep 600 & wait'])
        other = alice.spawn(self.rootfs_of('alice'), SLEEP)
        container.call('Exec', 'aaya{uh}a{sv}', ([raw(word) for word in SLEEP], {}, options_variant({})))
        self.eventually(lambda: len(self.processes(container)) == 3, what='three processes')
        for _ in range(2):
            for pid in self.processes(container):
                pidfd = self.pidfd(pid)
                for client in (alice, self.root):
                    self.assertEqual(self.find(client, pidfd), (container.id, container.path))
                for name in ('bob', 'erin', 'dave'):
                    with self.refused('NoSuchContainer', text='in no container of yours'):
                        self.find(self.user(name), pidfd)
            self.assertEqual(self.find(alice, self.pidfd(other.pid)), (other.id, other.path))
            self.another_service()

    def test_of_none(self):
        """A process outside, one that is reaped, and one of a container that has ended are in no container."""
        ended = self.root.spawn(self.rootfs, SLEEP)
        of_ended = self.pidfd(ended.pid)
        ended.end()
        child = subprocess.Popen(['/bin/true'], cwd='/')
        reaped = self.pidfd(child.pid)
        child.wait()
        for pidfd in (self.pidfd(os.getpid()), self.pidfd(self.world.service_pid), reaped, of_ended):
            with self.refused('NoSuchContainer'):
                self.find(self.root, pidfd)

    def test_no_pidfd(self):
        """Any other descriptor is refused for what it is, and so is none."""
        reader, writer = os.pipe()
        others = [reader, writer, os.open('/', os.O_PATH), os.open('/etc/passwd', os.O_RDONLY), os.eventfd(0),
                  os.memfd_create('anon_inode:[pidfd]'), os.open('/proc/self', os.O_RDONLY),
                  os.open('/proc/self/status', os.O_RDONLY)]
        for fd in others:
            self.addCleanup(os.close, fd)
            with self.subTest(fd=os.readlink(f'/proc/self/fd/{fd}')), self.refused('InvalidArgs', text='pidfd'):
                self.find(self.user('alice'), fd)
        with self.refused('InvalidArgs', text='did not come'):
            self.root.call(PATH, MANAGER, 'GetContainerByPIDFD', 'h', (0,))


class Root(Case):
    def open_root(self, container, client=None):
        client = client or container.client
        client.call(container.path, CONTAINER, 'OpenRootDirectory')
        fd, = client.fds
        self.addCleanup(os.close, fd)
        return fd

    def test_what_it_is(self):
        """A mere path, of the tree as the command sees it: its mounts are there, and the way up ends in it."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'echo inside > /tmp/file && exec sleep 600'])
        root = self.open_root(container)
        with self.assertRaises(OSError):
            os.listdir(root)
        self.eventually(lambda: os.access('tmp/file', os.F_OK, dir_fd=root), what='the file')
        for path in ('.', '..', '../..', 'bin/../..'):
            self.assertTrue(os.path.samestat(os.stat(path, dir_fd=root), os.fstat(root)), path)
        self.assertFalse(os.path.samestat(os.fstat(root), os.stat('/')))
        self.assertEqual(sorted(int(pid) for pid in os.listdir(os.open('proc', os.O_RDONLY, dir_fd=root))
                                if pid.isdigit()), [1])
        with self.assertRaises(OSError):  # read-only, though root asks
            os.open('new', os.O_WRONLY | os.O_CREAT, dir_fd=root)

    def own_tree(self):
        """A tree of alice's for one test, which changes it."""
        path = f'{self.world.directory}/alice/tree'
        rootfs.make(path, None, USERS['alice'], USERS['alice'])
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def attempt(self, root, path, flags):
        try:
            fd = os.open(path, flags, 0o600, dir_fd=root)
        except OSError as error:
            return error.strerror
        os.close(fd)
        return 'ok'

    def test_rights(self):
        """Its holder has no right by it: with a range of ids it is one of the others there, to its own files too;
        with its own id alone it may what it may outside."""
        tree = self.own_tree()
        files = {'mine': (USERS['alice'], 0o600), 'all': (USERS['alice'], 0o604), 'theirs': (USERS['bob'], 0o600)}
        for name, (owner, mode) in files.items():
            path = f'{tree}/{name}'
            write(path, '')
            os.chown(path, owner, owner)
            os.chmod(path, mode)
        expected = {'auto': ('Permission denied', 'ok', 'Permission denied'), 'self': ('ok', 'ok', 'Permission denied')}
        for mode, told in expected.items():
            root = self.open_root(self.user('alice').spawn(tree, SLEEP, UserNamespace=mode))
            with identity(USERS['alice']):
                self.assertEqual(tuple(self.attempt(root, name, os.O_RDONLY) for name in files), told, mode)
                for path in ('mine', 'all', 'etc/new', 'proc/1/mem', 'proc/1/root/etc', 'proc/1/environ', 'new'):
                    with self.subTest(mode=mode, path=path):
                        self.assertNotEqual(self.attempt(root, path, os.O_RDWR | os.O_CREAT), 'ok')

    def test_states(self):
        """It is there as long as the container is, also of one that waits, stands still, or was taken over."""
        alice, tree = self.user('alice'), self.rootfs_of('alice')
        container = alice.create(tree, SLEEP)
        first = os.fstat(self.open_root(container))
        container.start()
        container.call('Pause')
        self.assertTrue(os.path.samestat(os.fstat(self.open_root(container)), first))
        self.another_service()
        self.assertTrue(os.path.samestat(os.fstat(self.open_root(container)), first))
        container.call('Resume')
        container.end()
        for client in (alice, self.root):
            with self.refused('InvalidState'):
                client.call(container.path, CONTAINER, 'OpenRootDirectory')

    def test_set_id(self):
        """A program there gives nobody the rights of its owner: the mount is another namespace's."""
        tree = self.own_tree()
        os.chmod(f'{tree}/bin/busybox', 0o4755)
        root = self.open_root(self.user('alice').spawn(tree, SLEEP))
        done = subprocess.run(['setpriv', f'--reuid={USERS["bob"]}', f'--regid={USERS["bob"]}', '--clear-groups',
                               f'/proc/self/fd/{root}/bin/busybox', 'id', '-u'], pass_fds=[root], capture_output=True)
        self.assertEqual(done.stdout.decode().strip(), str(USERS['bob']), done.stderr)

    def test_who(self):
        """Whom polkit does not let execute in it, hears of no such object."""
        container = self.user('alice').spawn(self.rootfs_of('alice'), SLEEP)
        for name in ('bob', 'dave', 'erin'):
            with self.refused('UnknownObject'):
                self.user(name).call(container.path, CONTAINER, 'OpenRootDirectory')
