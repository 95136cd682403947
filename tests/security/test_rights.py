"""Rows A17 and B6 where a container has more rights than the default."""

import re

from harness import rootfs
from harness.hostile_case import Hostile

with open('/usr/include/linux/capability.h') as header:
    CAPABILITIES = re.findall(r'^#define (CAP_\w+)\s+\d+$', header.read(), re.M)


class Unmaking(Hostile):
    """A17: a container with more rights than the default, against its own set-up."""

    EXPECTED = {'Operation not permitted', 'Invalid argument', 'Read-only file system', 'Permission denied'}

    def unmake(self, tree, client=None, **options):
        """({right: outcome}, {try: outcomes}), as told by helpers/unmake.c; the tree stays as it was."""
        before = rootfs.fingerprint(tree)
        log = self.spawn_output(['/bin/unmake'], client=client, rootfs=tree, **options)
        rights, tries = {}, {}
        for line in log.splitlines():
            what, outcome = line.rsplit(': ', 1)
            if what.startswith('rights '):
                rights[what.removeprefix('rights ')] = outcome
            else:
                tries.setdefault(what, set()).add(outcome)
        self.assertEqual(rootfs.fingerprint(tree), before)
        return rights, tries

    def assert_locked(self, tries):
        self.assertEqual({what: how for what, how in tries.items() if how - self.EXPECTED}, {})
        for point in ('/', '/proc', '/proc/sys', '/sys', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/tmp'):
            self.assertEqual(tries[f'umount {point}'], {'Invalid argument'}, point)
            self.assertEqual(tries[f'clear-rdonly {point}'], {'Operation not permitted'}, point)

    def test_all_rights(self):
        """A17: with all capabilities and no filter, nothing that was mounted can be taken down or made writable."""
        tree = self.tree_of('root')
        for namespace in ('auto', 'self'):
            for network in ('private', 'host'):
                with self.subTest(namespace=namespace, network=network):
                    rights, tries = self.unmake(tree, UserNamespace=namespace, Network=network,
                                                Capabilities=CAPABILITIES, Seccomp='unconfined')
                    # the rights are there, for what is the container's own
                    if network == 'host':
                        self.assertEqual(rights.pop('network'), 'Operation not permitted')
                    self.assertEqual(set(rights.values()), {'ok'}, rights)
                    self.assert_locked(tries)
        rights, tries = self.unmake(tree, Capabilities=CAPABILITIES)  # with the filter, that lets it mount
        self.assertEqual(set(rights.values()), {'ok'}, rights)
        self.assert_locked(tries)

    def test_bound_trees(self):
        """A17: nor can that be done to what the caller has bound, read-only, over the tree."""
        source = self.tree_of('frank')
        before = rootfs.fingerprint(source)
        rights, tries = self.unmake(self.tree_of('root'), Capabilities=CAPABILITIES, Seccomp='unconfined',
                                    Mounts=[(source, '/home', 'bind', ['ro'])])
        self.assertEqual(set(rights.values()), {'ok'}, rights)
        self.assert_locked(tries)
        self.assertEqual((tries['umount /home'], tries['clear-rdonly /home']),
                         ({'Invalid argument'}, {'Operation not permitted'}))
        self.assertEqual(rootfs.fingerprint(source), before)

    def test_without_a_filter(self):
        """A17: without a filter alone, or with every capability but CAP_SYS_ADMIN, there is no right to mount."""
        tree = self.tree_of('root')
        for capabilities in ([], [name for name in CAPABILITIES if name != 'CAP_SYS_ADMIN']):
            with self.subTest(capabilities=capabilities):
                rights, tries = self.unmake(tree, Capabilities=capabilities, Seccomp='unconfined')
                self.assertEqual((rights['mount'], rights['unshare']), ('Operation not permitted', 'ok'))
                self.assertEqual({what: how for what, how in tries.items() if how - self.EXPECTED}, {})

    def test_users_tree(self):
        """A17: a user who may do that is kept from its own tree in the same way."""
        rights, tries = self.unmake(self.tree_of('frank'), self.user('frank'), Capabilities=CAPABILITIES,
                                    Seccomp='unconfined')
        self.assertEqual(set(rights.values()), {'ok'}, rights)
        self.assert_locked(tries)


class Planting(Hostile):
    """B6: what a container writes to a tree of the host's root."""

    def test_host_root(self):
        """B6: as the host's root it makes no set-id file, no device node and no file with capabilities in it."""
        tree = self.tree_of('root')
        self.spawn_output(['/bin/sh', '-c', 'mknod /mnt/sda b 8 0; /bin/plant /mnt'], rootfs=tree,
                          UserNamespace='host', ReadOnlyRoot=False)
        self.assert_no_rights_in(f'{tree}/mnt')

    def test_nested(self):
        """B6: nor with CAP_SYS_ADMIN, for there the filter lets it make no namespaces, that would have all rights."""
        tree = self.tree_of('root')
        log = self.spawn_output(['/bin/sh', '-c', '/bin/plant /mnt; unshare -Ur /bin/plant /mnt; true'], rootfs=tree,
                                ReadOnlyRoot=False, Capabilities=['CAP_SYS_ADMIN', 'CAP_SETFCAP'])
        self.assertIn('unshare: ', log)
        self.assert_no_rights_in(f'{tree}/mnt')
