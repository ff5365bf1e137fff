"""The parts of a held-out split."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.data.interactions import count_occurrences

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Split:
    """Matrices of the same shape without a common interaction.

    Users and items that occur only in a published test file have rows and columns after those of the interactions.
    They are empty in `train`.

    Attributes
    ----------
    train, test : (U', I') CSR float32
    visible : (U', I') CSR float32 or None
        Interactions of users who are held out as a whole, and have none in `train`: what is known of them when
        recommendations are made. None if no users are held out.
    """

    train: "csr_array"
    test: "csr_array"
    visible: "csr_array | None" = None

    @property
    def known(self) -> "csr_array":
        """What is known of each user when recommendations are made, and is never recommended: train and visible."""
        return self.train if self.visible is None else self.train + self.visible

    @property
    def held_out_ratio(self) -> float:
        """Interactions that are held out, those that are visible included, divided by those to train on."""
        held_out = self.test.nnz + (0 if self.visible is None else self.visible.nnz)
        return held_out / self.train.nnz if self.train.nnz else float("inf")

    def counts(self) -> dict[str, int]:
        """Return the sizes of the parts, and the numbers of users and items without interactions to train on.

        Where users are held out as a whole, also their number, the size of the visible part, and the number of users
        who have too few interactions to be held out. Users of whom interactions are visible do not count as without.
        """
        per_item = count_occurrences(self.train.indices, self.train.shape[1])
        counts = {
            "train_interactions": self.train.nnz,
            "test_interactions": self.test.nnz,
            "evaluated_users": int((np.diff(self.test.indptr) > 0).sum()),
            "users_without_train": int((np.diff(self.known.indptr) == 0).sum()),
            "items_without_train": int((per_item == 0).sum()),
        }
        if self.visible is not None:
            counts |= {
                "held_out_users": int((np.diff(self.visible.indptr) > 0).sum()),
                "visible_interactions": self.visible.nnz,
                # all others keep their interactions, so these are the users with one of them
                "users_too_small": int((np.diff(self.train.indptr) == 1).sum()),
            }
        return counts
