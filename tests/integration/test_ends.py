"""Signals, stops and deletes that race with a container's end, from naivec and on the bus; and how numbers, signals and
options are spelled, and argument lists as long as the kernel takes them."""

import os
import signal
import time

from harness.case import Case
from harness.client import CONTAINER
from test_naivec import Naivec


class Ended(Naivec):
    def test_stop(self):
        """stop of what has ended is a success, as often as one says it; of what never was, it is not."""
        container = self.root.spawn(self.rootfs, ['/bin/true'], Id='over')
        container.wait()
        for arguments in (('over',), ('over',), ('--time=0', 'over', 'over'), ('-s', 'KILL', 'over'), ('--all',)):
            done = self.naivec('stop', *arguments)
            self.assertEqual((done.returncode, done.stderr), (0, b''))
        self.assertEqual(self.naivec('stop', 'over', 'never').returncode, 1)
        container.call('Stop', 'it', (0, 0))
        with self.refused('InvalidArgs'):
            container.call('Stop', 'it', (65, 0))
        self.assertEqual(container.props()['Result'], 'success')

    def test_kill(self):
        """kill of what has ended is an error by name, as with podman and systemctl."""
        container = self.root.spawn(self.rootfs, ['/bin/true'], Id='dead')
        container.wait()
        done = self.naivec('kill', 'dead')
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'stopped', done.stderr)
        for whom in 'main', 'all':
            with self.refused('InvalidState', text='stopped'):
                container.kill(signal.SIGTERM, whom)

    def test_delete(self):
        """delete of what runs is an error; of what has ended, once."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'], Id='live')
        self.assertEqual(self.naivec('delete', 'live').returncode, 1)
        container.kill()
        container.wait()
        self.assertEqual(self.naivec('delete', 'live').returncode, 0)
        self.assertEqual(self.naivec('delete', 'live').returncode, 1)

    def race(self, number, **options):
        return self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'sleep 0.0{number % 5}'], Id=f'race{number}', **options)

    def test_races_on_the_bus(self):
        """Stop and Kill at the moment of the end: Stop is answered, Kill as well or with InvalidState, and with nothing
        else; what has been stopped can be deleted at once."""
        for number in range(40):
            container = self.race(number)
            try:
                container.kill(signal.SIGUSR1, 'all' if number % 2 else 'main')
            except Exception as error:
                self.assertIn('InvalidState', error.name)
            container.stop(timeout=5)
            self.assertIn(container.props()['Result'], ('success', 'signal'))
            container.delete()

    def test_races_of_removed_ones(self):
        """stop and stop --all of what is forgotten meanwhile are no error."""
        for number in range(10):
            for i in range(5):
                self.race(5 * number + i, Remove=True)
            done = self.naivec('stop', '--all')
            self.assertEqual((done.returncode, done.stderr), (0, b''))

    def test_reply_of_stop(self):
        """Stop is answered with the end, by whatever it came: by itself before the signal counts, too."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'trap "" TERM; sleep .5; exit 3'])
        time.sleep(0.2)
        started = time.monotonic()
        container.stop(timeout=20)
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual((container.props()['Result'], container.props()['ExitCode']), ('exit-code', 3))

    def test_strangers(self):
        """To a stranger no container has been stopped."""
        container = self.user('alice').run(self.rootfs_of('alice'), 0, ['/bin/true'])
        container.wait()
        with self.refused('UnknownObject', 'AccessDenied'):
            self.user('erin').call(container.path, CONTAINER, 'Stop', 'it', (0, 0))
        done = self.naivec('stop', f'{os.path.dirname(container.path).split("/")[-1]}/{container.id}', user='erin')
        self.assertEqual(done.returncode, 1, done.stderr)


