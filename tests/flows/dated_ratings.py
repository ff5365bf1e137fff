"""A sweep over the number of factors, evaluated on the last rating of each user."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

SWEEP: dict[str, Any] = {
    "name": "sweep",
    "dataset": {"name": "file", "path": "ratings.csv", "columns": {"user": 0, "item": 1, "rating": 2, "timestamp": 3}},
    "preprocess": {"min_rating": 4},
    "models": {"als": {"factors": [1, 2, 4], "iterations": 3}},
    "replicates": 2,
    "snapshots": [2],
    "queries": {"users": [3]},
    "comparison": {"depths": [3]},
    "evaluation": {"split": {"strategy": "leave_last"}, "replicates": 2, "cutoffs": [3, 5]},
    "execution": {"system_metrics": False},
}


def write_dated_ratings(folder: Path, config: dict[str, Any]) -> None:
    """Write dated ratings of two blocks of users that like two blocks of items, and a config."""
    rng = np.random.default_rng(7)
    pairs = [(u, i) for u in range(40) for i in range(30) if u % 2 == i % 2 and rng.random() < 0.6]
    users, items = zip(*pairs, strict=True)
    frame = pd.DataFrame({"user": users, "item": items, "rating": 5, "time": rng.permutation(len(pairs))})
    frame.to_csv(folder / "ratings.csv", index=False)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
