"""Row E16: what polkit keeps of a password. Since polkit 127 that counts for more than one process of a user's; here two
connections of one process stand for the two, which every polkit takes for the same."""

import os
import re

from harness.case import Case
from harness.client import CONTAINER, MANAGER, PATH, BusError, Gio, GLib, pump
from harness.files import read, write
from harness.world import SOURCE, USERS

RUN, PRIVILEGED, EXEC = (f'org.naive.Runc.{action}' for action in ('run', 'run-privileged', 'exec'))
INTERACTIVE = Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION
AUTHORITY = ('org.freedesktop.PolicyKit1', '/org/freedesktop/PolicyKit1/Authority', 'org.freedesktop.PolicyKit1.Authority')
AGENT = '''<node><interface name="org.freedesktop.PolicyKit1.AuthenticationAgent">
<method name="BeginAuthentication"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="a{ss}" direction="in"/><arg type="s" direction="in"/><arg type="a(sa{sv})" direction="in"/></method>
<method name="CancelAuthentication"><arg type="s" direction="in"/></method></interface></node>'''


class Agent:
    """Where polkit asks for a password that is to be typed in this process's name. It is always right."""

    def __init__(self, case, uid):
        self.asked, self.connection = [], case.root.connection
        interface = Gio.DBusNodeInfo.new_for_xml(AGENT).interfaces[0]
        number = self.connection.register_object('/agent', interface, self.on_call, None, None)
        case.addCleanup(self.connection.unregister_object, number)
        with open('/proc/self/stat') as f:
            start = int(f.read().rpartition(')')[2].split()[19])
        process = {'pid': GLib.Variant('u', os.getpid()), 'start-time': GLib.Variant('t', start), 'uid': GLib.Variant('i', uid)}
        self.tell('RegisterAuthenticationAgent', '((sa{sv})ss)', (('unix-process', process), 'C', '/agent'))

    def tell(self, member, signature, arguments, done=None):
        name, path, interface = AUTHORITY
        value = GLib.Variant(signature, arguments)
        if done:
            self.connection.call(name, path, interface, member, value, None, 0, -1, None, done)
        else:
            self.connection.call_sync(name, path, interface, member, value, None, 0, -1, None)

    def on_call(self, connection, sender, path, interface, member, arguments, call):
        if member != 'BeginAuthentication':
            call.return_value(None)
            return
        action, _, _, _, cookie, identities = arguments.unpack()
        self.asked.append(action)
        kind, details = identities[0]

        def done(connection, result):
            connection.call_finish(result)
            call.return_value(None)
        self.tell('AuthenticationAgentResponse2', '(us(sa{sv}))',
                  (0, cookie, (kind, {key: GLib.Variant('u', value) for key, value in details.items()})), done)


class Kept(Case):
    def setUp(self):
        super().setUp()
        self.installed = f'{self.world.directory}/actions/org.naive.Runc.policy'
        ours = f'{os.path.dirname(self.world.build)}/polkit/org.naive.Runc.policy'
        self.addCleanup(self.install, read(self.installed))
        # there is no session here, so what holds in an active one holds for all
        text = read(ours if os.path.exists(ours) else f'{SOURCE}/polkit/org.naive.Runc.policy')
        self.install(re.sub(r'<allow_any>\w+(?=</allow_any>.*?<allow_active>(\w+)<)', r'<allow_any>\1', text, flags=re.S))

    def install(self, text):
        write(self.installed, text)
        self.world.stop_polkit()
        self.world.start_polkit()

    def answer(self, outcome):
        self.assertTrue(pump(lambda: outcome, timeout=20), 'no answer')
        self.assertNotIsInstance(outcome[0], BusError, outcome[0])

    def start(self, client, **options):
        arguments = client._arguments(self.rootfs_of('carol'), ['/bin/true'], {}, options)
        self.answer(client.call_async(PATH, MANAGER, 'Spawn', 'ayaaya{uh}a{sv}', arguments, flags=INTERACTIVE))

    def test_no_privilege_is_kept(self):
        """E16: for what may equal root each request needs a password of its own; nothing that polkit keeps counts there."""
        agent = Agent(self, USERS['carol'])
        first, second = self.impostor('carol'), self.impostor('carol')
        self.start(first)
        self.start(second)
        self.assertEqual(agent.asked, [RUN], 'this polkit keeps nothing, so nothing is shown')
        for n, client in enumerate((first, second, second), 1):
            self.start(client, Network='host')
            self.assertEqual(agent.asked, [RUN] + n * [PRIVILEGED])
        agent.asked.clear()
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], Terminal=True)
        for n, client in enumerate((first, second, second), 1):
            self.answer(client.call_async(container.path, CONTAINER, 'Attach', 'a{sv}', ({},), flags=INTERACTIVE))
            self.assertEqual(agent.asked, n * [EXEC])
