"""Array types and callables that the modules of the core share.

Letters in shapes: U users, I items, k factors, n list length, S replicates of a model, R runs, E entities (users or
items), T users with test items.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

    Matrix: TypeAlias = csr_array | csr_matrix

Floats = npt.NDArray[np.float32]
"""Factors, scores, confidences."""
Values = npt.NDArray[np.float64]
"""Metrics, overlaps, timestamps."""
Counts = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
"""Indexes of users or items; -1 after the end of a list."""
Mask = npt.NDArray[np.bool_]
RawId = int | str
"""Id of a user or an item, as in the ratings file."""

Scores = Callable[[int, int], Floats]
"""(start, stop) -> (stop - start, I) scores of these rows. Higher is better; -inf for items that are no candidates."""
OnProgress = Callable[[int, int], None]
"""(done, total): called after each block of work. An exception that it raises ends the work."""
