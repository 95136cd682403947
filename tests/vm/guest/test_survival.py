"""Containers outlive the service: restart, upgrade, kill -9; nothing is made up, nothing is forgotten."""

import glob
import os
import shutil
import subprocess

import machine
from machine import CONTAINERS, ROOTFS, UNIT, Case, naivec, output, run, wait_until

COUNT = 10
UPGRADE = '/run/systemd/system/naive-runc.service.d/upgrade.conf'


def start_time(pid):
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rsplit(') ', 1)[1].split()[19]
    except OSError:
        return None


class Survival(Case):
    """Ten containers that count aloud. What becomes of them under the next service, however the first one ended, is shown
    in tests/integration/test_survival.py; here that systemd starts and stops it."""

    def setUp(self):
        super().setUp()
        machine.start_service()
        self.start()

    def start(self):
        # It waits without a process for each wait: ten of these are too much for an emulated machine.
        script = ('mkfifo /tmp/never; exec 3<>/tmp/never; trap "exec /bin/touchmem 64" USR1; '
                  'while :; do i=$((i+1)); echo tick $i; read -t 0.5 x <&3; done')
        for number in range(COUNT):
            name = f'c{number}'
            naivec('run', '-d', '--memory=24M', f'--name={name}', *(['-t'] if number == 1 else []), ROOTFS, '/bin/sh',
                   '-c', script)
        self.before = self.look()
        self.assertEqual(len(self.before), COUNT)

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

    def limits_hold(self):
        """The last of the ten may not have 64 MiB, and neither may a new one."""
        naivec('kill', '-s', 'USR1', f'c{COUNT - 1}')
        # An older kernel tells only the parent the exit code.
        self.assertIn(naivec('wait', f'c{COUNT - 1}', check=False), [f'c{COUNT - 1} oom-kill {code}' for code in (0, 9)])
        naivec('run', '-d', '--memory=24M', '--name=new', ROOTFS, '/bin/touchmem', '64')
        self.assertEqual(naivec('wait', 'new', check=False), 'new oom-kill 9')

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
        self.limits_hold()

    def test_daemon_reexec(self):
        """systemctl daemon-reload and daemon-reexec change nothing, and the unit can be restarted afterwards"""
        old = machine.unit('MainPID')
        run('systemctl', 'daemon-reload')
        run('systemctl', 'daemon-reexec')
        self.assertEqual(machine.unit('MainPID'), old)
        self.all_as_before()
        run('systemctl', 'restart', UNIT)
        self.all_as_before()
        self.limits_hold()

    def test_keeper_killed(self):
        """kill -9 of the keeper: all ten go on, also when the service is restarted; the last one's end ends both units, and
        the next call starts both"""
        os.kill(int(machine.unit('MainPID', CONTAINERS)), 9)
        wait_until(lambda: machine.unit('MainPID', CONTAINERS) == '0', what="the keeper's end")
        self.all_as_before()
        run('systemctl', 'restart', UNIT)
        self.all_as_before()
        self.limits_hold()
        naivec('stop', '--all', '--time=0')
        wait_until(lambda: not machine.is_active() and not machine.is_active(CONTAINERS), what='the end of both units')
        self.both_come_back()

    def test_stop_of_containers(self):
        """systemctl stop of the containers' unit ends all ten and the service; the next call starts both"""
        run('systemctl', 'stop', CONTAINERS)
        self.assertEqual((machine.is_active(), machine.is_active(CONTAINERS)), (False, False))
        self.assertEqual([pid for pid, begun, _ in self.before.values() if start_time(pid) == begun], [])
        self.both_come_back()
        self.assertEqual(self.look(), {})
        for name in self.before:
            self.ends_truthfully(name, ('signal', 9))

    def both_come_back(self):
        self.assertEqual(naivec('run', '--memory=24M', ROOTFS, '/bin/echo', 'back'), 'back')
        self.assertEqual((machine.is_active(), machine.is_active(CONTAINERS)), (True, True))
        self.assertNotEqual(machine.unit('MainPID', CONTAINERS), '0')

    def test_stop_then_call(self):
        """systemctl stop leaves them running; the next call starts a service that knows them"""
        run('systemctl', 'stop', UNIT)
        for name, (pid, begun, _) in self.before.items():
            self.assertEqual(start_time(pid), begun, name)
        # Before 254 systemd keeps no descriptors of a stopped unit: its terminals hang up.
        self.all_as_before(terminal=machine.systemd_version() >= 254)
        self.limits_hold()

    def test_kill_9(self):
        """kill -9 of the service: the one that systemd starts then knows all ten"""
        old = machine.unit('MainPID')
        os.kill(int(old), 9)
        wait_until(lambda: machine.is_active() and machine.unit('MainPID') not in ('0', old), what='another service')
        self.all_as_before()
        self.limits_hold()

    def test_upgrade(self):
        """apt install of a newer build: the new program serves the containers of the old one, whose keeper stays"""
        old, keeper = machine.unit('MainPID'), machine.unit('MainPID', CONTAINERS)
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
        self.assertEqual(machine.unit('MainPID', CONTAINERS), keeper)
        self.limits_hold()
    test_upgrade.limit = machine.APT_LIMIT

    def test_upgrade_from_one_unit(self):
        """an upgrade from a version without the containers' unit: what runs below the service's own unit, or beside it
        under an old systemd, stays there, served and limited"""
        version = machine.systemd_version()
        old_unit = f'/etc/systemd/system/{UNIT}'
        naivec('stop', '--all', '--time=0')
        naivec('delete', *self.before)
        run('systemctl', 'stop', CONTAINERS)
        shutil.copy(f'/usr/lib/systemd/system/{UNIT}', old_unit)
        self.addCleanup(lambda: os.path.exists(old_unit) and os.remove(old_unit))
        machine.edit(old_unit, '^BindsTo=.*$', '')
        machine.edit(old_unit, f' {CONTAINERS}$', '')
        machine.edit(old_unit, r'^KillMode=', 'Delegate=yes\nDelegateSubgroup=supervisor\nKillMode=')
        run('systemctl', 'daemon-reload')
        self.start()
        place = UNIT if version >= 254 else 'naive-runc-containers'
        for _, _, group in self.before.values():
            self.assertTrue(group.startswith(f'/system.slice/{place}/'), group)
        self.assertFalse(machine.is_active(CONTAINERS))
        old = machine.unit('MainPID')
        os.remove(old_unit)
        machine.install(newer=True)
        try:
            self.assertEqual(machine.unit('MainPID') == old, version >= 258)
            self.assertEqual(os.path.exists(UPGRADE), version >= 254)
            self.all_as_before()
            if version < 258:
                run('systemctl', 'restart', UNIT)
                self.all_as_before()
            self.limits_hold()
            naivec('stop', '--all', '--time=0')
            run('systemctl', 'stop', UNIT)
            if version >= 254:
                os.remove(UPGRADE)  # as the next boot does
                run('systemctl', 'daemon-reload')
            self.both_come_back()
            self.assertIn(f'/{CONTAINERS}/', self.group_of_another())
        finally:
            done = machine.apt('install', '--allow-downgrades', machine.package())
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    test_upgrade_from_one_unit.limit = machine.APT_LIMIT

    def group_of_another(self):
        naivec('run', '-d', '--name=another', ROOTFS, '/bin/sleep', '1000')
        return self.container('another').prop('ControlGroup')

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

    def test_terminal(self):
        """the terminal of a container is still there: what is typed arrives"""
        naivec('run', '-d', '-t', '--name=tty', ROOTFS, '/bin/sh', '-c', 'while read line; do echo got-$line; done')
        run('systemctl', 'restart', UNIT)
        import in_session
        reply = in_session.talk(['naivec', 'attach', 'tty'], [['', 'word\n'], ['got-word', '\x10\x11']], 20)
        self.assertIn('got-word', reply['output'])
        self.assertEqual(self.container('tty').state, 'running')
