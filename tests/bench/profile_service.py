"""Where the service's time goes in one Run: system calls and the landmarks between them, as the kernel's own trace
events tell them. strace would stop each process at each call and slow a run tenfold; a trace event costs
about a microsecond. Own trace instance, so that nobody else's tracing is disturbed."""

import collections
import os
import re
import statistics
import subprocess
import time

HEADER = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h'
EVENTS = ('raw_syscalls/sys_enter', 'raw_syscalls/sys_exit', 'sched/sched_process_fork', 'sched/sched_process_exec',
          'sched/sched_process_exit')
LINE = re.compile(r'^\s*(?P<comm>.+)-(?P<pid>\d+)\s+\[\d+\]\s+\S+\s+(?P<time>[\d.]+): (?P<event>\w+): (?P<text>.*)$')
WAITING = ('ppoll', 'poll', 'epoll_wait', 'epoll_pwait', 'read', 'wait4')  # asleep, not working

# A run's landmarks: who, what, in this order; each line's time is the distance to the one above, or to the one named.
# A run in a prepared sandbox has no clone3 and all that belongs to it; "handed" is then what the service says last.
LANDMARKS = (
    ('begin', None, 'client calls Run'),
    ('service wakes', None, 'the call reaches the service, through the bus daemon'),
    ('clone3', None, 'service: decode, root tree, /dev, leaves, limits'),
    ('cloned', None, 'service: clone3'),
    ('go', None, 'service: id maps, id-mapped root tree; says go'),
    ('ready', None, 'child: the whole set-up'),
    ('execute', None, 'service: woken, says execute'),
    ('handed', None, 'service: decode, root tree, limits; hands them to a prepared sandbox'),
    ('exec', None, 'child: woken, what is left to do, execve'),
    ('answered', None, 'service: woken by the end of the stream, answers Run, tells ContainerNew'),
    ('exit', 'exec', 'child: the command (overlaps the line above)'),
    ('reaped', 'exit', 'service: woken, waitid'),
    ('told', None, 'service: tells the exit'),
    ('end', None, 'the answers reach the client; Wait goes there and back'),
    ('cleaned', 'told', 'service: rmdir of the leaves, record; out of the caller\'s sight'),
)
OF_CLONE = {'clone3', 'cloned', 'go', 'ready', 'execute'}


def call_names():
    try:
        with open(HEADER) as f:
            return {int(number): name for name, number in re.findall(r'#define __NR_(\w+) (\d+)', f.read())}
    except OSError:
        return {}


class Tracer:
    """An instance in tracefs, mounted for us alone; follows children of the processes given."""

    def __init__(self, directory, pids):
        self.mount = f'{directory}/tracing'
        os.mkdir(self.mount)
        subprocess.run(['mount', '-t', 'tracefs', 'tracefs', self.mount], check=True)
        self.instance = f'{self.mount}/instances/{os.path.basename(directory)}'
        os.mkdir(self.instance)
        self.write('trace_clock', 'mono')
        self.write('buffer_size_kb', '16384')
        self.write('options/event-fork', '1')
        self.write('set_event_pid', ' '.join(map(str, pids)))
        for event in EVENTS:
            self.write(f'events/{event}/enable', '1')

    def write(self, name, text):
        with open(f'{self.instance}/{name}', 'w') as f:
            f.write(text)

    def read(self):
        self.write('tracing_on', '0')
        with open(f'{self.instance}/trace', errors='replace') as f:
            return f.read()

    def close(self):
        os.rmdir(self.instance)
        subprocess.run(['umount', self.mount], check=True)
        os.rmdir(self.mount)


class Call:
    def __init__(self, pid, name, begin, arguments):
        self.pid, self.name, self.begin, self.arguments = pid, name, begin, arguments
        self.end, self.result = None, None


