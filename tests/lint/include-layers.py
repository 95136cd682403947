#!/usr/bin/env python3
"""Who may include whom. The first row that matches a file decides; a file without a row may include
anything (tests/). A wrong dependency fails here with a sentence, before it fails at link without one."""

import re

import lintlib

LIBC = (r'(linux|sys|asm|net)/\S+|errno\.h|fcntl\.h|limits\.h|sched\.h|signal\.h|stdbool\.h|'
        r'stddef\.h|stdint\.h|stdnoreturn\.h|string\.h|unistd\.h')
NO_BUS = r'(?!systemd/|gio/|dbus/|polkit/).*'
ANY = r'.*'
CLIENT = r'dbus/(names|options)\.h|service/spec/limits\.h|service/util/.*'
BELOW_DBUS = r'polkit/.*|service/(?!sandbox/child)[^/]+/.*'

# The floors of service/, from the top down: a file includes what is on its own floor or below. Rooms on one floor
# know nothing of each other.
FLOORS = [('manager',), ('container',), ('sandbox',), ('cgroup', 'rootfs'), ('spec',), ('util',)]


def floor_rows():
    for number, rooms in enumerate(FLOORS):
        below = [room for floor in FLOORS[number + 1:] for room in floor]
        for room in rooms:
            rows = '|'.join([room] + below)
            yield (rf'service/{room}/.*', rf'service/({rows})/(?!child/(child|root|report)\.h|bus-auto\.h).*', NO_BUS,
                   f'{room} is below that, or beside it: it reports upward by callbacks, and knows no bus')


# The steps of dbus/, from the top down, by the stems of files: a file includes what is below its own step, so that
# no two name each other. The bus's handlers stand at the top, what each of them may use below.
STEPS = [('manager-api', 'container-api'), ('container-methods', 'spawn'), ('judge',), ('server',), ('signals',), ('waiting',),
         ('requests',), ('container-properties', 'paths', 'rules'), ('methods', 'log', 'figures'),
         ('names', 'options', 'activity', 'uid-counts')]


def step_rows():
    for number, stems in enumerate(STEPS):
        rooms = r'(?:connection|decode|line|live)/.*' if number < 2 else r'(?:connection|decode|line|notices)/.*'
        below = '|'.join([rooms] + [stem + r'\.h' for step in STEPS[number + 1:] for stem in step])
        for stem in stems:
            yield (rf'dbus/{stem}\.[ch]', rf'dbus/{stem}\.h|dbus/({below})|{BELOW_DBUS}', ANY,
                   'that stands beside it or above it in dbus/ (STEPS in this lint), or is not the business of dbus/')


