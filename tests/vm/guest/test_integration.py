"""tests/integration inside, with the very programs of the package's build."""

import glob
import os
import re
import subprocess

from machine import Case, wait_until

TESTS = '/vm/src/tests'
NO_LIMIT = 0  # but that of each test inside, and the machine's


def classes_without(name, suite):
    """The tests of all classes but one, as patterns."""
    for path in sorted(glob.glob(f'{TESTS}/{suite}/test_*.py')):
        with open(path) as f:
            for found in re.findall(r'^class (\w+)\(', f.read(), re.MULTILINE):
                if found != name:
                    yield f'{os.path.basename(path)[:-3]}.{found}.'


def run_suite(case, *argv, **environment):
    """Streams the output of a suite of the tree; it must end with no test failed, and none skipped but what cannot be
    tried on such a machine."""
    print(flush=True)
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors='replace', env=dict(os.environ, **environment), cwd='/')
    case.addCleanup(lambda: (process.poll() is None and process.terminate(), process.wait(), process.stdout.close()))
    line, failed, skipped = '', [], 0
    for line in process.stdout:
        print('    | ' + line, end='', flush=True)
        # the latter takes clocks that are better than emulated ones; test_activation has the same race through systemd
        if line.rstrip().endswith(('SKIPPED: no v1 hierarchy beside the v2 one',
                                   'SKIPPED: no idle exit fell into a burst: nothing was tried')):
            skipped += 1
        elif re.search(r'\.\.\. (FAIL|ERROR|SKIPPED)', line):
            failed.append(line.split(' ...')[0])
    case.assertRegex(line, rf'^[1-9][0-9]* passed, 0 failed, {skipped} skipped$', ', '.join(failed))


def run_inside(case, suite, *patterns, **environment):
    # logind keeps a user's directory for some seconds after the logout; the tests watch the mount table.
    wait_until(lambda: not os.path.isdir('/run/user') or not os.listdir('/run/user'), what='all logouts')
    run_suite(case, f'{TESTS}/{suite}/run', '--build=/vm/build', *patterns, NAIVE_TEST_TIMEOUT='480', **environment)


class Integration(Case):
    def test_all(self):
        """the integration tests pass on this kernel and this tree of cgroups"""
        run_inside(self, 'integration')
    test_all.limit = NO_LIMIT
