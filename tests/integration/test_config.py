"""What a container was made with, its labels, and what the service has found on its machine."""

import json
import os

from harness.case import Case
from harness.client import CONTAINER, MANAGER, PATH, GLib, pump

SLEEP = ['/bin/sleep', '600']


def of_bytes(value):
    """Lists of bytes as bytes, also inside."""
    if isinstance(value, list) and value and all(isinstance(v, int) for v in value):
        return bytes(value)
    return [of_bytes(v) for v in value] if isinstance(value, (list, tuple)) else value


class Config(Case):
    def config(self, container):
        return {key: value if key == 'fds' else of_bytes(value)
                for key, value in container.call('GetConfig')[0].items()}

    def test_what_was_said(self):
        """The arguments, and each option as it was given, by its own name; and what was left to the service."""
        tree = self.rootfs_of('alice')
        with open('/dev/null', 'rb') as null:
            container = self.user('alice').create(
                tree, ['/bin/echo', b'\xff', ''], fds={5: null.fileno()}, Environment=['A=secret', b'B=\xfe'], UMask=0o77,
                User=(7, 8), SupplementaryGroups=[9], CapabilityBoundingSet=[], LimitNOFILE=(10, 20), Remove=True,
                Mounts=[(tree, '/mnt', 'bind', ['ro'])], Labels={'app': 'web'}, MemoryMax=1 << 25, OOMScoreAdjust=3)
        config = self.config(container)
        self.assertEqual(config, {
            'rootfs': tree.encode(), 'argv': [b'/bin/echo', b'\xff', []], 'fds': [5],
            'Environment': [b'A=secret', b'B=\xfe'], 'UMask': 0o77, 'User': [7, 8], 'SupplementaryGroups': b'\x09',
            'CapabilityBoundingSet': [], 'LimitNOFILE': [10, 20], 'Remove': True,
            'Mounts': [[tree.encode(), b'/mnt', 'bind', ['ro']]], 'Labels': {'app': 'web'}, 'MemoryMax': 1 << 25,
            'OOMScoreAdjust': 3, 'Id': container.id, 'Hostname': container.id, 'TasksMax': 4096, 'UserNamespace': 'auto'})
        container.delete()

    def test_of_run(self):
        """A call of Run has no options; what it says and means stands there under their names."""
        config = self.config(self.root.run(self.rootfs, 1 << 25, ['/bin/true']))
        self.assertEqual((config['argv'], config['MemoryMax']), ([b'/bin/true'], 1 << 25))
        self.assertNotIn('MemoryMax', self.config(self.root.run(self.rootfs, 0, ['/bin/true'])))

    def test_descriptors(self):
        """A descriptor is told to have been there; a tree given as one by the path that it had."""
        with open('/dev/null', 'rb') as null:
            handle = os.open(self.rootfs, os.O_PATH | os.O_DIRECTORY)
            self.addCleanup(os.close, handle)
            container = self.root.spawn('', SLEEP, RootFD=handle)
        config = self.config(container)
        self.assertEqual((config['RootFD'], config['rootfs'], config['fds']), (True, self.rootfs.encode(), []))

    def test_lasts(self):
        """It is there after the end, and after a restart of the service, of what lives and of what has ended; an
        Update changes nothing of it."""
        alice, tree = self.user('alice'), self.rootfs_of('alice')
        live = alice.spawn(tree, SLEEP, Labels={'a': 'b', 'c': ''}, MemoryMax=1 << 26)
        dead = alice.spawn(tree, ['/bin/true'], Hostname='there', Labels={'a': 'x'})
        dead.wait()
        live.call('Update', 'a{sv}', ({'MemoryMax': GLib.Variant('t', 1 << 25)},))
        before = [(self.config(c), c.prop('Labels')) for c in (live, dead)]
        self.another_service()
        self.assertEqual([(self.config(c), c.prop('Labels')) for c in (live, dead)], before)
        self.assertEqual(before[0][0]['MemoryMax'], 1 << 26)
        self.assertEqual((before[1][0]['Hostname'], before[1][1]), ('there', {'a': 'x'}))

    def test_who(self):
        """It is for the owner, root and whoever may inspect; for anybody else there is no such object."""
        container = self.user('alice').spawn(self.rootfs_of('alice'), SLEEP)
        for name in ('erin', 'alice'):
            self.assertIn('argv', self.user(name).call(container.path, CONTAINER, 'GetConfig')[0])
        self.assertIn('argv', self.root.call(container.path, CONTAINER, 'GetConfig')[0])
        for name in ('bob', 'dave'):
            with self.refused('UnknownObject'):
                self.user(name).call(container.path, CONTAINER, 'GetConfig')

    def test_much(self):
        """What is too much to be kept is named, and nothing else is missing; the record has room for the rest."""
        argv = ['/bin/sleep', '600', 'x' * 60000]
        container = self.root.spawn(self.rootfs, argv, Environment=['A=' + 'y' * 60000], Hostname='there')
        config = self.config(container)
        self.assertEqual(len(config['argv'][2]), 60000)
        self.assertEqual((config['Omitted'], config['Hostname']), (['Environment'], 'there'))
        self.another_service()
        self.assertEqual(self.config(container), config)


