#!/usr/bin/env python3
"""The child half runs in a copy of the service between clone and exec, where another thread's lock
may be held for ever. So every symbol that its library takes from elsewhere must be on a list.

usage: child-symbols.py ALLOW-LIST LIBRARY [NM]"""

import re
import subprocess
import sys
from pathlib import Path

import lintlib

INSTRUMENTATION = re.compile(r'__(asan|ubsan|gcov|stack_chk|llvm_profile)_|__sanitizer_')
# What a hardened build calls in a function's place (__read_chk for read, __open_2 for open), and one
# with large files: open64 for open.
FORTIFIED = re.compile(r'^__(\w+?)(?:_chk|(?<=open)_2|(?<=openat)_2|(?<=64)_2)$')
LARGE_FILE = re.compile(r'^(\w+[a-z])64$')


def read_list(text):
    return {line.split('#')[0].strip() for line in text.split('\n')} - {''}


def undefined_symbols(nm_output):
    symbols, own = set(), set()
    for line in nm_output.split('\n'):
        match = re.fullmatch(r'[0-9a-f]+ T (\S+)', line)
        if match:
            own.add(match.group(1))
        match = re.fullmatch(r'\s+[Uuwv]\s+(\S+)', line)
        if match and not INSTRUMENTATION.match(match.group(1)):
            symbol = FORTIFIED.sub(r'\1', match.group(1).split('@')[0])
            symbols.add(LARGE_FILE.sub(r'\1', symbol))
    return symbols - own


def check(allow_list, nm_output):
    symbols = undefined_symbols(nm_output)
    if not symbols:
        return ['no undefined symbol at all: this is not the child\'s library, or nm cannot read it']
    return [f'the child calls {symbol}, which the list does not have: if it takes no lock and no memory,'
            ' add it with the reason' for symbol in sorted(symbols - read_list(allow_list))]


LIST = 'write # reports\n\n# a comment\n_exit\nopen\n__chk_fail\n'
BAD = [
    'a.o:\n                 U write\n                 U malloc\n',
    '                 U g_malloc0\n',
    '                 w pthread_mutex_lock\n',
    '                 U __printf_chk\n',
    '                 U fopen64\n',
    '0000000000000000 T sandbox_child\n',
    '',
]
GOOD = ['a.o:\n                 U write\n                 U _exit@GLIBC_2.2.5\n'
        '                 U __stack_chk_fail\n                 U __asan_report_load8\n'
        '                 U __write_chk\n                 U __open_2\n                 U __open64_2\n'
        '                 U open64\n'
        '0000000000000000 T sandbox_child\n',
        'a.o:\n                 U sandbox_fail\n\nb.o:\n                 U _exit\n0000000000000000 T sandbox_fail\n']


def self_test():
    return [f'self-test: not noticed: {sample!r}' for sample in BAD if not check(LIST, sample)] + \
           [f'self-test: a false alarm: {wrong}' for sample in GOOD for wrong in check(LIST, sample)]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    nm = sys.argv[3] if len(sys.argv) == 4 else 'nm'
    run = subprocess.run([nm, sys.argv[2]], capture_output=True, text=True)
    if run.returncode != 0 or 'plugin' in run.stderr:
        sys.exit(f'{nm}: {run.stderr}')
    lintlib.finish(self_test() or check(Path(sys.argv[1]).read_text(), run.stdout))


if __name__ == '__main__':
    main()
