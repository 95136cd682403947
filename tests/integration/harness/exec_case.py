"""Processes that join a container, as a client sees them, and what they may do, as the host does."""

import os
import signal

from .case import Case
from .client import CONTAINER, PROPERTIES, Container
from .files import read_bytes

EXEC = 'org.naive.Runc.Exec1'
SLEEP = ['/bin/sleep', '600']


class Exec(Container):
    """The object of a process that has joined a container."""

    def call(self, member, signature='()', arguments=(), **kwargs):
        return self.client.call(self.path, EXEC, member, signature, arguments, **kwargs)

    def kill(self, number=signal.SIGKILL):
        self.call('Kill', 'i', (int(number),))

    def prop(self, name):
        return self.client.prop(self.path, EXEC, name)

    def props(self):
        return self.client.call(self.path, PROPERTIES, 'GetAll', 's', (EXEC,))[0]


class ExecCase(Case):
    def container(self, client=None, rootfs=None, argv=SLEEP, **options):
        return (client or self.root).spawn(rootfs or self.rootfs, argv, **options)

    def execute(self, container, argv, fds={}, client=None, flags=0, **options):
        client = client or container.client
        _, *arguments = client._arguments('', argv, fds, options)
        path, = client.call(container.path, CONTAINER, 'Exec', 'aaya{uh}a{sv}', arguments,
                            fds=client._passed(fds, options), flags=flags)
        return Exec(client, path)

    def says(self, container, script, **kwargs):
        process = self.execute(container, ['/bin/sh', '-c', script], **kwargs)
        result = process.wait()
        log = process.log().decode()
        self.assertEqual(result, ('success', 0), log)
        return log


RIGHTS = ('Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp',
          'Seccomp_filters')


def read_text(pid, name):
    return read_bytes(f'/proc/{pid}/{name}').decode()


def rights_of(pid):
    """All that says what a process may do, as the host sees it."""
    status = dict(line.split(':', 1) for line in read_text(pid, 'status').splitlines())
    return {**{key: status.get(key, '').split() for key in RIGHTS},
            **{name: os.readlink(f'/proc/{pid}/ns/{name}') for name in os.listdir(f'/proc/{pid}/ns')},
            **{name: read_text(pid, name) for name in ('cgroup', 'limits', 'oom_score_adj')},
            'root': os.stat(f'/proc/{pid}/root').st_ino, 'dev': os.stat(f'/proc/{pid}/root').st_dev}
