"""Another bus with a service of its own, for a test that stops, starves or misleads it."""

import os
import signal
import subprocess

from .client import NAME, BusError, RootClient
from .files import read, write
from .world import Bus, World, wait_until


class Place:
    """Another bus with a service of its own, beside the shared one."""

    def __init__(self, case, name, idle=0, activated=False, prefix=(), parent=None, env=None, arguments=(), limits=''):
        self.world = world = case.world
        self.directory = f'{world.directory}/{name}'
        self.state = f'{self.directory}/state'
        self.parent = parent or f'{world.cgroup_parent}-{name}'
        socket = f'unix:path={self.directory}/bus/socket'
        self.environment = dict(os.environ, **(env or {}))
        self.arguments = [*world.service_arguments(socket, self.state, self.parent, idle), *arguments]
        os.makedirs(self.directory)
        executable = None
        if activated:
            executable = f'{self.directory}/start'
            write(executable, f'#!/bin/sh\nexec {world.daemon} "$@" 2>>{self.directory}/log\n')
            os.chmod(executable, 0o755)
        self.bus = Bus(f'{self.directory}/bus', executable, self.arguments, limits)
        world.extra.append(self.bus.process)
        case.addCleanup(self.close)
        self.client = RootClient(self.bus.address)
        self.process = None
        if not activated:
            self.start(prefix)

    def start(self, prefix=(), pass_fds=()):
        self.log = open(f'{self.directory}/log', 'a')
        self.process = subprocess.Popen([*prefix, self.world.daemon, *self.arguments], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, cwd='/',
                                        env=self.environment, pass_fds=pass_fds)
        self.log.close()
        self.world.extra.append(self.process)
        # not the one before it, whose end the bus may not have noticed yet
        wait_until(lambda: self.owner() == self.process.pid or self.process.poll() is not None, what='the second service')

    def owner(self, client=None):
        """The pid of the service, 0 if there is none."""
        try:
            return (client or self.client).bus('GetConnectionUnixProcessID', 's', (NAME,))[0]
        except BusError:
            return 0

    def words(self):
        return read(f'{self.directory}/log')

    def close(self):
        pid = self.owner() or (self.process.pid if self.process and self.process.poll() is None else 0)
        if pid:
            try:
                os.kill(pid, signal.SIGTERM)
                wait_until(lambda: not os.path.exists(f'/proc/{pid}/exe'), 10, 'the end of the second service')
            except (ProcessLookupError, TimeoutError):
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.wait()
        if not self.client.connection.is_closed():
            self.client.close()
        self.bus.stop()
        World.remove_cgroups(self.parent)
