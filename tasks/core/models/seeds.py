"""The seed of each fit."""

import zlib

import numpy as np


def run_seed(root: int, model: str, replicate: int, role: str) -> int:
    """The seed of one fit, from 0 to 2^31 - 1: adding or renaming one model changes no other's."""
    words = [root, zlib.crc32(model.encode()), replicate, zlib.crc32(role.encode())]
    return int(np.random.SeedSequence(words).generate_state(1)[0]) & 0x7FFFFFFF