class Spelled(Naivec):
    def test_signals(self):
        """kill takes signals as kill(1) and podman spell them."""
        for words, number in ((('-9',), 9), (('-KILL',), 9), (('-SIGKILL',), 9), (('-s', 'kill'), 9), (('-s9',), 9),
                              (('--signal=sigkill',), 9), (('-HUP',), 1), (('-s', 'SIGRTMIN+3'), 37),
                              (('-RTMAX-1',), 63), (('--signal', 'RTMIN'), 34), ((), 15)):
            with self.subTest(words=words):
                container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'sleep 60; echo $?'])
                time.sleep(0.1)
                # the first process takes from outside only SIGKILL where it has no handler; its child takes each
                done = self.naivec('kill', *words, '--all', container.id)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(container.wait(timeout=5), ('signal', 9) if number == 9 else ('success', 0))
                if number != 9:
                    self.assertEqual(container.log().split(b'\n')[-2], b'%d' % (128 + number))
        for words in ('-99', '-XYZ', '--signal=0', '--signal=65', '--signal=RTMIN+31', '-s', '--signal='):
            self.assertEqual(self.naivec('kill', words, 'x').returncode, 2, words)

    def test_sizes(self):
        """Sizes are podman's and systemd's, in every option that takes one."""
        for text, size in (('64m', 64 << 20), ('64M', 64 << 20), ('64mb', 64 << 20), ('64MiB', 64 << 20),
                           ('0.5g', 512 << 20), (f'{64 << 20}b', 64 << 20), ('0', 2**64 - 1), ('-1', 2**64 - 1)):
            with self.subTest(text=text):
                swap = '0.5m' if size < 2**64 - 1 else '-1'
                self.good('run', '-d', '--name=sized', f'--memory={text}', f'--memory-swap-max={swap}',
                          '--tmpfs=/tmp:size=1.5mb', self.rootfs, '/bin/sh', '-c', 'df -k /tmp')
                container = self.root.get_container('sized')
                container.wait()
                self.assertEqual(container.props()['MemoryMax'], size)
                self.assertIn(b'1536', container.log())
                container.delete()

    def test_times(self):
        """stop --time takes times as systemd spells them."""
        for text in '0', '200ms', '0.2', '0.2s', '1min', '1min 30s', 'infinity':
            container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'trap "exit 4" TERM; while :; do sleep .02; done'],
                                        Id='timed')
            time.sleep(0.1)
            self.good('stop', f'--time={text}', 'timed', timeout=15)
            self.assertEqual(container.props()['State'], 'stopped')
            container.delete()

    def test_environment(self):
        """-e: a value may be empty, the last one counts, a name without a value is passed on if it is set."""
        for flags, expected in ((('-e', 'A='), b'[]'), (('-e', 'A'), b'[ ]'), (('-e', 'A=1', '-e', 'A=2'), b'[2]'),
                                (('-e', 'A=1', '-e', 'A'), b'[ ]'), (('-e', 'B'), b'unset'), (('--env=A=x y',), b'[x y]'),
                                (('-e', 'A=1', '-e', 'B'), b'[1]'), (('-e', 'A=b=c'), b'[b=c]')):
            with self.subTest(flags=flags):
                done = self.naivec('run', *flags, self.rootfs, '/bin/sh', '-c', 'echo "${A+[$A]}"', env={'A': ' '})
                expected_line = b'' if expected == b'unset' else expected
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, expected_line + b'\n', b''))
        for wrong in '', '=', '=x':
            self.assertEqual(self.naivec('run', '-e', wrong, self.rootfs, '/bin/true').returncode, 2)

    def test_no_abbreviations(self):
        """What begins an option is none; the message names the whole one."""
        for word, whole in (('--mem=1', b'--memory'), ('--memory-swap=1', b'--memory-swap-max'), ('--usern=1', b'--userns'),
                            ('--pid=host', b'--pids-limit'), ('--net=host', b'--network'), ('--envv=1', b'--env')):
            done = self.naivec('run', word, self.rootfs, '/bin/true')
            self.assertEqual(done.returncode, 2)
            self.assertIn(whole, done.stderr)
        self.nothing_started()


class LongLists(Naivec):
    # by Run: in Python, strings are made into a message at once, and the bytes of Spawn one by one
    def check(self, client, rootfs, argv):
        self.assertEqual(self.said(client.run(rootfs, 0, argv)), f'{len(argv) - 4}\n')

    def test_many(self):
        """Argument lists as scripts make them: as many strings as the kernel takes."""
        line = ['/bin/sh', '-c', 'echo $#']
        for words in (['x'] * 5000, [f'a-file-name-{i}' for i in range(60000)], [''] * 150000, ['y' * 131071] * 15):
            self.check(self.root, self.rootfs, [*line, 'sh', *words])
        self.check(self.user('alice'), self.rootfs_of('alice'), [*line, 'sh', *(['x'] * 100000)])
        self.assertEqual(self.said(self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'env | grep -c ^V'], Environment=[
            f'V{i}=x' for i in range(5000)])), '5000\n')

    def test_too_long(self):
        """What the kernel would not take is InvalidArgs, with the kernel's limit in its words, and nothing runs."""
        for words in (['x'] * 300000, ['y' * 131071] * 17, ['y' * 131072]):
            with self.refused('InvalidArgs'):
                self.root.run(self.rootfs, 0, ['/bin/true', *words])
        # within our limit, but with PATH, HOME and the file's name beyond the kernel's
        words = ['z' * 1015] * 2047
        with self.refused('InvalidArgs', text='kernel'):
            self.root.run(self.rootfs, 0, ['/bin/true', *words, 'z' * 950])

    def test_naivec(self):
        """naivec and --embedded pass on what the shell could pass to naivec."""
        script = (f'exec {self.world.naivec} $0 run {self.rootfs} /bin/sh -c "echo \\$#" sh $(seq 100000)')
        for flag in '-q', '--embedded':
            done = self.command('/bin/bash', '-c', script, flag, env={'NAIVE_RUNCD': self.world.daemon})
            self.assertEqual((done.returncode, done.stdout), (0, b'100000\n'), done.stderr)
