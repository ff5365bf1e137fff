"""Which fits an experiment consists of, and which of them are the same fit."""

from typing import Any

import pytest

from tasks.core.config.evaluation import RandomSplit
from tasks.core.config.load import load_config
from tasks.core.data import resample
from tasks.core.models import als
from tasks.core.planning.runs import EVALUATION, MODEL, PlannedRun, planned_runs, split_seeds
from tasks.core.ranking import metrics
from tests.core.planning.small_experiment import SETTINGS, small_experiment
from tests.paths import CONFIGS

BASE = planned_runs(small_experiment(), "data", ["split"])


def identities(runs: list[PlannedRun], role: str) -> list[str]:
    return [run.identity for run in runs if run.role == role]


def test_fits_for_lists_come_before_held_out_fits_and_models_in_order() -> None:
    runs = planned_runs(small_experiment({"b": SETTINGS, "a": SETTINGS}), "data", ["split"])
    assert [run.label for run in runs] == ["b #0", "b #1", "a #0", "a #1", "b #0 held-out", "a #0 held-out"]
    assert [run.is_evaluation for run in runs] == [False] * 4 + [True] * 2


def test_labels_of_progress_name_the_fit() -> None:
    held_out = BASE[-1]
    assert held_out.training_label == "train k2 #0 held-out"
    assert held_out.lists_label == "lists of k2 #0 held-out"


def test_without_evaluation_there_are_no_held_out_fits() -> None:
    assert {run.role for run in planned_runs(small_experiment(evaluation=None), "data", ["split"])} == {MODEL}


def test_seeds_and_identities_are_unique() -> None:
    models = {name: SETTINGS for name in ("a", "b", "c")}
    runs = planned_runs(small_experiment(models, replicates=20), "data", ["split"])
    assert len({run.seed for run in runs}) == len({run.identity for run in runs}) == len(runs)


def test_adding_or_reordering_models_changes_no_other_fit() -> None:
    models = {"new": SETTINGS, "k2": SETTINGS, "z": {**SETTINGS, "factors": 9}}
    more = planned_runs(small_experiment(models), "data", ["split"])
    assert [run for run in more if run.model == "k2"] == BASE


def test_adding_replicates_changes_no_other_fit() -> None:
    more = planned_runs(small_experiment(replicates=9, evaluation={"replicates": 4}), "data", ["split"])
    assert set(BASE) < set(more)


def test_planned_looks_have_the_fits_of_as_many_replicates_as_the_last_look() -> None:
    models = {"a": SETTINGS, "b": SETTINGS}
    looks = planned_runs(small_experiment(models, replicates={"looks": [2, 5]}), "data", ["split"])
    assert looks == planned_runs(small_experiment(models, replicates=5), "data", ["split"])


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
def test_every_setting_of_a_model_changes_its_identities(change: dict[str, Any]) -> None:
    changed = planned_runs(small_experiment({"k2": {**SETTINGS, **change}}), "data", ["split"])
    assert {run.identity for run in changed}.isdisjoint(run.identity for run in BASE)
    assert [run.seed for run in changed] == [run.seed for run in BASE]


@pytest.mark.parametrize("changes", [{"seed": 1}, {"models": {"other": SETTINGS}}], ids=["root seed", "model's name"])
def test_another_seed_gives_another_identity(changes: dict[str, Any]) -> None:
    changed = planned_runs(small_experiment(**changes), "data", ["split"])
    assert {run.seed for run in changed}.isdisjoint(run.seed for run in BASE)
    assert {run.identity for run in changed}.isdisjoint(run.identity for run in BASE)


def test_other_data_change_every_identity() -> None:
    changed = planned_runs(small_experiment(), "other data", ["split"])
    assert {run.identity for run in changed}.isdisjoint(run.identity for run in BASE)


@pytest.mark.parametrize(("cutoffs", "split"), [([10, 20], "other split"), ([5], "split")], ids=["split", "cutoffs"])
def test_settings_of_the_evaluation_change_held_out_identities_only(cutoffs: list[int], split: str) -> None:
    changed = planned_runs(small_experiment(evaluation={"replicates": 1, "cutoffs": cutoffs}), "data", [split])
    assert identities(changed, MODEL) == identities(BASE, MODEL)
    assert set(identities(changed, EVALUATION)).isdisjoint(identities(BASE, EVALUATION))


def test_what_is_left_out_changes_the_identities_of_fits_for_lists_only() -> None:
    fractions = (0.01, 0.02)
    changed = [
        planned_runs(
            small_experiment(resample={"strategy": "drop_interactions", "fraction": fraction}), "data", ["split"]
        )
        for fraction in fractions
    ]
    of_models = [identities(runs, MODEL) for runs in (BASE, *changed)]
    assert len({identity for of_model in of_models for identity in of_model}) == 3 * 2
    assert {tuple(identities(runs, EVALUATION)) for runs in (BASE, *changed)} == {tuple(identities(BASE, EVALUATION))}
    for runs, fraction in zip(changed, fractions, strict=True):
        assert [run.seed for run in runs] == [run.seed for run in BASE]
        assert [run.resample and run.resample.fraction for run in runs] == [fraction, fraction, None]
        assert [run.fitted_interactions(1000) for run in runs] == [1000 - 1000 * fraction] * 2 + [1000]


