"""Pause and Resume: what a container does meanwhile, who may, in which state, and what a restart finds."""

import signal
import time

from harness.case import Case
from harness.client import BusError, pump
from harness.place import Place

TICKS = 'i=0; while :; do i=$((i+1)); echo tick $i; sleep .02; done'
LISTENS = 'trap "echo heard; exit 3" TERM; echo on; while :; do sleep .02; done'
MANY = 40


def is_frozen(props):
    """What the kernel says: do all of the container's processes stand still?"""
    for mount in ('/sys/fs/cgroup/unified', '/sys/fs/cgroup', '/sys/fs/cgroup/freezer'):
        for name, words in (('cgroup.events', 'frozen 1'), ('freezer.state', 'FROZEN')):
            try:
                with open(f'{mount}{props["ControlGroup"]}/{name}') as f:
                    return words in f.read()
            except FileNotFoundError:
                pass
    raise FileNotFoundError(props['ControlGroup'])


class Talker(Case):
    def talker(self, script=TICKS, client=None, rootfs=None, **options):
        container = (client or self.root).spawn(rootfs or self.rootfs, ['/bin/sh', '-c', script], **options)
        self.eventually(container.log)
        return container

    def says_more(self, container):
        length = len(container.log())
        self.eventually(lambda: len(container.log()) > length, what='more output')


class Pause(Talker):
    def test_stands_still(self):
        """When Pause has answered nothing runs any more, and after Resume it goes on where it was."""
        container = self.talker()
        container.call('Pause')
        self.assertEqual(container.state, 'paused')
        self.assertTrue(is_frozen(container.props()))
        before = container.log()
        time.sleep(0.2)
        self.assertEqual(container.log(), before)
        container.call('Resume')
        self.assertEqual(container.state, 'running')
        self.assertFalse(is_frozen(container.props()))
        self.says_more(container)
        self.assertEqual(container.log()[:len(before)], before)

    def test_is_told(self):
        """Each change of the state is told by PropertiesChanged."""
        container = self.talker()
        seen = self.root.subscribe('org.freedesktop.DBus.Properties', 'PropertiesChanged', container.path)
        for member, state in (('Pause', 'paused'), ('Resume', 'running')) * 2:
            container.call(member)
            self.assertTrue(pump(lambda: any(arguments[1].get('State') == state for *_, arguments in seen)), seen)
            seen.clear()

    def test_owner_and_stranger(self):
        """The owner needs no permission and root none; a stranger learns nothing and changes nothing."""
        alice, mallory = self.user('alice'), self.impostor('mallory')
        container = self.talker(client=alice, rootfs=self.rootfs_of('alice'))
        for member, client in (('Pause', alice), ('Resume', self.root), ('Pause', self.root), ('Resume', alice)):
            client.call(container.path, 'org.naive.Runc.Container1', member)
        for member, state in (('Pause', 'running'), ('Resume', 'paused')):
            with self.refused('UnknownObject'):
                mallory.call(container.path, 'org.naive.Runc.Container1', member)
            self.assertEqual(container.state, state)
            if member == 'Pause':
                container.call('Pause')

    def test_wrong_states(self):
        """Only what runs is paused, and only what is paused is resumed; a paused one is not started or deleted."""
        container = self.root.create(self.rootfs, ['/bin/sleep', '60'])
        for member in ('Pause', 'Resume'):
            with self.refused('InvalidState', text='created'):
                container.call(member)
        container.start()
        with self.refused('InvalidState', text='running'):
            container.call('Resume')
        container.call('Pause')
        for member in ('Pause', 'Start', 'Delete'):
            with self.refused('InvalidState', text='paused'):
                container.call(member)
        self.assertEqual(container.end(), ('signal', signal.SIGKILL))
        for member in ('Pause', 'Resume'):
            with self.refused('InvalidState', text='stopped'):
                container.call(member)

    def test_kill(self):
        """SIGKILL ends a paused container, by its main process or by all; nothing frozen is left."""
        for whom in ('main', 'all'):
            container = self.talker()
            container.call('Pause')
            container.kill(signal.SIGKILL, whom)
            self.assertEqual(container.wait(timeout=10), ('signal', signal.SIGKILL))

    def test_other_signals_wait(self):
        """Any other signal reaches a paused container when it is resumed."""
        container = self.talker(LISTENS)
        container.call('Pause')
        container.kill(signal.SIGTERM)
        time.sleep(0.2)
        self.assertEqual((container.state, container.log()), ('paused', b'on\n'))
        container.call('Resume')
        self.assertEqual(container.wait(), ('exit-code', 3))
        self.assertEqual(container.log(), b'on\nheard\n')

    def test_stop(self):
        """Stop lets a paused command act on its signal, and ends what does not by force."""
        container = self.talker(LISTENS)
        container.call('Pause')
        container.stop(signal.SIGTERM, 60)
        self.assertEqual(container.wait(), ('exit-code', 3))
        deaf = self.talker('trap "" TERM; echo on; while :; do sleep 1; done')
        deaf.call('Pause')
        deaf.stop(signal.SIGTERM, 0.2)
        self.assertEqual(deaf.wait(), ('timeout', signal.SIGKILL))

    def test_stop_meanwhile(self):
        """A Stop behind a Pause that is not answered yet: both are answered, and the container has ended."""
        for _ in range(20):
            container = self.talker(LISTENS)
            pause = self.root.call_async(container.path, 'org.naive.Runc.Container1', 'Pause')
            stop = self.root.call_async(container.path, 'org.naive.Runc.Container1', 'Stop', 'it', (15, 60000000))
            self.assertTrue(pump(lambda: pause and stop, 20), (pause, stop))
            self.assertEqual(stop, [()])
            if pause != [()]:
                self.assertEqual(pause[0].name, 'org.naive.Runc.Error.InvalidState')
            self.assertEqual(container.wait(), ('exit-code', 3))

    def test_fork_bomb(self):
        """What forks all the time stands still as well."""
        container = self.talker('echo on; while :; do (:) & (:) & wait; done', TasksMax=200)
        container.call('Pause')
        self.assertTrue(is_frozen(container.props()))
        container.call('Resume')

    def test_many(self):
        """Many are paused and resumed at once, by a user whose requests wait in a line, and others' runs go on."""
        alice, bob = self.impostor('alice'), self.user('bob')
        containers = [alice.spawn(self.rootfs_of('alice'), ['/bin/sleep', '600']) for _ in range(MANY)]
        for member, state in (('Pause', 'paused'), ('Resume', 'running')):
            calls = [alice.call_async(c.path, 'org.naive.Runc.Container1', member) for c in containers]
            container = bob.run(self.rootfs_of('bob'), 0, ['/bin/true'])
            self.assertEqual(container.wait(), ('success', 0))
            self.assertTrue(pump(lambda: all(calls), 30))
            self.assertEqual([call for call in calls if call != [()]], [])
            self.assertEqual({c.state for c in containers}, {state})

    def test_naivec(self):
        """pause and resume take names and --all; a wrong state is told and is a failure."""
        container = self.talker(Id='talker')
        other = self.talker(Id='other')

        def naivec(*arguments):
            result = self.command(self.world.naivec, *arguments)
            return result.returncode, result.stdout + result.stderr
        self.assertEqual(naivec('pause', 'talker'), (0, b''))
        self.assertEqual((container.state, other.state), ('paused', 'running'))
        self.assertIn(b'paused', naivec('list')[1])
        self.assertEqual(naivec('pause', '--all'), (0, b''))
        self.assertEqual(other.state, 'paused')
        status, text = naivec('pause', 'talker')
        self.assertEqual(status, 1)
        self.assertIn(b'it is paused', text)
        self.assertEqual(naivec('resume', 'talker', 'other'), (0, b''))
        self.assertEqual((container.state, other.state), ('running', 'running'))
        self.assertEqual(naivec('resume', '--all'), (0, b''))
        self.assertEqual(naivec('pause')[0], 2)
        self.assertEqual(naivec('pause', '--all', 'talker')[0], 2)


