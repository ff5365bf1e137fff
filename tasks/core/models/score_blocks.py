"""Blocks of scores that are all written into the same memory.

New memory for each block of many columns takes the system longer than computing the scores reads and writes it.
"""

import numpy as np

from tasks.core.types import Floats


class ScoreMemory:
    """Memory for blocks of scores. Each block overwrites the one before.

    Parameters
    ----------
    columns : int
        Of every block.
    """

    def __init__(self, columns: int) -> None:
        self._memory: Floats = np.empty((0, columns), dtype=np.float32)

    def rows(self, n: int) -> Floats:
        """Return memory for n rows, (n, columns) float32."""
        if len(self._memory) < n:
            self._memory = np.empty((n, self._memory.shape[1]), dtype=np.float32)
        return self._memory[:n]


class ProductBlocks:
    """Blocks of rows of a product of two matrices.

    Parameters
    ----------
    columns : (C, k) float32
        Its transpose is the second factor.
    """

    def __init__(self, columns: Floats) -> None:
        self._columns = columns
        self._memory = ScoreMemory(len(columns))

    def of(self, rows: Floats) -> Floats:
        """Return the product (B, C) of rows (B, k). It overwrites the one before."""
        return np.matmul(rows, self._columns.T, out=self._memory.rows(len(rows)))
