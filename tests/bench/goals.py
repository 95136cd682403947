"""The goal, line by line: target, what was measured, verdict. A line that could not be measured says why."""

import os

from stats import Estimate, median, paired, unpaired


class Measured:
    """All that one benchmark has measured, for the lines to look at; None for what it could not measure."""

    def __init__(self, candidates, main, sizes):
        self.candidates = {candidate.name: candidate for candidate in candidates}
        self.label = '' if main else ', unprepared'  # of the service as it comes
        self.sizes = sizes
        self.attached = self.in_flight = self.scale = self.residue = self.activation = self.idle = None

    def paired(self, function, *names):
        """Raises Missing for a candidate that is not there or has failed."""
        for name in names:
            candidate = self.candidates.get(name)
            if not candidate:
                raise Missing(f'there is no "{name}" here')
            if candidate.failure:
                raise Missing(f'{name}: {candidate.failure}')
        return paired(function, *(self.candidates[name].samples for name in names))

    def phase(self, name):
        value = getattr(self, name)
        if value is None or isinstance(value, str):
            raise Missing(value or 'not measured')
        return value


class Missing(Exception):
    pass


def ratio(a, b):
    return a / b


# Each gives an Estimate, or a pair of it and a remark.

def of_user(m, label):
    """What the service takes for a user beside the question; and against root and a question, as a remark."""
    user, root = 'Run, user' + label, 'Run' + label
    value = m.paired(lambda user, question, reference: (user - question) / reference,
                     user, 'polkit question', 'reference')
    beside = m.paired(lambda user, root, question: user / (root + question), user, root, 'polkit question')
    return value, f'{beside.value:.2f} × root and one question'


def special_case(mix, one, reference_mix, reference_one):
    return (mix / one) / (reference_mix / reference_one)


def of_throughput(m):
    names = f'{m.sizes.in_flight} in flight{m.label}', f'reference, {m.sizes.in_flight} in flight'
    value = m.paired(lambda ours, theirs: theirs / ours, *names)
    rates = ' and '.join(f'{1e6 / median(m.candidates[name].samples.values()):.0f}' for name in names)
    return value, f'{rates} a second on {os.cpu_count()} processors; the goal is for 2'


def of_processor_time(m):
    ours, theirs = m.phase('in_flight')
    return Estimate(ours / theirs), f'{ours:.0f} and {theirs:.0f} µs of the whole machine'


def of_scale(m):
    points = m.phase('scale').points
    most = points[-1]['running']
    value = unpaired(ratio, points[-1]['service'], points[0]['service'])
    kernel = unpaired(ratio, points[-1]['reference'], points[0]['reference'])
    own = unpaired(ratio, points[-1]['cpu'], points[0]['cpu'])
    return value, (f'{most} running; the reference beside them {kernel.value:.2f}; '
                   f'the service\'s own processor time {own.value:.2f}')


def of_list(m):
    scale = m.phase('scale')
    return unpaired(lambda value: value, scale.list), f'{scale.points[-1]["running"]} running'


def of_container_memory(m):
    pss = m.phase('scale').pss
    most = max(pss)
    return Estimate((pss[most] - pss[0]) / most), f'{most} running'


def of_residue(m):
    n, more, kib = m.phase('residue')
    left = ', '.join(f'{count} {name}' for name, count in more.items()) or 'no fd, cgroup, mount, record, process'
    # what an allocator keeps is no leak; sixteen bytes for each of 10,000 would be more than this
    return Estimate(sum(more.values()) + (kib > 128)), f'{n} containers: {left}; {kib:+} KiB'


def of_activation(m):
    first, second = m.phase('activation')
    return unpaired(lambda a, b: a - b, first, second), f'{median(first):.1f} and {median(second):.1f} ms'


def of_idle(m):
    idle = m.phase('idle')
    if idle['wake_ups'] is None:
        raise Missing('prepared sandboxes came or went meanwhile')
    return Estimate(idle['wake_ups']), f'in {idle["seconds"]} s, {idle["waiting"]} processes beside the service'


def of_waiting_memory(m):
    idle = m.phase('idle')
    if 'waiting_pss' not in idle:
        raise Missing('no prepared sandbox waits')
    return Estimate(idle['waiting_pss'] / 1024), f'PSS of {idle["waiting"]} processes'


def of_letting_go(m):
    idle = m.phase('idle')
    if 'let_go_sec' not in idle:
        raise Missing('no prepared sandbox waits' if not idle['waiting'] else 'not waited for')
    if idle['let_go_sec'] is None:
        return Estimate(float('inf')), 'not let go'
    return Estimate(idle['let_go_sec'])


