"""Row E45: the strict filter."""

import document
from harness.exec_case import ExecCase

CALLS = ['/bin/inside', 'calls']
MORE = {'pidfd_getfd', 'process_vm_readv', 'process_vm_writev'}
# that can give a file a set-id bit, or hide the mode that they give it
MODES = {'chmod', 'creat', 'fchmod', 'fchmodat', 'fchmodat2', 'mkdir', 'mkdirat', 'mknod', 'mknodat', 'open', 'openat',
         'openat2'}


class Strict(ExecCase):
    def outcomes(self, process):
        result = process.wait(timeout=120)
        log = process.log()
        self.assertEqual(result, ('success', 0), log)
        return document.load(log, {}, '')['calls']

    def assert_strict(self, found):
        self.assertEqual({found[name] for name in MORE}, {'EPERM'})
        self.assertEqual(found['fchmod'], 'EPERM')

    def test_calls(self):
        """E45: it refuses what takes memory or descriptors of another process, and set-id bits, and nothing else."""
        client, tree = self.user('alice'), self.rootfs_of('alice')
        default = self.outcomes(self.container(client, tree, CALLS))
        found = self.outcomes(self.container(client, tree, CALLS, Seccomp='strict'))
        self.assert_strict(found)
        self.assertEqual({name for name in default if found[name] != default[name]} - MODES, MORE)

    def test_capabilities(self):
        """E45: no capability opens a call."""
        found = self.outcomes(self.container(argv=CALLS, Seccomp='strict', Capabilities=['CAP_SYS_ADMIN']))
        self.assertEqual({found[name] for name in ('mount', 'unshare', 'setns', 'bpf', *MORE)}, {'EPERM'})

    def test_joined(self):
        """E45, E37: a process that joins has it as well, also after a restart of the service."""
        container = self.container(Seccomp='strict')
        self.assert_strict(self.outcomes(self.execute(container, CALLS)))
        self.another_service()
        self.assert_strict(self.outcomes(self.execute(container, CALLS)))
