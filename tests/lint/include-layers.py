#!/usr/bin/env python3
"""Who may include whom. The first row that matches a file decides; a file without a row may include
anything (tests/). A wrong dependency fails here with a sentence, before it fails at link without one."""

import re

import lintlib

LIBC = (r'(linux|sys|asm|net)/\S+|errno\.h|fcntl\.h|limits\.h|sched\.h|signal\.h|stdbool\.h|'
        r'stddef\.h|stdint\.h|stdnoreturn\.h|string\.h|unistd\.h')
NO_BUS = r'(?!systemd/|gio/|dbus/|polkit/).*'
ANY = r'.*'

# files, project headers, system headers, why
LAYERS = [
    (r'service/sandbox-((child|root)\.[ch]|(plan|stage|mount)\.h)', r'service/sandbox-(plan|stage|mount|child|root)\.h', LIBC,
     'runs between clone and exec: kernel, libc and the plan, not even GLib'),
    (r'service/main\.c', r'(service|dbus|polkit)/.*', ANY,
     'wires core, authority and bus together; knows no command line'),
    (r'service/util/bus-auto\.h', r'(?!)', ANY,
     'cleanups for sd-bus pointers, for the layers above'),
    (r'service/.*', r'service/(?!util/bus-auto\.h|main\.h).*', NO_BUS,
     'the core may be linked without the bus; it reports upward by callbacks'),
    (r'polkit/.*', r'polkit/.*|service/(error|limits)\.h|service/util/.*', ANY,
     'asks the authority, knows no container'),
    (r'dbus/.*', r'(dbus|polkit)/.*|service/(?!sandbox-(child|root)).*', ANY,
     'translates between bus and core; the child half is not its business'),
    (r'cli/.*', r'cli/.*|dbus/(names|options)\.h|service/limits\.h|service/util/.*', ANY,
     'a client like any other: what it knows of the service, it knows from the bus'),
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
            complaints += check_own_header(path, text, tree)
    return complaints


BAD = [
    {'service/manager.c': '#include <systemd/sd-bus.h>\n'},
    {'service/manager.c': '#include "dbus/names.h"\n'},
    {'service/manager.h': '  #  include "polkit/authority.h"\n'},
    {'service/container.c': '#include "cli/table.h"\n'},
    {'service/container.c': '#include "service/util/bus-auto.h"\n'},
    {'service/container.c': '#include <gio/gio.h>\n'},
    {'service/util/log.c': '#include <systemd/sd-journal.h>\n'},
    {'service/main.c': '#include "cli/table.h"\n'},
    {'service/sandbox-child.c': '#include <glib.h>\n'},
    {'service/sandbox-child.c': '#include <stdio.h>\n'},
    {'service/sandbox-child.c': '#include "service/util/fd.h"\n'},
    {'service/sandbox-plan.h': '#include "service/run-spec.h"\n'},
    {'polkit/authority.c': '#include "service/manager.h"\n'},
    {'polkit/authority.c': '#include "dbus/names.h"\n'},
    {'dbus/manager-api.c': '#include "cli/table.h"\n'},
    {'dbus/manager-api.c': '#include "service/sandbox-child.h"\n'},
    {'cli/naivec.c': '#include "service/error.h"\n'},
    {'cli/naivec.c': '#include "dbus/request.h"\n'},
    {'cli/naivec.c': '#include "polkit/actions.h"\n'},
    {'cli/table.c': '#include <stdio.h>\n#include "cli/table.h"\n', 'cli/table.h': ''},
    {'cli/table.c': '#include "table.h"\n'},
]
GOOD = [
    {'service/main.c': '#include "dbus/manager-api.h"\n#include "polkit/authority.h"\n'
                       '#include "service/manager.h"\n#include <systemd/sd-daemon.h>\n'},
    {'service/sandbox-child.c': '#include "service/sandbox-child.h"\n#include <linux/mount.h>\n'
                                '#include "service/sandbox-plan.h"\n'},
    {'service/util/bus-auto.h': '#include <systemd/sd-bus.h>\n'},
    {'polkit/authority.c': '#include "service/util/bus-auto.h"\n#include "service/limits.h"\n'},
    {'dbus/error-map.c': '#include "service/error.h"\n#include <systemd/sd-bus.h>\n'},
    {'cli/client.c': '#include "dbus/names.h"\n#include "service/util/fd.h"\n'},
    {'tests/service/test-x.c': '#include "service/x.h"\n#include <systemd/sd-bus.h>\n'},
    {'cli/table.c': '#include "cli/table.h"\n#include <stdio.h>\n', 'cli/table.h': ''},
]

if __name__ == '__main__':
    lintlib.main(check, BAD, GOOD)
