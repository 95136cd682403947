"""A container's life: create, start, stop, kill, wait, delete, and what can be asked of it."""

import os
import select
import signal
import time

from harness.case import Case
from harness.client import CONTAINER, MANAGER, PATH, BusError, Container, GLib, pump
from harness.files import read, read_bytes, write
from harness.wire import Wire, run_body


class States(Case):
    def test_create_then_start(self):
        """Create stops just before exec: the process is there, the command has not run; Start runs it."""
        container = self.root.create(self.rootfs, ['/bin/sh', '-c', 'echo ran'])
        self.assertEqual(container.state, 'created')
        self.assertGreater(container.pid, 0)
        time.sleep(0.2)
        self.assertEqual(container.log(), b'')
        container.start()
        self.assertEqual(container.wait(), ('success', 0))
        self.assertEqual(container.state, 'stopped')
        self.assertEqual(container.log(), b'ran\n')

    def test_second_start(self):
        """A second Start is InvalidState, while it runs and after it has stopped."""
        container = self.root.create(self.rootfs, ['/bin/sleep', '60'])
        container.start()
        with self.refused('InvalidState'):
            container.start()
        container.end()
        with self.refused('InvalidState'):
            container.start()

    def test_start_of_what_is_not_there(self):
        """A missing command is an error of Start, and leaves nothing running."""
        container = self.root.create(self.rootfs, ['/no/such'])
        with self.refused('CommandNotFound', text='/no/such'):
            container.start()

    def test_times(self):
        """Created, started and exited times follow one another."""
        before = time.time_ns() // 1000
        container = self.root.spawn(self.rootfs, ['/bin/true'])
        container.wait()
        p = container.props()
        self.assertLessEqual(before, p['CreatedUSec'])
        self.assertLessEqual(p['CreatedUSec'], p['StartedUSec'])
        self.assertLessEqual(p['StartedUSec'], p['ExitedUSec'])
        self.assertLessEqual(p['ExitedUSec'], time.time_ns() // 1000)

    def test_properties(self):
        """The properties tell what the container is."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], Id='props', MemoryMax=20 << 20)
        p = container.props()
        self.assertEqual((p['Id'], p['OwnerUID'], p['State'], p['MemoryMax']), ('props', 0, 'running', 20 << 20))
        self.assertIn(self.world.cgroup_parent, p['ControlGroup'])
        self.assertIn(p['ControlGroup'], read(f'/proc/{p["Pid"]}/cgroup'))
        container.end()
        p = container.props()
        self.assertEqual((p['State'], p['Result'], p['ExitCode'], p['Pid']), ('stopped', 'signal', 9, 0))

    def test_number_of_containers(self):
        """NContainers and ListContainers count alike."""
        for count in range(1, 4):
            self.root.create(self.rootfs, ['/bin/true'])
            self.assertEqual(len(self.root.containers()), count)
            self.assertEqual(self.root.prop(PATH, MANAGER, 'NContainers'), count)


class Ending(Case):
    def test_stop_by_term(self):
        """Stop sends the signal and replies when the command has ended by itself."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'trap "echo bye; exit 7" TERM; echo on; '
                                                  'while :; do sleep .05; done'])
        self.eventually(lambda: container.log() == b'on\n')
        container.stop(signal.SIGTERM, 10)
        self.assertEqual(container.wait(), ('exit-code', 7))
        self.assertEqual(container.log(), b'on\nbye\n')

    def test_kill_all(self):
        """Kill "all" reaches every process, Kill "main" the command only."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'trap "" USR1; (trap "echo child; exit" USR1; '
                                                  'echo up; while :; do sleep .05; done) & wait; wait; sleep 60'])
        self.eventually(lambda: b'up' in container.log())
        container.kill(signal.SIGUSR1, 'main')
        time.sleep(0.3)
        self.assertNotIn(b'child', container.log())
        container.kill(signal.SIGUSR1, 'all')
        self.eventually(lambda: b'child' in container.log())

    def test_bad_kill(self):
        """A signal or a `whom` that is none is InvalidArgs."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        for whom, number in (('main', -1), ('main', 65), ('main', 1000), ('nobody', 9), ('', 9)):
            with self.subTest(whom=whom, number=number), self.refused('InvalidArgs'):
                container.kill(number, whom)
        self.assertEqual(container.state, 'running')

    def test_deleted_is_unknown(self):
        """After Delete the object is unknown to Wait and everything else, and its id is free."""
        container = self.root.spawn(self.rootfs, ['/bin/true'], Id='again')
        container.wait()
        container.delete()
        for action in (container.wait, container.start, container.delete, container.log, container.kill):
            with self.refused('UnknownObject', 'UnknownMethod'):
                action()
        with self.refused('NoSuchContainer'):
            self.root.get_container('again')
        self.root.create(self.rootfs, ['/bin/true'], Id='again')

    def test_killed_from_outside(self):
        """A command killed by somebody else than the service is noticed."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        os.kill(container.pid, signal.SIGKILL)
        self.assertEqual(container.wait(), ('signal', 9))


class Waiting(Case):
    def test_wait_before_and_after(self):
        """Wait replies at exit, and at once if it has exited already."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'sleep .3; exit 4'])
        started = time.monotonic()
        self.assertEqual(container.wait(), ('exit-code', 4))
        self.assertGreater(time.monotonic() - started, 0.2)
        self.assertEqual(container.wait(timeout=1), ('exit-code', 4))

    def test_many_waiters(self):
        """Many may wait; one that leaves does no harm."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        waiters = [self.another_client().call_async(container.path, CONTAINER, 'Wait') for _ in range(10)]
        leaver = self.another_client()
        leaver.call_async(container.path, CONTAINER, 'Wait')
        leaver.close()
        container.kill()
        self.assertTrue(pump(lambda: all(waiters)))
        self.assertEqual([w[0] for w in waiters], [('signal', 9)] * 10)

    def test_superseded(self):
        """A later Wait of a connection on a container answers its older one, and nothing else: not that of another
        connection, not that on another container, not a Stop, which in turn takes the place of a Stop."""
        one, other = (self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'trap "" TERM; sleep 60']) for _ in range(2))
        kept = [client.call_async(container.path, CONTAINER, 'Wait')
                for client, container in ((self.another_client(), one), (self.root, other))]
        waits = [self.root.call_async(one.path, CONTAINER, 'Wait') for _ in range(3)]
        stops = [self.root.call_async(one.path, CONTAINER, 'Stop', 'it', (15, 60_000_000)) for _ in range(2)]
        self.assertTrue(pump(lambda: waits[0] and waits[1] and stops[0]))
        for (answer,), method in ((waits[0], 'Wait'), (waits[1], 'Wait'), (stops[0], 'Stop')):
            self.assertEqual(str(answer), f'org.freedesktop.DBus.Error.NoReply: superseded by a later {method}')
        self.assertFalse(pump(lambda: waits[2] or stops[1] or any(kept), timeout=0.3))
        one.kill()
        other.kill()
        self.assertTrue(pump(lambda: waits[2] and stops[1] and all(kept)))
        self.assertEqual([*kept[0], *kept[1], *waits[2], *stops[1]], [('signal', 9)] * 3 + [()])

    def test_waits_that_were_given_up(self):
        """300 Waits of a connection with a limit of 20 ms each, and then it can still call: a Ping and a Wait."""
        client = self.another_client()
        container = Container(client, self.root.spawn(self.rootfs, ['/bin/sleep', '60']).path)
        for _ in range(300):
            with self.assertRaises(BusError) as caught:
                container.wait(timeout=0.02)
            self.assertIn(caught.exception.name, ('local.Timeout', 'org.freedesktop.DBus.Error.NoReply'))
        client.ping()
        last = client.call_async(container.path, CONTAINER, 'Wait')
        self.root.get_container(container.id).kill()
        self.assertTrue(pump(lambda: last))
        self.assertEqual(last, [('signal', 9)])

    def test_wait_on_created(self):
        """Wait on a created container waits through its start."""
        container = self.root.create(self.rootfs, ['/bin/sh', '-c', 'exit 5'])
        waiter = self.root.call_async(container.path, CONTAINER, 'Wait')
        container.start()
        self.assertTrue(pump(lambda: waiter))
        self.assertEqual(waiter[0], ('exit-code', 5))

    def test_pidfd(self):
        """OpenPIDFD gives a pidfd of the command that becomes readable at its end."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        container.call('OpenPIDFD')
        fd, = self.root.fds
        self.assertIn(f'Pid:\t{container.pid}\n', read(f'/proc/self/fdinfo/{fd}'))
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        self.assertEqual(poll.poll(100), [])
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        self.assertTrue(poll.poll(5000))
        os.close(fd)
        self.assertEqual(container.wait(), ('signal', 9))
        with self.refused('InvalidState'):
            container.call('OpenPIDFD')


