"""Containers outlive the service: restart, upgrade, kill -9; nothing is made up, nothing is forgotten."""

import glob
import os
import subprocess
import time

import machine
from machine import ROOTFS, UNIT, Case, naivec, output, run, wait_until

COUNT = 10
TRUE_CODE_IS_KNOWN = False  # PIDFD_GET_INFO, Linux 6.15


def start_time(pid):
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rsplit(') ', 1)[1].split()[19]
    except OSError:
        return None


class Survival(Case):
    """Ten containers that count aloud; one ends with 7 when a file of its name appears in /mnt."""

    def setUp(self):
        super().setUp()
        machine.start_service()
        # It waits without a process for each wait: ten of these are too much for an emulated machine.
        script = ('mkfifo /tmp/never; exec 3<>/tmp/never; '
                  'while :; do i=$((i+1)); echo tick $i; [ -e /mnt/$0 ] && exit 7; read -t 0.5 x <&3; done')
        for number in range(COUNT):
            name = f'c{number}'
            options = ['--memory=30M'] if number == 0 else ['-t'] if number == 1 else []
            naivec('run', '-d', f'--name={name}', *options, ROOTFS, '/bin/sh', '-c', script, name)
        self.addCleanup(self.remove_signs)
        self.before = self.look()
        self.assertEqual(len(self.before), COUNT)

    def remove_signs(self):
        for path in glob.glob(f'{ROOTFS}/mnt/*'):
            os.remove(path)

    def sign(self, name):
        with open(f'{ROOTFS}/mnt/{name}', 'w'):
            pass

    def look(self):
        """{id: (pid, its start time, cgroup)} of what is said to run."""
        result = {}
        for name, state, _, _, path in self.client.containers():
            if state == 'running':
                container = machine.Container(self.client, path)
                pid = container.pid
                result[name] = (pid, start_time(pid), container.prop('ControlGroup'))
        return result

    def nothing_unlisted(self):
        """Every leaf with a process in it belongs to a container that is listed as living."""
        def unlisted():
            return ({leaf for leaf, populated in machine.leaves().items() if populated} ^
                    {group for _, _, group in self.look().values()})
        # What a service had prepared ends after it, by itself.
        wait_until(lambda: not unlisted(), timeout=5, what='all that lives being listed')

    def all_as_before(self, terminal=True):
        self.assertEqual(self.look(), self.before)
        self.nothing_unlisted()
        self.new_output('c0', f'c{COUNT - 1}', *(['c1'] if terminal else []))

    def new_output(self, *names):
        for name in names:
            last = len(naivec('logs', name).splitlines())
            wait_until(lambda: len(naivec('logs', name).splitlines()) > last + 1, what=f'more output of {name}')

    def outcome(self, name):
        container = self.container(name)
        return container.state, container.prop('Result'), container.prop('ExitCode')

    def ends_truthfully(self, name, *known):
        """Stopped, with its true result or none, never one made up."""
        wait_until(lambda: self.outcome(name)[0] == 'stopped', what=f"{name}'s end")
        self.assertIn(self.outcome(name)[1:], [('unknown', 0), ('unknown', -1)] + list(known))

    def test_restart(self):
        """systemctl restart: all ten go on under the new service, with the same ids and processes"""
        old = machine.unit('MainPID')
        run('systemctl', 'restart', UNIT)
        self.assertNotEqual(machine.unit('MainPID'), old)
        self.all_as_before()

    def test_stop_then_call(self):
        """systemctl stop leaves them running; the next call starts a service that knows them"""
        run('systemctl', 'stop', UNIT)
        for name, (pid, begun, _) in self.before.items():
            self.assertEqual(start_time(pid), begun, name)
        # Before 254 systemd keeps no descriptors of a stopped unit: its terminals hang up.
        systemd = int(output('systemctl', '--version').split()[1])
        self.all_as_before(terminal=systemd >= 254)

    def test_kill_9(self):
        """kill -9 of the service: the one that systemd starts then knows all ten"""
        old = machine.unit('MainPID')
        os.kill(int(old), 9)
        wait_until(lambda: machine.is_active() and machine.unit('MainPID') not in ('0', old), what='another service')
        self.all_as_before()

    def test_kill_9_thrice(self):
        """again and again"""
        for _ in range(3):
            old = machine.unit('MainPID')
            os.kill(int(old), 9)
            wait_until(lambda: machine.is_active() and machine.unit('MainPID') not in ('0', old), what='another')
        self.all_as_before()

    def test_upgrade(self):
        """apt install of a newer build: the new program serves the containers of the old one"""
        old = machine.unit('MainPID')
        machine.install(newer=True)
        try:
            self.assertIn('newer', output('dpkg-query', '-Wf', '${Version}', 'naive-runc'))
            machine.start_service()
            self.assertNotEqual(machine.unit('MainPID'), old)
            self.assertEqual(os.readlink(f'/proc/{machine.unit("MainPID")}/exe'), '/usr/libexec/naive-runcd')
            self.all_as_before()
        finally:
            done = machine.apt('install', '--allow-downgrades', machine.package())
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.all_as_before()
    test_upgrade.limit = machine.APT_LIMIT

    def test_end_while_down(self):
        """one that ends while nobody looks has no exit code that nobody saw"""
        run('systemctl', 'stop', UNIT)
        self.sign('c3')
        os.kill(self.before['c4'][0], 9)
        wait_until(lambda: not start_time(self.before['c3'][0]), what="c3's end")
        machine.start_service()
        self.ends_truthfully('c3', ('exit-code', 7))
        self.ends_truthfully('c4', ('signal', 9))
        self.assertEqual(set(self.look()), set(self.before) - {'c3', 'c4'})
        self.nothing_unlisted()

    def test_end_afterwards(self):
        """one that ends under the new service: seen, its waiters told, nothing made up"""
        run('systemctl', 'restart', UNIT)
        waiter = subprocess.Popen(['naivec', 'wait', 'c5'], stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        self.sign('c5')
        said = waiter.communicate(timeout=30)[0]
        self.ends_truthfully('c5', ('exit-code', 7))
        self.assertIn(said.split()[1], ('unknown', 'exit-code'))
        self.nothing_unlisted()

    def test_verbs_afterwards(self):
        """stop, kill and delete work on containers that were taken over"""
        run('systemctl', 'restart', UNIT)
        naivec('stop', '--time=1', 'c6')
        naivec('kill', '--all', '-s', 'KILL', 'c7')
        naivec('wait', 'c7', check=False)
        naivec('delete', 'c6', 'c7')
        self.assertEqual(set(self.look()), set(self.before) - {'c6', 'c7'})
        self.assertFalse(os.path.exists(machine.CGROUPS + self.before['c6'][2]))
        self.nothing_unlisted()

    def test_limits_stay(self):
        """limits hold after a restart, and new containers are beside the old ones"""
        run('systemctl', 'restart', UNIT)
        with open(f'{machine.CGROUPS}{self.before["c0"][2]}/memory.max') as f:
            self.assertEqual(f.read().strip(), str(30 << 20))
        self.assertEqual(naivec('run', '--memory=16M', ROOTFS, '/bin/echo', 'new'), 'new')
        naivec('run', '-d', '--name=another', ROOTFS, '/bin/sleep', '100')
        self.assertNotIn(self.container('another').prop('ControlGroup'), [g for _, _, g in self.before.values()])
        self.assertEqual(len(self.look()), COUNT + 1)

    def test_pid_of_another(self):
        """a process that has got a dead container's pid is not taken for the container, nor touched"""
        pid = self.before['c2'][0]
        run('systemctl', 'stop', UNIT)
        os.kill(pid, 9)
        wait_until(lambda: not start_time(pid), what="c2's end")
        stranger = self.process_with(pid)
        machine.start_service()
        self.ends_truthfully('c2', ('signal', 9))
        naivec('stop', '--all', '--time=0')
        self.assertIsNone(stranger.poll(), 'an innocent process was killed')

    def process_with(self, pid):
        for _ in range(200):
            with open('/proc/sys/kernel/ns_last_pid', 'w') as f:
                f.write(str(pid - 1))
            process = subprocess.Popen(['sleep', '1000'])
            if process.pid == pid:
                self.addCleanup(lambda: (process.kill(), process.wait()))
                return process
            process.kill()
            process.wait()
        self.fail('cannot get that pid')

    def record_of(self, name):
        for path in glob.glob('/run/naive-runc/containers/*.conf'):
            with open(path) as f:
                if f'\nId={name}\n' in f.read():
                    return path
        self.fail(f'{name} has no record')

    def test_record_of_another_boot(self):
        """a record that was written before a reboot is of no running container"""
        record = self.record_of('c8')
        run('systemctl', 'stop', UNIT)
        machine.edit_record(record, '^BootId=.*$', 'BootId=00000000-0000-0000-0000-000000000000')
        machine.start_service()
        self.ends_truthfully('c8')
        self.assertNotIn('c8', self.look())
        wait_until(lambda: not start_time(self.before['c8'][0]), what='the end of what nobody owns')
        self.nothing_unlisted()

    def test_lost_record(self):
        """a container whose record is lost or spoilt is ended, not left running unlisted"""
        lost, spoilt = self.record_of('c8'), self.record_of('c9')
        run('systemctl', 'stop', UNIT)
        os.remove(lost)
        with open(spoilt, 'w') as f:
            f.write('nonsense\n')
        machine.start_service()
        wait_until(lambda: not start_time(self.before['c8'][0]) and not start_time(self.before['c9'][0]),
                   what='the end of what nobody owns')
        self.assertEqual(set(self.look()), set(self.before) - {'c8', 'c9'})
        self.nothing_unlisted()

    def test_terminal(self):
        """the terminal of a container is still there: what is typed arrives"""
        naivec('run', '-d', '-t', '--name=tty', ROOTFS, '/bin/sh', '-c', 'while read line; do echo got-$line; done')
        run('systemctl', 'restart', UNIT)
        import in_session
        reply = in_session.talk(['naivec', 'attach', 'tty'], [['', 'word\n'], ['got-word', '\x10\x11']], 20)
        self.assertIn('got-word', reply['output'])
        self.assertEqual(self.container('tty').state, 'running')

    def test_stopped_ones_are_kept(self):
        """result and output of a container that had ended before are there after a restart and a kill -9"""
        naivec('run', '-d', '--name=past', ROOTFS, '/bin/sh', '-c', 'echo kept; exit 4')
        naivec('wait', 'past', check=False)
        os.kill(int(machine.unit('MainPID')), 9)
        wait_until(machine.is_active, what='another service')
        self.assertEqual(self.outcome('past'), ('stopped', 'exit-code', 4))
        self.assertEqual(naivec('logs', 'past'), 'kept')