def lines(m):
    """(key, sentence, sign, target, unit, function of Measured)"""
    s, n = m.label, m.sizes.in_flight
    return (
        ('run', 'Run, connected root client, prepared sandboxes', '≤', 0.5, '× reference',
         lambda m: m.paired(ratio, 'Run', 'reference')),
        ('run-loop', 'the same in a tight loop', '≤', 0.65, '× reference',
         lambda m: m.paired(ratio, 'Run, loop', 'reference, loop')),
        ('run-unprepared', 'Run without prepared sandboxes', '≤', 1.2, '× reference',
         lambda m: m.paired(ratio, 'Run, unprepared', 'reference')),
        ('user', 'authorised user, less one polkit question, prepared', '≤', 0.5, '× reference',
         lambda m: of_user(m, '')),
        ('user-unprepared', 'authorised user, less one polkit question, without', '≤', 1.2, '× reference',
         lambda m: of_user(m, ', unprepared')),
        ('told', 'Spawn with StatusFD, a command that costs nothing', '≤', 0.5, '× reference',
         lambda m: m.paired(ratio, 'Spawn, status, nothing', 'reference, nothing')),
        ('told-busybox', 'Spawn with StatusFD, busybox', '≤', 0.65, '× reference',
         lambda m: m.paired(ratio, 'Spawn, status', 'reference')),
        ('naivec-crun', 'naivec run, whole process', '≤', 0.45, '× crun',
         lambda m: m.paired(ratio, 'naivec run' + s, 'crun')),
        ('naivec-bwrap', 'naivec run, whole process, busybox', '≤', 0.85, '× bwrap',
         lambda m: m.paired(ratio, 'naivec run' + s, 'bwrap, plain')),
        ('naivec-bwrap-nothing', 'the same, a command that costs nothing', '≤', 0.85, '× bwrap',
         lambda m: m.paired(ratio, 'naivec run, nothing', 'bwrap, nothing')),
        ('naivec-bwrap-loop', 'the same back to back', '≤', 1.0, '× bwrap',
         lambda m: m.paired(ratio, 'naivec run, nothing, loop', 'bwrap, nothing, loop')),
        ('naive-bwrap', "naive-bwrap with the host's /usr, root", '≤', 1.0, '× bwrap',
         lambda m: m.paired(ratio, 'naive-bwrap', 'bwrap, /usr')),
        ('naive-bwrap-user', "the same for a user, with polkit's question", '≤', 2.0, '× bwrap',
         lambda m: m.paired(ratio, 'naive-bwrap, user', 'bwrap, /usr, user')),
        ('throughput', f'throughput, {n} in flight', '≥', 0.85, '× reference',
         of_throughput),
        ('throughput-cpu', 'processor time of one of these', '≤', 1.2, '× reference', of_processor_time),
        ('attached', 'memory of a naivec run that waits', '≤', 250, 'KiB PSS',
         lambda m: Estimate(m.phase('attached'))),
        ('scale', 'a further Run at 1,000 running', '≤', 1.2, '× at none', of_scale),
        ('list', 'ListContainers of 1,000', '<', 5, 'ms', of_list),
        ('memory', 'memory of the idle service', '<', 6, 'MiB PSS',
         lambda m: Estimate(m.phase('idle')['pss'] / 1024)),
        ('memory-container', 'memory for each running container', '<', 6, 'KiB PSS', of_container_memory),
        ('residue', '10,000 stopped and deleted leave', '=', 0, 'things', of_residue),
        ('activation', 'first call, service not running, over a second', '≤', 25, 'ms', of_activation),
        ('idle', 'wake-ups of the idle service', '=', 0, 'times', of_idle),
        ('prepared-memory', 'prepared sandboxes together', '<', 1, 'MiB PSS', of_waiting_memory),
        ('prepared-let-go', 'prepared sandboxes are let go after', '≤', 300, 's', of_letting_go),
        ('mix', 'random orders cost what one and the same does', '≤', 1.1, '× (reference: 1)',
         lambda m: m.paired(special_case, 'Run' + s, 'Run, one order' + s, 'reference', 'reference, one order')),
    )


HOLDS = {'≤': lambda value, target: value <= target, '<': lambda value, target: value < target,
         '≥': lambda value, target: value >= target, '=': lambda value, target: value == target}


def judge(measured):
    """Rows {key, goal, sign, target, unit, value, low, high, verdict, remark}."""
    rows = []
    for key, sentence, sign, target, unit, function in lines(measured):
        row = {'key': key, 'goal': sentence, 'sign': sign, 'target': target, 'unit': unit,
               'value': None, 'low': None, 'high': None, 'verdict': 'not measured', 'remark': ''}
        try:
            estimate = function(measured)
            if isinstance(estimate, tuple):
                estimate, row['remark'] = estimate
            if estimate is None:
                raise Missing('no sample')
            row |= {'value': estimate.value, 'low': estimate.low, 'high': estimate.high,
                    'verdict': 'met' if HOLDS[sign](estimate.value, target) else 'missed'}
        except Missing as missing:
            row['remark'] = str(missing)
        rows.append(row)
    return rows