class Options(Case):
    def test_working_directory(self):
        """WorkingDirectory is where the command starts; "/" without it."""
        self.assertEqual(self.spawn_output(['/bin/pwd'], WorkingDirectory='/etc'), '/etc\n')
        self.assertEqual(self.spawn_output(['/bin/pwd']), '/\n')

    def test_umask(self):
        """UMask is the mask that the command begins with; without it 0022, whatever the service's own is."""
        self.assertEqual(self.spawn_output(['/bin/sh', '-c', 'umask'], UMask=0o27), '0027\n')
        self.assertEqual(self.spawn_output(['/bin/sh', '-c', 'umask']), '0022\n')

    def test_fds(self):
        """fds 0, 1, 2 are the caller's; any bytes and any size pass unchanged."""
        inside, far = os.pipe()
        near, outside = os.pipe()
        container = self.root.spawn(self.rootfs, ['/bin/cat'], fds={0: inside, 1: outside, 2: outside})
        os.close(inside)
        os.close(outside)
        data = os.urandom(1 << 20)
        writer = os.fork()
        if writer == 0:
            os.close(near)
            write(far, data)
            os._exit(0)
        os.close(far)
        self.assertEqual(read_bytes(near), data)
        os.waitpid(writer, 0)
        self.assertEqual(container.wait(), ('success', 0))

    def test_remove(self):
        """Remove forgets the container once it has ended, and Wait still learns how."""
        container = self.root.create(self.rootfs, ['/bin/sh', '-c', 'exit 3'], Remove=True)
        waiter = self.root.call_async(container.path, CONTAINER, 'Wait')
        container.start()
        self.assertTrue(pump(lambda: waiter))
        self.assertEqual(waiter[0], ('exit-code', 3))
        self.eventually(lambda: self.root.containers() == [])

    def test_remove_when_setup_fails(self):
        """A failed Spawn leaves nothing, with Remove or without."""
        for remove in (True, False):
            with self.refused('CommandNotFound'):
                self.root.spawn(self.rootfs, ['/no/such'], Remove=remove)
        self.nothing_started()


