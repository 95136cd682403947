#!/usr/bin/python3
"""Makes a thumbnail of a picture whose maker nobody trusts: in an empty root, with limits of memory and time.

usage: thumbnail.py PICTURE THUMBNAIL.png

By Gio, as any user to whom polkit grants "run". Prints what the program used."""

import json
import os
import sys

from gi.repository import Gio, GLib

NAME, PATH = 'org.naive.Runc', '/org/naive/Runc'


def call(bus, path, interface, method, arguments, fds=None):
    reply, _ = bus.call_with_unix_fd_list_sync(NAME, path, interface, method, arguments, None, Gio.DBusCallFlags.NONE, -1,
                                               fds, None)
    return reply.unpack()


def mount(kind, source, target, *options):
    return os.fsencode(source), os.fsencode(target), kind, list(options)


def main(picture, thumbnail):
    output = os.path.dirname(os.path.abspath(thumbnail))
    mounts = [mount('bind', '/usr', '/usr', 'ro'), mount('symlink', 'usr/lib', '/lib'), mount('symlink', 'usr/lib64', '/lib64'),
              mount('proc', '', '/proc'), mount('dev', '', '/dev'), mount('tmpfs', '', '/tmp'),
              mount('bind', os.path.abspath(picture), '/in', 'ro'), mount('bind', output, '/out')]
    reader, writer = os.pipe()
    fds = Gio.UnixFDList()
    options = {'EmptyRoot': GLib.Variant('b', True), 'UserNamespace': GLib.Variant('s', 'keep-id'),
               'Mounts': GLib.Variant('a(ayaysas)', mounts), 'CapabilityBoundingSet': GLib.Variant('as', []),
               'MemoryMax': GLib.Variant('t', 512 << 20), 'RuntimeMaxUSec': GLib.Variant('t', 20_000_000),
               'StatusFD': GLib.Variant('h', fds.append(writer))}
    argv = ['/usr/bin/gdk-pixbuf-thumbnailer', '-s', '32', '/in', '/out/' + os.path.basename(thumbnail)]
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    container, = call(bus, PATH, NAME + '.Manager1', 'Spawn',
                      GLib.Variant('(ayaaya{uh}a{sv})', (b'', [os.fsencode(word) for word in argv], {}, options)), fds)
    os.close(writer)
    del fds  # the list holds a copy of the descriptor
    last = [json.loads(line) for line in open(reader)][-1]
    usage, = call(bus, container, 'org.freedesktop.DBus.Properties', 'Get',
                  GLib.Variant('(ss)', (NAME + '.Container1', 'Usage')))
    call(bus, container, NAME + '.Container1', 'Delete', None)
    print(last['result'], last['code'], json.dumps(usage))
    return last['code'] if last['result'] == 'exit-code' else int(last['result'] != 'success')


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
