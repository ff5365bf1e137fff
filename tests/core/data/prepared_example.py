"""A small ratings file, and the interactions and held-out split that are prepared from it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.config.evaluation import EvaluationConfig
from tasks.core.data.locate import locate
from tasks.core.data.prepared import PreparedData, prepare
from tasks.core.data.splits.held_out import HeldOut
from tasks.core.data.splits.store import with_splits


def write_ratings(folder: Path) -> Path:
    """Write a file of about half of all pairs of 20 users and 15 items, with two columns of timestamps, t1 and t2."""
    stream = np.random.default_rng(0)
    pairs = [(u, i) for u in range(20) for i in range(15) if stream.random() < 0.5]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).assign(rating=5)
    for name in ("t1", "t2"):
        frame[name] = stream.permutation(len(frame))
    frame.to_csv(folder / "ratings.csv", index=False)
    return folder / "ratings.csv"


def prepare_file(path: Path, **settings: Any) -> PreparedData:
    """Prepare a ratings file with the given settings of `preprocess`."""
    dataset = DatasetConfig(name="file", path=str(path))
    return prepare(dataset, PreprocessConfig.model_validate(settings), locate(dataset))


def hold_out_file(path: Path, columns: dict[str, str] | None = None, *, seed: int = 1, **evaluation: Any) -> HeldOut:
    """Prepare a ratings file and hold a part of it out, with the given settings of `evaluation`."""
    return splits_of_file(path, columns, seeds=[seed], **evaluation)[0]


def splits_of_file(
    path: Path, columns: dict[str, str] | None = None, *, seeds: list[int], **evaluation: Any
) -> tuple[HeldOut, ...]:
    """Prepare a ratings file and make a split with each seed, with the given settings of `evaluation`."""
    dataset = DatasetConfig.model_validate({"name": "file", "path": str(path), "columns": columns})
    settings, ratings = PreprocessConfig(), locate(dataset)
    data = with_splits(
        prepare(dataset, settings, ratings),
        EvaluationConfig.model_validate(evaluation),
        dataset=dataset,
        settings=settings,
        ratings=ratings,
        seeds=seeds,
    )
    return data.splits
