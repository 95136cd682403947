"""Every member of every interface: called by a client that is not ours, by its owner, by root and by a stranger, in each
state that its object can be in. A member without a row fails here."""

import os
import re
import xml.etree.ElementTree as ET
from glob import glob

from harness.case import Case
from harness.client import CONTAINER, MANAGER, PATH, PROPERTIES, RUNC, BusError, Container, GLib, pump, raw
from harness.world import SOURCE

EXEC = 'org.naive.Runc.Exec1'
SLEEP = ['/bin/sleep', '600']
STATES = ('created', 'running', 'paused', 'stopped')
OK, WAITS, WRONG, NONE = 'ok', 'waits', 'InvalidState', 'NoTerminal'  # the rest are names of errors
NOTHING = ('', ())
TREE, WORDS = object(), [raw(word) for word in SLEEP]


def states(created=OK, running=OK, paused=OK, stopped=OK):
    return dict(zip(STATES, (created, running, paused, stopped)))


LIVES, RUNS, ALWAYS = states(stopped=WRONG), states(created=WRONG, stopped=WRONG), states()
TERMINAL = states(stopped=NONE)

FOR_TERMINALS = ('Attach', 'ResizeTerminal')  # which are called of what has one

# method: (signature, arguments), what becomes of it in each state
CONTAINER_METHODS = {
    'Start': (NOTHING, states(running=WRONG, paused=WRONG, stopped=WRONG)),
    'Stop': (('it', (9, 0)), ALWAYS),
    'Kill': (('si', ('main', 23)), LIVES),  # SIGURG, which nobody minds
    'Pause': (NOTHING, states(created=WRONG, paused=WRONG, stopped=WRONG)),
    'Resume': (NOTHING, states(created=WRONG, running=WRONG, stopped=WRONG)),
    'Update': (('a{sv}', ({},)), RUNS),
    'Delete': (NOTHING, states(running=WRONG, paused=WRONG)),
    'Wait': (NOTHING, states(created=WAITS, running=WAITS, paused=WAITS)),
    'Attach': (('a{sv}', ({},)), TERMINAL),
    'ResizeTerminal': (('qq', (24, 80)), TERMINAL),
    'OpenPIDFD': (NOTHING, LIVES),
    'OpenRootDirectory': (NOTHING, LIVES),
    'ReadLog': (('tu', (0, 100)), ALWAYS),
    'OpenLog': (('a{sv}', ({},)), ALWAYS),
    'GetProcesses': (NOTHING, LIVES),
    'GetStats': (NOTHING, LIVES),
    'GetConfig': (NOTHING, ALWAYS),
    'Exec': (('aaya{uh}a{sv}', (WORDS, {}, {})), states(created=WRONG, paused=WRONG, stopped=WRONG)),
    'SetPressureTrigger': (('stt', ('cpu', 100000, 2000000)), LIVES),
}

# The states of a process that has joined: it runs, stands still with its container, or has ended.
EXEC_STATES = ('running', 'paused', 'stopped')
EXEC_METHODS = {
    'Kill': (('i', (23,)), states(stopped=WRONG)),
    'Update': (('a{sv}', ({},)), states(stopped=WRONG)),
    'Wait': (NOTHING, states(running=WAITS, paused=WAITS)),
    'Attach': (('a{sv}', ({},)), ALWAYS),  # nobody could attach before it began
    'ResizeTerminal': (('qq', (24, 80)), TERMINAL),
    'OpenPIDFD': (NOTHING, LIVES),
    'ReadLog': (('tu', (0, 100)), ALWAYS),
    'OpenLog': (('a{sv}', ({},)), ALWAYS),
}

# Of the manager: signature, arguments, and what an owner-to-be (alice), root and a stranger (dave) get. TREE: the
# caller's own tree.
MANAGER_METHODS = {
    (RUNC, 'Run'): ('stas', (TREE, 0, SLEEP), (OK, OK, 'AccessDenied')),
    (MANAGER, 'Spawn'): ('ayaaya{uh}a{sv}', (TREE, WORDS, {}, {}), (OK, OK, 'AccessDenied')),
    (MANAGER, 'Create'): ('ayaaya{uh}a{sv}', (TREE, WORDS, {}, {}), (OK, OK, 'AccessDenied')),
    (MANAGER, 'GetContainer'): ('s', ('ALICE/there',), (OK, OK, 'NoSuchContainer')),
    (MANAGER, 'GetContainerByPIDFD'): ('h', (0,), (OK, OK, 'NoSuchContainer')),
    (MANAGER, 'ListContainers'): ('a{sv}', ({},), (OK, OK, OK)),
    (MANAGER, 'GetFeatures'): ('', (), (OK, OK, OK)),
}

