"""The runs of models that are read from files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.core.config.load import config_from
from tasks.core.data.prepared import store_interactions
from tasks.core.errors import ConfigError, DataError
from tasks.core.external.runs import file_runs, longest_common_depth, read_runs


def write_lists(path: Path, lists: dict[int, list[int]]) -> None:
    rows = [(entity, listed, rank) for entity, row in lists.items() for rank, listed in enumerate(row, start=1)]
    pd.DataFrame(rows, columns=["entity", "neighbour", "rank"]).to_csv(path, index=False)


def config_of(folder: Path, **changes: object):
    models = {name: {"lists": f"{folder}/{name}-*.csv"} for name in ("a", "b")}
    content = {"name": "x", "of": "users", "models": models, "queries": {"n": 2}}
    return config_from({**content, **changes}, "test")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs of each of two models: the lists of five users, of three entries; one list has one."""
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path / "home"))
    users = np.arange(5)
    for name, shift in (("a", 0), ("b", 1)):
        for run in range(2):
            lists = {user: [int(x) for x in np.roll(users[users != user], run + shift)[:3]] for user in users.tolist()}
            if name == "b":
                lists[4] = lists[4][: 1 + run]
            write_lists(tmp_path / f"{name}-{run}.csv", lists)
    return tmp_path


def test_what_is_compared_is_said(folder: Path) -> None:
    read = read_runs(config_of(folder), None)
    assert [source.label for source in read.sources] == ["a #0", "a #1", "b #0", "b #1"]
    assert read.shared.remarks == [
        "5 users have lists in all runs.",
        "Files of b: 1 list with fewer than 2 entries; two such lists are compared over the length of the longer one.",
    ]
    assert longest_common_depth(read) == 3


def test_the_identity_is_that_of_the_file_and_of_what_is_compared(folder: Path) -> None:
    def identities(**changes: object) -> list[str]:
        config = config_of(folder, **changes)
        read = read_runs(config, None)
        return [run.identity for run in file_runs(config, read, store_interactions(read.shared.interactions, {}))]

    before = identities()
    assert len(set(before)) == 4
    assert identities(comparison={"margin": 0.2}) == before  # decides no list
    write_lists(folder / "b-1.csv", {user: [(user + 1) % 5, (user + 2) % 5] for user in range(5)})
    assert [new == old for new, old in zip(identities(), before, strict=True)] == [True, True, True, False]
    for path in folder.glob("*.csv"):  # one user more in all runs
        path.write_text(path.read_text() + "5,0,1\n")
    assert not set(identities()) & set(before)


def test_a_file_is_a_run_of_one_model(folder: Path) -> None:
    models = {"all": {"lists": f"{folder}/*-*.csv"}, "b": {"lists": f"{folder}/b-*.csv"}}
    with pytest.raises(
        ConfigError, match=r"b-0.csv is a run of both all and b; expected patterns that match different"
    ):
        read_runs(config_of(folder, models=models), None)


def test_lists_that_are_too_short_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"queries.n: found 4, but the longest list of .*a-0.csv has 3 entries"):
        read_runs(config_of(folder, queries={"n": 4}), None)


def test_factors_of_one_model_have_equal_k(folder: Path) -> None:
    for number, k in enumerate((2, 3)):
        np.savez(folder / f"f-{number}.npz", user_factors=np.ones((4, k)), item_factors=np.ones((5, k)))
    with pytest.raises(DataError, match=r"f-1.npz has k=3, and .*f-0.npz has k=2; expected runs of one model"):
        read_runs(config_of(folder, models={"f": {"factors": f"{folder}/f-*.npz"}}), None)
