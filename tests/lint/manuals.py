#!/usr/bin/env python3
"""Every fact stands once: options, errors, methods, limits and keys in the code's tables, and in words in one manual each.
Fails where table or manual lacks what the other has, and so with the rows of SECURITY.md and the tests that cite them. The
flags of naivec are compared where naivec can be asked: tests/cli/naivec/manual.py."""

import re
import xml.etree.ElementTree as ElementTree

import lintlib

API, SERVICE, CONTAINERS, CLIENT = ('dbus/org.naive.Runc.5', 'service/naive-runcd.8', 'service/naive-runc.7',
                                    'cli/naivec/naivec.1')
NEEDED = [API, SERVICE, CONTAINERS, CLIENT, 'README.md', 'NEWS.md', 'SECURITY.md', 'meson.build', 'dbus/options.h',
          'service/spec/limits.h', 'service/spec/config.c', 'service/spec/order.c', 'service/naive-runc.conf']

# Limits that nobody outside can meet, and why.
INTERNAL = {
    'OBJECT_PATH_MAX': 'what is longer names no object, and gets the answer for any other that does not exist',
    'PREPARE_DELAY_MSEC': 'a pause of the service, off the way of any call',
    'MAKER_PAUSE_MSEC': 'a pause of the service, off the way of any call',
}


def differ(where, there, wanted, what, origin):
    """Complaints where two dictionaries, or sets, are not the same, or where nothing was found to compare with."""
    there, wanted = dict.fromkeys(there) if isinstance(there, set) else there, \
        dict.fromkeys(wanted) if isinstance(wanted, set) else wanted
    if not wanted:
        yield f'{origin}: no {what} found: has the table another form?'
    for name in wanted.keys() - there.keys():
        yield f'{where}: lacks the {what} {name} of {origin}'
    for name in there.keys() - wanted.keys():
        yield f'{where}: has a {what} {name} that {origin} does not have'
    for name in wanted.keys() & there.keys():
        if wanted[name] != there[name]:
            yield f'{where}: the {what} {name} is {there[name]}, in {origin} {wanted[name]}'


def uncommented(text):
    return re.sub(r'/\*.*?\*/', ' ', text, flags=re.DOTALL)


def macro(text, name):
    """The body of a table: #define NAME(X) over several lines."""
    found = re.search(rf'#define {name}\(\w+\)((?:.*\\\n)*.*)', uncommented(text))
    return found.group(1).replace('\\\n', ' ') if found else ''


def macros(text, name):
    """The same of a table that is put together of others."""
    body = macro(text, name)
    return body + ''.join(macros(text, part) for part in re.findall(r'\b(\w+)\(X\)', body))


def section(text, name):
    """From a heading of a manual to the next one of the same or a higher kind."""
    kind = 'h' if f'\n.Sh {name}\n' in text else 'hs'
    found = re.search(rf'\n\.S[{kind}] {re.escape(name)}\n(.*?)(?=\n\.S[{kind}] |\Z)', text, re.DOTALL)
    return found.group(1) if found else ''