class Labels(Case):
    def listed(self, client, *labels):
        filter = {'Labels': GLib.Variant('as', labels)}
        return [path for *_, path in client.call(PATH, MANAGER, 'ListContainers', 'a{sv}', (filter,))[0]]

    def test_found(self):
        """A filter finds what has all of its labels, of the caller's own; root finds everybody's."""
        alice, tree = self.user('alice'), self.rootfs_of('alice')
        web = alice.create(tree, ['/bin/true'], Labels={'app': 'web', 'tier': '1'})
        db = alice.create(tree, ['/bin/true'], Labels={'app': 'db', 'tier': '1'})
        roots = self.root.create(self.rootfs, ['/bin/true'], Labels={'app': 'web'})
        plain = alice.create(tree, ['/bin/true'])
        self.assertEqual(self.listed(alice, 'app'), [web.path, db.path])
        self.assertEqual(self.listed(alice, 'app=web'), [web.path])
        self.assertEqual(self.listed(alice, 'tier=1', 'app=db'), [db.path])
        self.assertEqual(self.listed(alice, 'app='), [])
        self.assertEqual(self.listed(alice), [web.path, db.path, plain.path])
        self.assertEqual(self.listed(self.root, 'app=web'), [web.path, roots.path])
        self.assertEqual(self.listed(self.user('bob'), 'app'), [])

    def test_wrong(self):
        """Labels and filters that are none are refused by name."""
        tree = self.rootfs
        for labels, words in (({'': 'x'}, 'does not match'), ({'a=b': 'x'}, 'does not match'),
                              ({f'n{i}': '' for i in range(65)}, '64'), ({'a': 'x' * 16384}, '16384 bytes')):
            with self.subTest(words=words), self.refused('InvalidArgs', text=words):
                self.root.create(tree, ['/bin/true'], Labels=labels)
        with self.refused('InvalidArgs', text="'a' twice"):
            self.root.call_text(PATH, MANAGER, 'Create', '(ayaaya{uh}a{sv})',
                                f'(b"{tree}", [b"/bin/true"], {{}}, {{"Labels": <@a{{ss}} {{"a": "1", "a": "2"}}>}})')
        for text, words in (('{"State": <"running">}', "unknown key 'State'"), ('{"Labels": <"a">}', "'s', not 'as'"),
                            ('{"Labels": <["a"]>, "Labels": <["b"]>}', 'twice'),
                            ('{"Labels": <["x"' + ', "x"' * 64 + ']>}', '64')):
            with self.subTest(words=words), self.refused('InvalidArgs', text=words):
                self.root.call_text(PATH, MANAGER, 'ListContainers', '(a{sv})', f'(@a{{sv}} {text},)')
        self.nothing_started()

    def test_untold(self):
        """They stand in no list of properties, in no signal, and are nobody else's to read."""
        seen = self.root.subscribe()
        container = self.user('alice').spawn(self.rootfs_of('alice'), ['/bin/true'], Labels={'secret-key': 'secret-value'})
        container.wait()
        self.assertEqual(container.prop('Labels'), {'secret-key': 'secret-value'})
        self.assertNotIn('Labels', container.props())
        with self.refused('UnknownObject'):
            self.user('bob').prop(container.path, CONTAINER, 'Labels')
        container.delete()
        self.assertTrue(pump(lambda: any(member == 'ContainerRemoved' for _, _, member, _ in seen)))
        self.assertNotIn('secret', str(seen))
        self.assertNotIn('secret', str(self.root.managed()))


