"""The bus as a client sees it, root or any other user: Gio in this process."""

import contextlib
import os
import signal

import gi
gi.require_version('Gio', '2.0')
from gi.repository import Gio, GLib  # noqa: E402

NAME, PATH = 'org.naive.Runc', '/org/naive/Runc'
RUNC, MANAGER, CONTAINER = 'org.naive.Runc', 'org.naive.Runc.Manager1', 'org.naive.Runc.Container1'
PROPERTIES = 'org.freedesktop.DBus.Properties'
INFINITY = 2**64 - 1
SECRET_LENGTH_MIN = 6  # a shorter word may stand in a signal by chance

INTERACTIVE = Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION

OPTION_TYPES = {
    'MemoryHigh': 't', 'MemoryLow': 't', 'CPUWeight': 't', 'CPUQuotaPerSecUSec': 't',
    'Id': 's', 'Labels': 'a{ss}', 'MemoryMax': 't', 'MemorySwapMax': 't', 'TasksMax': 't', 'Environment': 'aay',
    'WorkingDirectory': 'ay', 'UMask': 'u', 'Hostname': 's', 'Terminal': 'b', 'ReadOnlyRoot': 'b', 'UserNamespace': 's',
    'SeccompFilters': 'aay', 'SeccompLog': 'b',
    'Network': 's', 'Capabilities': 'as', 'Seccomp': 's', 'NoNewPrivileges': 'b', 'WatchBus': 'b', 'Remove': 'b',
    'RuntimeMaxUSec': 't', 'CPUTimeMaxUSec': 't', 'WatchFD': 'b', 'Mounts': 'a(ayaysas)', 'RootFD': 'h', 'EmptyRoot': 'b', 'Volatile': 'b', 'RootSize': 't', 'StatusFD': 'h', 'StandardInput': 'h', 'StandardOutput': 'h', 'StandardError': 'h',
    'Init': 'b', 'Sysctl': 'a{ss}', 'NetworkNamespaceFD': 'h', 'AllowedCPUs': 's', 'IOWeight': 't',
    'User': '(uu)', 'SupplementaryGroups': 'au', 'CapabilityBoundingSet': 'as', 'OOMScoreAdjust': 'i',
    **{f'Limit{name}': '(tt)' for name in ('NOFILE', 'FSIZE', 'CORE', 'STACK', 'NPROC', 'MEMLOCK')},
}


HANDLES = ('NetworkNamespaceFD', 'RootFD', 'StatusFD')  # given as numbers of this process


class BusError(Exception):
    """`name`: the D-Bus error's name; its last word is what tests look at."""

    def __init__(self, name, text):
        super().__init__(f'{name}: {text}')
        self.name, self.text = name, text


def words(error, name):
    return error.message.removeprefix(f'GDBus.Error:{name}: ')


def raw(value):
    return list(value if isinstance(value, bytes) else os.fsencode(value))


def options_variant(options):
    result = {}
    for key, value in options.items():
        if isinstance(value, GLib.Variant):
            result[key] = value
            continue
        kind = OPTION_TYPES[key]
        if kind == 'ay':
            value = raw(value)
        elif kind == 'aay':
            value = [raw(v) for v in value]
        elif key == 'Mounts':
            value = [(raw(source), raw(target), *rest) for source, target, *rest in value]
        result[key] = GLib.Variant(kind, value)
    return result