def parse(text):
    """Calls and other events in order of time: (time, pid, kind, Call or text)."""
    names, open_calls, events = call_names(), {}, []
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        pid, when, event, rest = int(match['pid']), float(match['time']) * 1e6, match['event'], match['text']
        if event == 'sys_enter':
            number, arguments = re.match(r'NR (-?\d+) \((.*)\)', rest).groups()
            call = Call(pid, names.get(int(number), f'call {number}'), when, arguments)
            open_calls[pid] = call
            events.append((when, pid, 'enter', call))
        elif event == 'sys_exit':
            call = open_calls.pop(pid, None)
            if call:
                call.end, call.result = when, int(rest.split('= ')[1])
                events.append((when, pid, 'leave', call))
        else:
            events.append((when, pid, event, rest))
    return events


def split_runs(events, client):
    """A run begins when the client's read of "1" from stdin returns, and ends before the next."""
    runs = []
    for event in events:
        _, pid, kind, what = event
        if (pid == client and kind == 'leave' and what.name == 'read' and what.arguments.startswith('0,') and
                what.result > 0):
            runs.append([])
        if runs:
            runs[-1].append(event)
    return runs


def find_child(run, known):
    """The process that becomes the command: the first of the run's strangers to execute anything."""
    return next((pid for _, pid, kind, _ in run if kind == 'sched_process_exec' and pid not in known), None)


def before_exec(run, service, child):
    """Landmarks up to the command's execve."""
    marks = {'begin': run[0][0]}
    for when, pid, kind, what in run:
        call = what.name if kind in ('enter', 'leave') else None
        if pid == service and kind == 'leave' and call in ('ppoll', 'poll') and 'clone3' not in marks:
            marks.setdefault('service wakes', when)
        elif pid == service and call == 'clone3' and what.result == child:  # no refill of what is prepared
            marks['clone3' if kind == 'enter' else 'cloned'] = when
        elif pid == service and kind == 'leave' and call in ('sendto', 'sendmsg'):
            marks['handed'] = when
            if call == 'sendto' and 'cloned' in marks:
                marks.setdefault('execute' if 'go' in marks and 'ready' in marks else 'go', when)
        elif pid == child and kind == 'enter' and call == 'sendmsg':
            marks.setdefault('ready', when)
        elif pid == child and kind == 'sched_process_exec':
            marks['exec'] = when
            break
    if 'cloned' not in marks:
        return {name: when for name, when in marks.items() if name not in OF_CLONE}
    marks.pop('handed', None)
    if 'ready' in marks:
        marks.setdefault('execute', marks['ready'])  # said in advance
    return marks


def after_exec(run, service, client, child, exec_time):
    marks = {}
    for when, pid, kind, what in run:
        call = what.name if kind in ('enter', 'leave') else None
        if when < exec_time:
            continue
        if pid == service and kind == 'leave' and call == 'sendmsg':
            marks.setdefault('told' if 'reaped' in marks else 'answered', when)
        elif pid == service and kind == 'leave' and call == 'waitid':
            marks.setdefault('reaped', when)
        elif pid == service and kind == 'enter' and call in ('ppoll', 'poll') and 'told' in marks:
            marks.setdefault('cleaned', when)
        elif pid == child and kind == 'sched_process_exit':
            marks['exit'] = when
        elif pid == client and kind == 'enter' and call == 'write':
            marks['end'] = when
    return marks


def landmarks(run, service, client, bus):
    """({name: time} of one run, the child), or None if it is not whole."""
    child = find_child(run, (service, client, bus))
    if not child:
        return None
    marks = before_exec(run, service, child)
    marks |= after_exec(run, service, client, child, marks['exec'])
    wanted = {name for name, _, _ in LANDMARKS} - (OF_CLONE if 'clone3' not in marks else {'handed'})
    return (marks, child) if set(marks) == wanted else None


