"""Rows E15 and E27 to E29: what the filter says to sockets, and to the limit of core dumps."""

import os

from harness.case import Case
from harness.files import write
from harness.place import Place


class Attempting(Case):
    def attempt(self, what, **options):
        """{what was tried: the set of outcomes}"""
        outcomes = {}
        for line in self.spawn_output(['/bin/attempt', what], **options).splitlines():
            name, outcome = line.rsplit(': ', 1)
            outcomes.setdefault(name.removesuffix(', high'), set()).add(outcome)
        return outcomes


class Sockets(Attempting):
    """What is not there for a container is not there by other spellings of the arguments either."""

    USUAL = ('unix', 'tcp', 'udp6', 'ping', 'ping6', 'netlink route')

    def assert_all(self, outcomes, names, outcome):
        self.assertEqual({name: outcomes[name] for name in names}, dict.fromkeys(names, {outcome}))

    def test_families(self):
        """E15 CVE-2026-31431: AF_ALG and other families that programs do not use do not reach the kernel; usual ones do."""
        outcomes = self.attempt('sockets')
        self.assert_all(outcomes, self.USUAL, 'ok')
        self.assert_all(outcomes, ('alg', 'vsock', 'tipc'), 'EAFNOSUPPORT')

    def test_netlink(self):
        """E15: of netlink there are routes; the rest is CAP_NET_ADMIN's, not CAP_NET_RAW's."""
        names = [f'netlink {name}' for name in ('usersock', 'diag', 'audit', 'netfilter', 'generic')]
        self.assert_all(self.attempt('sockets'), names, 'EINVAL')
        self.assert_all(self.attempt('sockets', Capabilities=['CAP_NET_RAW']), names, 'EINVAL')
        self.assert_all(self.attempt('sockets', Capabilities=['CAP_NET_ADMIN']), ['netlink usersock'], 'ok')

    def test_uncounted(self):
        """E27: packet and raw sockets come with CAP_NET_RAW alone, in a tree that may be written to as well."""
        names = ('packet', 'raw', 'raw6')
        for options in ({}, {'Capabilities': ['CAP_NET_ADMIN']}):
            self.assert_all(self.attempt('sockets', **options), names, 'EPERM')
        for options in ({}, {'ReadOnlyRoot': False}):
            self.assert_all(self.attempt('sockets', Capabilities=['CAP_NET_RAW'], **options), names, 'ok')

    def test_protocols(self):
        """E28: no protocol and no type is left for which the kernel would load a module."""
        names = ('old packet', 'dccp by type', 'seqpacket', 'sctp', 'sctp6', 'l2tp', 'udplite', 'smc', 'mptcp')
        for options in ({}, {'Capabilities': ['CAP_NET_ADMIN', 'CAP_NET_RAW']}):
            self.assert_all(self.attempt('sockets', **options), names, 'EINVAL')

    def test_options(self):
        """E15, E28: no option makes a socket of TCP one of SMC, or of TLS, whose keys name ciphers that the kernel would load."""
        self.assert_all(self.attempt('sockets'), ('smc by option', 'tls by option'), 'ENOPROTOOPT')

    def test_ioctls(self):
        """E28: nor is there an ioctl for which it would load those for bridges and VLANs."""
        names = ('SIOCGIFBR', 'SIOCSIFBR', 'SIOCBRADDBR', 'SIOCBRDELBR', 'SIOCGIFVLAN', 'SIOCSIFVLAN')
        self.assert_all(self.attempt('sockets'), names, 'EPERM')

    def test_ping(self):
        """E27: without CAP_NET_RAW everybody in a container can ping, whatever ids it has, in a prepared sandbox or not."""
        for client, options in ((None, {}), (None, {'UserNamespace': 'host'}), ('alice', {}),
                                ('alice', {'UserNamespace': 'self'}), (None, {'Capabilities': ['CAP_SYS_ADMIN']})):
            with self.subTest(client=client, options=options):
                if client:
                    options = {**options, 'client': self.user(client), 'rootfs': self.rootfs_of(client)}
                self.assertEqual(self.attempt('ping', **options), {'ping': {'ok'}, 'ping6': {'ok'}})


class CoreLimit(Attempting):
    def test_socket(self):
        """E29: where a socket takes the machine's cores, which no limit prevents, the service says so when it starts."""
        for pattern, warns in (('@/run/cores\n', True), ('@@/run/cores\n', True), ('|/bin/handler %P\n', False), ('core\n', False)):
            with self.subTest(pattern=pattern):
                name = f'cores{len(pattern)}'
                path = f'{self.world.directory}/{name}-pattern'
                write(path, pattern)
                self.addCleanup(os.unlink, path)
                place = Place(self, name, prefix=(
                    'unshare', '-m', '/bin/sh', '-c', f'mount --bind {path} /proc/sys/kernel/core_pattern && exec "$0" "$@"'))
                self.assertEqual(f'kernel.core_pattern is a socket ({pattern.strip()})' in place.words(), warns)

    def test_stays(self):
        """E29 CVE-2025-4598: no call and no number changes the limit; who lowers it is told nothing and can go on."""
        outcomes = self.attempt('core')
        self.assertEqual(outcomes.pop('core'), {'1 1'})
        self.assertEqual(outcomes, {'setrlimit': {'ok'}, 'prlimit, old and new': {'EPERM'}, 'prlimit, another limit': {'ok'}})
