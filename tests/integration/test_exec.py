"""Processes that join a container: Exec, and the objects that it makes."""

import os
import signal

from harness.case import Case
from harness.client import PATH, PROPERTIES, Container, options_variant, pump, raw

EXEC = 'org.naive.Runc.Exec1'
SLEEP = ['/bin/sleep', '600']


class Exec(Container):
    """The object of a process that has joined a container."""

    def call(self, member, signature='()', arguments=(), **kwargs):
        return self.client.call(self.path, EXEC, member, signature, arguments, **kwargs)

    def kill(self, number=signal.SIGKILL):
        self.call('Kill', 'i', (int(number),))

    def prop(self, name):
        return self.client.prop(self.path, EXEC, name)

    def props(self):
        return self.client.call(self.path, PROPERTIES, 'GetAll', 's', (EXEC,))[0]


class ExecCase(Case):
    def container(self, client=None, rootfs=None, argv=SLEEP, **options):
        return (client or self.root).spawn(rootfs or self.rootfs, argv, **options)

    def execute(self, container, argv, fds={}, client=None, flags=0, **options):
        client = client or container.client
        handles = {number: index for index, number in enumerate(fds)}
        path, = client.call(container.path, 'org.naive.Runc.Container1', 'Exec', 'aaya{uh}a{sv}',
                            ([raw(word) for word in argv], handles, options_variant(options)), fds=tuple(fds.values()),
                            flags=flags)
        return Exec(client, path)

    def says(self, container, script, **kwargs):
        process = self.execute(container, ['/bin/sh', '-c', script], **kwargs)
        result = process.wait()
        log = process.log().decode()
        self.assertEqual(result, ('success', 0), log)
        return log


class Whole(ExecCase):
    def test_output_and_codes(self):
        """What the command writes is in its own log, and each way to end has its result and code."""
        container = self.container()
        self.assertEqual(self.says(container, 'echo hello; echo world >&2'), 'hello\nworld\n')
        for script, result in (('exit 0', ('success', 0)), ('exit 7', ('exit-code', 7)), ('kill -9 $$', ('signal', 9)),
                               ('kill -15 $$', ('signal', 15))):
            self.assertEqual(self.execute(container, ['/bin/sh', '-c', script]).wait(), result)
        self.assertEqual(container.log(), b'')
        self.assertEqual(container.state, 'running')

    def test_inside(self):
        """The process is in the container: among its processes, on its host, in its tree, with its ids."""
        container = self.container(Hostname='inner', Id='inside')
        log = self.says(container, 'hostname; pwd; id -u; cat /proc/1/cmdline | tr "\\0" " "; cat /proc/self/cgroup')
        self.assertTrue(log.startswith('inner\n/\n0\n/bin/sleep 600 '), log)

    def test_objects(self):
        """Paths are numbered from 1 below the container's, the ObjectManager shows them, and they go with the container."""
        container = self.container()
        seen = self.root.subscribe()
        first, second = self.execute(container, SLEEP), self.execute(container, ['/bin/true'])
        self.assertEqual((first.path, second.path), (container.path + '/exec/1', container.path + '/exec/2'))
        self.assertEqual(second.wait(), ('success', 0))
        self.assertEqual(first.props()['State'], 'running')
        self.assertEqual(os.readlink(f'/proc/{first.pid}/ns/pid'), os.readlink(f'/proc/{container.pid}/ns/pid'))
        self.assertEqual(second.props(), {'Pid': 0, 'State': 'stopped', 'Result': 'success', 'ExitCode': 0})
        self.assertLessEqual({first.path, second.path}, set(self.root.managed()))
        container.kill(whom='all')
        container.wait()
        self.assertEqual(first.wait(), ('signal', 9))
        container.delete()
        self.assertFalse({first.path, second.path} & set(self.root.managed()))
        with self.refused('UnknownObject'):
            first.wait()
        self.assertTrue(pump(lambda: sum(s[2] == 'InterfacesRemoved' for s in seen) >= 3))
        told = [(s[2], s[0] if s[2] in ('Exited', 'PropertiesChanged') else s[3][0]) for s in seen]
        for path, order in ((first.path, ['InterfacesAdded', 'Exited', 'PropertiesChanged', 'InterfacesRemoved']),
                            (second.path, ['InterfacesAdded', 'Exited', 'PropertiesChanged', 'InterfacesRemoved'])):
            self.assertEqual([name for name, of in told if of == path], order)