class Features(Case):
    # what an option has to be given to be refused where it cannot be had
    OPTIONS = {'MemoryMax': 1 << 26, 'MemoryHigh': 1 << 26, 'MemoryLow': 4096, 'MemorySwapMax': 0, 'TasksMax': 10,
               'CPUWeight': 50, 'CPUQuotaPerSecUSec': 500000, 'CPUTimeMaxUSec': 10**9, 'AllowedCPUs': '0', 'IOWeight': 50}

    def features(self, client=None):
        return (client or self.root).call(PATH, MANAGER, 'GetFeatures')[0]

    def attempt(self, thing):
        """Whether it can be had."""
        name, _, value = thing.partition('=')
        options = {name: value} if value else {name: self.OPTIONS[name]} if name in self.OPTIONS else {}
        if name == 'MemorySwapMax':
            options['MemoryMax'] = 1 << 26  # v1 limits both together
        try:
            container = self.root.spawn(self.rootfs, SLEEP, **options)
            if thing in ('Pause', 'GetStats'):
                container.call(thing)
            if thing == 'Resume':
                container.call('Pause')
                container.call(thing)
            if thing == 'SetPressureTrigger':
                container.call(thing, 'stt', ('cpu', 100000, 2000000))
            if thing == 'Usage':
                return 'CPUUsageUSec' in container.prop(thing)
        except Exception as error:
            self.assertIn('NotSupported', str(error))
            return False
        return True

    def test_true(self):
        """What is told to be there can be had, and what is not is refused as not supported."""
        for name, (is_there, enables, reason) in self.features().items():
            self.assertTrue(enables, name)
            self.assertEqual(bool(reason), not is_there, name)
            for thing in enables:
                with self.subTest(feature=name, thing=thing):
                    if name == 'cgroup-swap' and not is_there:
                        continue  # refused only where the machine has swap
                    if thing not in ('Run', 'Spawn', 'Create'):
                        self.assertEqual(self.attempt(thing), is_there)
                    else:
                        self.assertTrue(is_there)

    def test_mode(self):
        """They fit to CgroupMode."""
        features, mode = self.features(), self.root.prop(PATH, MANAGER, 'CgroupMode')
        self.assertEqual(features['cgroup'][0], mode != 'none')
        self.assertEqual(features['cgroup-memory-v2'][0], mode == 'unified' and features['cgroup-memory'][0])

    def test_anybody(self):
        """A stranger hears the same, and of no container."""
        self.assertEqual(self.features(self.user('dave')), self.features())


class CommandLine(Case):
    def naivec(self, *line, user=None):
        return self.command(self.world.naivec, *line, user=user)

    def test_inspect(self):
        """An array of what is known of each container: properties, labels, account and configuration."""
        container = self.root.spawn(self.rootfs, SLEEP, Id='web', Labels={'app': 'x'}, Environment=['A=\u00e9'])
        for line in (['web'], []):
            done = self.naivec('inspect', *line)
            found, = json.loads(done.stdout)
            self.assertEqual((found['Id'], found['State'], found['Labels']), ('web', 'running', {'app': 'x'}))
            self.assertEqual(found['Pid'], container.pid)
            self.assertIn('WallUSec', found['Usage'])
            config = found['Config']
            self.assertEqual((config['argv'], config['Environment']), (SLEEP, ['A=\u00e9']))
        self.assertEqual(len(self.naivec('inspect', '--json=short').stdout.splitlines()), 1)
        done = self.naivec('inspect', 'web', 'nobody')
        self.assertEqual((len(json.loads(done.stdout)), done.returncode), (1, 1))
        self.assertIn(b'nobody', done.stderr)
        done = self.naivec('inspect', '0/web', user='bob')
        self.assertEqual((json.loads(done.stdout), done.returncode), ([], 1))
        self.assertEqual(json.loads(self.naivec('inspect', user='bob').stdout), [])

    def test_labels(self):
        """--label as podman has it, and what it finds."""
        for name, *flags in (('a', '--label=app=web', '-l', 'app=x=y', '--label', 'bare'), ('b', '--label', 'app=db')):
            self.assertEqual(self.naivec('create', '--name', name, *flags, self.rootfs, '/bin/true').returncode, 0)
        self.assertEqual(self.root.get_container('a').prop('Labels'), {'app': 'x=y', 'bare': ''})

        def listed(*filters):
            words = [word for label in filters for word in ('--filter', f'label={label}')]
            return [entry['id'] for entry in json.loads(self.naivec('--json=short', 'list', *words).stdout)]
        self.assertEqual(listed('app'), ['a', 'b'])
        self.assertEqual(listed('app', 'bare'), ['a'])
        self.assertEqual(listed('app=db'), ['b'])
        for wrong in (['list', '--filter=app'], ['list', '--filter=name=a'], ['create', '--label==x', '/'],
                      ['create', '--label=', '/']):
            self.assertEqual(self.naivec(*wrong).returncode, 2, wrong)

    def test_features(self):
        """What GetFeatures tells, as a table and as JSON."""
        told = json.loads(self.naivec('features', '--json=short').stdout)
        features = self.root.call(PATH, MANAGER, 'GetFeatures')[0]
        self.assertEqual({name: (row['available'], row['enables'], row['reason']) for name, row in told.items()},
                         features)
        lines = self.naivec('features', '--no-pager').stdout.decode().splitlines()
        self.assertEqual({line.split()[0]: line.split()[1] == 'yes' for line in lines[1:]},
                         {name: is_there for name, (is_there, *_) in features.items()})

    def test_version(self):
        """The versions of both; without a service that of naivec is still told."""
        version = self.root.prop(PATH, MANAGER, 'Version')
        self.assertEqual(json.loads(self.naivec('version', '--json=short').stdout),
                         {'naivec': version, 'service': version})
        done = self.naivec('--address=unix:path=/nonexistent', 'version')
        self.assertEqual((done.stdout, done.returncode), (f'naivec {version}\n'.encode(), 1))
        self.assertTrue(done.stderr)