def usage(runs, roles):
    """{role: {call: (number a run, µs a run)}}; the time in a call that sleeps is not counted."""
    totals = {role: collections.defaultdict(lambda: [0, 0.0]) for role in set(roles[0].values())}
    for run, known in zip(runs, roles):
        for _, pid, kind, call in run:
            if kind == 'leave' and pid in known and call.name not in WAITING and call.begin >= run[0][0]:
                totals[known[pid]][call.name][0] += 1
                totals[known[pid]][call.name][1] += call.end - call.begin
    return {role: {name: (number / len(runs), usec / len(runs)) for name, (number, usec) in calls.items()}
            for role, calls in totals.items()}


def slowest(runs, service, children, limit=14):
    """Single calls by place: name and how many of that name came before it in this process and run."""
    times = collections.defaultdict(list)
    for run, child in zip(runs, children):
        counts = collections.Counter()
        for _, pid, kind, call in run:
            if (kind == 'leave' and pid in (service, child) and call.name not in WAITING and
                    call.begin >= run[0][0]):  # before: a prepared sandbox that waited for it
                counts[pid, call.name] += 1
                times['service' if pid == service else 'child', call.name, counts[pid, call.name]].append(
                    call.end - call.begin)
    medians = [(statistics.median(values), key) for key, values in times.items() if len(values) * 2 > len(runs)]
    return sorted(medians, reverse=True)[:limit]


def print_landmarks(marked):
    """Of the kind of run that most were: with clone3 or in a prepared sandbox."""
    cloned = [marks for marks, _ in marked if 'clone3' in marks]
    prepared = [marks for marks, _ in marked if 'clone3' not in marks]
    chosen = max(cloned, prepared, key=len)
    print(f'service: median distance from landmark to landmark, µs; {len(cloned)} runs cloned, {len(prepared)} in a '
          'prepared sandbox')
    above = 'begin'
    for name, before, words in LANDMARKS[1:]:
        if name in chosen[0]:
            print(f'  {statistics.median(marks[name] - marks[before or above] for marks in chosen):8.0f}  {words}')
            above = name
    print(f'  {statistics.median(marks["end"] - marks["begin"] for marks in chosen):8.0f}  begin to end, while traced')


def print_usage(runs, service, bus, children):
    roles = [{service: 'service', bus: 'bus daemon', child: 'child'} for child in children]
    for role, calls in usage(runs, roles).items():
        total, number = sum(usec for _, usec in calls.values()), sum(n for n, _ in calls.values())
        print(f'{role}: {number:.0f} system calls a run, {total:.0f} µs in those that do not wait')
        for name, (n, usec) in sorted(calls.items(), key=lambda item: -item[1][1])[:12]:
            print(f'  {usec:8.1f}  {name} × {n:.0f}')


def trace(place, runs):
    """(events, pid of the client): so many runs of one connected client, traced."""
    client = subprocess.Popen(place.client(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(number):
        client.stdin.write(f'1 {number}\n')
        client.stdin.flush()
        answer = client.stdout.readline().split()
        time.sleep(0.02)  # so that the clean-up belongs to this run, not to the next
        return answer[1:2] == ['0']

    tracer = Tracer(place.directory, (place.service.pid, *place.waiting(), place.bus.pid, client.pid))
    try:
        good = all([run(number) for number in range(runs)])
        events = parse(tracer.read())
    finally:
        client.stdin.close()
        client.wait()
        client.stdout.close()
        tracer.close()
    if not good:
        raise RuntimeError('a traced run failed')
    return events, client.pid


def report(place, rounds):
    events, client = trace(place, min(rounds, 50))
    service, bus = place.service.pid, place.bus.pid
    runs = split_runs(events, client)
    pairs = [(run, found) for run in runs if (found := landmarks(run, service, client, bus))]
    if not pairs:
        raise RuntimeError(f'no whole run among the {len(runs)} traced')
    runs, marked = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    children = [child for _, child in marked]
    print_landmarks(marked)
    print('slowest single calls, median µs (the number: which one of its name in this process and run)')
    for usec, (who, name, number) in slowest(runs, service, children):
        print(f'  {usec:8.1f}  {who}: {name} {number}')
    print_usage(runs, service, bus, children)
