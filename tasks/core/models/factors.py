"""User and item factors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.types import Floats


@dataclass(frozen=True)
class Factors:
    """What a model has learned.

    users : (U, k) float32, row u belongs to user index u
    items : (I, k) float32
    """

    users: Floats
    items: Floats

    def save(self, path: Path) -> None:
        """Write as npz without pickles: `user_factors`, `item_factors`."""
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, user_factors=self.users, item_factors=self.items)

    @classmethod
    def load(cls, path: Path) -> "Factors":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["user_factors"], arrays["item_factors"])
