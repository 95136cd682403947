"""What the lints share: the files of the tree, C without its comments, and a run that shows first, on
samples, that the lint can fail. A lint is a function from {path: text} to a list of complaints."""

import re
import subprocess
import sys
from pathlib import Path

SKIPPED_EXIT = 77
SKIPPED_DIRECTORIES = re.compile(r'^(\.git|build.*|__pycache__)$')


def tracked_paths(root):
    """Files that are in git or about to be; in an unpacked tarball, all but build directories."""
    try:
        listed = subprocess.run(['git', '-C', str(root), 'ls-files', '-z', '--cached', '--others',
                                 '--exclude-standard'], check=True, capture_output=True).stdout
        return sorted(set(listed.decode().rstrip('\0').split('\0')) - {''})
    except (OSError, subprocess.CalledProcessError):
        return sorted(str(path.relative_to(root)) for path in root.rglob('*')
                      if not any(SKIPPED_DIRECTORIES.match(part)
                                 for part in path.relative_to(root).parts))


def read_tree(root):
    tree = {}
    for path in tracked_paths(root):
        try:
            tree[path] = (root / path).read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            continue  # a directory, deleted and not yet committed, or binary
    return tree


def is_c(path):
    return path.endswith(('.c', '.h'))


C_NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_only(text):
    """C without comments, strings and characters; the line numbers stay."""
    return C_NOISE.sub(lambda match: ' ' + '\n' * match.group().count('\n'), text)


def self_test(check, bad, good):
    """`bad` and `good` are lists of trees. A lint that passes a bad sample is no lint."""
    wrong = [f'self-test: not noticed: {tree}' for tree in bad if not check(tree)]
    for tree in good:
        wrong += [f'self-test: a false alarm: {complaint}' for complaint in check(tree)]
    return wrong


def finish(complaints):
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)


def main(check, bad, good):
    """argv: the root of the source tree."""
    if len(sys.argv) != 2:
        sys.exit(f'usage: {sys.argv[0]} SOURCE-ROOT')
    tree = read_tree(Path(sys.argv[1]))
    if not any(is_c(path) for path in tree):
        sys.exit(f'no C file below {sys.argv[1]}: nothing would be checked')
    finish(self_test(check, bad, good) or check(tree))
