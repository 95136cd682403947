"""The options of naive-bwrap(1), of naive-bwrap --help and of the bubblewrap that is installed are the same."""

import re
import shutil
import subprocess

from harness.case import Case
from harness.files import read
from harness.world import SOURCE

OPTION = re.compile(r'^ +(--[a-z0-9-]+)((?: [A-Z_]+)*)(?: +(.*))?$', re.MULTILINE)
ENTRY = re.compile(r'^\.It Fl -([a-z0-9-]+)((?: Ar [A-Z_]+)*)\n(\w+)', re.MULTILINE)
IN_PART = {'--dev-bind', '--dev-bind-try'}  # "No", but for what --dev has made there


class Table(Case):
    def options(self, program):
        """{option: its arguments}, and which are refused."""
        text = subprocess.run([program, '--help'], capture_output=True, text=True, check=True).stdout
        found = OPTION.findall(text)
        return ({name: arguments.split() for name, arguments, _ in found},
                {name for name, _, words in found if words.startswith('refused: ')})

    def test_installed(self):
        """Whatever the installed bubblewrap takes has a row, with as many arguments."""
        if not shutil.which('bwrap'):
            self.skipTest('bubblewrap is not installed')
        ours, _ = self.options(f'{self.world.build}/cli/naive-bwrap')
        theirs, _ = self.options('bwrap')
        self.assertGreater(len(theirs), 40)
        self.assertEqual({name: len(arguments) for name, arguments in theirs.items()},
                         {name: len(ours.get(name, 'none')) for name in theirs})

    def test_manual(self):
        """The manual says yes or no of each, in the same order as --help, and no where it is refused."""
        ours, refused = self.options(f'{self.world.build}/cli/naive-bwrap')
        entries = [(f'--{name}', arguments.replace(' Ar', '').split(), verdict)
                   for name, arguments, verdict in ENTRY.findall(read(f'{SOURCE}/cli/bwrap/naive-bwrap.1'))]
        self.assertEqual([(name, arguments) for name, arguments, _ in entries], list(ours.items()))
        self.assertEqual({verdict for name, _, verdict in entries if name != '--embedded'}, {'Yes', 'No'})
        self.assertEqual({name for name, _, verdict in entries if verdict == 'No'}, refused | IN_PART)