class Restart(Talker):
    def setUp(self):
        super().setUp()
        self.place = Place(self, self._testMethodName)
        self.addCleanup(self.end_all)

    def end_all(self):
        """Whatever a failed test leaves must not outlive it."""
        if self.place.process.poll() is None:
            for *_, path in self.place.client.containers():
                try:
                    self.place.client.call(path, 'org.naive.Runc.Container1', 'Kill', 'si', ('all', 9))
                except BusError:
                    pass

    def end(self, number):
        self.place.process.send_signal(number)
        self.place.process.wait(timeout=20)

    def test_stays_paused(self):
        """What was paused when the service stopped, or was killed, is paused for the next one, which resumes it."""
        container = self.talker(client=self.place.client, Id='talker')
        for number in (signal.SIGTERM, signal.SIGKILL):
            container.call('Pause')
            before = container.log()
            self.end(number)
            self.place.start()
            self.assertEqual(container.state, 'paused')
            self.assertTrue(is_frozen(container.props()))
            if number == signal.SIGTERM:
                self.assertEqual(container.log(), before)
            container.call('Resume')
            self.says_more(container)
            self.assertEqual(container.state, 'running')

    def test_the_kernels_word(self):
        """A state that changed without the service is what the next one tells."""
        container = self.talker(client=self.place.client, Id='talker')
        container.call('Pause')
        for state in ('running', 'paused'):
            time.sleep(0.2)  # records are written a little later
            props = container.props()
            self.end(signal.SIGKILL)
            self.write_freezer(props, state == 'paused')
            self.place.start()
            self.assertEqual(container.state, state)
        container.call('Resume')
        self.says_more(container)

    def write_freezer(self, props, frozen):
        for path, words in ((f'/sys/fs/cgroup/unified{props["ControlGroup"]}/cgroup.freeze', '01'),
                            (f'/sys/fs/cgroup{props["ControlGroup"]}/cgroup.freeze', '01'),
                            (f'/sys/fs/cgroup/freezer{props["ControlGroup"]}/freezer.state', ('THAWED', 'FROZEN'))):
            try:
                with open(path, 'r+') as f:
                    f.write(words[frozen])
                    return
            except FileNotFoundError:
                pass
        self.fail('no freezer')
