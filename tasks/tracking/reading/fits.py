"""The fits that a run which somebody names stands for, and their lists."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.columns import Columns, read_columns
from tasks.core.comparison.agreement import LISTED, TARGETS
from tasks.core.comparison.query_lists import Names
from tasks.core.config.base import LIST_LENGTH
from tasks.core.errors import ConfigError, DataError
from tasks.core.planning.runs import MODEL, PARENT, RunRef
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.similarity import FACTORS, make_neighbours
from tasks.core.types import Ids, Mask
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import FACTORS_FILE, SAMPLE, artifact, kept_path, read_factors, read_stored
from tasks.tracking.noise_of_data import read_lost
from tasks.tracking.results import result_of
from tasks.tracking.runs import run_ref

if TYPE_CHECKING:
    import numpy.typing as npt

    from tasks.tracking.local_reader.types import StoredRun, StoreReader


@dataclass(frozen=True)
class OpenedFits:
    """The fits that a run which somebody names stands for.

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
        unlisted = np.zeros(len(self.names.ids(side)), dtype=bool)
        if self.lost is not None:
            unlisted[self.lost["index"][self.lost["side"] == side]] = True
        return unlisted

    @property
    def targets(self) -> list[str]:
        """The kinds of lists that all of the fits have, or that their factors give."""
        return [target for target in TARGETS if all(self._has(fit, target) for fit in self.files)]

    def _has(self, fit: RunRef, target: str) -> bool:
        paths = self.files[fit].entries
        kept = self.kept is not None and kept_path(fit, artifact(target, self.similarity)[0]) in self.kept.entries
        return artifact(target)[0] in paths or kept or (target != "recommendations" and FACTORS_FILE in paths)

    def rows(self, fit: RunRef, side: str) -> Ids:
        """Return the users or items whose lists were made: all, or a sample, without those that were left out.

        Parameters
        ----------
        fit : RunRef
            One of the fits.
        side : str
            `users` or `items`.

        Returns
        -------
        (R,) int32
            Ascending.
        """
        of = self.kept or self.files[fit]
        rows = np.arange(len(self.names.ids(side)), dtype=np.int32)
        if SAMPLE in of.entries:
            with of.reading(SAMPLE) as file:
                sample = read_columns(file)
            rows = np.unique(sample["index"][sample["side"] == side]).astype(np.int32)
        return rows[~self.unlisted(side)[rows]]

    def lists(self, fit: RunRef, target: str, rows: Ids, by: str) -> Lists:
        """Return lists of a fit: as it has them, as the comparison keeps them, or from the factors.

        Parameters
        ----------
        fit : RunRef
            One of the fits.
        target : str
            `users`, `items` or `recommendations`.
        rows : (R,) int32
            The users or items, ascending.
        by : str
            Similarity of neighbours: `factors` or `scores`.

        Returns
        -------
        Lists
            Without the entries that the comparison left out.

        Raises
        ------
        ConfigError
            If the fit has neither the lists nor what they can be computed from.
        TrackingError
            If a file is missing or damaged.
        """
        return self._complete_lists(fit, target, rows, by).without(self.unlisted(LISTED[target]))

    def _complete_lists(self, fit: RunRef, target: str, rows: Ids, by: str) -> Lists:
        """Return the lists with all of their entries."""
        files, (path, _) = self.files[fit], artifact(target, by)
        lists = read_stored(files, target, by, rows)
        if lists is None and self.kept is not None:
            lists = read_stored(self.kept, target, by, rows, path=kept_path(fit, path))
        if lists is not None:
            return lists
        if FACTORS_FILE not in files.entries:
            raise ConfigError(
                f"run {fit.run_id} has neither {path} nor {FACTORS_FILE} to compute it from; run its config again with "
                "--fresh, unless the run was read from a file of other lists"
            )
        if target == "recommendations":
            raise ConfigError(
                f"run {fit.run_id} has no recommendations for user {rows[0]}: its config made those of a sample of "
                "users (neighbours.sample); add the user to queries.recommend_for, and run the config again"
            )
        return make_neighbours(read_factors(files), target, by, n=LIST_LENGTH, rows=rows)

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
