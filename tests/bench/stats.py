"""Medians, quantiles, and how far a figure may be off: a bootstrap's 95 % interval."""

import random
import statistics

RESAMPLES = 400
median = statistics.median


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


class Estimate:
    """A value with the interval in which it would lie in 95 of 100 such benchmarks."""

    def __init__(self, value, low=None, high=None):
        self.value, self.low, self.high = value, low, high


def interval(values):
    return quantile(values, 0.025), quantile(values, 0.975)


def paired(function, *series):
    """`function` of the medians of series {round: sample}, over the rounds that all have. Whatever disturbed a round
    disturbed all of it, so rounds are resampled, not samples."""
    rounds = sorted(set.intersection(*(set(samples) for samples in series)))
    if not rounds:
        return None

    def at(chosen):
        return function(*(median([samples[i] for i in chosen]) for samples in series))
    resampled = [at(random.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES)]
    return Estimate(at(rounds), *interval(resampled))


def unpaired(function, *series):
    """The same for lists of samples that were not taken side by side."""
    if not all(series):
        return None
    resampled = [function(*(median(random.choices(samples, k=len(samples))) for samples in series))
                 for _ in range(RESAMPLES)]
    return Estimate(function(*map(median, series)), *interval(resampled))
