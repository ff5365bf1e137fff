"""How much of the disagreement within a model is the data's: runs that leave out interactions, beside runs that do not.

Two runs on all interactions differ by the seed. Two runs that each leave out their own random part differ by the seed
and by the data. Hence what the latter disagree by more is the data's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.core.inference.overlap_counts import overlap_counts
from tasks.core.types import Ids


@dataclass(frozen=True)
class DataNoise:
    """Disagreement of the runs of one model, with and without the part of the data. Disagreement is 1 - overlap.

    Attributes
    ----------
    model : str
    target : str
        `users`, `items` or `recommendations`.
    n : int
        Length of the lists.
    runs : int
        Runs on all interactions.
    seed_only : float
        Mean overlap of two runs on all interactions.
    seed_and_data : float
        Mean overlap of two runs that each leave out their own part.
    """

    model: str
    target: str
    n: int
    runs: int
    seed_only: float
    seed_and_data: float

    @property
    def of_data(self) -> float:
        """The disagreement that is the data's. Below 0 only by chance."""
        return self.seed_only - self.seed_and_data

    @property
    def share(self) -> float | None:
        """The share of the disagreement that is the data's; None if the runs do not disagree."""
        return self.of_data / (1 - self.seed_and_data) if self.seed_and_data < 1 else None

    @property
    def metric(self) -> str:
        """Name among the parent run's metrics, after `data_noise/`: such as `users_at_5.k50`."""
        return f"{self.target}_at_{self.n}.{self.model}"


def data_noise(model: str, target: str, *, n: int, seed_only: Sequence[Ids], seed_and_data: Sequence[Ids]) -> DataNoise:
    """Compare how much the runs of one model agree.

    Parameters
    ----------
    model, target : str
        See `DataNoise`.
    n : int
        Length of the lists.
    seed_only, seed_and_data : sequence of (E, >= 0) int32
        Lists of the runs on all interactions, and of those that leave out a part: two or more each.

    Returns
    -------
    DataNoise
    """
    within = (overlap_counts(lists, n).mean_of_pairs for lists in (seed_only, seed_and_data))
    return DataNoise(model, target, n, len(seed_only), *within)
