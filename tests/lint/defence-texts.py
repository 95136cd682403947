#!/usr/bin/env python3
"""Each defence that tests/security/table can take away is where the table looks for it: its text stands once in its file.
Whether a test notices that a defence is gone, only the table shows, in an hour."""

import re

import lintlib

LISTS = re.compile(r'tests/security/defences_\w+\.py')


def check(tree):
    complaints = []
    for path, text in tree.items():
        if not LISTS.fullmatch(path):
            continue
        names = {}
        exec(compile(text, path, 'exec'), names)
        for row, words, file, old, *_ in names['DEFENCES']:
            n = tree.get(file, '').count(old)
            if n != 1:
                complaints.append(f'{path}: {row} without {words}: {file} has its text {n} times, not once')
    return complaints


def sample(old):
    return {'tests/security/defences_x.py': f'DEFENCES = [("A1", "it", "service/a.c", {old!r}, "", "test_x")]\n',
            'service/a.c': 'one();\ntwo();\ntwo();\n'}


if __name__ == '__main__':
    lintlib.main(check, [sample('three();'), sample('two();')], [sample('one();')])
