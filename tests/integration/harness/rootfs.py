"""Root file systems for the tests: Debian's static busybox and the test programs of helpers/."""

import os
import shutil
import stat
import subprocess

BUSYBOX = '/bin/busybox'
HELPERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'helpers')
DIRECTORIES = ('bin', 'dev', 'proc', 'sys', 'tmp', 'root', 'etc', 'run', 'home', 'mnt')


def compile_helpers(directory):
    os.makedirs(directory, exist_ok=True)
    for name in sorted(os.listdir(HELPERS)):
        if name.endswith('.c'):
            subprocess.run(['gcc', '-static', '-O1', '-Wall', '-o', os.path.join(directory, name[:-2]),
                            os.path.join(HELPERS, name)], check=True)


def make(path, programs=None, uid=0, gid=0, without=()):
    """A rootfs that belongs to uid:gid as a whole. `without`: directories to leave out."""
    os.makedirs(path)
    for name in DIRECTORIES:
        if name not in without:
            os.mkdir(os.path.join(path, name))
    bin_dir = os.path.join(path, 'bin')
    shutil.copy(BUSYBOX, os.path.join(bin_dir, 'busybox'))
    for applet in subprocess.run([BUSYBOX, '--list'], check=True, capture_output=True,
                                 text=True).stdout.split():
        if applet != 'busybox':
            os.symlink('busybox', os.path.join(bin_dir, applet))
    if programs:
        for name in os.listdir(programs):
            shutil.copy(os.path.join(programs, name), bin_dir)
    with open(os.path.join(path, 'etc/marker'), 'w') as f:
        f.write('this is the rootfs\n')
    chown_tree(path, uid, gid)
    return path


def make_canary(path, uid):
    """What hostile trees lead to: names that a careless set-up would create, replace or read, and another's secrets."""
    os.makedirs(f'{path}/sub')
    os.mkdir(f'{path}/closed', 0o700)
    for name in ('ptmx', 'null', 'fd', 'console', 'secret', 'bobs', 'sub/file', 'closed/file', 'set-id'):
        with open(f'{path}/{name}', 'w') as f:
            f.write(f'canary {name}\n')
    os.setxattr(f'{path}/sub', 'trusted.canary', b'sings')
    os.chown(f'{path}/bobs', uid, uid)
    for name, mode in (('secret', 0o600), ('bobs', 0o600), ('set-id', 0o4755), ('sub', 0o777), ('sub/file', 0o666)):
        os.chmod(f'{path}/{name}', mode)


def chown_tree(path, uid, gid):
    os.lchown(path, uid, gid)
    for top, directories, files in os.walk(path):
        for name in directories + files:
            os.lchown(os.path.join(top, name), uid, gid)


def fingerprint(path):
    """{name: what it is} of everything below `path`: modes, owners, times, contents, extended attributes. To be
    compared in this process only."""
    result = {}
    for top, directories, files in os.walk(path):
        for name in (['.'] if top == path else []) + directories + files:
            full = f'{top}/{name}'
            s = os.lstat(full)
            content = ''
            if stat.S_ISREG(s.st_mode):
                with open(full, 'rb') as f:
                    content = hash(f.read())  # keyed, and under emulation many times as fast as what hashlib has
            elif stat.S_ISLNK(s.st_mode):
                content = os.readlink(full)
            attributes = [(a, os.getxattr(full, a, follow_symlinks=False))
                          for a in os.listxattr(full, follow_symlinks=False)]
            result[full[len(path) + 1:]] = (oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, s.st_nlink, content,
                                            attributes)
    return result
