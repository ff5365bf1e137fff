"""Factors of users that a model was not trained on, solved for against its item factors."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.als import AlsConfig
from tasks.core.errors import TrainingError
from tasks.core.models.threads import cores, one_blas_thread
from tasks.core.types import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BLOCK = 1 << 16
"""Users that are solved for at a time: implicit copies their interactions, twice if alpha is not 1."""


def fold_in(interactions: "csr_array", items: Floats, settings: AlsConfig) -> Floats:
    """Return the user factors that minimise the objective of ALS while the item factors stay as they are.

    With Y the item factors, C the diagonal matrix of a user's confidences (alpha times the stored value, 1 for all
    other items), p the vector that is 1 at the user's items and 0 elsewhere, and λ the regularization, the factors are
    (YᵀCY + λI)⁻¹ YᵀCp (Hu, Koren, Volinsky 2008, eq. 4). Every user is solved for exactly, whatever `solver` the model
    was trained with. `orientation` decides only which side is trained first: the equation is the same for both. A model
    of Spark has λ times the number of the user's items in place of λ.

    Parameters
    ----------
    interactions : (B, I) CSR float32
        Stored confidences of the users, all finite and above 0.
    items : (I, k) float32
        Item factors of a trained model, after balancing if it was balanced.
    settings : AlsConfig
        Its alpha and regularization are used.

    Returns
    -------
    (B, k) float32
        Zeros for a user without interactions, and for one whose items all have factors of zeros.

    Raises
    ------
    TrainingError
        If the system of a user cannot be solved in float32.
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    users = np.empty((interactions.shape[0], items.shape[1]), dtype=np.float32)
    if settings.is_of_spark:
        counts = np.diff(interactions.indptr)
        for count in np.unique(counts):  # those with as many items have the same λ
            rows = np.flatnonzero(counts == count)
            weighted = AlsConfig(
                factors=settings.factors,
                iterations=settings.iterations,
                regularization=settings.regularization * int(count),
                alpha=settings.alpha,
            )
            users[rows] = fold_in(interactions[rows], items, weighted)
        return users
    with one_blas_thread():
        model = AlternatingLeastSquares(
            factors=items.shape[1],
            regularization=settings.regularization,
            alpha=settings.alpha,
            num_threads=cores(),
        )
        model.item_factors = items  # implicit keeps their Gram matrix for the blocks that follow
        for start in range(0, len(users), _BLOCK):
            block = csr_matrix(interactions[start : start + _BLOCK])
            try:
                users[start : start + _BLOCK] = model.recalculate_user(np.arange(block.shape[0]), block)
            except ValueError as error:
                reason = str(error).partition(". Try")[0]
                raise TrainingError(
                    f"new users cannot be folded in: {reason}; raise regularization, or lower factors or alpha"
                ) from error
    return users