# files, project headers, system headers, why
LAYERS = [
    (r'service/sandbox/child/.*|service/spec/attributes\.h', r'service/sandbox/child/.*|service/spec/attributes\.h', LIBC,
     'runs between clone and exec: kernel, libc and the plan, not even GLib'),
    (r'service/util/bus-auto\.h', r'(?!)', ANY,
     'cleanups for sd-bus pointers, for the layers above'),
    (r'service/sandbox/(sandbox|join|memory)\.c', r'service/(sandbox|cgroup|rootfs|spec|util)/.*', NO_BUS,
     'starts the child; knows no container and no bus'),
    *floor_rows(),
    (r'service/[^/]*', r'(service|dbus|polkit)/.*', ANY,
     'wires core, authority and bus together; knows no command line'),
    (r'polkit/.*', r'polkit/.*|service/spec/(error|limits)\.h|service/util/.*', ANY,
     'asks the authority, knows no container'),
    *step_rows(),
    (r'dbus/connection/.*', rf'dbus/connection/.*|dbus/activity\.h|{BELOW_DBUS}', ANY, 'serves a connection, whatever travels over it'),
    (r'dbus/live/.*', rf'dbus/(connection|decode|live)/.*|dbus/(?!container|manager|spawn)[^/]*|{BELOW_DBUS}', ANY,
     'handlers of containers that live: it is called by container-methods'),
    (r'dbus/decode/.*', rf'dbus/decode/.*|dbus/options\.h|{BELOW_DBUS}', ANY, 'a message to an order: it knows no request'),
    (r'dbus/exec/.*', rf'dbus/(exec|connection|decode|live)/.*|dbus/(?!(manager|container)-|spawn)[\w-]+\.h|{BELOW_DBUS}', ANY,
     'processes that have joined a container: it knows the handlers of no other object'),
    (r'dbus/notices/.*', rf'dbus/(notices|connection)/.*|dbus/(names|rules|uid-counts)\.h|{BELOW_DBUS}', ANY,
     'tells callers: it knows no request and no object'),
    (r'dbus/line/.*', r'dbus/line/.*', ANY, 'who waits for a turn: it knows no request'),
    (r'cli/lib/.*', rf'cli/lib/.*|{CLIENT}', ANY,
     'shared by every command line: it knows none of them, and of the service what the bus says'),
    (r'cli/oci/spec/.*', r'cli/oci/spec/.*|service/spec/error\.h', NO_BUS,
     'a config.json as data: it knows neither JSON nor the engine'),
    (r'cli/oci/.*', r'cli/oci/.*|cli/lib/(json|nearest|table)\.h|service/(program\.h|(util|spec|rootfs|cgroup|sandbox)/.*)', NO_BUS,
     'a command line that is its own engine: no bus, no container of the service'),
    (r'cli/bwrap/.*', rf'cli/(lib|bwrap)/.*|{CLIENT}', ANY,
     'a command line of its own: it knows no other, and of the service what the bus says'),
    (r'cli/lean/.*', rf'cli/lean/.*|cli/lib/(client|session|session/hints|session/signals|text)\.h|'
     rf'cli/naivec/stream-kind\.h|{CLIENT}', r'(?!systemd/|gio/|glib).*',
     'links with libc alone: it knows of the others what they share without a library'),
    (r'cli/naivec/(naivec\.c|verbs/.*)', rf'cli/(lib|naivec)/.*|{CLIENT}', ANY,
     'a client like any other: what it knows of the service, it knows from the bus'),
    (r'cli/naivec/.*', rf'cli/(lib|naivec(?!/verbs))/.*|{CLIENT}', ANY,
     'what the verbs share knows no verb, and of the service what the bus says'),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]*)"|<([^>]*)>)', re.MULTILINE)


def layer_of(path):
    return next((row for row in LAYERS if re.fullmatch(row[0], path)), None)


def check_file(path, text):
    layer = layer_of(path)
    for project, system in INCLUDE.findall(text):
        if layer and project and not re.fullmatch(layer[1], project):
            yield f'{path}: must not include "{project}": {layer[3]}'
        if layer and system and not re.fullmatch(layer[2], system):
            yield f'{path}: must not include <{system}>: {layer[3]}'


def check_step(path):
    if path.startswith('dbus/') and not layer_of(path):
        yield f'{path}: has no step in dbus/: give it its place in STEPS'


def check_own_header(path, text, tree):
    """Own header first: shows that it needs nothing before it."""
    own = path[:-1] + 'h'
    includes = INCLUDE.findall(text)
    if layer_of(path) and path.endswith('.c') and own in tree and \
       (not includes or includes[0][0] != own):
        yield f'{path}: must include "{own}" first'


def check(tree):
    complaints = []
    for path, text in tree.items():
        if lintlib.is_c(path):
            complaints += check_file(path, text)
            complaints += check_step(path)
            complaints += check_own_header(path, text, tree)
    return complaints


