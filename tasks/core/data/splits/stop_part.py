"""The part of its interactions that a fit holds out to decide when it stops."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.config.evaluation import RandomSplit, RandomUserSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits import strategies
from tasks.core.data.splits.split import Split

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class StopPart:
    """How a fit with `stop: {when: metric}` divides the interactions that it is given.

    Attributes
    ----------
    config : RandomSplit or RandomUserSplit
        As in `evaluation.split`.
    seed : int
    """

    config: RandomSplit | RandomUserSplit
    seed: int

    def identity(self) -> list[Any]:
        """Return what decides the part."""
        return [self.config.model_dump(), self.seed, strategies.ALGORITHM]

    def split(self, matrix: "csr_array") -> Split:
        """Return what is trained on, and the held-out part.

        Parameters
        ----------
        matrix : (U, I) CSR float32
            The interactions of the fit.

        Returns
        -------
        Split

        Raises
        ------
        DataError
            If a part would be empty.
        """
        users, items = (np.arange(size) for size in matrix.shape)
        return strategies.hold_out(Interactions(matrix, users, items, None), self.config, seed=self.seed)
