"""D-Bus by hand: for messages that no library would send, and for many calls in no time."""

import array
import os
import socket
import struct

import gi
gi.require_version('Gio', '2.0')
from gi.repository import Gio  # noqa: E402

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY_EXPECTED, NO_AUTO_START, ALLOW_INTERACTIVE = 1, 2, 4


class Writer:
    """Marshals little-endian. Positions count from the start of the body (or header)."""

    def __init__(self):
        self.data = bytearray()

    def align(self, n):
        self.data += b'\0' * (-len(self.data) % n)
        return self

    def u(self, value):
        self.align(4)
        self.data += struct.pack('<I', value)
        return self

    def t(self, value):
        self.align(8)
        self.data += struct.pack('<Q', value)
        return self

    def s(self, value):
        raw = value if isinstance(value, bytes) else value.encode()
        self.u(len(raw))
        self.data += raw + b'\0'
        return self

    o = s

    def g(self, value):
        self.data += bytes([len(value)]) + value.encode() + b'\0'
        return self

    def ay(self, value):
        self.u(len(value))
        self.data += value
        return self

    def array(self, alignment, items, write):
        self.u(0)
        at = len(self.data) - 4
        self.align(alignment)
        start = len(self.data)
        for item in items:
            self.align(alignment)
            write(self, item)
        struct.pack_into('<I', self.data, at, len(self.data) - start)
        return self


def run_body(path, argv=('/bin/true',)):
    """The arguments of Run."""
    return bytes(Writer().s(path).t(0).array(4, argv, Writer.s).data)


def spawn_body(path, fds=()):
    """The arguments of Spawn; `fds`: pairs of a number and an index."""
    body = Writer().ay(path.encode()).array(4, [b'/bin/true'], Writer.ay)
    return bytes(body.array(8, fds, lambda w, pair: w.u(pair[0]).u(pair[1])).array(8, [], None).data)


def header(kind, flags, serial, body_length, fields):
    w = Writer()
    w.data += struct.pack('<cBBBII', b'l', kind, flags, 1, body_length, serial)

    def write(w, field):
        code, signature, value = field
        w.data.append(code)
        w.g(signature)
        getattr(w, signature)(value)
    w.array(8, fields, write)
    w.align(8)
    return bytes(w.data)


class Wire:
    def __init__(self, address, takes_fds=True):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(address.split('path=')[1].split(',')[0])
        self.socket.settimeout(60)
        self.buffer = b''
        self.serial = 0
        uid = str(os.getuid()).encode().hex().encode()
        negotiate = b'NEGOTIATE_UNIX_FD\r\n' if takes_fds else b''
        self.socket.sendall(b'\0AUTH EXTERNAL ' + uid + b'\r\n' + negotiate + b'BEGIN\r\n')
        while self.buffer.count(b'\r\n') < 1 + takes_fds:
            self._fill()
        self.buffer = self.buffer.split(b'\r\n', 1 + takes_fds)[-1]
        self.bus('Hello')

    def _fill(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError('the bus closed the connection')
        self.buffer += data

    def _await(self, size):
        while len(self.buffer) < size:
            self._fill()

    def close(self):
        self.socket.close()

    def encode(self, destination, path, interface, member, signature='', body=b'', flags=0, fds=0):
        self.serial += 1
        fields = [(1, 'o', path), (2, 's', interface), (3, 's', member), (6, 's', destination)]
        if signature:
            fields.append((8, 'g', signature))
        if fds:
            fields.append((9, 'u', fds))
        return header(CALL, flags, self.serial, len(body), fields) + body

    def send(self, destination, path, interface, member, signature='', body=b'', flags=0, fds=()):
        data = self.encode(destination, path, interface, member, signature, body, flags, len(fds))
        if fds:
            sent = self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                                array.array('i', fds))])
            data = data[sent:]
        self.socket.sendall(data)
        return self.serial

    def message(self):
        """The next one that comes, and its bytes."""
        self._await(16)
        size = Gio.DBusMessage.bytes_needed(self.buffer[:16])
        self._await(size)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return Gio.DBusMessage.new_from_blob(data, Gio.DBusCapabilityFlags.NONE), data

    def receive(self):
        """(kind, reply serial, error name or None, body)"""
        message, data = self.message()
        size, = struct.unpack_from('<I', data, 4)
        return message.get_message_type(), message.get_reply_serial(), message.get_error_name(), data[len(data) - size:]

    def replies(self, serials):
        """Waits for the replies to these serials: {serial: error name or None}."""
        result = {}
        while set(serials) - set(result):
            kind, serial, name, _ = self.receive()
            if kind in (RETURN, ERROR) and serial in serials:
                result[serial] = name
        return result

    def call(self, *args, **kwargs):
        """Error name or None."""
        serial = self.send(*args, **kwargs)
        return self.replies({serial})[serial]

    def bus(self, *args):
        """The same of the bus daemon itself."""
        return self.call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', *args)
