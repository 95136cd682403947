#!/usr/bin/env python3
"""naive-bwrap's options: the program's own list, naive-bwrap(1), and the bubblewrap that is installed.

usage: manual.py NAIVE-BWRAP MANUAL"""

import re
import shutil
import subprocess
import sys


def asked(program):
    """{option: (its arguments, its words)}"""
    text = subprocess.run([program, '--help'], capture_output=True, text=True, check=True).stdout
    found = re.findall(r'^ +(--\S+)((?: [A-Z]+)*) +(\S.*)$', text, re.MULTILINE)
    return {name: (arguments.split(), words) for name, arguments, words in found}


def documented(path):
    with open(path) as f:
        text = re.search(r'\n\.Sh OPTIONS\n(.*?)\n\.Sh ', f.read(), re.DOTALL).group(1)
    parts = re.split(r'^\.It Fl -(.*)$', text, flags=re.MULTILINE)
    return {'--' + head.split()[0]: (head.split()[2::2], body.strip()) for head, body in zip(parts[1::2], parts[2::2])}


def compare(ours, manual, theirs):
    for name in ours.keys() ^ manual.keys():
        yield f'{name} stands in {"--help" if name in ours else "the manual"} alone'
    for name in theirs.keys() - ours.keys():
        yield f"{name} is bubblewrap's and not here"
    for name in ours.keys() & theirs.keys():
        if ours[name][0] != theirs[name][0]:
            yield f'{name} takes {ours[name][0]}, and {theirs[name][0]} of bubblewrap'
    for name in ours.keys() & manual.keys():
        if ours[name][0] != manual[name][0]:
            yield f'{name} takes {ours[name][0]}, and {manual[name][0]} in the manual'
        refused = ours[name][1].startswith('refused:')
        if not re.match(r'No: ' if refused else r'(Yes|No: (no container gets devices|as\n\.Fl -dev-bind)|Not bubblewrap)',
                        manual[name][1]):
            yield f'{name}: the manual says "{manual[name][1].split(chr(10))[0]}", and --help "{ours[name][1]}"'


def main():
    ours, manual = asked(sys.argv[1]), documented(sys.argv[2])
    theirs = asked('bwrap') if shutil.which('bwrap') else {}
    if not theirs:
        print('no bubblewrap is installed: not compared with it')
    complaints = list(compare(ours, manual, theirs))
    if len(ours) < 60:
        complaints.append(f'only {len(ours)} options were found')
    print('\n'.join(complaints))
    sys.exit(bool(complaints))


main()
