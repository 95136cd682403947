"""Measuring programs and how their samples are taken: interleaved. In each round every candidate makes its runs
after the same order, in a sequence that changes, so that whatever else the machine does falls on all alike."""

import os
import random
import select
import subprocess
import tempfile
import time

import orders
import peers
from world import UID

SETTLE_SEC = 0.015  # after a run: clean-up and refilling are not the next candidate's burden
SETTLE_MANY_SEC = 0.1
PATIENCE_SEC = 120
TOO_LONG_SEC = 10  # for one warm-up sample of a peer that waits for something that is not here


class Candidate:
    """A measuring program (rounds.h) that stays alive; its samples by round, or why there are none."""

    def __init__(self, name, argv, about='', runs=1, every=1, environment=None):
        self.name, self.about, self.runs, self.every = name, about, runs, every
        self.samples, self.whole, self.failure = {}, {}, None
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, env=os.environ | (environment or {}))

    def fail(self, why):
        self.errors.seek(0)
        text = self.errors.read().decode(errors='replace').strip().splitlines()
        self.failure = why + (': ' + text[-1] if text else '')
        self.samples, self.whole = {}, {}

    def ask(self, first, runs=None):
        """(µs to exit, µs until nothing is left or 0), means of the runs; None if it has failed."""
        try:
            self.process.stdin.write(f'{runs or self.runs} {first}\n')
            self.process.stdin.flush()
            ready = select.select([self.process.stdout], [], [], PATIENCE_SEC)[0]
            fields = self.process.stdout.readline().split() if ready else ['', 'no answer in time', '']
        except BrokenPipeError:
            fields = []
        if len(fields) != 3 and self.process.poll() is not None or not fields:
            return self.fail(f'ended with status {self.process.wait()}')
        if fields[1] != '0':
            return self.fail(f'exit status {fields[1]}')
        return float(fields[0]), float(fields[2])

    def round(self, number, first):
        """One sample, kept if the round's number is not negative."""
        times = self.ask(first)
        if times and number < 0 and times[0] * self.runs > TOO_LONG_SEC * 1e6:
            return self.fail(f'took {times[0] / 1e6:.0f} s a run: left out')
        if times and number >= 0:
            self.samples[number] = times[0]
            if times[1] > 0:
                self.whole[number] = times[1]

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def stopwatch(world, name, lines):
    """argv of the stopwatch for one command line for each order."""
    path = orders.write_lines(f'{world.directory}/commands-{name}', lines)
    return [world.program('tests/bench/stopwatch'), path]


def naivec_line(world, place, order):
    options = [f'--memory={order.memory}'] if order.memory else []
    options += [f'--pids-limit={order.tasks}', f'--hostname={order.hostname}']
    options += [f'--env={pair}' for pair in order.environment]
    return [world.program('cli/naivec'), f'--address={place.address}', 'run', *options, '--', order.rootfs, *order.argv]


def of_service(world, place, label, mix, sizes):
    same = f'{world.directory}/orders-same'
    loop = {'runs': sizes.loop, 'every': sizes.heavy_every}
    yield Candidate('Run' + label, place.client(), 'connected client, root: Run, Wait')
    yield Candidate('Run, signal' + label, place.client('--signal'), 'Run, and the signal Exited')
    yield Candidate('Run, loop' + label, place.client(), f'{sizes.loop} back to back, mean', **loop)
    yield Candidate('Run, one order' + label, place.client(orders=same), 'always the same root tree and command')
    yield Candidate('Spawn' + label, place.client('--spawn'), 'with fds, limits, environment; output read')
    if world.polkitd:
        yield Candidate('Run, user' + label, place.client(f'--uid={UID}'), 'authorised by a polkit rule')
    yield Candidate('naivec run' + label, stopwatch(world, 'naivec' + place.name, [
        naivec_line(world, place, order) for order in mix]), 'whole process')
    yield Candidate(f'{sizes.in_flight} in flight' + label, place.client(f'--in-flight={sizes.in_flight}'),
                    'Run, Wait; time for each', runs=sizes.batch, every=sizes.heavy_every)


def of_reference(world, mix, sizes):
    same = f'{world.directory}/orders-same'
    yield Candidate('reference', world.reference(), 'resident plain C, same profile')
    yield Candidate('reference, loop', world.reference(), f'{sizes.loop} back to back, mean', runs=sizes.loop,
                    every=sizes.heavy_every)
    yield Candidate('reference, one order', world.reference(orders=same), 'always the same root tree and command')
    once = world.reference()
    yield Candidate('reference --once', stopwatch(world, 'once', [
        [*once[:-1], f'--once={i}', once[-1]] for i in range(len(mix))]), 'whole process, builds filter and /dev')
    yield Candidate(f'reference, {sizes.in_flight} in flight', world.reference(f'--in-flight={sizes.in_flight}'),
                    f'{sizes.in_flight} processes; time for each', runs=sizes.batch, every=sizes.heavy_every)


def make(world, prepared, plain, mix, sizes, notes):
    orders.write_lines(f'{world.directory}/orders-same', [mix[0].words()])
    if prepared:
        yield from of_service(world, prepared, '', mix, sizes)
    yield from of_service(world, plain, ', unprepared', mix, sizes)
    if world.polkitd:
        yield Candidate('polkit question', [world.program('tests/bench/ask'), plain.address, str(UID),
                                            world.orders_file], "about a user, as the service asks")
    yield from of_reference(world, mix, sizes)
    for peer in peers.found(notes) if sizes.peers else ():
        lines, about = peer.prepare(world, mix)
        yield Candidate(peer.name, [*peer.prefix, *stopwatch(world, peer.name.replace(' ', '-'), lines)], about,
                        every=sizes.heavy_every if peer.is_heavy else 1)
    yield Candidate('fork+exec', stopwatch(world, 'fork', [[f'{order.rootfs}{order.argv[0]}', *order.argv[1:]]
                                                           for order in mix]), 'no container')
    yield Candidate('hand-over', [world.program('tests/bench/handover')], 'to a process on another processor, and back')


def measure(candidates, rounds, warm_up, n_orders):
    for number in range(-warm_up, rounds):
        first = random.randrange(n_orders)
        turn = [candidate for candidate in candidates if number % candidate.every == 0 or number < 0]
        random.shuffle(turn)
        for candidate in turn:
            if not candidate.failure:
                candidate.round(number, first)
                time.sleep(SETTLE_SEC if candidate.runs == 1 else SETTLE_MANY_SEC)
