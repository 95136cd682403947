"""The results as tables for people and as JSON."""

import json
import math
import os

from stats import median, paired, quantile


def machine():
    cpu = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), '')
    return {'kernel': os.uname().release, 'cpus': os.cpu_count(), 'cpu': cpu, 'load': os.getloadavg()[0]}


def latency(candidates):
    """Rows {name, about, failure, samples, p50, p95, p99, clean, to_reference}, µs."""
    rows, reference = [], next(candidate for candidate in candidates if candidate.name == 'reference')
    for candidate in candidates:
        row = {'name': candidate.name, 'about': candidate.about, 'failure': candidate.failure,
               'samples': len(candidate.samples)}
        if candidate.samples:
            values = list(candidate.samples.values())
            row |= {'p50': median(values), 'p95': quantile(values, 0.95), 'p99': quantile(values, 0.99)}
            ratio = paired(lambda a, b: a / b, candidate.samples, reference.samples) if reference.samples else None
            if ratio:
                row['to_reference'] = ratio.value
        if candidate.whole:
            row['clean'] = median(candidate.whole.values())
        rows.append(row)
    return rows


def print_latency(rows):
    print(f'\n{"time to exit, µs":26} {"p50":>8} {"p95":>8} {"p99":>8} {"to clean":>8} {"× reference":>11} '
          f'{"samples":>7}')
    for row in rows:
        if row['failure'] or 'p50' not in row:
            print(f'{row["name"]:26} failed: {row["failure"] or "no sample"}')
            continue
        numbers = ' '.join(f'{row[key]:8.0f}' for key in ('p50', 'p95', 'p99'))
        clean = f'{row["clean"]:.0f}' if 'clean' in row else ''
        times = f'{row["to_reference"]:.2f}' if 'to_reference' in row else ''
        print(f'{row["name"]:26} {numbers} {clean:>8} {times:>11} {row["samples"]:7}  {row["about"]}')


def print_scale(scale):
    print(f'\n{"a further run, µs, with":>26} {"service":>8} {"its cpu":>8} {"reference":>9}')
    for point in sorted(scale.points, key=lambda point: point['running']):
        print(f'{point["running"]:18} running {median(point["service"]):8.0f} {median(point["cpu"]):8.0f} '
              f'{median(point["reference"]):9.0f}')


def figure(value):
    if value is None:
        return ''
    if math.isinf(value):
        return '∞'
    return f'{value:.0f}' if float(value).is_integer() else f'{value:.2f}' if value < 100 else f'{value:.0f}'


def print_goals(rows):
    print(f'\n{"goal":52} {"target":>24} {"measured":>9}  {"95 % interval":14} verdict')
    for row in rows:
        spread = f'{figure(row["low"])} … {figure(row["high"])}' if row['low'] is not None else ''
        target = f'{row["sign"]} {figure(row["target"])} {row["unit"]}'
        print(f'{row["goal"]:52} {target:>24} {figure(row["value"]):>9}  {spread:14} {row["verdict"]:12} '
              f'{row["remark"]}'.rstrip())


def write_json(path, results):
    with open(path, 'w') as f:
        json.dump(results, f, indent=1, ensure_ascii=False)
        f.write('\n')
