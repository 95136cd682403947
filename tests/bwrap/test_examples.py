"""The programs of tests/examples, each with a picture and with something that is none."""

import os
import shutil
import struct
import subprocess
import zlib

from harness.case import Case
from harness.files import as_user, read_bytes, write
from harness.world import SOURCE, USERS


def picture(width=64, height=64):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = (b'\0' + b'\xff\x80\0' * width) * height
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)) +
            chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


class Examples(Case):
    def run_example(self, program, content, user):
        if not shutil.which('gdk-pixbuf-thumbnailer'):
            self.skipTest('gdk-pixbuf-thumbnailer is not installed')
        directory = f'{self.world.directory}/{user}/example'
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        write(f'{directory}/in.png', content)
        os.chown(directory, USERS[user], USERS[user])
        line = [*as_user(USERS[user]), program, f'{directory}/in.png', f'{directory}/out.png']
        environment = dict(os.environ, PATH=f'{self.world.build}/cli:/usr/bin:/bin')
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, cwd='/', env=environment)
        out = f'{directory}/out.png'
        return done, read_bytes(out) if os.path.exists(out) else b''

    def check(self, name, program=None, tells=True):
        program = program or f'{SOURCE}/tests/examples/{name}'
        done, thumbnail = self.run_example(program, picture(), 'alice')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(struct.unpack('>II', thumbnail[16:24]), (32, 32))
        self.assertEqual(b'CPUUsageUSec' in done.stdout, tells, done.stdout)
        done, thumbnail = self.run_example(program, b'no picture', 'alice')
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(thumbnail, b'')

    def test_python(self):
        """Python with Gio."""
        self.check('thumbnail.py')

    def test_shell(self):
        """A shell with naivec, which prints what the program says and nothing else."""
        self.check('thumbnail.sh', tells=False)

    def test_c(self):
        """C with GDBus, by code that gdbus-codegen makes of the interfaces' files."""
        place = f'{self.world.directory}/example-c'
        os.makedirs(place)
        self.addCleanup(shutil.rmtree, place)
        interfaces = [f'{SOURCE}/dbus/org.naive.Runc.{name}.xml' for name in ('Manager1', 'Container1')]
        subprocess.run(['gdbus-codegen', '--interface-prefix=org.naive.Runc.', '--c-namespace=Runc', f'--output-directory={place}',
                        '--c-generate-autocleanup=all', '--generate-c-code=runc', *interfaces], check=True)
        flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'gio-unix-2.0'], check=True, capture_output=True).stdout
        subprocess.run(['cc', '-Wall', '-Werror', '-I', place, '-o', f'{place}/thumbnail', f'{SOURCE}/tests/examples/thumbnail.c',
                        f'{place}/runc.c', *flags.decode().split()], check=True)
        self.check('thumbnail.c', f'{place}/thumbnail')

    def test_javascript(self):
        """JavaScript with gjs."""
        if not shutil.which('gjs'):
            self.skipTest('gjs is not installed')
        self.check('thumbnail.js')
