"""Whether the fits of a model had converged when they ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

_LARGEST_CHANGE = 1e-3
_LARGEST_IMBALANCE = 0.1
"""Largest fall of the objective, relative to its end, and largest imbalance at which fits count as converged."""
_ROUNDING = 1e-6
"""A fall of this share of the first objective is rounding: factors are float32."""


@dataclass(frozen=True)
class Convergence:
    """How far the fits of a model had converged when they ended: means over the replicates, unless noted otherwise.

    Attributes
    ----------
    model : str
    iterations : int
        Of the config: the most that are run.
    since : int
        The iteration from which on the change of the objective is taken: a snapshot, at nine tenths of the iterations
        or before.
    objective_change : float or None
        How much the objective fell from there to the end, relative to its value at the end; None if that is not above
        0 and the objective changed.
    imbalance : float
        norm(UᵀU - VᵀV) / norm(UᵀU) at the end, the largest of the replicates; 0 at an optimum.
    objective : list of (iteration, objective)
        At the snapshots.
    settled : list of (iteration, overlap)
        At the snapshots, overlap of the lists of a sample of users with the final ones; empty for runs without it.
    ran : list of int
        Iterations that each replicate ran: fewer than `iterations` if the stopping rule of the config ended it.
    final : float or None
        Objective at the end.
    before : float or None
        Objective at `since`; None in results of earlier versions.
    """

    model: str
    iterations: int
    since: int
    objective_change: float | None
    imbalance: float
    objective: list[tuple[int, float]]
    settled: list[tuple[int, float]]
    ran: list[int] = field(default_factory=list)
    final: float | None = None
    before: float | None = None

    @property
    def iterations_run(self) -> str:
        """The number of iterations over the replicates, such as `1500` or `375 to 425 of 1500`."""
        low, high = min(self.ran, default=self.iterations), max(self.ran, default=self.iterations)
        if low == self.iterations:
            return str(self.iterations)
        return f"{low if low == high else f'{low} to {high}'} of {self.iterations}"

    @property
    def stopped(self) -> str:
        """A clause that says where the stopping rule ended the fits; empty if all iterations were run."""
        if min(self.ran, default=self.iterations) == self.iterations:
            return ""
        return (
            f"{self.model} was stopped after {self.iterations_run} iterations by the stopping rule of its config, "
            "which does not prove convergence"
        )

    @property
    def change(self) -> str:
        """The change of the objective in words, such as `0.40%`, or `from 271 to 1.04` where it halved or more."""
        if self._in_absolute_terms:
            return f"from {self.before:.3g} to {self.final:.3g}"
        return f"{self.objective_change:z.2%}"

    @property
    def _in_absolute_terms(self) -> bool:
        """Whether the end is too small for a relative change to say much."""
        return self.before is not None and (self.objective_change is None or self.objective_change > 1)

    @property
    def _still_falls(self) -> bool:
        if self.before is not None and self.final is not None and self.objective:
            _, first = self.objective[0]
            if self.before - self.final <= _ROUNDING * abs(first):
                return False
        return self.objective_change is None or self.objective_change > _LARGEST_CHANGE

    @property
    def warning(self) -> str:
        """A clause that says why the fits have not converged; empty if they have."""
        reasons = []
        if self._still_falls:
            by = "" if self._in_absolute_terms else "by "
            reasons.append(f"the objective still fell {by}{self.change} after iteration {self.since}")
        if self.imbalance > _LARGEST_IMBALANCE:
            reasons.append(f"the factors of users and items are out of balance ({self.imbalance:.2f}; 0 at an optimum)")
        if not reasons:
            return ""
        return (
            f"{self.model} has not converged after {self.iterations_run} iterations: {' and '.join(reasons)}; "
            "its lists depend on when training stops"
        )


def summarize_fits(
    model: str,
    iterations: int,
    *,
    objectives: Sequence[Mapping[int, float]],
    overlaps: Sequence[Mapping[int, float]],
    imbalances: Sequence[Mapping[int, float]],
) -> Convergence:
    """Summarize the metrics that a model's fits logged along their iterations.

    Parameters
    ----------
    model : str
        Name of the model.
    iterations : int
        Of the config.
    objectives, overlaps, imbalances : sequence of mapping of int to float
        One for each replicate, iteration -> value; `overlaps` of the users' lists with the final ones.

    Returns
    -------
    Convergence
    """
    ends = [max(history) for history in objectives]
    # the change counts from the last snapshot within the first nine tenths of the iterations
    starts = [
        max((step for step in history if step <= 0.9 * end), default=min(history))
        for history, end in zip(objectives, ends, strict=True)
    ]
    at_start = [history[step] for history, step in zip(objectives, starts, strict=True)]
    at_end = [history[step] for history, step in zip(objectives, ends, strict=True)]
    before, final = sum(at_start), sum(at_end)
    return Convergence(
        model=model,
        iterations=iterations,
        since=min(starts),
        objective_change=before / final - 1 if final > 0 else 0.0 if before == final else None,
        imbalance=max(list(history.values())[-1] for history in imbalances),
        objective=_mean_history(objectives),
        settled=_mean_history(overlaps),
        ran=ends,
        final=float(np.mean(at_end)),
        before=float(np.mean(at_start)),
    )


def _mean_history(histories: Sequence[Mapping[int, float]]) -> list[tuple[int, float]]:
    """Return a metric's mean over the replicates, at the iterations that all of them have."""
    steps = sorted(set.intersection(*(set(history) for history in histories)))
    return [(step, float(np.mean([history[step] for history in histories]))) for step in steps]