class Log(Case):
    def test_read_log_by_offset(self):
        """ReadLog gives pieces by offset, and says where to go on."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'printf 0123456789'])
        container.wait()
        self.assertEqual(container.call('ReadLog', 'tu', (0, 4)), (4, list(b'0123')))
        self.assertEqual(container.call('ReadLog', 'tu', (4, 100)), (10, list(b'456789')))
        self.assertEqual(container.call('ReadLog', 'tu', (10, 100)), (10, []))
        after, data = container.call('ReadLog', 'tu', (2**63, 100))
        self.assertEqual(data, [])

    def test_open_log(self):
        """OpenLog gives the same bytes by an fd, then its end."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'echo one; echo two'])
        container.wait()
        container.call('OpenLog', 'a{sv}', ({},))
        fd, = self.root.fds
        self.assertEqual(read_bytes(fd), b'one\ntwo\n')
        self.assertEqual(container.log(), b'one\ntwo\n')

    def test_open_log_while_running(self):
        """OpenLog with Follow goes on to the end of a running container."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'echo one; sleep .5; echo two'])
        container.call('OpenLog', 'a{sv}', ({'Follow': GLib.Variant('b', True)},))
        fd, = self.root.fds
        self.assertEqual(read_bytes(fd), b'one\ntwo\n')


class Signals(Case):
    def test_container_new_and_removed(self):
        """ContainerNew and ContainerRemoved tell id and path."""
        seen = self.root.subscribe(MANAGER)
        container = self.root.spawn(self.rootfs, ['/bin/true'], Id='sig')
        container.wait()
        container.delete()
        self.assertTrue(pump(lambda: any(m == 'ContainerRemoved' for _, _, m, _ in seen)))
        self.assertEqual([(m, a) for _, _, m, a in seen],
                         [('ContainerNew', ('sig', container.path)), ('ContainerRemoved', ('sig', container.path))])

    def test_exited(self):
        """Exited tells result and code."""
        seen = self.root.subscribe(CONTAINER, 'Exited')
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'exit 9'])
        self.assertTrue(pump(lambda: seen))
        self.assertEqual((seen[0][0], seen[0][3]), (container.path, ('exit-code', 9)))

    def test_interfaces_added_and_removed(self):
        """ObjectManager's signals tell of a container's coming and going."""
        seen = self.root.subscribe('org.freedesktop.DBus.ObjectManager')
        container = self.root.spawn(self.rootfs, ['/bin/true'])
        container.wait()
        container.delete()
        self.assertTrue(pump(lambda: any(m == 'InterfacesRemoved' for _, _, m, _ in seen)))
        added = [a for _, _, m, a in seen if m == 'InterfacesAdded']
        removed = [a for _, _, m, a in seen if m == 'InterfacesRemoved']
        self.assertEqual(added[0][0], container.path)
        self.assertIn(CONTAINER, added[0][1])
        self.assertEqual(removed[0][0], container.path)
        self.assertIn(CONTAINER, removed[0][1])

    def test_properties_changed(self):
        """State changes are told by PropertiesChanged."""
        container = self.root.create(self.rootfs, ['/bin/true'])
        seen = self.root.subscribe('org.freedesktop.DBus.Properties', 'PropertiesChanged', container.path)
        container.start()

        def told():
            return any('State' in a[1] and a[1]['State'] == 'stopped' or 'State' in a[2] for _, _, _, a in seen)
        self.assertTrue(pump(told))

    def test_managed_objects(self):
        """GetManagedObjects shows what GetAll shows."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        self.assertEqual(self.root.managed()[container.path][CONTAINER], container.props())


