"""Held-out accuracy over the replicates, and the note on tuning."""

from typing import Any

import pytest

from tasks.core.config.evaluation import EvaluationConfig, Tuned
from tasks.core.planning.runs import EVALUATION, MODEL, RunRef
from tasks.reporting.accuracy import Accuracy, held_out_text, mean_accuracy, metrics_by_model, tuning_note


def run(run_id: str, model: str, replicate: int, role: str = EVALUATION, repeat: int = 0) -> RunRef:
    return RunRef(run_id, model, replicate, role, f"identity of {run_id}", repeat)


def test_accuracy_is_the_mean_over_a_models_evaluation_runs() -> None:
    metrics = {
        "1": {"auc": 0.5, "ndcg_at_10": 0.25},
        "2": {"auc": 0.75, "ndcg_at_10": 0.25},
        "3": {"auc": 1.0},
        "4": {"auc": 0.0},
    }
    runs = [run("1", "a", 0), run("2", "a", 1), run("3", "b", 0), run("4", "a", 0, MODEL)]
    assert mean_accuracy(metrics, runs) == [
        Accuracy("a", "auc", 0.625, pytest.approx(0.125 * 2**0.5), 2),
        Accuracy("a", "ndcg_at_10", 0.25, 0.0, 2),
        Accuracy("b", "auc", 1.0, None, 1),
    ]


REPEATED = [run(str(number), "a", number % 2, repeat=number // 2) for number in range(4)]
OF_REPEATED = {"0": {"auc": 0.4}, "1": {"auc": 0.6}, "2": {"auc": 0.6}, "3": {"auc": 0.7}}


def test_the_spread_over_seeds_is_within_splits_and_that_over_splits_is_of_their_means() -> None:
    """The variances within the splits are .02 and .005, of mean .0125; the means of the splits are .5 and .65."""
    (accuracy,) = mean_accuracy(OF_REPEATED, REPEATED)
    assert (accuracy.mean, accuracy.sd) == (pytest.approx(0.575), pytest.approx(0.0125**0.5))
    assert accuracy.sd_splits == pytest.approx(0.15 / 2**0.5)
    assert (accuracy.replicates, accuracy.splits) == (2, 2)


def test_splits_of_one_seed_have_no_spread_over_seeds() -> None:
    (accuracy,) = mean_accuracy(OF_REPEATED, [REPEATED[0], REPEATED[2]])
    assert (accuracy.sd, accuracy.replicates, accuracy.splits) == (None, 1, 2)
    assert accuracy.sd_splits == pytest.approx(0.2 / 2**0.5)


def test_a_sweep_has_the_metrics_of_each_seed_as_means_over_the_splits() -> None:
    metrics = {**OF_REPEATED, "fit": {"fit_seconds": 2.0}}
    by_model = metrics_by_model(metrics, [run("fit", "a", 0, MODEL), *REPEATED])
    assert by_model == {
        ("a", False): [{"fit_seconds": 2.0}],
        ("a", True): [{"auc": pytest.approx(0.5)}, {"auc": pytest.approx(0.65)}],
    }


def test_of_several_splits_the_first_is_described() -> None:
    assert held_out_text(COUNTS, 5) == held_out_text(COUNTS).replace("Held out:", "Held out in the first of 5 splits:")


def test_other_metrics_of_a_run_are_no_accuracy() -> None:
    metrics = {"1": {"fit_seconds": 1.0, "overlap_final.users_at_5": 1.0, "auc": 0.5}}
    assert [row.metric for row in mean_accuracy(metrics, [run("1", "a", 0)])] == ["auc"]


@pytest.mark.parametrize(
    ("tuned", "part", "note"),
    [
        (None, "test", "No setting was tuned: the models have the settings of the config."),
        (
            {"settings": ["regularization", "alpha"], "by": "tune.yaml"},
            "test",
            "Tuned by tune.yaml: regularization, alpha. Not tuned: factors, iterations, solver, orientation, "
            "acceleration, stop.",
        ),
        (
            None,
            "validation",
            "Accuracy is measured on the validation part, to choose settings; the test part was not used.",
        ),
    ],
)
def test_the_note_says_what_was_tuned(tuned: dict[str, Any] | None, part: str, note: str) -> None:
    section = None if tuned is None else Tuned.model_validate(tuned)
    assert tuning_note(section, EvaluationConfig.model_validate({"part": part})) == note


COUNTS = {
    "train_interactions": 30_000,
    "test_interactions": 2_000,
    "evaluated_users": 188,
    "users_without_train": 0,
    "items_without_train": 12,
}


def test_a_split_is_described_by_its_counts() -> None:
    assert held_out_text(COUNTS) == (
        "Held out: 2,000 interactions of 188 users; 0 users and 12 items have nothing to train on."
    )


def test_a_single_user_or_item_is_in_the_singular() -> None:
    counts = {"test_interactions": 1, "evaluated_users": 1, "users_without_train": 1, "items_without_train": 1}
    assert held_out_text(counts) == ("Held out: 1 interaction of 1 user; 1 user and 1 item have nothing to train on.")


def test_users_who_are_held_out_as_a_whole_are_described_with_their_visible_interactions() -> None:
    counts = {**COUNTS, "held_out_users": 188, "visible_interactions": 8_000, "users_too_small": 3}
    assert held_out_text(counts) == (
        "Held out: 188 users as a whole, of whom 8,000 interactions are visible and folded in, and 2,000 are measured "
        "on; 3 users with a single interaction cannot be held out; 0 users and 12 items have nothing to train on."
    )
