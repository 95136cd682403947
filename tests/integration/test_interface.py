"""The interface as written down, and as it is."""

import glob
import xml.etree.ElementTree as ET

from harness.case import Case
from harness.client import PATH
from harness.world import SOURCE


def describe(interface):
    """{(kind, name): details} of an <interface>; names of arguments count as well."""
    result = {}
    for member in interface:
        if member.tag not in ('method', 'signal', 'property'):
            continue
        if member.tag == 'property':
            details = member.get('type'), member.get('access')
        else:
            default = 'in' if member.tag == 'method' else 'out'
            details = tuple((a.get('direction', default), a.get('type'), a.get('name')) for a in member.iter('arg'))
        notes = tuple(sorted((a.get('name'), a.get('value')) for a in member.findall('annotation')
                             if a.get('name').startswith('org.freedesktop.')))  # sd-bus tells no others
        result[member.tag, member.get('name')] = details, notes
    return result


class Introspection(Case):
    def written(self):
        found = {}
        for path in glob.glob(f'{SOURCE}/dbus/*.xml'):
            for interface in ET.parse(path).getroot().iter('interface'):
                found[interface.get('name')] = describe(interface)
        return found

    def live(self, path):
        text, = self.root.call(path, 'org.freedesktop.DBus.Introspectable', 'Introspect')
        return {i.get('name'): describe(i) for i in ET.fromstring(text).iter('interface')}

    def test_xml_matches(self):
        """The installed XML says what the live objects say, interface by interface."""
        container = self.root.spawn(self.rootfs, ['/bin/sleep', '600'])
        joined, = container.call('Exec', 'aaya{uh}a{sv}', ([b'/bin/true'], {}, {}))
        live = {**self.live(PATH), **self.live(container.path), **self.live(joined)}
        live = {name: members for name, members in live.items() if name.startswith('org.naive.')}
        written = self.written()
        self.assertTrue(written, 'no XML in dbus/')
        self.assertEqual(set(written), set(live))
        for name in live:
            self.assertEqual(written[name], live[name], name)

    def nodes(self, path):
        text, = self.root.call(path, 'org.freedesktop.DBus.Introspectable', 'Introspect')
        return {f'{path}/{node.get("name")}' for node in ET.fromstring(text).findall('node')}

    def test_nodes(self):
        """A container, and what joined it, are below the nodes above them, and nothing else is below theirs."""
        container, other = (self.root.spawn(self.rootfs, ['/bin/sleep', '600'], Id=name) for name in ('exec', 'c1'))
        joined, = container.call('Exec', 'aaya{uh}a{sv}', ([b'/bin/sleep', b'600'], {}, {}))
        for above in f'{PATH}/container', container.path.rpartition('/')[0]:
            self.assertLessEqual({container.path, other.path, joined}, self.nodes(above), above)
        for above, below in ((container.path, {joined}), (joined.rpartition('/')[0], {joined}), (joined, set()),
                             (other.path, set())):
            self.assertEqual(self.nodes(above), below, above)

    def test_property_types(self):
        """Each property has the type that introspection gives it, in GetAll as well; but those that are explicit are
        to be had by their names alone."""
        container = self.root.create(self.rootfs, ['/bin/true'])
        members = self.live(container.path)['org.naive.Runc.Container1']
        explicit = {name for (kind, name), (_, notes) in members.items()
                    if ('org.freedesktop.systemd1.Explicit', 'true') in notes}
        self.assertEqual({name for kind, name in members if kind == 'property'} - explicit, set(container.props()))
        for name in explicit:
            container.prop(name)
