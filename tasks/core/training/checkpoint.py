"""Checkpoints of a fit: a crash costs at most the iterations since the last one.

A checkpoint is `ITERATION.npz` in a folder of the fit's own, which keeps the last two. It is written to a temporary
file, flushed and renamed, and holds the sha256 of its content.
"""

import hashlib
import logging
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.errors import DataError
from tasks.core.files import replacing
from tasks.core.models.factors import Factors
from tasks.core.types import Ids, Values

log = logging.getLogger(__name__)

_KEPT = 2
_DIGEST, _LISTS, _CHECKED, _BEST = "sha256", "lists/", "checked/", "best/"

_Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """The state of a fit after an iteration.

    Attributes
    ----------
    identity : str
        Of the fit, see `tasks.core.planning.runs.PlannedRun`.
    iteration : int
    factors : Factors
    steps : (iteration, 8) float64
        One row for each iteration from the first, the fields of `tasks.core.training.step.Step`. Checkpoints of earlier
        versions lack the last one.
    followed : str
        Which lists are followed, `ListStability.description`.
    lists : dict
        `ListStability.lists` so far.
    checked : dict of str to (sample, n) int32
        Lists at the last check of the stopping rule, by target.
    best : Factors or None
        Factors at the check with the highest accuracy, see `tasks.core.training.metric_stop`.
    """

    identity: str
    iteration: int
    factors: Factors
    steps: Values
    followed: str
    lists: dict[int, dict[str, Ids]]
    checked: dict[str, Ids] = field(default_factory=dict)
    best: Factors | None = None


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, then remove all but the last two.

    Parameters
    ----------
    folder : Path
        The fit's folder of checkpoints, made if it does not exist.
    checkpoint : Checkpoint
        State of the fit.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If the folder cannot be written or the disk is full.
    """
    arrays: _Arrays = {
        "identity": _text(checkpoint.identity),
        "following": _text(checkpoint.followed),
        "user_factors": checkpoint.factors.users,
        "item_factors": checkpoint.factors.items,
        "steps": checkpoint.steps,
    }
    for iteration, lists in checkpoint.lists.items():
        arrays |= {f"{_LISTS}{iteration}/{target}": ids for target, ids in lists.items()}
    arrays |= {f"{_CHECKED}{target}": ids for target, ids in checkpoint.checked.items()}
    if checkpoint.best:
        arrays |= {f"{_BEST}users": checkpoint.best.users, f"{_BEST}items": checkpoint.best.items}
    path = folder / f"{checkpoint.iteration}.npz"
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays, **{_DIGEST: _digest(arrays)})
    for old in _newest_first(folder)[_KEPT:]:
        old.unlink(missing_ok=True)
    return path


def latest(folder: Path, identity: str) -> Checkpoint | None:
    """Return the last intact checkpoint of a fit. Damaged ones are renamed to `.damaged`, with a warning.

    Parameters
    ----------
    folder : Path
        The folder.
    identity : str
        The fit's.

    Returns
    -------
    Checkpoint or None
    """
    for path in _newest_first(folder):
        try:
            checkpoint = read(path)
            if checkpoint.identity != identity:
                raise DataError(f"{path}: the checkpoint belongs to another fit")
            return checkpoint
        except DataError as error:
            log.warning("%s; it is set aside, and an earlier one is used if there is one", error)
            path.replace(path.with_suffix(".damaged"))
    return None


def read(path: Path) -> Checkpoint:
    """Return a checkpoint whose digest is right.

    Raises
    ------
    DataError
        If it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays: _Arrays = dict(stored)
        expected = arrays.pop(_DIGEST)
        if not np.array_equal(_digest(arrays), expected):
            raise DataError(f"{path}: the checkpoint is damaged: its sha256 differs")
        identity, followed = (arrays.pop(name).tobytes().decode() for name in ("identity", "following"))
        factors, steps = Factors(arrays.pop("user_factors"), arrays.pop("item_factors")), arrays.pop("steps")
        checked = {name.removeprefix(_CHECKED): arrays.pop(name) for name in list(arrays) if name.startswith(_CHECKED)}
        best = [arrays.pop(f"{_BEST}{side}") for side in ("users", "items") if f"{_BEST}{side}" in arrays]
        lists: dict[int, dict[str, Ids]] = {}
        for name, ids in arrays.items():
            iteration, _, target = name.removeprefix(_LISTS).partition("/")
            lists.setdefault(int(iteration), {})[target] = ids
        return Checkpoint(
            identity, len(steps), factors, steps, followed, lists, checked, Factors(*best) if best else None
        )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"{path}: the checkpoint is damaged: {error}") from error


def _newest_first(folder: Path) -> list[Path]:
    paths = [path for path in folder.glob("*.npz") if path.stem.isdecimal()]
    return sorted(paths, key=lambda path: int(path.stem), reverse=True)


def _text(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _digest(arrays: _Arrays) -> npt.NDArray[np.uint8]:
    """Return the sha256 over names, dtypes, shapes and bytes, in the order of the names."""
    hasher = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        hasher.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        hasher.update(array.reshape(-1).view(np.uint8).data)
    return np.frombuffer(hasher.digest(), dtype=np.uint8)
