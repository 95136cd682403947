#!/usr/bin/env python3
"""naivec's manual page and completion against its help and its exit statuses: each verb, flag and status has one entry,
and no entry is of something that there is not. usage: manual.py NAIVEC NAIVEC.1 NAIVEC.BASH SESSION.H"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

HELP_FLAG = re.compile(r'^  (?:-(\w),|   ) --([a-z-]+)', re.M)
MANUAL_FLAG = re.compile(r'^\.It Fl (?:(\w) , )?-([a-z-]+)', re.M)


def flags_of(text):
    return HELP_FLAG.findall(text)


def part(text, begin, end):
    """What stands between two lines; to the end if the second is not there."""
    return (text + end).split(begin, 1)[1].split(end, 1)[0]


def expected(naivec):
    """{what: [entries]} as the program has them."""
    def ask(*arguments):
        return subprocess.run([naivec, *arguments, '--help'], check=True, capture_output=True, text=True).stdout
    overview = ask()
    verbs = re.findall(r'^  ([a-z]+) ', part(overview, 'Commands:\n', '\nOptions:'), re.M)
    own = {verb: flags_of(ask(verb).split('Options of all')[0]) for verb in verbs}
    run = set(own.pop('run') + own.pop('create'))
    for verb in 'update', 'exec':
        own[verb] = set(own[verb]) - run  # what is theirs is described once
    return {'verb': verbs, 'option of all commands': flags_of(overview), 'option of run and create': run,
            'option of single commands': {flag for flags in own.values() for flag in flags}}


def described(manual):
    options = part(manual, '.Sh OPTIONS', '.Sh ENVIRONMENT')
    result = {'verb': re.findall(r'^\.It Cm ([a-z]+)', part(manual, '.Sh COMMANDS', '.Sh OPTIONS'), re.M),
              'exit status': re.findall(r'^\.It (\d+)', part(manual, '.Sh EXIT STATUS', '.Sh EXAMPLES'), re.M)}
    for section in options.split('.Ss ')[1:]:
        title = section.split('\n', 1)[0]
        result['option' + title.removeprefix('Options')] = MANUAL_FLAG.findall(section)
    return result


def complaints(want, manual):
    have = described(manual)
    for what, entries in want.items():
        count = Counter(have.get(what, []))
        for entry in set(entries) | set(count):
            if count[entry] != 1 or entry not in entries:
                yield f'{what} {entry}: {count[entry]} entries in the manual, {int(entry in entries)} in the program'


subprocess.run([sys.argv[1], '--version'], check=True)
naivec, *paths = sys.argv[1:]
manual, completion, session = (Path(path).read_text() for path in paths)
want = expected(naivec)
want['exit status'] = re.findall(r'EXIT_\w+ = (\d+)', session)
wrong = list(complaints(want, manual))
if part(completion, "verbs='", "'").split() != want['verb']:
    wrong.append('the completion has other verbs than the program')
# A check that cannot fail shows nothing: each entry taken away or doubled must be noticed.
for row in re.findall(r'^\.It (?:Fl|Cm (?=[a-z]+ ?[OA\n])|\d).*\n', manual, re.M):
    wrong += [f'not noticed: {row}' for text in (manual.replace(row, '', 1), manual.replace(row, row * 2, 1))
              if not list(complaints(want, text))]
print('\n'.join(wrong))
sys.exit(bool(wrong))