def test_another_way_of_leaving_out_changes_the_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_experiment(resample={"strategy": "drop_interactions", "fraction": 0.01})
    before = planned_runs(config, "data", ["split"])
    monkeypatch.setattr(resample, "ALGORITHM", resample.ALGORITHM + 1)
    after = planned_runs(config, "data", ["split"])
    assert set(identities(before, MODEL)).isdisjoint(identities(after, MODEL))
    assert planned_runs(small_experiment(), "data", ["split"]) == BASE


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"dataset": {"path": "/a/copy"}},
        {"snapshots": [1]},
        {"queries": {"users": [1]}},
        {"comparison": {"baseline": "k2", "depths": [7]}},
        {"tracking": {"uri": "http://elsewhere"}},
        {"resample": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_settings_that_no_fit_depends_on_change_no_fit(changes: dict[str, Any]) -> None:
    assert planned_runs(small_experiment(**changes), "data", ["split"]) == BASE


def test_a_new_version_of_the_metrics_changes_held_out_identities_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "ALGORITHM", metrics.ALGORITHM + 1)
    changed = planned_runs(small_experiment(), "data", ["split"])
    assert identities(changed, MODEL) == identities(BASE, MODEL)
    assert set(identities(changed, EVALUATION)).isdisjoint(identities(BASE, EVALUATION))


def test_a_new_version_of_the_fit_changes_every_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(als, "ALGORITHM", als.ALGORITHM + 1)
    changed = planned_runs(small_experiment(), "data", ["split"])
    assert {run.identity for run in changed}.isdisjoint(run.identity for run in BASE)


def test_the_split_seeds_depend_on_the_root_seed_and_not_on_the_models() -> None:
    assert split_seeds(small_experiment()) == split_seeds(small_experiment({"other": SETTINGS}))
    assert split_seeds(small_experiment()) != split_seeds(small_experiment(seed=1))
    assert split_seeds(small_experiment(evaluation=None)) == []


def test_repeats_have_a_split_seed_each_and_folds_have_one_in_common() -> None:
    (first,) = split_seeds(small_experiment())
    repeated = split_seeds(small_experiment(evaluation={"repeats": 3}))
    assert repeated[0] == first
    assert len(set(repeated)) == 3
    assert split_seeds(small_experiment(evaluation={"split": {"strategy": "folds", "folds": 4}})) == [first] * 4


def test_more_splits_add_fits_with_seeds_of_their_own_and_change_no_other_fit() -> None:
    models = {"a": SETTINGS, "b": SETTINGS}
    evaluation = {"replicates": 2, "repeats": 3}
    runs = planned_runs(small_experiment(models, evaluation=evaluation), "data", ["first", "second", "third"])
    once = planned_runs(small_experiment(models, evaluation={"replicates": 2}), "data", ["first"])
    assert set(once) < set(runs)
    assert [(run.repeat, run.replicate) for run in runs if run.is_evaluation and run.model == "a"] == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1),
    ]  # fmt: skip
    assert len({run.seed for run in runs}) == len({run.identity for run in runs}) == len(runs)
    assert [run.label for run in runs if run.model == "b"][-4:] == [
        "b #0 held-out, split 1",
        "b #1 held-out, split 1",
        "b #0 held-out, split 2",
        "b #1 held-out, split 2",
    ]


def test_fits_are_planned_before_the_splits_are_made() -> None:
    config = small_experiment(evaluation={"replicates": 2, "split": {"strategy": "folds", "folds": 4}})
    assert len(planned_runs(config, "")) == len(planned_runs(config, "data", ["1", "2", "3", "4"])) == 2 + 2 * 4


@pytest.mark.parametrize("name", ["ml-100k-factorial.yaml", "ml-100k-scores.yaml"])
@pytest.mark.parametrize("model", ["k50", "k500"])
def test_configs_share_the_fits_of_both_models_with_the_main_config(model: str, name: str) -> None:
    main, other = (
        {run for run in planned_runs(load_config(path), "data", ["split"]) if run.model == model}
        for path in (CONFIGS / "ml-100k.yaml", CONFIGS / name)
    )
    assert main == other
    assert len(main) == 15


def test_the_fast_config_shares_the_fits_of_k50_with_the_main_config() -> None:
    main, fast = (
        set(planned_runs(load_config(CONFIGS / name), "data", ["split"]))
        for name in ("ml-100k.yaml", "ml-100k-fast.yaml")
    )
    assert {run.model for run in fast & main} == {"k50"}
    assert len(fast & main) == 6 + 5


def test_what_a_rule_on_a_metric_holds_out_is_part_of_the_identity() -> None:
    def runs(fraction: float) -> list[PlannedRun]:
        config = small_experiment({"a": {**SETTINGS, "stop": {"when": "metric"}}, "b": SETTINGS})
        assert config.evaluation is not None
        split = RandomSplit(test_fraction=fraction)
        evaluation = config.evaluation.model_copy(update={"split": split})
        return planned_runs(config.model_copy(update={"evaluation": evaluation}), "data", ["split"])

    for run, other in zip(runs(0.2), runs(0.3), strict=True):
        assert (run.identity == other.identity) is (run.model == "b")
        assert (run.stop_part is None) is (run.model == "b")
    parts = {run.stop_part for run in runs(0.2) if run.stop_part}
    assert len(parts) == 1, "all seeds hold out the same part"
