"""Pinned digests of the shipped configs and identities of their runs.

These digests decide whether stored fits and comparisons are found again. If one changes, fits that are already stored
are trained again. Hence the rule: a key that is added later is left out of every digest and identity while it has the
value that means today's behaviour. Pins are added for new configs and never changed.
"""

import hashlib
import json
from typing import Any

import pytest

from tasks.core.config.load import load_config
from tasks.core.planning.runs import planned_runs
from tests.paths import CONFIGS, ROOT

PINNED: dict[str, dict[str, Any]] = json.loads((ROOT / "tests" / "data" / "identities.json").read_text())
SHIPPED = sorted(path.relative_to(ROOT).as_posix() for path in CONFIGS.rglob("*.yaml"))


def test_every_shipped_config_is_pinned_and_every_pinned_config_is_shipped() -> None:
    assert sorted(PINNED) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_digest_identities_and_seeds_are_as_pinned(name: str) -> None:
    config = load_config(ROOT / name)
    n_splits = config.evaluation.n_splits if config.evaluation else 0
    runs = planned_runs(config, "data", ["split", *(f"split {number}" for number in range(1, n_splits))])
    assert PINNED[name] == {
        "config": config.digest(),
        "runs": len(runs),
        "identities": hashlib.sha256("\n".join(run.identity for run in runs).encode()).hexdigest(),
        "first": runs[0].identity,
        "seeds": [run.seed for run in runs[:3]],
    }
