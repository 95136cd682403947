"""The service starts with a call, through systemd, and exits when idle without losing one."""

import subprocess
import sys
import threading
import time

import machine
from harness.client import RootClient
from machine import BUS, NAME, ROOTFS, UNIT, Case, output, run, wait_until

IDLE_1 = '[Service]\nIdleTimeoutSec=1\n'


def starts():
    """How often systemd has started the unit since boot."""
    return int(output('sh', '-c', f'journalctl --sync; journalctl -b -o cat -u {UNIT} JOB_TYPE=start '
                                  f'JOB_RESULT=done | wc -l'))


class Activation(Case):
    LIST = ('org.naive.Runc.Manager1', 'ListContainers', 'a{sv}', ({},))

    def test_first_call(self):
        """the first busctl call starts the unit; systemctl status shows it with the bus name's owner as its process"""
        machine.stop_service()
        self.assertFalse(machine.is_active())
        path = machine.busctl_run(ROOTFS, 10485760, '/bin/sleep', '60')
        self.assertTrue(machine.is_active())
        owner = output('busctl', 'call', 'org.freedesktop.DBus', '/', 'org.freedesktop.DBus',
                       'GetConnectionUnixProcessID', 's', NAME)
        self.assertEqual(owner, 'u ' + machine.unit('MainPID'))
        status = output('systemctl', 'status', '--no-pager', UNIT)
        self.assertIn('Active: active (running)', status)
        self.assertIn(f'Main PID: {machine.unit("MainPID")} (naive-runcd)', status)
        self.assertEqual(machine.Container(self.client, path).state, 'running')

    def test_run_to_the_end(self):
        """busctl call … Run, Wait and ReadLog give result and output"""
        path = machine.busctl_run(ROOTFS, 10485760, '/bin/echo', 'hi')
        interface = 'org.naive.Runc.Container1'
        self.assertEqual(output('busctl', 'call', NAME, path, interface, 'Wait'), 'si "success" 0')
        log = output('busctl', 'call', NAME, path, interface, 'ReadLog', 'tu', '0', '100')
        self.assertEqual(log, 'tay 3 3 ' + ' '.join(str(b) for b in b'hi\n'))

    def test_idle_exit(self):
        """it exits when idle, in good order, and the next call starts it again with the same past"""
        self.configure(IDLE_1)
        machine.naivec('run', '-d', '--name=past', ROOTFS, '/bin/sh', '-c', 'echo kept; exit 3')
        first = machine.unit('MainPID')
        wait_until(lambda: machine.unit('ActiveState') == 'inactive', what='idle exit')
        self.assertEqual(machine.unit('Result'), 'success')
        self.assertEqual(machine.naivec('logs', 'past'), 'kept')
        self.assertNotEqual(machine.unit('MainPID'), first)
        self.assertEqual(machine.naivec('wait', 'past', check=False), 'past exit-code 3')

    def test_live_container_keeps_it(self):
        """it does not exit while a container lives"""
        self.configure(IDLE_1)
        machine.naivec('run', '-d', ROOTFS, '/bin/sleep', '600')
        pid = machine.unit('MainPID')
        time.sleep(4)
        self.assertEqual((machine.unit('MainPID'), machine.is_active()), (pid, True))

    def test_calls_around_idle_moment(self):
        """200 calls fired around the idle moment: none is lost"""
        self.configure(IDLE_1)
        before, errors = starts(), []
        for turn in range(20):
            # From well before the moment, when it is on its way out, to well after.
            time.sleep(0.9 + 0.02 * turn)
            outcomes = [self.client.call_async(machine.PATH, *self.LIST)
                        for _ in range(10)]
            self.pump(outcomes)
            errors += [o[0] for o in outcomes if isinstance(o[0], Exception)]
        self.assertEqual(errors, [])
        self.assertGreater(starts() - before, 3, 'the moment was never met')
        self.assertEqual(machine.unit('Result'), 'success')
    test_calls_around_idle_moment.limit = 300

    def test_racing_clients(self):
        """calls racing from two clients while the service is down or leaving: all are answered"""
        self.configure(IDLE_1)
        errors = []

        def client(offset):
            connection = RootClient(BUS)
            for turn in range(10):
                time.sleep(1.0 + 0.03 * ((turn + offset) % 10))
                try:
                    connection.call(machine.PATH, *self.LIST)
                except Exception as error:
                    errors.append(error)
            connection.close()
        threads = [threading.Thread(target=client, args=(offset,)) for offset in (0, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        self.assertEqual(errors, [])

    def test_racing_first_runs(self):
        """two Run calls at once while nothing runs: one service, two containers"""
        machine.stop_service()
        line = ['busctl', 'call', NAME, machine.PATH, NAME, 'Run', 'stas', ROOTFS, '0', '2', '/bin/sleep', '60']
        racers = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=sys.stderr, text=True) for _ in range(2)]
        paths = {machine.parse_path(racer.communicate(timeout=60)[0]) for racer in racers}
        self.assertEqual(len(paths), 2)
        self.assertEqual(len(run('pgrep', '-x', 'naive-runcd').stdout.split()), 1)

    def pump(self, outcomes):
        from harness.client import pump
        self.assertTrue(pump(lambda: all(outcomes), timeout=40), 'a call was never answered')
