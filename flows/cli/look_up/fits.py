"""The fits that a run on the command line stands for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.columns import Columns, read_columns
from tasks.core.comparison.query_lists import Names
from tasks.core.config.base import LIST_LENGTH
from tasks.core.errors import ConfigError, DataError
from tasks.core.planning.runs import MODEL, PARENT, RunRef
from tasks.core.ranking.similarity import FACTORS
from tasks.core.types import Mask
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.noise_of_data import read_lost
from tasks.tracking.results import result_of
from tasks.tracking.runs import run_ref

if TYPE_CHECKING:
    import numpy.typing as npt

    from tasks.tracking.local_reader.types import StoredRun, StoreReader


@dataclass(frozen=True)
class OpenedFits:
    """The fits that a run on the command line stands for.

    Attributes
    ----------
    files : dict of RunRef to RunFiles
        The fits, in order, with their files.
    names : Names
    similarity : str
        Of the neighbours, unless another one is asked for.
    kept : RunFiles or None
        Files of the comparison; None for a single fit.
    lost : mapping of str to array, or None
        What the comparison left out, see `read_lost`.
    """

    files: dict[RunRef, RunFiles]
    names: Names
    similarity: str
    kept: RunFiles | None
    lost: Columns | None

    def label(self, fit: RunRef) -> str:
        """Return the name under which the lists of a fit are shown: that of its model, in a comparison."""
        return fit.model if self.kept else f"{fit.model} #{fit.replicate}"

    def unlisted(self, side: str) -> Mask:
        """Return which `users` or `items` no list is to include."""
        unlisted = np.zeros(len(self.names.user_ids if side == "users" else self.names.item_ids), dtype=bool)
        if self.lost is not None:
            unlisted[self.lost["index"][self.lost["side"] == side]] = True
        return unlisted

    def check_lost(self, side: str, index: int) -> None:
        """Refuse a user or item that a comparison left out.

        Parameters
        ----------
        side : str
            `users` or `items`.
        index : int
            Which of them.

        Raises
        ------
        DataError
            If it has no interaction in one of the fits.
        """
        if self.lost is None:
            return
        runs = self.lost["run"][(self.lost["side"] == side) & (self.lost["index"] == index)].tolist()
        if runs:
            raise DataError(
                f"{side[:-1]} {index} has no interaction in {runs[0]}, which was fitted without its own random part of "
                "the interactions, so that the comparison left it out; name another one, or one of the other runs"
            )


def open_fits(client: "StoreReader", run: "StoredRun", *, n: int, consensus: bool) -> OpenedFits:
    """Return the fits that a run stands for: itself, or those of a comparison.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    run : Run
        A fit or a comparison.
    n : int
        Length of the lists that are asked for.
    consensus : bool
        Whether the consensus of each model's replicates is.

    Returns
    -------
    OpenedFits

    Raises
    ------
    ConfigError
        If `n` is more than what is stored, the run has no lists, or there is only one replicate for a consensus.
    """
    if not 1 <= n <= LIST_LENGTH:
        raise ConfigError(f"found -n {n}; expected 1 to {LIST_LENGTH}, the number of entries that each run keeps")
    ref = run_ref(run)
    kept, similarity = None, FACTORS
    if ref.role == PARENT:
        result = result_of(client, run)
        similarity, kept = result.similarity, RunFiles(client, ref.run_id)
        fits = [fit for fit in result.runs if fit.role == MODEL]
    elif ref.role == MODEL:
        fits = [ref]
    else:
        role = ref.role or "not one of latentlab's"
        raise ConfigError(f"run {ref.run_id} has no lists: its role is {role}; name a model's run")
    if consensus:
        _check_consensus(ref, fits)
    files = {fit: RunFiles(client, fit.run_id) for fit in fits}
    return OpenedFits(files, _names(files[fits[0]]), similarity, kept, read_lost(kept) if kept else None)


def _check_consensus(run: RunRef, fits: Sequence[RunRef]) -> None:
    """Raise a ConfigError if a model has a single run."""
    if run.role != PARENT:
        raise ConfigError(
            f"--consensus: found run {run.run_id}, a single fit; expected a comparison, whose runs of each model are "
            "merged; name an EXPERIMENT, its parent run or latest"
        )
    for model, runs in Counter(fit.model for fit in fits).items():
        if runs < 2:
            raise ConfigError(
                f"--consensus: found one run of {model}; expected at least 2, whose lists are merged; raise replicates "
                "and run the config again, or leave --consensus out"
            )


def _names(files: RunFiles) -> Names:
    """Return the users and items that a run's indexes mean."""
    with files.reading("users.parquet") as users_file, files.reading("items.parquet") as items_file:
        users, items = read_columns(users_file), read_columns(items_file)
    titles = items["title"].astype(object)
    return Names(_raw_ids(users), _raw_ids(items), titles if titles.astype(bool).any() else None)


def _raw_ids(columns: Columns) -> "npt.NDArray[Any]":
    """Return ids as integers or as text, as `Interactions` has them."""
    ids = columns["raw_id"]
    return ids if ids.dtype.kind == "i" else ids.astype(object)
