"""Comparisons that are repeated with more seeds: what stopping at the first significant answer does to the level."""

from dataclasses import dataclass

LEVELS = {2: 0.10, 3: 0.13, 4: 0.14, 5: 0.16, 8: 0.19}
"""Number of looks -> probability that at least one of them finds a difference between a model and itself, each at the
level .05. `tests/benchmarks/repeated_looks.py` printed them: the highest of all schedules of looks at 4 to 20 seeds,
rounded up to a percent."""


@dataclass(frozen=True)
class EarlierLook:
    """A comparison of the same models that was made before, with fewer of the same runs.

    Attributes
    ----------
    run_id : str
        Parent run of that comparison.
    replicates : int
        Runs of each model in it; of the model with fewest runs if they differ.
    smallest_p : float
        The smallest p after Holm's adjustment that it could reach. A look that could not be significant leaves the
        level as it is.
    """

    run_id: str
    replicates: int
    smallest_p: float


def level_of_looks(looks: int) -> float:
    """Return an upper limit of the probability that one of several looks finds a difference where there is none.

    Parameters
    ----------
    looks : int
        Number of looks, at least 2, each at another number of seeds.

    Returns
    -------
    float
        From `LEVELS`; of the next larger number of looks if this one was not simulated, and of the largest number for
        more looks than that.
    """
    return next((level for number, level in LEVELS.items() if number >= looks), max(LEVELS.values()))
