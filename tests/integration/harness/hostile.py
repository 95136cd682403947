"""What an attacker has: connections of any uid in this process, with fds and with no manners; a file system that stops
answering; a socket that is slow to close."""

import contextlib
import os
import select
import socket
import struct
import subprocess
import sys

from .client import MANAGER, NAME, PATH, identity
from .wire import SIGNAL, Wire, Writer
from .world import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))


def wire(address, uid):
    with identity(uid):
        return Wire(address)


class Stranger:
    """A user whom nothing concerns: hears all signals that it can, and asks what there is."""

    def __init__(self, world, uid):
        self.wire = wire(world.address, uid)
        self.wire.socket.settimeout(10)
        self.heard = bytearray()  # of many signals
        self.wire.bus('AddMatch', 's', bytes(Writer().s(f"type='signal',sender='{NAME}'").data))

    def _ask(self, *call):
        *head, body = call
        serial = self.wire.send(*head, bytes(body.data))
        while True:
            kind, reply, _, data = self.wire.receive()
            if kind == SIGNAL:
                self.heard += data
            elif reply == serial:
                return data

    def learns(self, told):
        """Words for what it got to know and must not."""
        found = []
        for interface, member, signature, body in (
                (MANAGER, 'ListContainers', 'a{sv}', Writer().array(8, [], None)),
                ('org.freedesktop.DBus.ObjectManager', 'GetManagedObjects', '', Writer())):
            if b'/container/' in self._ask(NAME, PATH, interface, member, signature, body):
                found.append(f'I8 {member} shows a stranger the containers of others')
        found += [f'I8 a signal says {word}' for word in told if word in self.heard]
        self.heard = bytearray()  # of many signals
        return found


class Fuse:
    """Mounted at `where`; tells a line for each request that is to remain without an answer."""

    def __init__(self, world, where, program, *arguments):
        self.world, self.where, self.seen = world, where, 0
        os.makedirs(where)
        self.process = subprocess.Popen([sys.executable, f'{HERE}/{program}', where, *map(str, arguments)],
                                        stdout=subprocess.PIPE, cwd='/')
        world.extra.append(self.process)
        wait_until(lambda: self.is_mounted() or self.process.poll() is not None, what='the mount')
        if self.process.poll() is not None:
            raise RuntimeError('there is no FUSE here')

    def is_mounted(self):
        with open('/proc/self/mountinfo') as f:
            return any(line.split()[4] == self.where for line in f)

    def told(self):
        """How many have come up to now."""
        while select.select([self.process.stdout], [], [], 0)[0]:
            data = os.read(self.process.stdout.fileno(), 4096)
            if not data:
                break
            self.seen += data.count(b'\n')
        return self.seen

    def close(self):
        if self.process not in self.world.extra:
            return
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.world.extra.remove(self.process)
        subprocess.run(['umount', '--lazy', self.where], check=True)
        os.rmdir(self.where)


def lingering_socket(seconds):
    """(socket, its other end): whoever closes the first last will wait in close() for that long."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    listener.bind(('127.0.0.1', 0))
    listener.listen()
    client = socket.socket()
    client.connect(listener.getsockname())
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            client.send(bytes(65536))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, seconds))
    return client, listener
