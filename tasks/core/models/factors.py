"""User and item factors, and the file that holds them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.types import Floats


@dataclass(frozen=True)
class Factors:
    """The factors of a trained model.

    Attributes
    ----------
    users : (U, k) float32
        Row u belongs to user index u.
    items : (I, k) float32
        Row i belongs to item index i.
    """

    users: Floats
    items: Floats

    def save(self, path: Path) -> None:
        """Write the arrays `user_factors` and `item_factors` as npz, without pickles."""
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, user_factors=self.users, item_factors=self.items)

    @classmethod
    def load(cls, path: Path) -> "Factors":
        """Read a file that `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["user_factors"], arrays["item_factors"])
