"""Rows E55 to E57: containers of the OCI command line, which the service finds by what others have written."""

import hashlib
import os
import signal

from harness.client import Container
from harness.files import read, write
from harness.index_case import ID, SLEEP, IndexCase, start_time


class Index(IndexCase):
    def test_not_believed(self):
        """E55: a number that another process has by now is no container; nor is one whose process is elsewhere."""
        leaf, elsewhere = self.leaf('a'), self.leaf('b')
        process = self.started(*SLEEP, preexec_fn=leaf.enter)
        mark = self.log_mark()
        self.publish(process, elsewhere)
        self.eventually(lambda: b'not in its cgroup' in self.log_since(mark), what='a word of it')
        self.assertEqual(self.shown(), [])
        self.publish(process, leaf, StartTime=start_time(process.pid) + 1)
        self.eventually(self.shown, what='one that has ended')
        (name, state, _, _, path), = self.shown()
        self.assertEqual(state, 'stopped')
        for call in (lambda: Container(self.root, path).kill(), lambda: Container(self.root, path).call('Pause'),
                     lambda: Container(self.root, path).call('OpenPIDFD')):
            with self.refused('InvalidState'):
                call()
        self.assertIsNone(process.poll())

    def test_no_file_of_ours(self):
        """E55: what is no plain file of root's alone, or makes no sense, is not shown, and harms nobody."""
        leaf = self.leaf('a')
        process = self.started(*SLEEP, preexec_fn=leaf.enter)
        directory = self.directory()
        text = read(self.publish(process, leaf))
        self.eventually(self.shown, what='the container')
        self.withdraw(f'{directory}/{hashlib.sha256(ID.encode()).hexdigest()}')
        self.put(text, 'writable', mode=0o622)
        self.put('', 'empty')
        self.put('x' * 100000, 'large')
        self.put(text.replace('Pid=', 'Pid=-'), 'pid')
        self.put(text, 'strange', uid=20001)
        write(f'{self.world.directory}/text', text)
        for name, make in (('link', lambda p: os.symlink(f'{self.world.directory}/text', p)), ('fifo', os.mkfifo),
                           ('directory', os.mkdir)):
            make(f'{directory}/.{name}')
            os.rename(f'{directory}/.{name}', f'{directory}/{name}')
        mark = self.log_mark()
        try:
            self.put('', 'last')
            self.eventually(lambda: b"'last'" in self.log_since(mark), what='the last of them')
            self.assertEqual([row for row in self.shown() if row[1] != 'stopped'], [])
        finally:
            os.rmdir(f'{directory}/directory')
            os.unlink(f'{directory}/fifo')
            os.unlink(f'{directory}/link')

    def test_name_of_another(self):
        """E55: nor what gives itself the name of another, of the index or of root's own."""
        _, _, container, _ = self.podmans(Serial=1 << 40)
        name = f'oci-{1 << 40}'
        self.assertEqual(container.prop('Id'), name)
        thief, leaf = self.started(*SLEEP, preexec_fn=self.leaf('thief').enter), self.leaf('thief')
        mark = self.log_mark()
        self.publish(thief, leaf, id='thief', Serial=1 << 40)
        self.eventually(lambda: f"has the name of another, '{name}'".encode() in self.log_since(mark), what='a word of it')
        self.assertEqual([row[0] for row in self.shown()], [name])
        self.assertNotEqual(container.pid, thief.pid)

    def test_stranger(self):
        """E56: to a stranger it is no object, whatever the method."""
        _, _, container, _ = self.podmans()
        stranger = Container(self.user('mallory'), container.path)
        for call in (lambda: stranger.kill(), lambda: stranger.call('Pause'), lambda: stranger.wait(),
                     lambda: stranger.call('GetStats'), lambda: stranger.prop('Labels'), stranger.delete):
            with self.refused('UnknownObject'):
                call()
        self.assertEqual(self.shown(self.user('mallory')), [])
        self.assertEqual(container.state, 'running')

    def test_stays(self):
        """E57: neither the end of the service, however it comes, nor of the file ends a process of it or removes its cgroup."""
        process, leaf, _, path = self.podmans(('/bin/sh', '-c', 'sleep 600 & wait'))
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.service_again(number)
            self.assertEqual([row[1] for row in self.shown()], ['running'])
        os.unlink(path)
        self.eventually(lambda: not self.shown(), what='the end of the object')
        self.assertIsNone(process.poll())
        self.assertEqual(len(read(f'{leaf.directories[0]}/cgroup.procs').split()), 2)
