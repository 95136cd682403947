"""The lines of tests/bwrap/lines: the same from bubblewrap and from naive-bwrap, and what each file says."""

import glob
import os

from harness.files import read, write
from side_case import SideCase
from test_examples import picture

HERE = os.path.dirname(os.path.abspath(__file__))


class Lines(SideCase):
    """A test for each file is added below."""

    def check(self, path):
        image = f'{self.world.directory}/picture.png'
        write(image, picture())
        os.chmod(image, 0o644)
        text = read(path)
        said = ''.join(line[2:].removeprefix(' ') + '\n' for line in text.splitlines() if line.startswith('#='))
        status, output = self.same(f'PICTURE={image}\n{text}')
        output = ''.join(line.strip() + '\n' for line in output.splitlines())
        self.assertEqual((status, output), (0, said), self.errors)


def add(path):
    def test(self):
        self.check(path)
    name = os.path.basename(path)
    test.__doc__ = f'{name}: as with bubblewrap, and as it says'
    setattr(Lines, 'test_' + name.removesuffix('.sh').replace('-', '_'), test)


for path in sorted(glob.glob(f'{HERE}/lines/*.sh')):
    add(path)
