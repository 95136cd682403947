"""The defences that can be taken away, one at a time, in a copy of the tree: a test must notice.

defences_*.py hold them, each with DEFENCES = [(row, what is taken away, file, the text that goes, what comes instead,
the tests of which one must fail)] and LASTING = {row: why nothing can be taken away there}. A row of SECURITY.md or ''."""

import collections
import glob
import importlib
import json
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))

Defence = collections.namedtuple('Defence', 'row words path old new tests')


def load():
    """All defences, and the rows that lasting ones hold."""
    defences, lasting = [], {}
    for path in sorted(glob.glob(f'{HERE}/defences_*.py')):
        module = importlib.import_module(os.path.basename(path)[:-3])
        defences += [Defence(*row) for row in module.DEFENCES]
        lasting.update(module.LASTING)
    return defences, lasting


class Tree:
    """A copy of the tree with a build directory that is used again for each defence."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix='defences-', dir='/tmp')
        for name in ('meson.build', 'meson_options.txt', 'meson.options', 'service', 'dbus', 'polkit', 'cli', 'tests'):
            full = f'{SOURCE}/{name}'
            if os.path.exists(full):
                (shutil.copytree if os.path.isdir(full) else shutil.copy)(full, f'{self.path}/{name}')

    def remove(self):
        shutil.rmtree(self.path)

    def _build(self):
        """None, or why not."""
        lines = [['ninja', '-C', f'{self.path}/build', 'naive-runcd', 'cli/naivec', 'cli/naivec-full', 'cli/oci/naive-oci']]
        if not os.path.exists(f'{self.path}/build/build.ninja'):
            lines.insert(0, ['meson', 'setup', f'{self.path}/build', self.path, '--prefix=/usr', '--buildtype=debug'])
        for line in lines:
            done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                return 'does not build:\n' + done.stdout[-2000:]
        return None

    def _test(self, tests):
        """(which tests failed, or None; why nothing was noticed)"""
        kind = 'integration' if os.path.exists(f'{SOURCE}/tests/integration/{tests.split(".")[0]}.py') else 'security'
        report = f'{self.path}/report'
        open(report, 'w').close()
        done = subprocess.run([f'{SOURCE}/tests/{kind}/run', f'--build={self.path}/build', f'--report={report}', tests],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        with open(report) as f:
            results = [json.loads(line) for line in f]
        failed = [result['test'] for result in results if result['outcome'] == 'failed']
        if failed:
            return failed, None
        if not results and done.returncode:
            if 'the service did not start' in done.stdout:
                return ['the service does not even start'], None
            return None, 'the tests did not run:\n' + done.stdout[-2000:]
        return None, f'{len(results)} tests ran: ' + ', '.join(f'{r["test"]} {r["outcome"]}' for r in results)

    def without(self, defence):
        """(which tests noticed that the defence is gone, or None; why it did not come to that)"""
        path = f'{self.path}/{defence.path}'
        with open(path) as f:
            text = f.read()
        if text.count(defence.old) != 1:
            return None, f'{defence.path} has its text {text.count(defence.old)} times, not once'
        try:
            with open(path, 'w') as f:
                f.write(text.replace(defence.old, defence.new))
            reason = self._build()
            return (None, reason) if reason else self._test(defence.tests)
        finally:
            with open(path, 'w') as f:
                f.write(text)
