"""Seeds of the fits, derived from the root seed of an experiment."""

import zlib

import numpy as np


def run_seed(root: int, model: str, replicate: int, role: str) -> int:
    """Return the seed of one fit. It depends on nothing else, so that adding a model changes no other fit.

    Parameters
    ----------
    root : int
        Seed of the experiment, at least 0.
    model : str
        Name of the model.
    replicate : int
        From 0.
    role : str
        Such as `model` or `evaluation`.

    Returns
    -------
    int
        From 0 to 2^31 - 1, the range that implicit accepts.
    """
    entropy = [root, zlib.crc32(model.encode()), replicate, zlib.crc32(role.encode())]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0]) & 0x7FFFFFFF
