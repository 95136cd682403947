"""Output and decisions in the journal, found by field."""

import re

import machine
from machine import ROOTFS, UNIT, Case, naivec, run


OUTPUT = 'naive-runc'  # the identifier of what containers print; the service's own is naive-runcd


def text_of(entry):
    message = entry['MESSAGE']
    return bytes(message).decode(errors='replace') if isinstance(message, list) else message


class Journal(Case):
    def finished(self, name, script, *options):
        """A container of root's that has run to its end. Each test has a name of its own: the journal keeps all."""
        naivec('run', '-d', f'--name={name}', *options, ROOTFS, '/bin/sh', '-c', script)
        return naivec('wait', name, check=False)

    def lines(self, name, *more):
        return [text_of(e) for e in self.journal(f'CONTAINER_ID={name}', f'SYSLOG_IDENTIFIER={OUTPUT}', *more)]

    def test_output_by_id(self):
        """journalctl CONTAINER_ID=… and naivec logs show the same lines"""
        self.finished('j-both', 'for i in 1 2 3; do echo "line $i"; done; echo to-stderr >&2')
        logged = naivec('logs', 'j-both').splitlines()
        self.assertEqual(sorted(logged), ['line 1', 'line 2', 'line 3', 'to-stderr'])
        self.assertEqual(self.lines('j-both'), logged)

    def test_fields(self):
        """each entry says whose container it was"""
        self.finished('j-fields', 'echo something')
        entry, = self.journal('CONTAINER_ID=j-fields', f'SYSLOG_IDENTIFIER={OUTPUT}')
        self.assertEqual((entry['CONTAINER_OWNER_UID'], entry['_SYSTEMD_UNIT']), ('0', UNIT))
        self.assertIn('something', run('journalctl', '-t', OUTPUT, '-o', 'cat').stdout)

    def test_own_messages(self):
        """what the service says about a container carries its id as well"""
        self.finished('j-said', 'exit 3')
        said = [e for e in self.journal('CONTAINER_ID=j-said', f'_SYSTEMD_UNIT={UNIT}')
                if e.get('SYSLOG_IDENTIFIER') != OUTPUT]
        self.assertTrue(said)

    def test_kinds(self):
        """start, end and decision are found by the ids that naive-runcd(8) names"""
        with open('/vm/src/service/naive-runcd.8') as f:
            new, ended, decision = re.findall(r'^\.It Li ([0-9a-f]{32})$', f.read(), re.MULTILINE)
        naivec('run', '-d', '--name=j-kinds', ROOTFS,
               '/bin/sh', '-c', 'trap "exit 3" TERM; while :; do sleep 0.1; done')

        def entry(kind):
            found = machine.wait_until(lambda: self.journal(f'MESSAGE_ID={kind}', 'CONTAINER_ID=j-kinds'),
                                       what='an entry')
            self.assertEqual(len(found), 1)
            return text_of(found[0])
        self.assertIn('running', entry(new))
        naivec('stop', 'j-kinds')
        self.assertIn('exit-code 3', entry(ended))
        run('naivec', 'run', '--name=j-asked', ROOTFS, '/bin/true', user='bob', check=False)
        said = [e for e in self.journal(f'MESSAGE_ID={decision}') if e['SENDER_UID'] == '1001']
        self.assertEqual(said[-1]['ACTION'], 'org.naive.Runc.run')

    def test_same_id_of_two_users(self):
        """two users' containers with one id are told apart"""
        self.allow_alice()
        self.finished('j-twin', 'echo of-root')
        run('naivec', 'run', '-d', '--name=j-twin', '/home/alice/rootfs', '/bin/echo', 'of-alice', user='alice')
        run('naivec', 'wait', 'j-twin', user='alice')
        self.assertEqual(self.lines('j-twin', 'CONTAINER_OWNER_UID=1000'), ['of-alice'])
        self.assertEqual(self.lines('j-twin', 'CONTAINER_OWNER_UID=0'), ['of-root'])

    def test_no_forged_fields(self):
        """output that looks like the journal's own protocol stays output"""
        self.finished('j-forge', 'printf "MESSAGE=x\\nCONTAINER_ID=j-victim\\nPRIORITY=0\\n\\n<0>loud\\n"')
        self.assertEqual(self.journal('CONTAINER_ID=j-victim'), [])
        self.assertEqual(self.lines('j-forge')[:3], ['MESSAGE=x', 'CONTAINER_ID=j-victim', 'PRIORITY=0'])
        self.assertNotIn('0', [e.get('PRIORITY') for e in self.journal('CONTAINER_ID=j-forge')])

    def test_any_bytes(self):
        """bytes that are no text, a long line and an unfinished one arrive"""
        self.finished('j-bytes', 'printf "\\377\\001x\\n"; head -c 3000 /dev/zero | tr "\\0" y; printf "\\nend"')
        found = ''.join(self.lines('j-bytes'))
        self.assertIn('y' * 2000, found)
        self.assertTrue(found.endswith('end'), found[-40:])

    def test_terminal(self):
        """a container with a terminal is logged, too"""
        self.finished('j-tty', 'tty >/dev/null && echo on-a-terminal', '-t')
        self.assertIn('on-a-terminal', ''.join(self.lines('j-tty')))

    def test_live(self):
        """the lines are there while the container runs"""
        naivec('run', '-d', '--name=j-live', ROOTFS, '/bin/sh', '-c', 'echo early; sleep 100')
        machine.wait_until(lambda: self.lines('j-live') == ['early'], what='the line')

    def allow_alice(self):
        import os
        rule = '/etc/polkit-1/rules.d/10-vm.rules'
        with open(rule, 'w') as f:
            f.write('polkit.addRule(function(action, subject) {\n'
                    '  if (action.id == "org.naive.Runc.run" && subject.user == "alice") return polkit.Result.YES;\n'
                    '});\n')
        run('systemctl', 'restart', 'polkit.service')
        self.addCleanup(lambda: (os.remove(rule), run('systemctl', 'restart', 'polkit.service')))