class Callers(Case):
    def test_watch_bus(self):
        """With WatchBus the container ends when its caller leaves the bus."""
        caller = self.another_client()
        path = caller.spawn(self.rootfs, ['/bin/sleep', '600'], WatchBus=True).path
        stays = caller.spawn(self.rootfs, ['/bin/sleep', '600']).path
        caller.close()
        self.assertEqual(Container(self.root, path).wait(timeout=10), ('signal', 9))
        self.assertEqual(Container(self.root, stays).state, 'running')

    def test_watch_bus_created(self):
        """So does one that was created and never started."""
        caller = self.another_client()
        caller.create(self.rootfs, ['/bin/true'], WatchBus=True, Remove=True)
        caller.close()
        self.eventually(lambda: self.root.containers() == [], 10)

    def test_caller_leaves_in_the_middle(self):
        """A caller that disconnects right after its call leaves either a whole container or none."""
        body = run_body(self.rootfs)
        for i in range(50):
            wire = Wire(self.world.address)
            wire.send('org.naive.Runc', PATH, 'org.naive.Runc', 'Run', 'stas', body)
            time.sleep(i * 0.0004)
            wire.close()
        self.eventually(lambda: all(c[1] == 'stopped' for c in self.root.containers()), 10)


class Waits(Case):
    def test_left_ones_are_forgotten(self):
        """Waits of clients that have left do not count: 24 times 50 of them lock nobody out."""
        containers = [self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/sleep', '60']) for _ in range(50)]
        container = containers[0]
        for _ in range(24):
            alice = self.impostor('alice')
            for waited_for in containers:
                alice.call_async(waited_for.path, CONTAINER, 'Wait')
            alice.ping()
            alice.close()
            time.sleep(0.05)
        again = Container(self.user('alice'), container.path)
        again.stop(timeout=0)
        self.assertEqual(again.state, 'stopped')

    def test_group_out_of_memory_at_once(self):
        """A grandchild over the limit right after the start ends its container for memory, and not by a time-out."""
        for _ in range(20):
            container = self.root.run(self.rootfs, 6 << 20, [
                '/bin/sh', '-c', '(head -c 30000000 /dev/zero | tail >/dev/null; echo survived) | cat; sleep 100'])
            self.assertEqual(container.wait(timeout=20), ('oom-kill', 9))
            if self.root.prop(PATH, MANAGER, 'CgroupMode') == 'unified':  # v1 kills one, the service the others
                self.assertNotIn(b'survived', container.log())
