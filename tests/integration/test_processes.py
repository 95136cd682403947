"""Which processes a container has: GetProcesses, naivec ps."""

import json

from harness.case import Case
from harness.client import CONTAINER
from harness.files import read


class Processes(Case):
    def test_command_lines(self):
        """Each process with its number on the host and its command line."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', '/bin/sleep 1001 & /bin/sleep 1002 & wait'])
        self.eventually(lambda: len(container.call('GetProcesses')[0]) == 3, timeout=30)
        self.eventually(lambda: {line for _, line in container.call('GetProcesses')[0]} ==
                        {'/bin/sh -c /bin/sleep 1001 & /bin/sleep 1002 & wait', '/bin/sleep 1001', '/bin/sleep 1002'},
                        timeout=30)
        for pid, line in container.call('GetProcesses')[0]:
            self.assertEqual(read(f'/proc/{pid}/cmdline').rstrip('\0').replace('\0', ' '), line)
        self.assertIn(container.pid, [pid for pid, _ in container.call('GetProcesses')[0]])
        container.end()
        with self.refused('InvalidState', text='stopped'):
            container.call('GetProcesses')

    def test_bytes(self):
        """Bytes that are no text become U+FFFD, and a long command line is cut."""
        container = self.root.spawn(self.rootfs, [b'/bin/sh', b'-c', b'sleep 1000 & wait', b'x\xffy' + b'z' * 1000])
        self.eventually(lambda: len(container.call('GetProcesses')[0]) == 2, timeout=30)
        line = dict(container.call('GetProcesses')[0])[container.pid]
        self.assertTrue(line.startswith('/bin/sh -c sleep 1000 & wait x\N{REPLACEMENT CHARACTER}yzz'), line)
        self.assertLess(len(line), 300)

    def test_created(self):
        """What waits for Start is a process, too."""
        container = self.root.create(self.rootfs, ['/bin/true'])
        self.assertEqual([pid for pid, _ in container.call('GetProcesses')[0]], [container.pid])

    def test_stranger(self):
        """The owner needs no permission; to a stranger there is no such container."""
        container = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sleep', '1000'])
        self.assertEqual(container.call('GetProcesses')[0][0][1], '/bin/sleep 1000')
        with self.refused('UnknownObject'):
            self.user('mallory').call(container.path, CONTAINER, 'GetProcesses')

    def test_naivec_ps(self):
        """naivec ps: a table, and JSON."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '1000'], Id='web')
        self.eventually(lambda: container.call('GetProcesses')[0][0][1] == '/bin/sleep 1000', timeout=30)
        done = self.command(self.world.naivec, 'ps', f'--address={self.world.address}', 'web')
        heading, line = done.stdout.decode().splitlines()
        self.assertEqual((heading.split(), line.split(None, 1)),
                         (['PID', 'COMMAND'], [str(container.pid), '/bin/sleep 1000']))
        done = self.command(self.world.naivec, 'ps', f'--address={self.world.address}', '--json=short', 'web')
        self.assertEqual(json.loads(done.stdout), [{'pid': container.pid, 'command': '/bin/sleep 1000'}])
        self.assertEqual(self.command(self.world.naivec, 'ps', f'--address={self.world.address}', 'no').returncode, 1)
