"""The results as a picture (SVG) for README.md here: medians with p95 whiskers, and the time of a further run with many
running. No library, no script; readable on light and dark pages."""

import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, ROW = 860, 215, 85, 22
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.quiet { fill: #57606a; font-size: 12px }
.title { font-weight: 600 }
.grid { stroke: #d0d7de; stroke-width: 1 }
.ours { stroke: #0969da; fill: #0969da }
.reference { stroke: #bc4c00; fill: #bc4c00 }
.peer { stroke: #6e7781; fill: #6e7781 }
.line { fill: none; stroke-width: 2 }
.whisker { stroke-width: 2 }
text.ours, text.reference, text.peer { stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
.ours { stroke: #4493f8; fill: #4493f8 } .reference { stroke: #f0883e; fill: #f0883e }
.peer { stroke: #9198a1; fill: #9198a1 }
.line { fill: none }
}
"""
OURS = ('Run', 'Run, loop', 'Run, user', 'Spawn', 'naivec run')
SHOWN = ('fork+exec', 'Run', 'Run, loop', 'Run, user', 'Run, unprepared', 'Run, user, unprepared', 'naivec run',
         'naivec run, unprepared', 'reference', 'reference, loop', 'reference --once', 'bwrap', 'crun, no cgroups',
         'crun', 'runc', 'systemd-nspawn', 'systemd-run', 'podman')


def kind(name):
    return 'reference' if name.startswith('reference') else \
        'ours' if name.removesuffix(', unprepared') in OURS else 'peer'


def text(x, y, words, style='', anchor='start'):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1, y1, x2, y2, style):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def dot(x, y, style):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="{style}"/>'


def ticks(low, high):
    """1, 2, 5, 10, … from just below `low` to just above `high`."""
    steps = [digit * 10.0 ** power for power in range(-3, 4) for digit in (1, 2, 5)]
    first = max([step for step in steps if step <= low], default=steps[0])
    last = min([step for step in steps if step >= high], default=steps[-1])
    return [step for step in steps if first <= step <= last]


def number(value):
    return f'{value:g}' if value < 10 else f'{value:.0f}'


def latency_panel(rows, top):
    rows = [row for name in SHOWN for row in rows if row['name'] == name and 'p50' in row]
    marks = ticks(min(row['p50'] for row in rows) / 1e3, max(row['p95'] for row in rows) / 1e3)
    span, bottom = math.log(marks[-1] / marks[0]), top + 40 + len(rows) * ROW

    def x(msec):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(msec / marks[0]) / span
    parts = [text(0, top + 14, 'From asking for a container until the end of its command is known', 'title'),
             text(0, top + 31, 'ms, logarithmic: median, and a line to the 95th percentile', 'quiet')]
    for mark in marks:
        parts += [line(x(mark), top + 40, x(mark), bottom, 'grid'),
                  text(x(mark), bottom + 15, number(mark), 'quiet', 'middle')]
    for i, row in enumerate(rows):
        y, style = top + 40 + (i + 0.5) * ROW, kind(row['name'])
        middle, end = x(row['p50'] / 1e3), x(row['p95'] / 1e3)
        parts += [text(LEFT - 12, y + 4, row['name'], anchor='end'), line(middle, y, end, y, f'whisker {style}'),
                  dot(middle, y, style), text(end + 9, y + 4, f'{row["p50"] / 1e3:.2f}', 'quiet')]
    return parts, bottom + 24


def scale_panel(points, top):
    points = sorted(points, key=lambda point: point['running'])
    height, bottom = 150, top + 200
    most = max(max(point['service'], point['reference']) for point in points) / 1e3
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if most / step <= 5)
    marks = [i * step for i in range(math.ceil(most / step) + 1)]

    def x(i):
        return LEFT + (WIDTH - LEFT - RIGHT) * i / max(1, len(points) - 1)

    def y(msec):
        return bottom - height * msec / marks[-1]
    parts = [text(0, top + 14, 'A further Run while others are running', 'title'),
             text(0, top + 31, 'ms, median; below: how many are running', 'quiet')]
    for mark in marks:
        parts += [line(LEFT, y(mark), WIDTH - RIGHT, y(mark), 'grid'),
                  text(LEFT - 12, y(mark) + 4, number(mark), 'quiet', 'end')]
    for i, point in enumerate(points):
        parts.append(text(x(i), bottom + 16, f'{point["running"]:,}', 'quiet', 'middle'))
    lines = (('service', 'ours', 'Run'), ('reference', 'reference', 'reference'))
    upper = max(lines, key=lambda line: points[-1][line[0]])
    middle = sum(y(points[-1][key] / 1e3) for key, _, _ in lines) / 2
    for key, style, words in lines:
        place = [(x(i), y(point[key] / 1e3)) for i, point in enumerate(points)]
        path = ' '.join(f'{px:.1f},{py:.1f}' for px, py in place)
        # the words keep apart where the lines meet
        words_y = min(place[-1][1], middle - 8) if key == upper[0] else max(place[-1][1], middle + 8)
        parts += [f'<polyline points="{path}" class="line {style}"/>', *(dot(px, py, style) for px, py in place),
                  text(place[-1][0] + 9, words_y + 4, words, style)]
    return parts, bottom + 24


def draw(results):
    parts, bottom = latency_panel(results['latency'], 0)
    if results['scale']:
        more, bottom = scale_panel(results['scale'], bottom + 16)
        parts += more
    facts = results['machine']
    parts.append(text(0, bottom + 14, f'{facts["cpu"]}, {facts["cpus"]} processors, Linux {facts["kernel"]}', 'quiet'))
    height = bottom + 24
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img"><title>naive-runc, measured</title><style>{STYLE}</style>\n'
            + '\n'.join(parts) + '\n</svg>\n')
