"""Containers with a terminal of their own."""

import os
import re
import time

from harness.case import Case


class Terminal(Case):
    def attach(self, container):
        container.call('Attach', 'a{sv}', ({},))
        fd, = self.root.fds
        self.addCleanup(os.close, fd)
        return fd

    def shell(self, **options):
        container = self.root.spawn(self.rootfs, ['/bin/sh'], Terminal=True,
                                    Environment=['PS1=prompt> '], **options)
        return container, self.attach(container)

    def test_prompt_and_commands(self):
        """A shell on a terminal shows its prompt, takes commands, ends by Ctrl-D."""
        container, fd = self.shell()
        self.expect(fd, b'prompt> ')
        os.write(fd, b'echo $((6*7))\n')
        self.expect(fd, b'42\r\n')
        os.write(fd, b'tty; test -t 0 && test -t 1 && test -t 2 && echo "is $((1+1)) tty"\n')
        self.assertIn(b'/dev/', self.expect(fd, b'is 2 tty'))
        self.expect(fd, b'prompt> ')
        time.sleep(0.2)  # while a command runs the terminal is in its plain mode, where Ctrl-D is not a key
        os.write(fd, b'\4')
        self.assertEqual(container.wait(timeout=10), ('success', 0))

    def test_keys_that_signal(self):
        """Ctrl-C interrupts the foreground command, Ctrl-Z stops it, not the shell: it is the terminal of its session."""
        container, fd = self.shell()
        for key, words, after in ((b'\3', b'prompt> ', b'echo "code $?"\n'), (b'\x1a', b'Stopped', b'kill -9 %1; fg\n')):
            self.expect(fd, b'prompt> ')
            os.write(fd, b'sleep 60\n')
            time.sleep(0.3)
            os.write(fd, key)
            self.expect(fd, words)
            os.write(fd, after)
            if after.startswith(b'echo'):
                self.expect(fd, b'code 130')
        self.expect(fd, b'prompt> ')
        os.write(fd, b'echo gone-$((1+1))\n')
        self.expect(fd, b'gone-2')

    def test_resize(self):
        """ResizeTerminal changes the size, and the foreground hears of it."""
        container, fd = self.shell()
        self.expect(fd, b'prompt> ')
        container.call('ResizeTerminal', 'qq', (33, 111))
        os.write(fd, b'stty size\n')
        self.expect(fd, b'33 111')
        os.write(fd, b'sh -c \'trap "echo winch-$((1+1)); exit" WINCH; echo set-$((2+2)); '
                 b'while :; do sleep .05; done\'\n')
        self.expect(fd, b'set-4')
        container.call('ResizeTerminal', 'qq', (40, 100))
        self.expect(fd, b'winch-2')

    def test_term(self):
        """On a terminal TERM is set as well."""
        container, fd = self.shell()
        self.expect(fd, b'prompt> ')
        os.write(fd, b'echo "T=$TERM="\n')
        self.expect(fd, b'"\r\n')
        self.assertNotIn(b'T==', self.expect(fd, b'=\r\n'))

    def test_nobody_attached(self):
        """Output that nobody attached reads blocks nothing, and is in the log."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'seq 1 3000; echo end'], Terminal=True)
        self.assertEqual(container.wait(timeout=20), ('success', 0))
        self.assertTrue(container.log().endswith(b'end\r\n'))

    def test_scrollback(self):
        """Who attaches late sees what was there before."""
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', 'echo early; sleep 60'], Terminal=True)
        self.eventually(lambda: b'early' in container.log())
        self.expect(self.attach(container), b'early')

    def test_many_read(self):
        """Many may read the same terminal."""
        container, first = self.shell()
        second = self.attach(container)
        os.write(first, b'echo $((6*7))\n')
        self.expect(first, b'42\r\n')
        self.expect(second, b'42\r\n')

    def test_without_terminal(self):
        """A container without a terminal has none to attach to or resize: NoTerminal."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '60'])
        with self.refused('NoTerminal'):
            container.call('ResizeTerminal', 'qq', (24, 80))
        with self.refused('NoTerminal'):
            container.call('Attach', 'a{sv}', ({},))

    def test_attach_to_created(self):
        """Attach works before Start, so that nothing is missed."""
        container = self.root.create(self.rootfs, ['/bin/echo', 'first words'], Terminal=True)
        fd = self.attach(container)
        container.start()
        self.expect(fd, b'first words')

    def test_not_the_callers(self):
        """The terminal is the container's own devpts, not the host's."""
        container, fd = self.shell()
        self.expect(fd, b'prompt> ')
        os.write(fd, b'ls /dev/pts; echo done-$((1+1))\n')
        text = re.sub(rb'\x1b\[[0-9]*[a-zA-Z]', b'', self.expect(fd, b'\ndone-2')).split(b'\r\n', 1)[1]
        self.assertLessEqual(set(text.split()), {b'0', b'ptmx', b'done-2', b'prompt>'})

    def test_detach(self):
        """Closing the attached fd leaves the command running."""
        container = self.root.spawn(self.rootfs, ['/bin/sh'], Terminal=True)
        container.call('Attach', 'a{sv}', ({},))
        os.close(self.root.fds[0])
        time.sleep(0.2)
        self.assertEqual(container.state, 'running')
