"""What is measured besides the time of a run: many containers at once, what is left of many, the first call, memory,
and what an idle service does."""

import collections
import os
import re
import signal
import time

import orders
from candidates import SETTLE_SEC, Candidate
from harness.invariants import cgroup_tree
from world import Failed, wait_until

LET_GO_SEC = 300  # no "while" is longer


# -- the service as the kernel sees it -------------------------------------------------------------------

def read(path):
    try:
        with open(path) as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return ''


def pss_kib(pids):
    return sum(int(re.search(r'^Pss:\s+(\d+)', text, re.M)[1])
               for text in (read(f'/proc/{pid}/smaps_rollup') for pid in pids) if text)


def cpu_usec(pid):
    return int(read(f'/proc/{pid}/schedstat').split()[0]) / 1e3


def wake_ups(pids):
    """How often they have been put on a processor."""
    return sum(int(n) for pid in pids
               for n in re.findall(r'ctxt_switches:\s+(\d+)', read(f'/proc/{pid}/status')))


def fds(pid):
    names = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        try:
            names.append(re.sub(r'\d+', 'N', os.readlink(f'/proc/{pid}/fd/{fd}')))
        except OSError:
            pass
    return collections.Counter(names)


def settled(place):
    """Waits until the service's own processes are what they are while nothing happens; returns them."""
    before = None
    for _ in range(100):
        now = sorted(place.waiting())
        if now == before:
            return now
        before = now
        time.sleep(0.2)
    return before