BAD = [
    {'service/manager/manager.c': '#include <systemd/sd-bus.h>\n'},
    {'service/manager/manager.c': '#include "dbus/names.h"\n'},
    {'service/manager/manager.h': '  #  include "polkit/authority.h"\n'},
    {'service/manager/manager.c': '#include "service/receive.h"\n'},
    {'service/container/container.c': '#include "cli/lib/table.h"\n'},
    {'service/container/container.c': '#include "service/manager/pool.h"\n'},
    {'service/container/container.c': '#include "service/util/bus-auto.h"\n'},
    {'service/container/container.c': '#include <gio/gio.h>\n'},
    {'service/sandbox/launch.c': '#include "service/container/info.h"\n'},
    {'service/sandbox/launch.c': '#include "service/sandbox/child/root.h"\n'},
    {'service/cgroup/tree.c': '#include "service/rootfs/mount.h"\n'},
    {'service/rootfs/lookup.c': '#include "service/sandbox/launch.h"\n'},
    {'service/spec/config.c': '#include "service/cgroup/cgroup.h"\n'},
    {'service/util/proc.c': '#include <systemd/sd-journal.h>\n'},
    {'service/util/proc.c': '#include "service/spec/error.h"\n'},
    {'service/main.c': '#include "cli/lib/table.h"\n'},
    {'service/sandbox/child/child.c': '#include <glib.h>\n'},
    {'service/sandbox/child/child.c': '#include <stdio.h>\n'},
    {'service/sandbox/child/child.c': '#include "service/util/fd.h"\n'},
    {'service/sandbox/child/plan.h': '#include "service/spec/process-spec.h"\n'},
    {'polkit/authority.c': '#include "service/manager/manager.h"\n'},
    {'polkit/authority.c': '#include "dbus/names.h"\n'},
    {'dbus/manager-api.c': '#include "cli/lib/table.h"\n'},
    {'dbus/manager-api.c': '#include "service/sandbox/child/child.h"\n'},
    {'dbus/manager-api.c': '#include "service/idle-exit.h"\n'},
    {'dbus/manager-api.c': '#include "dbus/container-api.h"\n'},
    {'dbus/requests.c': '#include "dbus/server.h"\n'},
    {'dbus/connection/callers.c': '#include "dbus/log.h"\n'},
    {'dbus/unheard-of.c': ''},
    {'cli/naivec/naivec.c': '#include "service/spec/error.h"\n'},
    {'cli/naivec/naivec.c': '#include "dbus/requests.h"\n'},
    {'cli/naivec/naivec.c': '#include "polkit/actions.h"\n'},
    {'cli/lib/client.c': '#include "cli/naivec/invocation.h"\n'},
    {'cli/lib/client.c': '#include "dbus/requests.h"\n'},
    {'cli/naivec/batch.c': '#include "cli/naivec/verbs/verbs.h"\n'},
    {'cli/naivec/verbs/list.c': '#include "service/manager/manager.h"\n'},
    {'cli/lib/table.c': '#include <stdio.h>\n#include "cli/lib/table.h"\n', 'cli/lib/table.h': ''},
    {'cli/lib/table.c': '#include "table.h"\n'},
]
GOOD = [
    {'service/main.c': '#include "dbus/manager-api.h"\n#include "polkit/authority.h"\n'
                       '#include "service/manager/manager.h"\n#include <systemd/sd-daemon.h>\n'},
    {'service/manager/manager.c': '#include "service/container/container.h"\n#include "service/spec/limits.h"\n'},
    {'service/sandbox/child/child.c': '#include "service/sandbox/child/child.h"\n#include <linux/mount.h>\n'
                                      '#include "service/sandbox/child/plan.h"\n'},
    {'service/sandbox/sandbox.c': '#include "service/sandbox/child/child.h"\n'},
    {'service/util/bus-auto.h': '#include <systemd/sd-bus.h>\n'},
    {'polkit/authority.c': '#include "service/util/bus-auto.h"\n#include "service/spec/limits.h"\n'},
    {'dbus/connection/error-map.c': '#include "service/spec/error.h"\n#include <systemd/sd-bus.h>\n'},
    {'dbus/manager-api.c': '#include "dbus/connection/callers.h"\n#include "dbus/rules.h"\n'},
    {'cli/lib/client.c': '#include "dbus/names.h"\n#include "service/util/fd.h"\n'},
    {'cli/naivec/naivec.c': '#include "cli/naivec/verbs/verbs.h"\n'},
    {'cli/naivec/verbs/list.c': '#include "cli/lib/table.h"\n#include "cli/naivec/listing.h"\n'},
    {'tests/service/util/test-x.c': '#include "service/util/x.h"\n#include <systemd/sd-bus.h>\n'},
    {'cli/lib/table.c': '#include "cli/lib/table.h"\n#include <stdio.h>\n', 'cli/lib/table.h': ''},
]

if __name__ == '__main__':
    lintlib.main(check, BAD, GOOD)
