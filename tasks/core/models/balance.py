"""Balancing: factors of the same scores whose two sides share the scale."""

import numpy as np

from tasks.core.types import Floats


def imbalance(users: Floats, items: Floats) -> float:
    """How far the two sides are from sharing the scale: norm(UᵀU - VᵀV) / norm(UᵀU), Frobenius.

    Zero at every stationary point of the regularised objective (regularization above 0).
    """
    gram_users = users.T @ users  # (k, k)
    gram_items = items.T @ items
    size = float(np.linalg.norm(gram_users))
    return float(np.linalg.norm(gram_users - gram_items)) / size if size else 0.0


def balance(users: Floats, items: Floats) -> None:
    """Replace factors, in place, by those of the same scores whose sides share the scale.

    With thin QR decompositions U = Q R, V = P T and the singular values R Tᵀ = A S Bᵀ they become Q A √S and P B √S,
    with zeros beyond the rank that the number of users and items allows. Computed in float64.

    Parameters
    ----------
    users : (U, k) float32
    items : (I, k) float32; all of both finite

    Raises
    ------
    numpy.linalg.LinAlgError
        The singular values do not converge.
    """
    user_basis, user_rest = np.linalg.qr(users.astype(np.float64))  # (U, min(U, k)), (min(U, k), k)
    item_basis, item_rest = np.linalg.qr(items.astype(np.float64))
    left, scale, right = np.linalg.svd(user_rest @ item_rest.T, full_matrices=False)
    root, rank = np.sqrt(scale), len(scale)
    users[:, :rank], users[:, rank:] = (user_basis @ left) * root, 0
    items[:, :rank], items[:, rank:] = (item_basis @ right.T) * root, 0