EVERYBODY, ITS_OWN = 'everybody', 'the owner and root'
# signal: what brings it about, and who hears it
SIGNALS = {
    (MANAGER, 'ContainerNew'): (dict(argv=SLEEP), EVERYBODY),
    (MANAGER, 'ContainerRemoved'): (dict(argv=['/bin/true'], Remove=True), EVERYBODY),
    (CONTAINER, 'Exited'): (dict(argv=['/bin/true']), EVERYBODY),
    (CONTAINER, 'OutOfMemory'): (dict(argv=['/bin/sh', '-c', 'head -c 90000000 /dev/zero | tail >/dev/null'],
                                      MemoryMax=8 << 20), ITS_OWN),
    (CONTAINER, 'Denied'): (dict(argv=['/bin/sh', '-c', 'mount -t tmpfs x /tmp; sleep 600'], SeccompLog=True), ITS_OWN),
    (CONTAINER, 'Pressure'): (dict(argv=['/bin/sh', '-c', 'while :; do :; done & ' * ((os.cpu_count() or 1) + 3) +
                                         'wait']), ITS_OWN),
    (EXEC, 'Exited'): (dict(argv=SLEEP), EVERYBODY),
}

# property: its type. All of a container's are for the owner and root, in every state.
PROPERTIES_OF = {
    MANAGER: {'Version': str, 'NContainers': int, 'CgroupMode': str},
    CONTAINER: {'Id': str, 'OwnerUID': int, 'ControlGroup': str, 'CreatedUSec': int, 'State': str, 'Pid': int,
                'StartedUSec': int, 'ExitedUSec': int, 'Result': str, 'ExitCode': int, 'LimitHit': str, 'OOMKills': int,
                'MemoryMax': int, 'Deviations': list, 'Usage': dict, 'Labels': dict},
    EXEC: {'Pid': int, 'State': str, 'Result': str, 'ExitCode': int, 'Usage': dict},
}


class Written(Case):
    def members(self):
        """{(interface, kind, name)} of the XML; what stands above each one's entry."""
        found = {}
        for path in glob(f'{SOURCE}/dbus/*.xml'):
            with open(path) as f:
                text = f.read()
            for interface in ET.fromstring(text.encode()).iter('interface'):
                for member in interface:
                    if member.tag in ('method', 'signal', 'property'):
                        name = member.get('name')
                        found[interface.get('name'), member.tag, name] = \
                            re.search(rf'<!--\s+{name}:.*?-->\s+<{member.tag} name="{name}"', text, re.DOTALL)
        return found

    def test_rows(self):
        """Each member of the XML has a row here and words there, and there is no other row. That the live objects have
        the same members: test_interface; that the manual and the rules of who may have: lint manuals and test-rules."""
        rows = {(CONTAINER, 'method', name) for name in CONTAINER_METHODS} | \
            {(EXEC, 'method', name) for name in EXEC_METHODS} | \
            {(interface, 'method', name) for interface, name in MANAGER_METHODS} | \
            {(interface, 'signal', name) for interface, name in SIGNALS} | \
            {(interface, 'property', name) for interface, names in PROPERTIES_OF.items() for name in names}
        members = self.members()
        self.assertEqual(set(members), rows)
        self.assertEqual([key for key, words in members.items() if not words], [])