def busy_sec():
    """What all processors have spent on anything, since the start of the machine."""
    ticks = [int(field) for field in read('/proc/stat').split('\n')[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf('SC_CLK_TCK')  # without idle and iowait


def busy_in_loop(name, argv, runs):
    """µs of processor time for each of so many runs; what is cleaned up after the last one included."""
    candidate = Candidate(name, argv)
    try:
        candidate.ask(0, 20)
        time.sleep(0.5)
        before = busy_sec()
        if not candidate.ask(0, runs):
            raise Failed(f'{name}: {candidate.failure}')
        time.sleep(0.5)
        return (busy_sec() - before) / runs * 1e6
    finally:
        candidate.close()


# -- many at once ----------------------------------------------------------------------------------------

class Scale:
    """points: rows {running, service, reference: samples in µs, cpu: µs of the service's own time for each run};
    list: ms; pss: {running: KiB of the service}."""

    def __init__(self):
        self.points, self.list, self.pss = [], [], {}

    def at(self, running):
        return next((point for point in self.points if point['running'] == running), None)


def measure_point(place, scale, run, reference, running, sizes):
    point = scale.at(running)
    if not point:
        point = {'running': running, 'service': [], 'reference': [], 'cpu': []}
        scale.points.append(point)
    for number in range(-1, sizes.scale_rounds):
        for key, candidate in (('service', run), ('reference', reference)):
            before = cpu_usec(place.service.pid)
            times = candidate.ask(number + 1)
            if not times:
                raise Failed(f'at {running} running: {candidate.failure}')
            time.sleep(SETTLE_SEC)
            if number >= 0:
                point[key].append(times[0])
            if number >= 0 and key == 'service':
                point['cpu'].append(cpu_usec(place.service.pid) - before)


def measure_list(place, scale, running, sizes):
    client = Candidate('list', place.client(f'--list={running}'))
    try:
        for number in range(-1, sizes.list_rounds):
            times = client.ask(0)
            if not times:
                raise Failed(f'ListContainers: {client.failure}')
            if number >= 0:
                scale.list.append(times[0] / 1e3)
    finally:
        client.close()


def scale(world, place, sizes):
    """A further run with 0, 10, … containers running already, and again with 0 after them."""
    result = Scale()
    sleepers = orders.write_lines(f'{world.directory}/orders-sleep', [
        orders.Order(f'{world.directory}/rootfs', ['/bin/sleep', '1000000']).words()])
    run, reference = Candidate('run', place.client()), Candidate('reference', world.reference())
    holder = Candidate('holder', place.client('--in-flight=4', '--hold', orders=sleepers))
    before = cgroup_tree(place.cgroup_parent)
    try:
        running = 0
        for wanted in sizes.scale:
            if wanted > running and not holder.ask(0, wanted - running):
                raise Failed(f'{wanted} running: {holder.failure}')
            running = wanted
            settled(place)
            result.pss[running] = pss_kib([place.service.pid])
            measure_point(place, result, run, reference, running, sizes)
        measure_list(place, result, running, sizes)
        holder.close()
        wait_until(lambda: len(cgroup_tree(place.cgroup_parent)) <= len(before), 'the end of all', 120)
        time.sleep(sizes.idle_sec)  # the kernel still takes a thousand network namespaces apart
        measure_point(place, result, run, reference, 0, sizes)
    finally:
        for candidate in (holder, run, reference):
            if candidate.process.poll() is None:
                candidate.close()
    return result


# -- what is left ----------------------------------------------------------------------------------------

class Traces:
    def __init__(self, place):
        self.waiting = settled(place)
        self.fds, self.cgroups = fds(place.service.pid), cgroup_tree(place.cgroup_parent)
        self.mounts = read(f'/proc/{place.service.pid}/mountinfo').count('\n')
        self.records = len(os.listdir(f'{place.state}/containers'))
        self.pss = pss_kib([place.service.pid])

    def grown_from(self, before):
        """What there is more of, in words; memory apart."""
        more = {'processes': len(self.waiting) - len(before.waiting), 'mounts': self.mounts - before.mounts,
                'records': self.records - before.records, 'cgroups': len(self.cgroups) - len(before.cgroups),
                'fds': sum((self.fds - before.fds).values())}
        return {name: n for name, n in more.items() if n > 0}


def residue(place, sizes):
    """(n, {what: how many more of it}, KiB more of memory) after `n` were run, ended and deleted."""
    client = Candidate('residue', place.client(f'--in-flight={sizes.in_flight}', '--delete'))
    try:
        for n in (sizes.residue // 4, sizes.residue):  # what grows once and stays is no leak
            before = Traces(place)
            for begun in range(0, n, 500):
                if not client.ask(begun, min(500, n - begun)):
                    raise Failed(f'{n} in a row: {client.failure}')
        after = Traces(place)
    finally:
        client.close()
    return sizes.residue, after.grown_from(before), after.pss - before.pss


# -- the first call --------------------------------------------------------------------------------------

def activation(world, sizes):
    """(first, second): lists of ms, each pair by one connected client; the service is not running before a first."""
    place = world.place('activated')
    place.start_activatable()
    first, second = [], []
    client = Candidate('activation', place.client())
    try:
        for number in range(-1, sizes.activation):
            pid = place.activated()
            if pid:
                os.kill(pid, signal.SIGTERM)
                wait_until(lambda: not os.path.exists(f'/proc/{pid}/exe'), 'the end of the service')
            time.sleep(0.05)
            pair = [client.ask(number + 1), client.ask(number + 1)]
            if not all(pair):
                raise Failed(f'activation: {client.failure}')
            if number >= 0:
                first.append(pair[0][0] / 1e3)
                second.append(pair[1][0] / 1e3)
    finally:
        client.close()
    return first, second


# -- idle ------------------------------------------------------------------------------------------------

def idle(prepared, plain, sizes):
    """{wake_ups: of the service and what waits beside it, seconds, pss: KiB of the service, waiting: processes,
    waiting_pss: KiB that they cost together, let_go_sec: when the last was gone}"""
    place = prepared or plain
    waiting = settled(place)
    pids = [place.service.pid, *waiting]
    before = wake_ups(pids)
    time.sleep(sizes.idle_sec)
    same = sorted(place.waiting()) == waiting
    found = {'wake_ups': wake_ups(pids) - before if same else None, 'seconds': sizes.idle_sec,
             'pss': pss_kib([place.service.pid]), 'waiting': len(waiting)}
    if waiting:
        found['waiting_pss'] = pss_kib(pids) - pss_kib([plain.service.pid])
    if waiting and sizes.waits:
        begun = time.monotonic()
        while place.waiting() and time.monotonic() - begun < LET_GO_SEC:
            time.sleep(1)
        found['let_go_sec'] = round(time.monotonic() - begun) if not place.waiting() else None
    return found
