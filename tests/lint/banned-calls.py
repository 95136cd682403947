#!/usr/bin/env python3
"""Calls that have no place in the service or its client, each with the reason and where it is allowed
all the same. Comments and strings do not count."""

import re

import lintlib

TESTS = r'tests/.*'
NOWHERE = r'(?!)'

# name, where it is allowed, why not elsewhere
BANNED = [
    (r'system|popen', TESTS, 'a shell reads the string; start programs by an argument vector'),
    (r'strcpy|strcat|stpcpy', NOWHERE, 'no bound; use g_strdup, g_strconcat, g_strlcpy'),
    (r'v?sprintf', NOWHERE, 'no bound; use g_strdup_printf or snprintf'),
    (r'gets', NOWHERE, 'cannot be used safely'),
    (r'strtok', NOWHERE, 'hidden state; use g_strsplit'),
    (r'atoi|atol|atoll|atof', NOWHERE,
     'garbage reads as 0 and overflow is undefined; use g_ascii_string_to_unsigned'),
    (r'tmpnam|tempnam|mktemp', NOWHERE, 'a race for the name; use O_TMPFILE or mkostemp'),
    (r'alloca|g_alloca|g_newa0?|strn?dupa', NOWHERE,
     'a size from outside overruns the stack, and no failure can be reported'),
    (r'signal|siginterrupt', TESTS, 'semantics differ; use sigaction or signalfd'),
    (r'fork|vfork|daemon', TESTS,
     'a child of the service begins by clone3, with pidfd, cgroup and namespaces at once'),
    (r'exec[lv]p|execvpe', TESTS + r'|cli/.*', 'searches a PATH that a caller may have set'),
    (r'setenv|putenv|unsetenv', TESTS + r'|cli/.*', 'not safe beside threads, and inherited'),
    (r'g_unix_signal_add(_full)?|g_unix_signal_source_new', NOWHERE,
     'starts a GLib thread, and a forked child of a threaded process may find locks held;'
     ' use signalfd with a Watch'),
    (r'g_child_watch_add(_full)?|g_child_watch_source_new', TESTS,
     'starts a GLib thread and reaps by number; use a pidfd'),
    (r'g_thread_(try_)?new|g_thread_pool_\w+|g_task_run_in_thread(_sync)?|pthread_create', TESTS,
     'the service has one thread, so that its child may run between clone and exec'),
    (r'g_dbus_\w+|g_bus_\w+', TESTS, 'GDBus starts a thread; the bus is sd-bus'),
]
PATTERNS = [(re.compile(r'(?<![\w.>])(' + names + r')\s*\('), allowed, why)
            for names, allowed, why in BANNED]
VLA_OPTION = re.compile(r"'-W(error=)?vla'")


def check_file(path, text):
    for number, line in enumerate(lintlib.code_only(text).split('\n'), 1):
        for pattern, allowed, why in PATTERNS:
            for match in pattern.finditer(line):
                if not re.fullmatch(allowed, path):
                    yield f'{path}:{number}: {match.group(1)}(): {why}'


def check(tree):
    complaints = []
    for path, text in tree.items():
        if lintlib.is_c(path):
            complaints += check_file(path, text)
    if 'meson.build' in tree and not VLA_OPTION.search(tree['meson.build']):
        complaints.append('meson.build: -Wvla is gone: an array sized from outside overruns the stack')
    return complaints


BAD = [{'service/a.c': f'x = {call}(y);\n'} for call in (
    'system', 'popen', 'strcpy', 'strcat', 'sprintf', 'vsprintf', 'atoi', 'atol', 'gets', 'alloca',
    'g_newa', 'g_unix_signal_add', 'fork', 'vfork', 'signal', 'execvp', 'setenv', 'mktemp',
    'pthread_create', 'g_dbus_proxy_new', 'g_child_watch_add', 'g_task_run_in_thread')] + [
    {'service/a.c': '/* " */ strcpy(a, "b");\n'},
    {'service/a.c': 'char c = \'"\'; fork();\n'},
    {'cli/a.c': 'if (!fork ())\n'},
    {'tests/a.c': 'sprintf(a, b);\n'},
    {'meson.build': "add_project_arguments('-Wshadow')\n"},
]
GOOD = [
    {'service/a.c': '/* never strcpy() */ // fork()\nputs("system(1)");\n'},
    {'service/a.c': 'snprintf(a); my_system(b); it->system(c); it.fork(d); sd_bus_match_signal(e);\n'},
    {'service/a.c': 'int fork_count; strcpy_count++;\n'},
    {'tests/a.c': 'fork(); popen(a, b);\n'},
    {'meson.build': "cc.get_supported_arguments('-Wvla')\n"},
]

if __name__ == '__main__':
    lintlib.main(check, BAD, GOOD)
