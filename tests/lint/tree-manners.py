#!/usr/bin/env python3
"""Files say nothing about the machine they were written on."""

import re
import socket
import sys

import lintlib

# Directories of the machines this is developed on (root's home is not among them: every machine has one); put
# together so that this file passes.
MACHINE_PATHS = ['/' + 'work/', '/' + 'root/.pyenv/']
NAME_LENGTH_MIN = 4  # a shorter host name occurs in words


def machine_words():
    names = {socket.gethostname(), socket.gethostname().split('.')[0]} - {'localhost', 'debian'}
    roots = [root.rstrip('/') + '/' for root in sys.argv[1:2] if root.startswith('/')]
    return MACHINE_PATHS + roots + [name for name in names if len(name) >= NAME_LENGTH_MIN]


def check_words(path, text, pattern):
    for number, line in enumerate(text.split('\n'), 1):
        match = pattern.search(line)
        if match:
            yield f'{path}:{number}: "{match.group()}" is a path or name of one machine'


def check(tree):
    words = '|'.join(re.escape(word) for word in machine_words())
    pattern = re.compile(rf'(?<![\w.\-/])({words})')
    complaints = []
    for path, text in tree.items():
        complaints += check_words(path, text, pattern)
    return complaints


BAD = [
    {'README.md': 'cd ' + MACHINE_PATHS[0] + 'main\n'},
    {'tests/run': 'PATH=x:' + MACHINE_PATHS[1] + 'bin\n'},
]
GOOD = [
    {'README.md': 'the network/' + 'root/ of all, /sys' + MACHINE_PATHS[0] + '\n'},
]

if __name__ == '__main__':
    lintlib.main(check, BAD, GOOD)
