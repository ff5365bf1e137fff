"""Lists and per-user metrics of runs that exist."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.columns import read_columns
from tasks.core.comparison.agreement import LISTED, SIDES, TARGETS, RunLists
from tasks.core.config.base import LIST_LENGTH
from tasks.core.data.resample import Lost
from tasks.core.models.factors import Factors
from tasks.core.planning.runs import MODEL, RunRef
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.lists import Lists
from tasks.core.ranking.similarity import FACTORS, SCORES, SIMILARITIES, make_lists
from tasks.core.types import Ids
from tasks.tracking.artifacts import RunFiles

if TYPE_CHECKING:
    import pandas as pd

    from tasks.core.data.interactions import Interactions

FACTORS_FILE = "factors.npz"
KINDS = (*product(("users", "items"), SIMILARITIES), ("recommendations", FACTORS))
"""Target and similarity of the lists that a fit has. The similarity decides nothing for recommendations."""
SUFFIXES = {FACTORS: "", SCORES: "_by_scores"}
"""Similarity -> the end of the names of artifacts with neighbours by it."""
ACCURACY = "accuracy.parquet"
MEDIAN_CONFIDENCE = "median_confidence"
"""Metric of a fit: the median of the stored confidences that it was trained on. A user who has items, of whom nothing
more is known, is folded in with it."""
SAMPLE = "sample.parquet"
"""Artifact that says whose lists a fit has. A fit that has the lists of all users and items has no such file."""


def artifact(target: str, by: str = FACTORS) -> tuple[str, str]:
    """Return where the lists of a run are.

    Parameters
    ----------
    target : str
        `users`, `items` or `recommendations`.
    by : str
        For neighbours: `factors` or `scores`.

    Returns
    -------
    path : str
        Path of the artifact.
    column : str
        Its column of what is listed.
    """
    if target == "recommendations":
        return "recommendations.parquet", "item"
    return f"neighbours/{target}{SUFFIXES[by]}.parquet", "neighbour"


def served_name(path: str) -> str:
    """Return the name by which `tasks.tracking.logged_models.pyfunc_model` knows an artifact of a run."""
    return path.removesuffix(".parquet").replace("/", "_")


SERVED = {
    served_name(path): path
    for path in ("users.parquet", "items.parquet", SAMPLE, *(artifact(target)[0] for target in SIDES))
}
"""Artifact of a logged model -> artifact of a run. There may be no `SAMPLE`."""
ITEM_FACTORS = "item_factors"
"""Artifact of the logged model of a fit, from which new users are folded in. The model has the name once more, because
it imports nothing of this project."""


class ListReader:
    """Reads the lists of runs that exist, and computes those that a run lacks from its factors.

    A fit lacks lists if an earlier version made it, or if its config drew another sample.

    Parameters
    ----------
    interactions : Interactions
        What the models were fitted on.
    entities : mapping of str to Entities
        The `users` and the `items` whose lists are wanted.
    computed : Path, optional
        A folder in which lists that were computed are kept, below `neighbours/MODEL-REPLICATE/`.
    lost : Lost, optional
        Users and items that no list is to include. They are not among the wanted ones.
    targets : collection of str
        Which lists are compared.
    """

    def __init__(
        self,
        interactions: "Interactions",
        entities: Mapping[str, Entities],
        computed: Path | None = None,
        lost: Lost | None = None,
        targets: Collection[str] = TARGETS,
    ) -> None:
        self._targets = targets
        self._interactions, self._entities, self._computed, self._lost = interactions, entities, computed, lost
        self._last: tuple[str, Factors] | None = None

    def run_lists(self, run: RunRef, files: RunFiles, by: str) -> RunLists:
        """Return all lists of a run.

        Parameters
        ----------
        run : RunRef
            The run.
        files : RunFiles
            Its files.
        by : str
            Similarity of the neighbours: `factors` or `scores`.

        Returns
        -------
        RunLists

        Raises
        ------
        TrackingError
            If a file is missing or damaged.
        """
        return RunLists(**{target: self.lists(run, files, target, by) for target in self._targets})

    def lists(self, run: RunRef, files: RunFiles, target: str, by: str) -> Lists:
        """Return the lists of one target of a run.

        Parameters
        ----------
        run : RunRef
            The run.
        files : RunFiles
            Its files.
        target, by : str
            See `artifact`.

        Returns
        -------
        Lists
            One list for each of the wanted users or items.

        Raises
        ------
        TrackingError
            If a file is missing or damaged.
        """
        lists = self._complete(run, files, target, by)
        return lists.without(self._lost.of(LISTED[target])) if self._lost else lists

    def _complete(self, run: RunRef, files: RunFiles, target: str, by: str) -> Lists:
        """Return the lists with all of their entries."""
        rows = self._entities[SIDES[target]].rows
        stored = read_stored(files, target, by, rows)
        if stored is not None:
            return stored
        if self._last is None or self._last[0] != run.run_id:  # several targets of a run follow each other
            self._last = run.run_id, read_factors(files)
        factors = self._last[1]
        lists = make_lists(factors, target, by, liked=self._interactions.matrix, n=LIST_LENGTH, rows=rows)
        if self._computed is not None:
            path, column = artifact(target, by)
            kept = self._computed / kept_path(run, path)
            kept.parent.mkdir(parents=True, exist_ok=True)
            lists.frame(column, rows).to_parquet(kept, index=False)
        return lists


def kept_path(run: RunRef, path: str) -> str:
    """Return where a comparison keeps lists that a fit lacks.

    Parameters
    ----------
    run : RunRef
        The fit.
    path : str
        Path that the lists would have among its artifacts.

    Returns
    -------
    str
        Path of an artifact of the parent run.
    """
    return f"neighbours/{run.model}-{run.replicate}/{PurePosixPath(path).name}"


def read_stored(files: RunFiles, target: str, by: str, rows: Ids, path: str = "") -> Lists | None:
    """Return lists that a run has among its files.

    Parameters
    ----------
    files : RunFiles
        Files of a complete run.
    target, by : str
        See `artifact`.
    rows : (R,) int32
        The users or items, ascending.
    path : str
        Of the lists, by default that of a fit's. See `kept_path` for those that a comparison keeps.

    Returns
    -------
    Lists or None
        None if the run does not have all of these lists.

    Raises
    ------
    TrackingError
        If a file is damaged.
    """
    usual_path, column = artifact(target, by)
    path = path or usual_path
    if path not in files.entries:
        return None
    if SAMPLE in files.entries:
        with files.reading(SAMPLE) as file:
            sample = read_columns(file)
        if not np.isin(rows, sample["index"][sample["side"] == SIDES[target]]).all():
            return None
    with files.reading(path) as file:
        return Lists.from_frame(read_columns(file), column, rows)


def read_factors(files: RunFiles) -> Factors:
    """Return the factors of a complete run.

    Raises
    ------
    TrackingError
        If the file is missing or damaged.
    """
    with files.reading(FACTORS_FILE) as file:
        return Factors.load(file)


def write_sample(folder: Path, entities: Mapping[str, Entities]) -> bool:
    """Write `SAMPLE`, unless all users and items have lists.

    Its columns are `side`, `index`, and `drawn`, which is false for a query that was added.

    Parameters
    ----------
    folder : Path
        The folder.
    entities : mapping of str to Entities
        The `users` and the `items` that have lists.

    Returns
    -------
    bool
        Whether it was written.
    """
    import pandas as pd

    if all(of_side.are_all for of_side in entities.values()):
        return False
    frames = [
        pd.DataFrame({"side": side, "index": of_side.rows, "drawn": of_side.drawn})
        for side, of_side in entities.items()
    ]
    pd.concat(frames, ignore_index=True).to_parquet(folder / SAMPLE, index=False)
    return True


def lists_by_model(
    models: Iterable[str], runs: Iterable[RunRef], files: Mapping[str, RunFiles], reader: ListReader, by: str
) -> dict[str, list[RunLists]]:
    """Return the lists of every run.

    Parameters
    ----------
    models : iterable of str
        Names of the models.
    runs : iterable of RunRef
        Those of the evaluation have no lists, and are left out.
    files : mapping of str to RunFiles
        Run id -> its files.
    reader : ListReader
        Reads them.
    by : str
        Similarity of the neighbours: `factors` or `scores`.

    Returns
    -------
    dict of str to list of RunLists
        Model -> the lists of its runs, both in the order given.

    Raises
    ------
    TrackingError
        If a file is missing or damaged.
    """
    lists: dict[str, list[RunLists]] = {model: [] for model in models}
    for run in runs:
        if run.role == MODEL:
            lists[run.model].append(reader.run_lists(run, files[run.run_id], by))
    return lists


def read_accuracy(files: RunFiles, metrics: Sequence[str]) -> "pd.DataFrame":
    """Return metrics of an evaluation run, user by user.

    Parameters
    ----------
    files : RunFiles
        Files of the run.
    metrics : sequence of str
        Names of the metrics.

    Returns
    -------
    DataFrame
        `index` of the user, and a column for each metric.
    """
    import pandas as pd

    with files.reading(ACCURACY) as file:
        return pd.read_parquet(file, columns=["index", *metrics])
