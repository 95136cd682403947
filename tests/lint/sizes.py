#!/usr/bin/env python3
"""Files, functions and folders of the service and its client are no larger than a reader can keep in mind at once.
Tests may be longer: a test file follows its module, one property after another."""

import re

import lintlib

ROOMS = re.compile(r'(service|dbus|polkit|cli)/.*')
FILE_LINES_MAX = 450
HEADER_LINES_MAX = 120
FOLDER_FILES_MAX = 14
FUNCTION_LINES_MAX = 40
# The child's script is one flat list of system calls, in an order that must be read as a whole.
SCRIPT = re.compile(r'service/sandbox/child/.*')
SCRIPT_LINES_MAX = 80

FUNCTION = re.compile(r'^(\w[^;{}=#]*?\b(\w+)\([^;{}]*\))\s*\n\{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def functions(text):
    """(name, lines between the braces), of code laid out as clang-format has it."""
    for match in FUNCTION.finditer(lintlib.code_only(text)):
        yield match.group(2), match.group(3).count('\n')


def check_files(tree):
    for path, text in tree.items():
        lines = text.count('\n')
        if path.endswith('.c') and lines > FILE_LINES_MAX:
            yield f'{path}: {lines} lines, more than {FILE_LINES_MAX}: split it by noun'
        if path.endswith('.h') and lines > HEADER_LINES_MAX:
            yield f'{path}: {lines} lines, more than {HEADER_LINES_MAX}: a header is a page: contract, not code'


def check_functions(tree):
    for path, text in tree.items():
        limit = SCRIPT_LINES_MAX if SCRIPT.fullmatch(path) else FUNCTION_LINES_MAX
        for name, lines in functions(text):
            if lines > limit:
                yield f'{path}: {name}() has {lines} lines, more than {limit}'


def check_folders(tree):
    folders = [path.rpartition('/')[0] for path in tree if path.endswith('.c')]
    for folder in sorted(set(folders)):
        if folders.count(folder) > FOLDER_FILES_MAX:
            yield f'{folder}/: {folders.count(folder)} .c files, more than {FOLDER_FILES_MAX}: it is two rooms'


def check(tree):
    rooms = {path: text for path, text in tree.items() if ROOMS.fullmatch(path) and lintlib.is_c(path)}
    return [*check_files(rooms), *check_functions(rooms), *check_folders(rooms)]


def function(n, head='static bool f(int a, void (*g)(int),\n              const char *b)'):
    return head + '\n{\n' + '        a++;\n' * n + '}\n'


BAD = [
    {'service/a.c': '\n' * 451},
    {'dbus/a.h': '\n' * 121},
    {'cli/naivec/a.c': function(41)},
    {'polkit/a.c': function(3) + '\n' + function(41, 'int main(void)')},
    {'service/util/a.h': function(41, 'static inline int f(int a)')},
    {'service/sandbox/child/a.c': function(81)},
    {f'service/util/{name}.c': '' for name in 'abcdefghijklmno'},
]
GOOD = [
    {'service/a.c': '\n' * 450},
    {'dbus/a.h': '\n' * 120},
    {'cli/naivec/a.c': function(40) + '\n' + function(40)},
    {'service/sandbox/child/a.c': function(80)},
    {'service/a.c': 'struct a {\n' + '        int b;\n' * 50 + '};\n\n' + 'const int a[] = {\n' + '        1,\n' * 50 + '};\n'},
    {f'service/util/{name}.c': '' for name in 'abcdefghijklmn'},
    {'tests/a.c': '\n' * 900 + function(100)},
]

if __name__ == '__main__':
    lintlib.main(check, BAD, GOOD)
