"""Checkpoints of a fit."""

import hashlib
import logging
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.errors import DataError
from tasks.core.files import home, replacing
from tasks.core.models.factors import Factors

log = logging.getLogger(__name__)
KEPT = 2
_DIGEST, _LISTS, _CHECKED = "sha256", "lists/", "checked/"
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """A fit after an iteration.

    factors : as they were after it
    steps : (iteration, n) float64, a row for each iteration from the first; what `tasks.core.training.stopping` notes of them
    following : which lists are followed, `Trajectory.what`
    lists : iteration of a snapshot -> target -> ids, see `tasks.core.training.list_stability`
    checked : target -> ids at the last check of the stopping rule, see `tasks.core.training.stopping`
    """

    iteration: int
    factors: Factors
    steps: npt.NDArray[np.float64]
    following: str
    lists: dict[int, dict[str, npt.NDArray[np.int32]]]
    checked: dict[str, npt.NDArray[np.int32]] = field(default_factory=dict)


def save(identity: str, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, then remove those of the fit before its last two.

    Raises
    ------
    DataError
        The folder cannot be written, or the disk is full.
    """
    arrays: Arrays = {
        "identity": _text(identity),
        "following": _text(checkpoint.following),
        "user_factors": checkpoint.factors.users,
        "item_factors": checkpoint.factors.items,
        "steps": checkpoint.steps,
    }
    for iteration, lists in checkpoint.lists.items():
        arrays |= {f"{_LISTS}{iteration}/{target}": ids for target, ids in lists.items()}
    arrays |= {f"{_CHECKED}{target}": ids for target, ids in checkpoint.checked.items()}
    path = folder(identity) / f"{checkpoint.iteration}.npz"
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays, **{_DIGEST: _digest(arrays)})
    for old in _paths(identity)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def latest(identity: str) -> Checkpoint | None:
    """The last good checkpoint of a fit; damaged ones are set aside, with a warning."""
    for path in _paths(identity):
        try:
            return read(path)
        except DataError as error:
            log.warning("%s; it is set aside, and an earlier one used where there is one", error)
            path.replace(path.with_suffix(".damaged"))
    return None


def read(path: Path) -> Checkpoint:
    """A checkpoint, once its digest and its identity are shown to be right.

    Raises
    ------
    DataError
        It is damaged, or another fit's.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays: Arrays = dict(stored)
        expected = arrays.pop(_DIGEST)
        if not np.array_equal(_digest(arrays), expected):
            raise DataError(f"{path}: the checkpoint is damaged: its sha256 differs")
        if arrays.pop("identity").tobytes().decode() != path.parent.name:
            raise DataError(f"{path}: the checkpoint is another fit's")
        factors = Factors(arrays.pop("user_factors"), arrays.pop("item_factors"))
        steps, following = arrays.pop("steps"), arrays.pop("following").tobytes().decode()
        checked = {name.removeprefix(_CHECKED): arrays.pop(name) for name in list(arrays) if name.startswith(_CHECKED)}
        lists: dict[int, dict[str, npt.NDArray[np.int32]]] = {}
        for name, ids in arrays.items():
            iteration, _, target = name.removeprefix(_LISTS).partition("/")
            lists.setdefault(int(iteration), {})[target] = ids
        return Checkpoint(len(steps), factors, steps, following, lists, checked)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"{path}: the checkpoint is damaged: {error}") from None


def discard(identity: str) -> None:
    """Remove what is kept of a fit: it is complete."""
    shutil.rmtree(folder(identity), ignore_errors=True)


def folder(identity: str) -> Path:
    """Where the checkpoints of a fit are."""
    return home() / "checkpoints" / identity


def _paths(identity: str) -> list[Path]:
    """The checkpoints of a fit, the latest first."""
    found = [path for path in folder(identity).glob("*.npz") if path.stem.isdecimal()]
    return sorted(found, key=lambda path: int(path.stem), reverse=True)


def _text(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _digest(arrays: Arrays) -> npt.NDArray[np.uint8]:
    """sha256 over names, dtypes, shapes and bytes, in the order of the names."""
    hasher = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        hasher.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        hasher.update(array.reshape(-1).view(np.uint8).data)
    return np.frombuffer(hasher.digest(), dtype=np.uint8)


def identities() -> set[str]:
    """The fits of which something is kept."""
    return {path.name for path in (home() / "checkpoints").glob("*")}


def all_paths() -> Iterator[Path]:
    """Every checkpoint under our home."""
    yield from sorted((home() / "checkpoints").glob("*/*.npz"))