class Client:
    """What every client can do, whoever it is; invoke() is what differs."""

    told = set()  # what callers said about their containers, which nobody else may hear

    def tell(self, *words):
        self.told.update(word for word in map(bytes, map(raw, words)) if len(word) >= SECRET_LENGTH_MIN)

    def invoke(self, path, interface, member, arguments, timeout, flags, fds, destination):
        raise NotImplementedError

    def call(self, path, interface, member, signature='()', arguments=(), timeout=20, flags=0, fds=(),
             destination=NAME):
        if not signature.startswith('('):
            signature = f'({signature})'
        return self.invoke(path, interface, member, GLib.Variant(signature, tuple(arguments)),
                           timeout, flags, fds, destination)

    def bus(self, member, signature='()', arguments=()):
        """A method of the bus daemon itself."""
        return self.call('/org/freedesktop/DBus', 'org.freedesktop.DBus', member, signature, arguments,
                         destination='org.freedesktop.DBus')

    def call_text(self, path, interface, member, signature, text, **kwargs):
        """Arguments in GVariant's text form, for what Python's containers cannot say (repeated keys)."""
        return self.invoke(path, interface, member,
                           GLib.Variant.parse(GLib.VariantType(signature), text, None, None),
                           kwargs.get('timeout', 20), kwargs.get('flags', 0), (), NAME)

    def run(self, rootfs, memory, argv, **kwargs):
        self.tell(rootfs, *argv)
        path, = self.call(PATH, RUNC, 'Run', 'stas', (rootfs, memory, argv), **kwargs)
        return Container(self, path)

    def _arguments(self, rootfs, argv, fds, options):
        if not isinstance(options.get('Environment'), GLib.Variant):
            self.tell(rootfs, *argv, *options.get('Environment', ()))
        handles = {number: index for index, number in enumerate(fds)}
        extra = len(fds)
        for key in HANDLES:
            if isinstance(options.get(key), int):
                options = dict(options, **{key: extra})
                extra += 1
        return raw(rootfs), [raw(a) for a in argv], handles, options_variant(options)

    @staticmethod
    def _passed(fds, options):
        return (*fds.values(), *(options[key] for key in HANDLES if isinstance(options.get(key), int)))

    def _new(self, member, rootfs, argv, fds, options, **kwargs):
        path, = self.call(PATH, MANAGER, member, 'ayaaya{uh}a{sv}', self._arguments(rootfs, argv, fds, options),
                          fds=self._passed(fds, options), **kwargs)
        return Container(self, path)

    def spawn(self, rootfs, argv, fds={}, flags=0, **options):
        return self._new('Spawn', rootfs, argv, fds, options, flags=flags)

    def create(self, rootfs, argv, fds={}, flags=0, **options):
        return self._new('Create', rootfs, argv, fds, options, flags=flags)

    def containers(self):
        """[(id, state, owner, created, path)]"""
        return self.call(PATH, MANAGER, 'ListContainers', 'a{sv}', ({},))[0]

    def get_container(self, name):
        return Container(self, self.call(PATH, MANAGER, 'GetContainer', 's', (name,))[0])

    def managed(self):
        return self.call(PATH, 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects')[0]

    def prop(self, path, interface, name):
        return self.call(path, PROPERTIES, 'Get', 'ss', (interface, name))[0]

    def ping(self, timeout=1):
        self.call(PATH, 'org.freedesktop.DBus.Peer', 'Ping', timeout=timeout)


class Container:
    def __init__(self, client, path):
        self.client, self.path = client, path

    def call(self, member, signature='()', arguments=(), **kwargs):
        return self.client.call(self.path, CONTAINER, member, signature, arguments, **kwargs)

    def start(self):
        self.call('Start')

    def stop(self, number=signal.SIGTERM, timeout=2.0):
        self.call('Stop', 'it', (int(number), int(timeout * 1e6)))

    def kill(self, number=signal.SIGKILL, whom='main'):
        self.call('Kill', 'si', (whom, int(number)))

    def end(self):
        """By SIGKILL; how it ended."""
        self.kill()
        return self.wait()

    def wait(self, timeout=30):
        return self.call('Wait', timeout=timeout)

    def delete(self):
        self.call('Delete')

    def log(self):
        """All that ReadLog has, in pieces as small as it gives them."""
        data, offset = b'', 0
        while True:
            after, piece = self.call('ReadLog', 'tu', (offset, 65536))
            data += bytes(piece)
            if not piece:
                return data
            offset = after

    def prop(self, name):
        return self.client.prop(self.path, CONTAINER, name)

    def props(self):
        return self.client.call(self.path, PROPERTIES, 'GetAll', 's', (CONTAINER,))[0]

    @property
    def id(self):
        return self.prop('Id')

    @property
    def state(self):
        return self.prop('State')

    @property
    def pid(self):
        return self.prop('Pid')


class RootClient(Client):
    """One connection of this process, that is root."""

    def __init__(self, address):
        self.connection = Gio.DBusConnection.new_for_address_sync(
            address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.connection.set_exit_on_close(False)
        self.fds = []

    def close(self):
        self.connection.close_sync(None)

    @property
    def name(self):
        return self.connection.get_unique_name()

    def invoke(self, path, interface, member, arguments, timeout, flags, fds, destination):
        fd_list = Gio.UnixFDList.new()
        for fd in fds:
            fd_list.append(fd)
        try:
            reply, received = self.connection.call_with_unix_fd_list_sync(
                destination, path, interface, member, arguments, None, Gio.DBusCallFlags(flags),
                int(timeout * 1000), fd_list, None)
        except GLib.Error as error:
            name = Gio.dbus_error_get_remote_error(error)
            if name is None:
                name = 'local.' + ('Timeout' if error.matches(Gio.io_error_quark(),
                                                             Gio.IOErrorEnum.TIMED_OUT) else 'Error')
            raise BusError(name, words(error, name)) from None
        self.fds = received.steal_fds() if received else []
        return reply.unpack()

    def spawn_async(self, rootfs, argv, fds={}, **options):
        return self.call_async(PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', self._arguments(rootfs, argv, fds, options),
                               fds=self._passed(fds, options))

    def call_async(self, path, interface, member, signature='()', arguments=(), timeout=60, flags=0, fds=()):
        """Sends now; returns a list that receives one entry when the reply is here: a value or a BusError."""
        outcome = []
        fd_list = Gio.UnixFDList.new()
        for fd in fds:
            fd_list.append(fd)
        if not signature.startswith('('):
            signature = f'({signature})'

        def done(connection, result):
            try:
                outcome.append(connection.call_with_unix_fd_list_finish(result)[0].unpack())
            except GLib.Error as error:
                name = Gio.dbus_error_get_remote_error(error) or 'local.Error'
                outcome.append(BusError(name, words(error, name)))
        self.connection.call_with_unix_fd_list(
            NAME, path, interface, member, GLib.Variant(signature, tuple(arguments)), None, Gio.DBusCallFlags(flags),
            int(timeout * 1000), fd_list, None, done)
        return outcome

    def subscribe(self, interface=None, member=None, path=None):
        """A list that signals are added to as (path, interface, member, arguments); see pump()."""
        seen = []
        self.connection.signal_subscribe(
            NAME, interface, member, path, None, Gio.DBusSignalFlags.NONE,
            lambda c, sender, path, interface, member, arguments: seen.append(
                (path, interface, member, arguments.unpack())))
        self.bus('GetId')
        return seen


def pump(until, timeout=5.0):
    """Runs the main loop until the condition holds; returns whether it does."""
    context = GLib.MainContext.default()
    expired = []
    timer = GLib.timeout_add(int(timeout * 1000), lambda: expired.append(1))
    tick = GLib.timeout_add(20, lambda: True)
    while not until() and not expired:
        context.iteration(True)
    if not expired:
        GLib.source_remove(timer)
    GLib.source_remove(tick)
    return bool(until())


@contextlib.contextmanager
def identity(uid):
    """This whole process is `uid` meanwhile, and may come back. The bus learns the uid when a client connects."""
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(uid, uid, 0)
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


class UserClient(RootClient):
    """A connection of another user's that lives in this process, so that it can pass fds and leave calls unanswered."""

    def __init__(self, address, uid):
        with identity(uid):
            super().__init__(address)
