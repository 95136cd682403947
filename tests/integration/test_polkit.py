"""Who may do what: a real polkitd judges, with rules in harness/test.rules."""

import os
import re
import time

from harness.case import Case
from harness.client import INTERACTIVE, BusError
from harness.files import write
from harness.world import SOURCE, USERS


class Refused(Case):
    starts_nothing = True

    def test_without_a_rule(self):
        """A user without a rule is refused with InteractiveAuthorizationRequired, and nothing is started."""
        with self.refused('InteractiveAuthorizationRequired'):
            self.user('carol').run(self.rootfs_of('carol'), 10 << 20, ['/bin/true'])
        for member in ('spawn', 'create'):
            with self.refused('InteractiveAuthorizationRequired'):
                getattr(self.user('carol'), member)(self.rootfs_of('carol'), ['/bin/true'])

    def test_interactive_without_an_agent(self):
        """With the interactive flag but no agent to ask, the user is refused all the same."""
        with self.refused('InteractiveAuthorizationRequired', 'AccessDenied', 'AuthorizationUnavailable'):
            self.user('carol').run(self.rootfs_of('carol'), 10 << 20, ['/bin/true'], flags=INTERACTIVE)

    def test_denied(self):
        """A rule that says no is AccessDenied, with and without the interactive flag."""
        for flags in (0, INTERACTIVE):
            with self.refused('AccessDenied'):
                self.user('dave').run(self.rootfs_of('dave'), 10 << 20, ['/bin/true'], flags=flags)


class Allowed(Case):
    def test_rule_on_rootfs(self):
        """A user with a rule that looks at action.lookup("rootfs") runs its own tree without a prompt."""
        output = self.output(['/bin/sh', '-c', 'id -u; cat /etc/marker'], client=self.user('alice'),
                             rootfs=self.rootfs_of('alice'), memory=10 << 20)
        self.assertEqual(output, '0\nthis is the rootfs\n')

    def test_many_at_once(self):
        """100 runs of a user, 16 at a time as make and xargs have them, wait for their turn and succeed."""
        done = self.command('/bin/sh', '-c', f'seq 100 | xargs -P 16 -I{{}} {self.world.naivec} run '
                                             f'{self.rootfs_of("alice")} /bin/echo {{}}', user='alice')
        self.assertEqual((done.returncode, done.stderr), (0, b''))
        self.assertEqual(sorted(done.stdout.split(), key=int), [b'%d' % n for n in range(1, 101)])

    def test_memory_limit_of_a_user(self):
        """The limit holds for a user's container as for root's."""
        container = self.user('alice').run(self.rootfs_of('alice'), 10 << 20, ['/bin/touchmem', '32'])
        self.assertEqual(container.wait(), ('oom-kill', 9))

    def test_own_containers_need_no_rule(self):
        """The owner lists, watches, ends and deletes its own without a question."""
        user = self.user('alice')
        container = user.create(self.rootfs_of('alice'), ['/bin/sleep', '60'], Id='mine')
        self.assertEqual([c[0] for c in user.containers()], ['mine'])
        self.assertEqual(user.get_container('mine').path, container.path)
        container.start()
        self.assertEqual(container.state, 'running')
        self.assertEqual(container.prop('OwnerUID'), USERS['alice'])
        self.assertEqual(container.end(), ('signal', 9))
        container.log()
        container.delete()
        self.assertEqual(user.containers(), [])


class Privileged(Case):
    """What takes from the isolation is an action of its own."""

    OPTIONS = (('UserNamespace', 'host'), ('Network', 'host'), ('Capabilities', ['CAP_NET_ADMIN']),
               ('Seccomp', 'unconfined'), ('NoNewPrivileges', False))

    def test_refused_to_who_may_run(self):
        """Each such option is refused to a user with `run` alone, who may do all the rest."""
        alice = self.user('alice')
        for member in ('spawn', 'create'):
            for key, value in self.OPTIONS:
                with self.subTest(key=key), self.refused('InteractiveAuthorizationRequired'):
                    getattr(alice, member)(self.rootfs_of('alice'), ['/bin/true'], **{key: value})
        self.nothing_started()
        self.spawn_output(['/bin/true'], client=alice, rootfs=self.rootfs_of('alice'), UserNamespace='self',
                          Network='private', Capabilities=['CAP_CHOWN'], Seccomp='default', NoNewPrivileges=True)

    def test_granted_by_its_own_action(self):
        """A rule for run-privileged grants them, and not what `run` covers."""
        frank = self.user('frank')
        for key, value in self.OPTIONS:
            if key != 'Network':
                with self.subTest(key=key):
                    self.spawn_output(['/bin/true'], client=frank, rootfs=self.rootfs_of('frank'), **{key: value})
        with self.refused('InteractiveAuthorizationRequired'):
            frank.spawn(self.rootfs_of('frank'), ['/bin/true'])

    def test_rule_sees_the_deviations(self):
        """The rule looks at action.lookup("deviations"): what it does not want is refused."""
        for options in ({'Network': 'host'}, {'Network': 'host', 'Seccomp': 'unconfined'}):
            with self.subTest(options=options), self.refused('InteractiveAuthorizationRequired'):
                self.user('frank').spawn(self.rootfs_of('frank'), ['/bin/true'], **options)
        self.nothing_started()

    def test_denied(self):
        """A rule that says no is AccessDenied."""
        with self.refused('AccessDenied'):
            self.user('dave').spawn(self.rootfs_of('dave'), ['/bin/true'], Seccomp='unconfined')


class Examples(Case):
    """The rules in texts for readers, with a place and a group that are there."""

    def test_rules(self):
        """The rules in README and manual are what polkit reads, and allow what they say."""
        rules = '/etc/polkit-1/rules.d/20-example.rules'
        carol, home = self.user('carol'), f'{self.world.directory}/carol'
        for path, pattern in (('README.md', r'```javascript\n(.*?)```'),
                              ('service/naive-runcd.8', r'\n(polkit\.addRule.*?)\.Ed')):
            with self.subTest(text=path):
                with open(f'{SOURCE}/{path}') as f:
                    rule = re.search(pattern, f.read(), re.DOTALL).group(1).replace('\\e', '\\')
                for old, new in (('\\/srv\\/images', home.replace('/', '\\/')), ('"builders"', '"carol"')):
                    self.assertIn(old, rule)
                    rule = rule.replace(old, new)
                with self.refused('InteractiveAuthorizationRequired'):
                    carol.run(f'{home}/rootfs', 0, ['/bin/true'])
                write(rules, rule)
                try:
                    self.eventually(self.runs, 20, 'the rule')
                    with self.refused('InteractiveAuthorizationRequired'):
                        carol.run(self.rootfs, 0, ['/bin/true'])
                finally:
                    os.unlink(rules)
                self.eventually(lambda: not self.runs(), 20, "the rule's end")

    def runs(self):
        time.sleep(0.3)  # refused requests are counted
        try:
            self.user('carol').run(self.rootfs_of('carol'), 0, ['/bin/true']).wait()
            return True
        except BusError:
            return False
