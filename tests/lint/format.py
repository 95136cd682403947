#!/usr/bin/env python3
"""clang-format is the law, where it is installed (exit 77 where not).

usage: format.py SOURCE-ROOT [--report-only]"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import lintlib


def are_formatted(root, paths):
    run = subprocess.run(['clang-format', '--dry-run', '--Werror', '--style=file', *map(str, paths)],
                         cwd=root, capture_output=True, text=True)
    return run.returncode == 0


def check(root, paths):
    """All in one process, which takes a tenth of the time, and one by one only to name what is wrong."""
    if are_formatted(root, paths):
        return []
    return [f'{path}: not as clang-format has it' for path in paths if not are_formatted(root, [path])]


def self_test(root):
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(root / '.clang-format', directory)
        (Path(directory) / 'bad.c').write_text('int  f( void ) { return 1 ; }\n')
        (Path(directory) / 'good.c').write_text('int f(void)\n{\n        return 1;\n}\n')
        if check(directory, ['bad.c', 'good.c']) != check(directory, ['bad.c']) or \
           not check(directory, ['bad.c']):
            return ['self-test: bad.c must fail, and good.c pass']
    return []


def main():
    root = Path(sys.argv[1])
    if not shutil.which('clang-format'):
        print('clang-format is not installed')
        sys.exit(lintlib.SKIPPED_EXIT)
    wrong = self_test(root)
    complaints = check(root, [path for path in lintlib.tracked_paths(root)
                              if lintlib.is_c(path) and (root / path).is_file()])
    if '--report-only' in sys.argv[2:] and not wrong:
        print(*complaints, f'{len(complaints)} files differ (reported only)', sep='\n')
        complaints = []
    lintlib.finish(wrong or complaints)


if __name__ == '__main__':
    main()
