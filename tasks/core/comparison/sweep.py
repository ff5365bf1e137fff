"""Sweep: accuracy, agreement between seeds, time and size of models along the settings that vary between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.core.comparison.run_matrix import RunMatrix
from tasks.core.formatting import settings_text
from tasks.core.inference.sampling import SampledEstimate, SamplingError
from tasks.core.inference.student import Estimate
from tasks.core.types import Values

FEWEST_POINTS = 3
"""Fewest models that make a sweep; two are a pair."""


@dataclass(frozen=True)
class Estimated:
    """A mean over seeds with its 95% interval.

    Attributes
    ----------
    mean : float
    low_95, high_95 : float or None
        None if there are too few seeds, or if they do not vary.
    """

    mean: float
    low_95: float | None
    high_95: float | None


@dataclass(frozen=True)
class Point:
    """One model of a sweep.

    Attributes
    ----------
    model : str
    varied : dict
        Values of the settings that vary.
    accuracy : Estimated or None
        The sweep's metric; None without evaluation.
    steadiness : Estimated or None
        Overlap of the neighbours of all users between two seeds of the model; None for one seed.
    seconds : Estimated
        Duration of a fit.
    megabytes : float
        Size of the factors, in 10^6 bytes.
    """

    model: str
    varied: dict[str, Any]
    accuracy: Estimated | None
    steadiness: Estimated | None
    seconds: Estimated
    megabytes: float

    def row(self) -> dict[str, Any]:
        """Return the point as one table row: each estimate takes three columns, for its mean and its limits."""
        row: dict[str, Any] = {"model": self.model, **self.varied}
        for name in ("accuracy", "steadiness", "seconds"):
            estimate: Estimated | None = getattr(self, name)
            row[name] = estimate and estimate.mean
            row[f"{name}_low_95"] = estimate and estimate.low_95
            row[f"{name}_high_95"] = estimate and estimate.high_95
        return {**row, "megabytes": self.megabytes}


@dataclass(frozen=True)
class Sweep:
    """Models along the settings that vary between them.

    Attributes
    ----------
    settings : list of str
        Names of the settings that vary.
    metric : str
        Metric of the points' accuracy.
    n : int
        Length of the lists whose steadiness is measured.
    points : list of Point
    """

    settings: list[str]
    metric: str
    n: int
    points: list[Point]

    @property
    def sentence(self) -> str:
        """Which model is most accurate, and which agrees most between seeds; empty if neither was measured."""
        accuracy = [(point.accuracy.mean, point) for point in self.points if point.accuracy]
        steadiness = [(point.steadiness.mean, point) for point in self.points if point.steadiness]
        parts = []
        for claim, values in (
            (f"{self.metric} is highest", accuracy),
            ("users' lists agree most between seeds", steadiness),
        ):
            if values:
                value, point = max(values, key=lambda entry: entry[0])
                parts.append(f"{claim} with {settings_text(point.varied)} ({value:.4f})")
        if not parts:
            return ""
        models = f"{len(self.points)} models with different {' and '.join(self.settings)}"
        return f"Of {models}, {', and '.join(parts)} (described, not tested)."


def sweep(
    models: Mapping[str, Mapping[str, Any]],
    metrics: Mapping[tuple[str, bool], Sequence[Mapping[str, float]]],
    matrix: RunMatrix,
    metric: str,
) -> Sweep | None:
    """Describe models along the settings that vary between them.

    Parameters
    ----------
    models : mapping of model to dict
        The settings of each model.
    metrics : mapping of (model, evaluation) to sequence of dict
        The metrics of each run. `evaluation` is True for fits on the train part of the split, whose metrics include the
        accuracy. The metrics of the other fits include `fit_seconds`, `summary_users` and `summary_items`.
    matrix : RunMatrix
        Overlap of the neighbours of all users.
    metric : str
        Name of the accuracy metric, such as `ndcg_at_10`.

    Returns
    -------
    Sweep or None
        None if there are fewer than `FEWEST_POINTS` models, or if no setting varies.
    """
    settings = varying(models)
    if len(models) < FEWEST_POINTS or not settings:
        return None
    model_of_run = np.array(matrix.models)
    points = []
    order = list(dict.fromkeys(matrix.models))
    for model, values in models.items():
        fits = metrics[model, False]
        accuracy = [run[metric] for run in metrics.get((model, True), []) if metric in run]
        own_runs = np.flatnonzero(model_of_run == model)
        rows = fits[0]["summary_users"] + fits[0]["summary_items"]
        of_model = np.diag([float(other == model) for other in order])
        points.append(
            Point(
                model=model,
                varied={name: values.get(name) for name in settings},
                accuracy=estimated(accuracy) if accuracy else None,
                steadiness=steadiness(
                    matrix.overlap[np.ix_(own_runs, own_runs)],
                    sampling=matrix.sampling.error(of_model) if matrix.sampling else None,
                ),
                seconds=estimated([run["fit_seconds"] for run in fits]),
                megabytes=4 * values["factors"] * rows / 1e6,  # float32
            )
        )
    return Sweep(settings, metric, matrix.n, points)


def varying(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the settings in which models differ, given each model's settings.

    A setting that only some of the models have, as those of Spark and of implicit, differs only if it does among them.
    """
    names = dict.fromkeys(name for settings in models.values() for name in settings)
    return [name for name in names if len({str(of[name]) for of in models.values() if name in of}) > 1]


def estimated(values: Sequence[float]) -> Estimated:
    """Return the mean over seeds with Student's interval, which needs two values that differ."""
    mean, size = float(np.mean(values)), len(values)
    # Equal values do not show that all seeds would give that value, so they get no interval of width zero.
    if size < 2 or np.ptp(values) == 0:
        return Estimated(mean, None, None)
    limits = Estimate(mean, float(np.std(values, ddof=1)) / size**0.5, size - 1).interval()
    return Estimated(mean, limits.low, limits.high)


def steadiness(overlap: Values, *, sampling: SamplingError | None = None) -> Estimated | None:
    """Return the mean overlap between two seeds of one model, with its jackknife interval.

    The mean over pairs of runs is a U-statistic, and the runs are the sample. Leaving out one run at a time accounts
    for the dependence between pairs (Arvesen 1969).

    Parameters
    ----------
    overlap : (S, S) float64
        Overlap of every two runs, 1 on the diagonal.
    sampling : SamplingError, optional
        Of the mean overlap, if it is over drawn users.

    Returns
    -------
    Estimated or None
        None for one run; without interval for two runs. Limits are cut to the range 0 to 1.
    """
    size = len(overlap)
    if size < 2:
        return None
    of_run = overlap.sum(axis=1) - 1  # (S,)
    total = of_run.sum()
    mean = float(total / (size * (size - 1)))
    if size < 3 or np.ptp(of_run) == 0:
        return Estimated(mean, None, None)
    left_out = (total - 2 * of_run) / ((size - 1) * (size - 2))
    error = float(np.sqrt((size - 1) / size * ((left_out - left_out.mean()) ** 2).sum()))
    estimate = Estimate(mean, error, size - 1)
    limits = (SampledEstimate(estimate, sampling) if sampling else estimate).interval()
    return Estimated(mean, max(limits.low, 0.0), min(limits.high, 1.0))
