"""Row E70: naivec as anybody on the bus can reach it."""

import signal
import subprocess

from harness.case import Case
from harness.client import GLib

SCRIPT = 'trap "exit 5" TERM; echo up; while :; do sleep .05; done'


class Waiting(Case):
    def names(self):
        return set(self.root.bus('ListNames')[0])

    def test_letters(self):
        """E70: whatever others send to a waiting naivec, it passes signals on, and tells how the command has ended."""
        carol, before = self.impostor('carol'), self.names()
        process = self.started(self.world.naivec, 'run', self.rootfs, '/bin/sh', '-c', SCRIPT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b'up\n')
        ours = self.names() - before
        self.assertTrue(ours)
        for name in ours:
            for size in 0, 1, 40000, 1000000:
                carol.connection.emit_signal(name, '/a', 'a.b', 'C', GLib.Variant('(s)', ('x' * size,)))
        carol.connection.flush_sync(None)
        carol.bus('GetId')  # it was sent on, then
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 5)