def entries(text):
    """{heading of a list's item: its text}"""
    parts = re.split(r'^\.It (.*)$', text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def check_options(tree):
    wanted = dict(re.findall(r'\bX\((\w+),\s*"([^"]+)"', macros(tree['dbus/options.h'], 'SPAWN_OPTIONS')))
    manual = section(tree[API], 'Options of Spawn and Create')
    yield from differ(API, dict(re.findall(r'^\.It Li (\w+) Pq (\S+)$', manual, re.MULTILINE)), wanted, 'option',
                      'dbus/options.h')
    for path in [path for path in tree if re.fullmatch(r'dbus/.*\.xml', path) and 'name="Spawn"' in tree[path]]:
        text = tree[path][:tree[path].index('name="Spawn"')]
        listed = re.findall(r'^ +(\w+) \((\S+)\):', text[text.rindex('<!--'):], re.MULTILINE)
        yield from differ(path, dict(listed), wanted, 'option', 'dbus/options.h')


def error_names(tree):
    """Those written out, some behind a macro for their prefix, and sd-bus's own; not those that are only looked for."""
    text = '\n'.join(uncommented(text) for path, text in tree.items()
                     if re.fullmatch(r'dbus/.*\.[ch]|service/spec/errors?\.[ch]', path))
    for name, value in re.findall(r'#define (\w+)\s+"([^"]*)"', text):
        text = re.sub(rf'\b{name}\s*"', f'"{value}', text)
    text = re.sub(r'(has_name|is_method_error)\([^()]*\)', '', text)
    return set(re.findall(r'"(org\.(?:freedesktop\.DBus|naive\.Runc)\.Error\.\w+)"', text)) | {
        'org.freedesktop.DBus.Error.' + name.title().replace('_', '')
        for name in re.findall(r'\bSD_BUS_ERROR_([A-Z_]+)', text) if name not in ('NULL', 'MAKE_CONST')}


def check_errors(tree):
    prefix, listed = '', set()
    for found in re.finditer(r'^\.Li (\S+\.Error\.) :$|^\.It Li (\w+)$', section(tree[API], 'ERRORS'), re.MULTILINE):
        prefix = found.group(1) or prefix
        if found.group(2):
            listed.add(prefix + found.group(2))
    yield from differ(API, listed, error_names(tree), 'error', 'the code')


def arguments_of(member, direction):
    return [f'{a.get("type")} {a.get("name")}' for a in member.findall('arg') if a.get('direction', 'out') == direction]


def is_constant(member):
    return any(a.get('value') == 'const' for a in member.findall('annotation'))


def members_of_xml(text):
    for interface in ElementTree.fromstring(text.encode()).iter('interface'):
        found = {}
        for method in interface.findall('method'):
            found[method.get('name') + '()'] = (arguments_of(method, 'in'), arguments_of(method, 'out'))
        for signal in interface.findall('signal'):
            found['signal ' + signal.get('name')] = arguments_of(signal, 'out')
        for member in interface.findall('property'):
            found['property ' + member.get('name')] = (member.get('type'), is_constant(member))
        yield interface.get('name'), found


def words(text):
    """What is an argument each in a line of a manual: quoted, or all of it."""
    return re.findall(r'"([^"]+)"', text) or [text.strip()] * bool(text.strip())


def members_of_manual(text):
    found = {}
    for heading, body in entries(text).items():
        method = re.fullmatch(r'Fn (\w+)(.*?)(?: No -> Pq (.*))?', heading)
        signal = re.fullmatch(r'Sy signal Fn (\w+)(.*)', heading)
        alone = re.fullmatch(r'Sy property Va (\w+) Pq (\S+)', heading)
        row = re.fullmatch(r'Va (\w+) Ta \((\S+)\) Ta ?(.*)', heading)
        if method:
            found[method.group(1) + '()'] = words(method.group(2)), words(method.group(3) or '')
        elif signal:
            found['signal ' + signal.group(1)] = words(signal.group(2))
        elif alone:
            found['property ' + alone.group(1)] = alone.group(2), body.lstrip().startswith('Constant')
        elif row:
            found['property ' + row.group(1)] = row.group(2), row.group(3).startswith('constant')
    return found


def check_interfaces(tree):
    interfaces = {}
    for path, text in tree.items():
        if re.fullmatch(r'dbus/.*\.xml', path):
            interfaces.update((name, (path, members)) for name, members in members_of_xml(text))
    listed = set(re.findall(r'^\.Ss Interface (\S+)$', tree[API], re.MULTILINE))
    yield from differ(API, listed, set(interfaces), 'interface', 'dbus/*.xml')
    for name, (path, members) in interfaces.items():
        yield from differ(API, members_of_manual(section(tree[API], f'Interface {name}')), members, 'member', path)


def check_actions(tree):
    """Of each method in the code's table, if there is one, the manual names the action that it needs."""
    rows = [row for table in ('RUNC', 'MANAGER', 'CONTAINER')
            for row in macro(tree.get('dbus/methods.h', ''), table + '_METHODS').split('X(')[1:]]
    wanted, there = {}, {}
    for row in rows:
        action = re.search(r'\bACTION_(\w+)', row)
        wanted[row.split(',')[0]] = action.group(1).lower().replace('_', '-') if action else None
    for heading, body in entries(tree[API]).items():
        if heading.startswith('Fn '):
            action = re.search(r'^Action.*:\n\.Li (?:org\.naive\.Runc\.)?([\w-]+)', body, re.MULTILINE)
            there[heading.split()[1]] = action.group(1) if action else None
    if rows:
        yield from differ(API, there, wanted, 'action of', 'dbus/methods.h')


def spellings(name, number):
    """How a manual may say the number."""
    for unit, factor in (('USEC', 1000000), ('MSEC', 1000)):
        if name.endswith(unit):
            return [f'{number // factor} s'] if number % factor == 0 else [f'{number * 1000 // factor} ms']
    sizes = [f'{number >> bits} {unit}' for bits, unit in ((20, 'MiB'), (10, 'KiB')) if number % (1 << bits) == 0]
    return [str(number), *sizes]


def check_limits(tree):
    text = uncommented(tree['service/spec/limits.h']).replace('\\\n', ' ')
    limits = {}
    for name, value in re.findall(r'^#define (\w+)\s+(.+)$', text, re.MULTILINE):
        value = re.sub(r'UINT64_C|(?<=\d)[uUlL]+', '', value)
        limits[name] = eval(value) if re.fullmatch(r'[\d\s()*+-]+', value) else None
    marks = {}
    for path in (API, SERVICE, CONTAINERS, CLIENT):
        for name, line in re.findall(r'^\.\\" limit: (\w+)\n(.*)', tree[path], re.MULTILINE):
            if name in marks:
                yield f'{path}: the limit {name} stands in {marks[name]} as well'
            marks[name] = path
            if limits.get(name) and not any(re.search(rf'(?<![\w.]){re.escape(spelling)}(?!\w)', line)
                                            for spelling in spellings(name, limits[name])):
                yield f'{path}: says "{line}" of {name}, which is {limits[name]}'
    yield from differ('a manual, or INTERNAL in tests/lint/manuals.py', set(marks) | set(INTERNAL), set(limits),
                      'limit', 'service/spec/limits.h')
    for name in marks.keys() & INTERNAL.keys():
        yield f'{marks[name]}: has the limit {name}, and INTERNAL says that nobody can meet it'


def check_configuration(tree):
    code = uncommented(tree['service/spec/config.c'])
    ranges = dict(re.findall(r'\{"(\w+)",\s*(?:&[\w>.-]+|NULL),\s*(?:&[\w>.-]+|NULL),\s*([^{}]*)\}', code))
    keys = set(ranges) | set(re.findall(r'strcmp\(key, "(\w+)"\)', code))
    defaults = dict(re.findall(r'^#(\w+)=(.*)$', tree['service/naive-runc.conf'], re.MULTILINE))
    yield from differ('service/naive-runc.conf', set(defaults), keys, 'key', 'service/spec/config.c')
    manual = {}
    for heading, body in entries(section(tree[SERVICE], 'CONFIGURATION')).items():
        manual.update((key, body) for key in re.findall(r'\w+', heading.removeprefix('Li ')))
    yield from differ(SERVICE, set(manual), keys, 'key', 'service/spec/config.c')
    for key in keys & manual.keys() & defaults.keys():
        if not re.search(rf'^Defaults?: .*\b{re.escape(defaults[key])}(?!\w)', manual[key], re.MULTILINE):
            yield f'{SERVICE}: does not say that the default of {key} is {defaults[key]}'
        span = re.fullmatch(r'(\d+), (\d+)', ranges.get(key, ''))
        if span and f'{span.group(1)} to {span.group(2)}' not in manual[key]:
            yield f'{SERVICE}: does not say that {key} may be {span.group(1)} to {span.group(2)}'


def check_deviations(tree):
    """What a container can deviate in, as its property says, stands where the manual says what that costs."""
    told = section(tree[CONTAINERS], 'LESS ISOLATION')
    options = set(re.findall(r'"([A-Z]\w+)(?:=[\w%]*)?"', uncommented(tree['service/spec/order.c'])))
    if not options:
        yield 'service/spec/order.c: no deviations found: have they another form?'
    for name in sorted(options):
        if not re.search(rf'^\.(?:It )?Li {name}\b', told, re.MULTILINE):
            yield f'{CONTAINERS}: LESS ISOLATION lacks the deviation {name} of service/spec/order.c'


def check_rows(tree):
    cited = set()
    for path, text in tree.items():
        if re.fullmatch(r'tests/(integration|security)/.*\.py', path):
            for sentence in re.findall(r'"""((?:[A-Z]\d+|CVE-[\d-]+|GHSA-[\w-]+|[ ,])+): ', text):
                cited |= set(re.findall(r'\b[A-Z]\d+\b', sentence))
            cited |= set(re.findall(r"'(I\d+) ", text))
    listed = set(re.findall(r'^\| ([A-Z]\d+) \|', tree['SECURITY.md'], re.MULTILINE))
    yield from differ('SECURITY.md', listed, cited, 'row', 'the tests')


def check_news(tree):
    version = re.search(r"version: '([^']+)'", tree['meson.build'])
    newest = re.search(r'^## (\S+)$', tree['NEWS.md'], re.MULTILINE)
    if not version or not newest or version.group(1) != newest.group(1):
        yield 'NEWS.md: its newest version is not that of meson.build'
    if tree['README.md'].count('\n') > 150:
        yield 'README.md: more than 150 lines: what is not for everybody has a place of its own'


def check(tree):
    missing = [path for path in NEEDED if path not in tree]
    if missing:
        return [f'{path}: missing: what would the manuals be compared with?' for path in missing]
    return [complaint for part in (check_options, check_errors, check_interfaces, check_actions, check_limits,
                                   check_configuration, check_deviations, check_rows, check_news) for complaint in part(tree)]


SAMPLE = {
    'README.md': '\n' * 150,
    'NEWS.md': '# News\n\n## 1.2\n\n## 1.1\n',
    'SECURITY.md': '| row | x |\n|---|---|\n| I1 | x |\n| A1 | x |\n| N6 | x |\n',
    'meson.build': "project('x', 'c', version: '1.2')\n",
    'tests/security/test_a.py': '    """A1 CVE-2026-1, N6: it holds."""\n    """and A2: no citation."""\n'
                                "    'I1 mounts'\n",
    'dbus/options.h': '#define A_OPTIONS(X) \\\n X(Id, "s", "name", "NAME", "name")\n'
                      '#define SPAWN_OPTIONS(X) A_OPTIONS(X) \\\n X(Fd, "h", "", "", "fd")\n',
    'dbus/names.h': '/* "org.naive.Runc.Error.Not" */\n#define OURS "org.naive.Runc.Error."\n'
                    '#define GONE OURS "Gone"\n#define ERRORS(X) \\\n X(LOST, OURS "Lost", "it is lost")\n',
    'dbus/methods.h': '#define MANAGER_METHODS(X) \\\n X(Spawn, ("s", a), ("o", b), spawn, ACTION_RUN, false)\n',
    'dbus/server.c': 'has_name(e, SD_BUS_ERROR_NO_REPLY);\n SD_BUS_ERROR_NULL;\n SD_BUS_ERROR_NO_MEMORY;\n',
    'dbus/x.xml': '<node><interface name="x.Y"><!--\n Spawn:\n\n Id (s): it.\n\n Fd (h): fd.\n--><method name="Spawn">'
                  '<arg name="a" type="s" direction="in"/><arg name="b" type="o" direction="out"/></method>'
                  '<signal name="End"><arg name="code" type="i"/></signal><property name="P" type="s" access="read">'
                  '<annotation name="EmitsChangedSignal" value="const"/></property><property name="Q" type="u"/>'
                  '</interface></node>\n',
    API: '\n.Sh OBJECT\n.Ss Interface x.Y\n'
         '.It Fn Spawn "s a" No -> Pq o b\nRun.\nAction:\n.Li run .\n.It Sy signal Fn End "i code"\n'
         '.It Sy property Va P Pq s\nConstant.\n.It Va Q Ta (u) Ta of them\n'
         '.Ss Options of Spawn and Create\n.It Li Id Pq s\n.It Li Fd Pq h\n'
         '.Sh ERRORS\n.Li org.freedesktop.DBus.Error. :\n.It Li NoMemory\nx\n'
         '.Li org.naive.Runc.Error. :\n.It Li Gone\nx\n.It Li Lost\nx\n.Sh LIMITS\n'
         '.\\" limit: SIZE_MAX\n.It size Ta 4 KiB\n.\\" limit: WAIT_USEC\n.It wait Ta 20 s\n',
    SERVICE: '\n.Sh CONFIGURATION\n.It Li Idle\n0 to 9.\nDefault: 3.\n'
             '.It Li Start , Count\nx\nDefaults: 1 and 2.\n.Sh NEXT\n',
    CONTAINERS: '\n.Sh LESS ISOLATION\n.It Li Network=host\nx\n.Li LimitCORE\n.Sh NEXT\n',
    'service/spec/order.c': 'add(list, "Network=host"); add("LimitCORE"); error("Id must match")\n',
    CLIENT: '',
    'service/spec/limits.h': '#define SIZE_MAX (4u * 1024) /* why */\n'
                             '#define WAIT_USEC \\\n (20u * UINT64_C(1000000))\n' +
                             ''.join(f'#define {name} 1u\n' for name in INTERNAL),
    'service/spec/config.c': '{"Idle", &config->idle, NULL, 0, 9},\n{"Start", NULL, &config->start, MIN, MAX},\n'
                             'strcmp(key, "Count") == 0\n',
    'service/naive-runc.conf': '# x\n#Idle=3\n#Start=1\n#Count=2\n',
}


def changed(path, old, new):
    assert old in SAMPLE[path], (path, old)
    return {**SAMPLE, path: SAMPLE[path].replace(old, new)}


GOOD = [SAMPLE]
BAD = [
    {path: text for path, text in SAMPLE.items() if path != SERVICE},
    changed('README.md', '\n', '\n\n'),
    changed('meson.build', '1.2', '1.3'),
    changed('SECURITY.md', '| A1 | x |\n', ''),
    changed('SECURITY.md', '| A1 |', '| A1 | x |\n| A3 |'),
    changed('tests/security/test_a.py', 'I1', 'I2'),
    changed('dbus/options.h', ' X(Id', ' X(New, "b", "", "", "new") \\\n X(Id'),
    changed('dbus/options.h', 'A_OPTIONS(X) \\\n X(Fd', 'X(Fd'),
    changed('dbus/options.h', 'SPAWN_OPTIONS', 'OPTIONS'),
    changed('dbus/options.h', '"h"', '"u"'),
    changed('dbus/x.xml', ' Fd (h): fd.\n', ''),
    changed('dbus/x.xml', 'name="a" type="s"', 'name="a" type="ay"'),
    changed('dbus/x.xml', '<signal name="End">', '<method name="New"/><signal name="End">'),
    changed('dbus/x.xml', 'value="const"', 'value="true"'),
    changed('dbus/x.xml', 'interface name="x.Y"', 'interface name="x.Z"'),
    changed('dbus/names.h', '"Gone"', '"Away"'),
    changed('dbus/names.h', '"it is lost")', '"it is lost") X(NEW, OURS "New", "it is new")'),
    changed('dbus/server.c', 'SD_BUS_ERROR_NO_MEMORY', ''),
    changed(API, '.It Li Gone\nx\n', ''),
    changed('dbus/methods.h', 'ACTION_RUN', 'ACTION_MANAGE'),
    changed('dbus/methods.h', 'ACTION_RUN', 'NULL'),
    changed(API, '4 KiB', '8 KiB'),
    changed(API, '20 s', '120 s'),
    changed(SERVICE, '.It Li Idle', '.\\" limit: WAIT_USEC\n20 s\n.It Li Idle'),
    changed('service/spec/limits.h', '#define WAIT', '#define NEW_MAX 7u\n#define WAIT'),
    changed('service/spec/config.c', '"Idle"', '"Sleep"'),
    changed('service/spec/config.c', '0, 9', '0, 99'),
    changed('service/naive-runc.conf', 'Idle=3', 'Idle=4'),
    changed('service/spec/order.c', '"LimitCORE"', '"LimitCORE"); add("OOMScoreAdjust=%d"'),
    changed('service/spec/order.c', 'add(list, "Network=host"); add("LimitCORE"); ', ''),
    changed(CONTAINERS, '.Li LimitCORE\n', ''),
]

if __name__ == '__main__':
    lintlib.main(check, BAD, GOOD)
