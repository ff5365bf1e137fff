"""Models along the settings that vary between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.core.formatting import settings_text
from tasks.core.types import Values

FEWEST_POINTS = 3
"""Models that make a sweep; two are a pair."""


@dataclass(frozen=True)
class Estimated:
    """A mean over seeds with its 95% interval, which one seed does not have."""

    mean: float
    low_95: float | None
    high_95: float | None


@dataclass(frozen=True)
class Point:
    """One model of a sweep.

    varied : the settings that vary, and their values
    accuracy : of the sweep's metric; None without evaluation
    steadiness : overlap of all users' lists of two of its seeds; None for one seed
    seconds : of a fit
    megabytes : of the factors, 10^6 bytes
    """

    model: str
    varied: dict[str, Any]
    accuracy: Estimated | None
    steadiness: Estimated | None
    seconds: Estimated
    megabytes: float


@dataclass(frozen=True)
class Sweep:
    """Models along the settings that vary between them."""

    settings: list[str]
    metric: str
    n: int
    points: list[Point]

    @property
    def sentence(self) -> str:
        """Where it is most accurate, and where steadiest."""
        told = []
        accurate = [(point.accuracy.mean, point) for point in self.points if point.accuracy]
        steady = [(point.steadiness.mean, point) for point in self.points if point.steadiness]
        for what, found in ((f"{self.metric} is highest", accurate), ("users' lists are steadiest", steady)):
            if found:
                value, point = max(found, key=lambda each: each[0])
                told.append(f"{what} with {settings_text(point.varied)} ({value:.4f})")
        return (
            f"Of {len(self.points)} models along {' and '.join(self.settings)}, {' and '.join(told)}." if told else ""
        )


def varying(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The settings in which models differ."""
    keys = next(iter(models.values()))
    return [key for key in keys if len({str(settings[key]) for settings in models.values()}) > 1]


def estimated(values: Sequence[float]) -> Estimated:
    """The mean over seeds, with Student's interval."""
    mean, size = float(np.mean(values)), len(values)
    if size < 2 or np.ptp(values) == 0:  # no variation is no certainty
        return Estimated(mean, None, None)
    half = _t(size - 1) * float(np.std(values, ddof=1)) / size**0.5
    return Estimated(mean, mean - half, mean + half)


def steadiness(overlap: Values) -> Estimated | None:
    """Mean overlap of two seeds, (S, S) with ones on the diagonal, and its jackknife interval over seeds.

    The mean over pairs is a U-statistic of the runs, which are the sample; leaving one run out at a time accounts for
    the pairs' dependence (Arvesen 1969). Two seeds have no interval; one has no mean.
    """
    size = len(overlap)
    if size < 2:
        return None
    of_run = overlap.sum(axis=1) - 1
    total = of_run.sum()
    mean = float(total / (size * (size - 1)))
    if size < 3 or np.ptp(of_run) == 0:
        return Estimated(mean, None, None)
    without = (total - 2 * of_run) / ((size - 1) * (size - 2))
    error = float(np.sqrt((size - 1) / size * ((without - without.mean()) ** 2).sum()))
    half = _t(size - 1) * error
    return Estimated(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def _t(degrees: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, degrees))
