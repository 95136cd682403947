"""Beside bubblewrap and the reference, with a command that costs nothing as well: what busybox takes to start is the
same on every side, and hides what they differ in. And what an attached naivec costs while it waits."""

import os
import shutil
import subprocess

import orders
import phases
from candidates import Candidate, naivec_line, stopwatch
from world import UID, Failed

USR = ['--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib', '--symlink',
       'usr/lib64', '/lib64', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--unshare-all', '--die-with-parent']
BWRAP = 'bubblewrap, --unshare-all --bind R / --proc /proc'


def plain(order):
    return ['bwrap', '--unshare-all', '--bind', order.rootfs, '/', '--proc', '/proc', *order.argv]


def as_user():
    return ['setpriv', f'--reuid={UID}', f'--regid={UID}', '--clear-groups']


def lines_of_usr(world, program):
    where = f'{world.directory}/nothing'
    return [[program, *USR, '--ro-bind', where, '/run/nothing', '/run/nothing/nothing']]


def of_bwrap(world, place, sizes):
    """naive-bwrap and bubblewrap, the same line."""
    ours, theirs = lines_of_usr(world, world.program('cli/naive-bwrap')), lines_of_usr(world, 'bwrap')
    environment = {'DBUS_SYSTEM_BUS_ADDRESS': place.address}
    yield Candidate('naive-bwrap', stopwatch(world, 'naive-bwrap', ours), 'the host\'s /usr, root', environment=environment)
    yield Candidate('bwrap, /usr', stopwatch(world, 'bwrap-usr', theirs), 'the same line')
    if world.polkitd:
        yield Candidate('naive-bwrap, user', [*as_user(), *stopwatch(world, 'naive-bwrap-user', ours)],
                        'with polkit\'s question', environment=environment)
        yield Candidate('bwrap, /usr, user', [*as_user(), *stopwatch(world, 'bwrap-usr-user', theirs)],
                        'the same line')


def candidates(world, place, mix, sizes):
    os.mkdir(f'{world.directory}/nothing')
    for directory in f'{world.directory}/nothing', f'{mix[0].rootfs}/bin':
        shutil.copy(world.program('tests/bench/nothing'), directory)
    nothing = orders.Order(mix[0].rootfs, ['/bin/nothing'])
    path = orders.write_lines(f'{world.directory}/orders-nothing', [nothing.words()])
    loop = {'runs': sizes.loop, 'every': sizes.heavy_every}
    naivec = stopwatch(world, 'naivec-nothing', [naivec_line(world, place, nothing)])
    yield Candidate('reference, nothing', world.reference(orders=path), 'a command that costs nothing')
    yield Candidate('Spawn, status', place.client('--status'), 'StatusFD tells the end')
    yield Candidate('Spawn, status, nothing', place.client('--status', orders=path), 'a command that costs nothing')
    yield Candidate('naivec run, nothing', naivec, 'whole process, a command that costs nothing')
    yield Candidate('naivec run, nothing, loop', naivec, f'{sizes.loop} back to back, mean', **loop)
    if not sizes.peers or not shutil.which('bwrap'):
        return
    yield Candidate('bwrap, plain', stopwatch(world, 'bwrap-plain', [plain(order) for order in mix]), BWRAP)
    bwrap = stopwatch(world, 'bwrap-nothing', [plain(nothing)])
    yield Candidate('bwrap, nothing', bwrap, 'a command that costs nothing')
    yield Candidate('bwrap, nothing, loop', bwrap, f'{sizes.loop} back to back, mean', **loop)
    yield from of_bwrap(world, place, sizes)


def attached_kib(world, place, mix):
    """PSS of a naivec that waits for its command."""
    order = orders.Order(mix[0].rootfs, ['/bin/sh', '-c', 'echo up; exec sleep 60'])
    with subprocess.Popen(naivec_line(world, place, order), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout.readline() != b'up\n':
                raise Failed('naivec run did not start its command')
            return phases.pss_kib([process.pid])
        finally:
            process.kill()


def in_flight_usec(world, place, sizes):
    """Processor time of the whole machine for one run of many in flight: the service's, the reference's."""
    option = f'--in-flight={sizes.in_flight}'
    return tuple(phases.busy_in_loop(name, argv, 4 * sizes.batch)
                 for name, argv in (('in flight', place.client(option)), ('reference', world.reference(option))))
