"""Balanced factors: the same scores, with the scale shared equally between users and items.

The scores U Vᵀ determine the factors only up to an invertible k x k matrix. Of all factors with the same scores, those
with UᵀU = VᵀV have the least norm(U)² + norm(V)², which is then twice the nuclear norm of U Vᵀ (Srebro, Rennie,
Jaakkola 2004). ALS approaches them slowly, in the limit of many sweeps; a balancing step reaches them at once.
"""

import numpy as np

from tasks.core.types import Floats


def imbalance(users: Floats, items: Floats) -> float:
    """Return how unequally two sides share the scale: norm(UᵀU - VᵀV) / norm(UᵀU), Frobenius.

    Parameters
    ----------
    users : (U, k) float32
        U, the factors of one side.
    items : (I, k) float32
        V, those of the other.

    Returns
    -------
    float
        0 at every stationary point of the regularised objective (regularization above 0), and for users of zeros.
    """
    user_gram = users.T @ users  # (k, k)
    item_gram = items.T @ items  # (k, k)
    norm = float(np.linalg.norm(user_gram))
    return float(np.linalg.norm(user_gram - item_gram)) / norm if norm else 0.0


def balance(users: Floats, items: Floats) -> None:
    """Replace factors, in place, by balanced factors with the same scores.

    With thin QR decompositions U = Q R, V = P T and the singular value decomposition R Tᵀ = A S Bᵀ, the balanced
    factors are Q A √S and P B √S, with columns of zeros where k exceeds U or I. Computed in float64.

    Parameters
    ----------
    users : (U, k) float32
        U, all finite.
    items : (I, k) float32
        V, all finite.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the singular value decomposition does not converge.
    """
    # the decomposition of R Tᵀ, at most (k, k), takes the place of one of the scores, (U, I)
    user_q, user_r = np.linalg.qr(users.astype(np.float64))  # (U, min(U, k)), (min(U, k), k)
    item_q, item_r = np.linalg.qr(items.astype(np.float64))  # (I, min(I, k)), (min(I, k), k)
    left, singular_values, right = np.linalg.svd(user_r @ item_r.T, full_matrices=False)
    root, rank = np.sqrt(singular_values), len(singular_values)
    users[:, :rank], users[:, rank:] = (user_q @ left) * root, 0
    items[:, :rank], items[:, rank:] = (item_q @ right.T) * root, 0
