#!/usr/bin/python3
"""The far end of UserClient: reads calls as JSON lines, makes them, answers in kind."""

import json
import os
import sys

import gi
gi.require_version('Gio', '2.0')
from gi.repository import Gio, GLib  # noqa: E402


def main():
    connection = Gio.DBusConnection.new_for_address_sync(
        sys.argv[1], Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
        Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
    connection.set_exit_on_close(True)
    print(json.dumps({'name': connection.get_unique_name()}), flush=True)
    for line in sys.stdin:
        call = json.loads(line)
        arguments = GLib.Variant.parse(GLib.VariantType(call['type']), call['arguments'], None, None)
        try:
            reply, fds = connection.call_with_unix_fd_list_sync(
                call['destination'], call['path'], call['interface'], call['member'], arguments, None,
                Gio.DBusCallFlags(call['flags']), int(call['timeout'] * 1000), None, None)
            for fd in fds.steal_fds() if fds else []:
                os.close(fd)
            answer = {'type': reply.get_type_string(), 'value': reply.print_(True)}
        except GLib.Error as error:
            name = Gio.dbus_error_get_remote_error(error) or 'local.Error'
            answer = {'error': [name, error.message.removeprefix(f'GDBus.Error:{name}: ')]}
        print(json.dumps(answer), flush=True)


main()
