"""The held-out splits of a config, made or found again in the store under the digest of what they are made from."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig, reading_settings
from tasks.core.config.evaluation import EvaluationConfig, FilesSplit, FoldsSplit, StrongSplit
from tasks.core.data.interactions import save_matrix
from tasks.core.data.prepared import PreparedData
from tasks.core.data.splits.draw import draw_split, needs_times
from tasks.core.data.splits.held_out import SPLITS, HeldOut
from tasks.core.data.splits.order import check_order
from tasks.core.data.splits.published_files import load_published, locate_files, read_split
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.strategies import ALGORITHM
from tasks.core.files import StoredFile, combined_sha256, put, recall, remember


def with_splits(
    data: PreparedData,
    evaluation: EvaluationConfig,
    *,
    dataset: DatasetConfig,
    settings: PreprocessConfig,
    ratings: StoredFile,
    seeds: Sequence[int],
) -> PreparedData:
    """Return the data with their held-out splits, made now or by an earlier run from the same bytes.

    Parameters
    ----------
    data : PreparedData
        Interactions.
    evaluation : EvaluationConfig
        Split and part.
    dataset, settings, ratings
        As for `prepare`: the ratings hold the timestamps, and the rules on ratings apply to a published test file too.
    seeds : sequence of int
        Of each split; folds have one in common.

    Returns
    -------
    PreparedData

    Raises
    ------
    DataError
        See `tasks.core.data.splits.draw.draw_split` and `tasks.core.data.splits.published_files.read_split`.
    """
    splits = tuple(
        _held_out(data, evaluation, dataset=dataset, settings=settings, ratings=ratings, seed=seed, number=number)
        for number, seed in enumerate(seeds)
    )
    return replace(data, splits=splits)


def _held_out(
    data: PreparedData,
    evaluation: EvaluationConfig,
    *,
    dataset: DatasetConfig,
    settings: PreprocessConfig,
    ratings: StoredFile,
    seed: int,
    number: int,
) -> HeldOut:
    """Return the split of a number, which only the key of a fold depends on: other splits differ by their seeds."""
    config = evaluation.split
    files = locate_files(config) if isinstance(config, FilesSplit) else {}
    digests = {part: located.sha256 for part, (_, located) in files.items()}
    key = combined_sha256(
        *(data.sha256, ratings.sha256, reading_settings(dataset), settings.identity(), digests.pop("test", None)),
        *(reading_settings(config), evaluation.part, seed, ALGORITHM),
        *([number] if isinstance(config, FoldsSplit) else []),
        *digests.values(),
    )
    train, test, visible = (recall(SPLITS, f"{key}-{part}") for part in ("train", "test", "visible"))
    known = load_published(test, data.summary) if test else None
    by_users = isinstance(config, StrongSplit) or (isinstance(config, FoldsSplit) and config.by == "users")
    lacks_visible = visible is None and (by_users or "visible" in files)
    # as for interactions, an earlier version stored no counts
    if train is None or test is None or lacks_visible or (files and known is None):
        arrays: dict[str, Any] = {}
        validation = evaluation.part == "validation"
        split: Split
        if isinstance(config, FilesSplit):
            split, arrays = read_split(files, config, data, settings)
        else:
            interactions = data.load(times=needs_times(config))
            if dataset.order:
                check_order(interactions, config)
            split = draw_split(interactions, config, seed=seed, number=number, validation=validation)
        train = put(SPLITS, ".npz", partial(save_matrix, split.train))
        test = put(SPLITS, ".npz", partial(save_matrix, split.test, **arrays))
        remember(SPLITS, f"{key}-train", train)
        remember(SPLITS, f"{key}-test", test)
        if split.visible is not None:
            visible = put(SPLITS, ".npz", partial(save_matrix, split.visible))
            remember(SPLITS, f"{key}-visible", visible)
        known = load_published(test, data.summary)
    # earlier versions matched ids as text only: what they evaluated under `key` is another split
    sha256 = combined_sha256(key, "ids matched as numbers") if known and known.by_numbers else key
    return HeldOut(train, test, sha256, known, visible)
