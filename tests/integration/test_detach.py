"""Leaving a terminal and letting the command go on: --detach-keys, and who may take WatchBus back."""

import os

from harness.client import GLib
from harness.exec_case import SLEEP, ExecCase

import test_naivec

FALSE = {'WatchBus': GLib.Variant('b', False)}


class Keys(test_naivec.Naivec):
    terminal, finish = test_naivec.Terminal.terminal, test_naivec.Terminal.finish

    def test_run(self):
        """The keys of `run`, told on the first line, leave the container running, though it would end with naivec."""
        for flags, words, keys in (((), b'Ctrl-P Ctrl-Q detaches', b'\x10\x11'),
                                   (('--detach-keys=x,ctrl-b',), b'x Ctrl-B detaches', b'xx\x02')):
            pid, fd = self.terminal('run', '--name=left', *flags, self.rootfs, '/bin/sh')
            self.expect(fd, words)
            self.expect(fd, b'# ')
            os.write(fd, keys)
            self.assertEqual(self.finish(pid, fd), 0)
            container = self.root.get_container('left')
            self.assertEqual(container.state, 'running')
            container.kill()  # and it is forgotten, as what `run` attaches to is
            self.eventually(lambda: not self.root.containers(), what='its end')

    def test_wrong(self):
        """What is no key is a wrong use."""
        for keys in ('ctrl-', 'ab', ','):
            self.assertEqual(self.naivec('run', f'--detach-keys={keys}', self.rootfs, '/bin/true').returncode, 2)


class Watch(ExecCase):
    def test_taken_back(self):
        """The caller takes its own WatchBus back, of a container and of what joined it; nobody else can, nor set it."""
        client = self.another_client()
        container = self.container(client=client, WatchBus=True)
        process = self.execute(container, SLEEP, WatchBus=True)
        for target in container, process:
            with self.refused('AccessDenied', text='WatchBus'):
                type(target)(self.root, target.path).call('Update', 'a{sv}', (FALSE,))
            with self.refused('InvalidArgs', text='WatchBus'):
                target.call('Update', 'a{sv}', ({'WatchBus': GLib.Variant('b', True)},))
            target.call('Update', 'a{sv}', (FALSE,))
        client.close()
        self.output(['/bin/true'])
        for target in container, process:
            self.assertEqual(type(target)(self.root, target.path).prop('State'), 'running')