class Members(Case):
    def setUp(self):
        super().setUp()
        self.alice, self.tree = self.user('alice'), self.rootfs_of('alice')

    def outcome(self, client, *call, wanted, **kwargs):
        """In one word."""
        try:
            client.call(*call, timeout=0.3 if wanted == WAITS else 20, **kwargs)
        except BusError as error:
            name = error.name.rsplit('.', 1)[1]
            return WAITS if name == 'Timeout' and wanted == WAITS else name
        finally:
            for fd in client.fds:
                os.close(fd)
            client.fds = []
        return OK

    def made(self, state, terminal=False):
        """A container of alice's in that state."""
        container = self.alice.create(self.tree, SLEEP, Terminal=terminal)
        if state != 'created':
            container.start()
        if state == 'paused':
            container.call('Pause')
        if state == 'stopped':
            container.end()
        self.assertEqual(container.state, state)
        return container

    def joined(self, state, terminal=False):
        """The path of a process of alice's that has joined a container."""
        container = self.made('running')
        options = {'Terminal': GLib.Variant('b', terminal)}
        path, = container.call('Exec', 'aaya{uh}a{sv}', (WORDS, {}, options))
        if state == 'paused':
            container.call('Pause')
        if state == 'stopped':
            self.alice.call(path, EXEC, 'Kill', 'i', (9,))
            self.alice.call(path, EXEC, 'Wait')
        return path

    def check(self, make, interface, methods, some):
        """Each method in each state by both who may; and in one object of each state all of them by who may not."""
        for state in some:
            refused = make(state)
            for name, ((signature, arguments), wanted) in methods.items():
                call = interface, name, signature, arguments
                for client in (self.alice, self.root):
                    with self.subTest(member=name, state=state, by=client.name):
                        path = make(state, name in FOR_TERMINALS)
                        self.assertEqual(self.outcome(client, path, *call, wanted=wanted[state]), wanted[state])
                        self.discard(path.split('/exec/')[0])
                for stranger in ('bob', 'mallory'):
                    with self.subTest(member=name, state=state, by=stranger):
                        self.assertEqual(self.outcome(self.user(stranger), refused, *call, wanted='UnknownObject'),
                                         'UnknownObject')
            self.discard(refused.split('/exec/')[0])

    def test_container(self):
        """The methods of a container."""
        methods = dict(CONTAINER_METHODS)
        if not self.root.call(PATH, MANAGER, 'GetFeatures')[0]['cgroup-pressure'][0]:
            del methods['SetPressureTrigger']
        self.check(lambda *args: self.made(*args).path, CONTAINER, methods, STATES)

    def test_joined(self):
        """The methods of a process that has joined one."""
        self.check(self.joined, EXEC, EXEC_METHODS, EXEC_STATES)

    def test_manager(self):
        """The methods of the manager."""
        container = self.alice.spawn(self.tree, SLEEP, Id='there')
        pidfd = os.pidfd_open(container.pid)
        self.addCleanup(os.close, pidfd)
        clients = {'alice': self.alice, 'root': self.root, 'dave': self.user('dave')}
        for (interface, name), (signature, arguments, wanted) in MANAGER_METHODS.items():
            for (user, client), result in zip(clients.items(), wanted):
                tree = self.rootfs if user == 'root' else self.rootfs_of(user)
                named = {TREE: tree if interface == RUNC else raw(tree), 'ALICE/there': f'{container.prop("OwnerUID")}/there'}
                with self.subTest(member=name, by=user):
                    filled = [named.get(a, a) if isinstance(a, str) or a is TREE else a for a in arguments]
                    self.assertEqual(self.outcome(client, PATH, interface, name, signature, filled, wanted=result,
                                                  fds=(pidfd,) if 'h' == signature else ()), result)

    def test_properties(self):
        """Each property is read by owner and root in every state, in its type, and set by nobody; a stranger reads the
        manager's alone."""
        strangers = [self.user(name) for name in ('bob', 'mallory')]
        paths = [(CONTAINER, self.made(state).path) for state in STATES] + \
            [(EXEC, self.joined(state)) for state in EXEC_STATES]
        for interface, path in [(MANAGER, PATH), *paths]:
            for name, kind in PROPERTIES_OF[interface].items():
                with self.subTest(property=name, path=path):
                    for client in (self.alice, self.root):
                        self.assertIsInstance(client.prop(path, interface, name), kind)
                        with self.refused('PropertyReadOnly', 'AccessDenied'):
                            client.call(path, PROPERTIES, 'Set', 'ssv', (interface, name, GLib.Variant('u', 1)))
                    for client in strangers:
                        if interface == MANAGER:
                            self.assertIsInstance(client.prop(path, interface, name), kind)
                            continue
                        with self.refused('UnknownObject'):
                            client.prop(path, interface, name)


class Signals(Case):
    def test_heard(self):
        """Each signal comes to those whom it is for, from a container of alice's, and what is the owner's to no stranger."""
        clients = {name: self.impostor(name) for name in ('alice', 'mallory')}
        clients['root'] = self.another_client()
        seen = {}
        for name, client in clients.items():
            client.call(PATH, MANAGER, 'ListContainers', 'a{sv}', ({},))  # who never calls, hears less
            seen[name] = client.subscribe()
        there = self.root.call(PATH, MANAGER, 'GetFeatures')[0]['cgroup-pressure'][0]

        def heard(name, interface, member, path):
            return any((i, m) == (interface, member) and path in (p, *arguments) for p, i, m, arguments in seen[name])
        for (interface, member), (options, audience) in SIGNALS.items():
            if member == 'Pressure' and not there:
                continue
            with self.subTest(signal=member, interface=interface):
                container = Container(clients['alice'], clients['alice'].spawn(self.rootfs_of('alice'), **options).path)
                path = container.path
                if member == 'Pressure':
                    container.call('SetPressureTrigger', 'stt', ('cpu', 100000, 2000000))
                if interface == EXEC:
                    path, = container.call('Exec', 'aaya{uh}a{sv}', ([raw('/bin/true')], {}, {}))
                for name in ('alice', 'root', *(['mallory'] if audience == EVERYBODY else [])):
                    self.assertTrue(pump(lambda: heard(name, interface, member, path), 60), name)
                if options.get('Remove'):
                    continue
                self.discard(container.path)
                self.assertTrue(pump(lambda: heard('mallory', MANAGER, 'ContainerRemoved', container.path), 60))
                if audience == ITS_OWN:  # what was sent before is here by now
                    self.assertFalse(heard('mallory', interface, member, path))
