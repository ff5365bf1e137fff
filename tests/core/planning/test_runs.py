"""Which fits an experiment consists of, and when two of them are one."""

from typing import Any

import pytest

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.models import als
from tasks.core.models.cost import fit_bytes
from tasks.core.planning import capacity
from tasks.core.planning.capacity import fits_at_a_time
from tasks.core.planning.runs import EVALUATION, MODEL, PlannedRun, planned_runs, split_seed
from tasks.core.ranking import metrics
from tests.paths import CONFIGS

SMALL = {"factors": 2, "iterations": 3, "regularization": 0.1}


def config(models: dict[str, dict[str, Any]] | None = None, **changes: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "name": "small",
            "models": models or {"k2": SMALL},
            "replicates": 2,
            "evaluation": {"replicates": 1},
            **changes,
        }
    )


def identities(planned: list[PlannedRun], role: str) -> list[str]:
    return [run.identity for run in planned if run.role == role]


BASE = planned_runs(config(), "data", "split")


def test_fits_are_models_by_replicates_and_held_out_ones_after_them() -> None:
    found = planned_runs(config({"b": SMALL, "a": SMALL}), "data", "split")
    assert [run.label for run in found] == ["b #0", "b #1", "a #0", "a #1", "b #0 held-out", "a #0 held-out"]


def test_without_evaluation_nothing_is_held_out() -> None:
    assert {run.role for run in planned_runs(config(evaluation=None), "data", "split")} == {MODEL}


def test_no_two_fits_share_a_seed_or_an_identity() -> None:
    found = planned_runs(config({name: SMALL for name in ("a", "b", "c")}, replicates=20), "data", "split")
    assert len({run.seed for run in found}) == len({run.identity for run in found}) == len(found)


def test_adding_or_reordering_models_changes_no_other_fit() -> None:
    more = planned_runs(config({"new": SMALL, "k2": SMALL, "z": {**SMALL, "factors": 9}}), "data", "split")
    assert [run for run in more if run.model == "k2"] == BASE


def test_more_replicates_keep_those_there_were() -> None:
    more = planned_runs(config(replicates=9, evaluation={"replicates": 4}), "data", "split")
    assert set(BASE) < set(more)


@pytest.mark.parametrize(
    "change",
    [
        {"factors": 3},
        {"iterations": 4},
        {"regularization": 0.2},
        {"alpha": 2.0},
        {"solver": "cholesky"},
        {"orientation": "item_user"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_of_a_model_changes_its_identity(change: dict[str, Any]) -> None:
    changed = planned_runs(config({"k2": {**SMALL, **change}}), "data", "split")
    assert {run.identity for run in changed}.isdisjoint(run.identity for run in BASE)
    assert [run.seed for run in changed] == [run.seed for run in BASE]


@pytest.mark.parametrize("changes", [{"seed": 1}, {"models": {"other": SMALL}}], ids=["root seed", "model's name"])
def test_what_changes_the_seed_changes_the_identity(changes: dict[str, Any]) -> None:
    changed = planned_runs(config(**changes), "data", "split")
    assert {run.seed for run in changed}.isdisjoint(run.seed for run in BASE)
    assert {run.identity for run in changed}.isdisjoint(run.identity for run in BASE)


def test_other_data_change_every_identity() -> None:
    changed = planned_runs(config(), "other data", "split")
    assert {run.identity for run in changed}.isdisjoint(run.identity for run in BASE)


@pytest.mark.parametrize(("cutoffs", "split"), [([10, 20], "other split"), ([5], "split")], ids=["split", "cutoffs"])
def test_the_evaluation_s_settings_change_its_own_fits_alone(cutoffs: list[int], split: str) -> None:
    changed = planned_runs(config(evaluation={"replicates": 1, "cutoffs": cutoffs}), "data", split)
    assert identities(changed, MODEL) == identities(BASE, MODEL)
    assert set(identities(changed, EVALUATION)).isdisjoint(identities(BASE, EVALUATION))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"dataset": {"path": "/a/copy"}},
        {"snapshots": [1]},
        {"queries": {"users": [1]}},
        {"comparison": {"baseline": "k2", "depths": [7]}},
        {"tracking": {"uri": "http://elsewhere"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_no_fit_depends_on_changes_none(changes: dict[str, Any]) -> None:
    assert planned_runs(config(**changes), "data", "split") == BASE


def test_the_metrics_algorithm_is_part_of_held_out_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "ALGORITHM", metrics.ALGORITHM + 1)
    changed = planned_runs(config(), "data", "split")
    assert identities(changed, MODEL) == identities(BASE, MODEL)
    assert set(identities(changed, EVALUATION)).isdisjoint(identities(BASE, EVALUATION))


def test_the_fit_s_algorithm_is_part_of_every_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(als, "ALGORITHM", als.ALGORITHM + 1)
    changed = planned_runs(config(), "data", "split")
    assert {run.identity for run in changed}.isdisjoint(run.identity for run in BASE)


def test_the_split_is_the_same_for_all_models_and_another_for_another_seed() -> None:
    assert split_seed(config()) == split_seed(config({"other": SMALL}))
    assert split_seed(config()) != split_seed(config(seed=1))


@pytest.mark.parametrize("model", ["k50", "k500"])
def test_the_factorial_uses_the_runs_of_the_question_again(model: str) -> None:
    question, factorial = (
        {run for run in planned_runs(load_config(CONFIGS / name), "data", "split") if run.model == model}
        for name in ("ml-100k.yaml", "ml-100k-factorial.yaml")
    )
    assert question == factorial
    assert len(question) == 15


def test_the_fast_config_uses_runs_of_the_question_again() -> None:
    question, fast = (
        set(planned_runs(load_config(CONFIGS / name), "data", "split"))
        for name in ("ml-100k.yaml", "ml-100k-fast.yaml")
    )
    assert {run.model for run in fast & question} == {"k50"}
    assert len(fast & question) == 6 + 5


@pytest.mark.parametrize(
    ("asked", "cores", "fits", "room", "expected"),
    [
        ("auto", 4, 9, 1000, 4),
        ("auto", 4, 3, 1000, 3),
        ("auto", 4, 0, 1000, 1),
        ("auto", 4, 9, 7, 3),  # half of the memory for seven holds three
        ("auto", 4, 9, 1, 1),
        (2, 4, 9, 1, 2),  # what was asked for is done
        (8, 4, 9, 1000, 4),
    ],
)
def test_how_many_fits_share_the_machine(
    monkeypatch: pytest.MonkeyPatch, asked: int | str, cores: int, fits: int, room: int, expected: int
) -> None:
    monkeypatch.setattr(capacity, "cores", lambda: cores)
    each = capacity.LIBRARY_BYTES + fit_bytes(10, 10, 2**16, BASE[0].settings)
    monkeypatch.setattr(capacity, "free_memory", lambda: room * each)
    assert fits_at_a_time(asked, [BASE[0]] * fits, (10, 10, 2**16)) == expected
