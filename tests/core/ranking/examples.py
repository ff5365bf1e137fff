"""Small arrays that the tests of rankings share."""

import numpy as np
from scipy.sparse import csr_array

from tasks.core.models.factors import Factors
from tasks.core.types import Floats


def floats(rows: object) -> Floats:
    return np.array(rows, dtype=np.float32)


def nothing_liked(users: int, items: int) -> csr_array:
    return csr_array((users, items), dtype=np.float32)


def random_factors(users: int, items: int, k: int = 6) -> Factors:
    rng = np.random.default_rng(0)
    return Factors(floats(rng.normal(size=(users, k))), floats(rng.normal(size=(items, k))))


def random_liked(users: int, items: int) -> csr_array:
    return csr_array((np.random.default_rng(1).random((users, items)) < 0.2).astype(np.float32))
