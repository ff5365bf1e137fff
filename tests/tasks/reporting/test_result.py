"""The result of a comparison: its sentences, its warnings, its JSON."""

import json
from dataclasses import replace

import pytest

from tasks.core.data.filters import RatingCounts
from tasks.core.inference.repeated_looks import EarlierLook
from tasks.core.inference.sequential import plan_looks
from tasks.reporting.result import Result
from tests.tasks.reporting.small_result import accuracy_test, convergence, small_result


def test_json_keeps_the_result() -> None:
    counted = small_result(ratings=RatingCounts(9, min_rating=2))
    for result in (small_result(), counted, small_result(look=plan_looks([2, 3], tests=1)[1])):
        assert Result.from_json(result.to_json()) == result


def test_the_sentence_is_the_first_answer_and_the_first_accuracy_test() -> None:
    result = small_result()
    assert result.sentence == f"The answer. {result.accuracy_tests[0].sentence}"


def test_a_single_model_is_described() -> None:
    result = small_result(models={"a": {}})
    assert result.sentence.startswith("There is only one model, so its lists are described and not compared.")


def test_single_runs_are_described_and_not_tested() -> None:
    result = small_result(answers=[], accuracy_tests=[])
    assert result.sentence.startswith("There is one run of each model, so the differences are described and not tested")


def test_single_runs_may_differ_by_the_interactions_that_they_leave_out() -> None:
    result = small_result(answers=[], accuracy_tests=[], dropped_fraction=0.01)
    assert "may come from the seed and a random 1% of the interactions alone." in result.sentence


def test_users_and_items_that_are_left_out_are_counted_in_a_warning() -> None:
    clause = "Left out of all lists, because one of the runs has none of their interactions: 1 user and 29 items"
    assert clause in small_result(lost={"users": 1, "items": 29}).warnings
    assert clause.replace("1 user and ", "") in small_result(lost={"users": 0, "items": 29}).warnings
    assert small_result(lost={"users": 0, "items": 0}).warnings == small_result().warnings


def test_a_result_stored_before_fits_could_leave_out_interactions_is_readable() -> None:
    stored = json.loads(small_result().to_json())
    for field in ("dropped_fraction", "lost", "data_noise", "ratings"):
        del stored[field]
    assert Result.from_json(json.dumps(stored)) == small_result()


def test_accuracy_cells_have_models_before_reference_recommenders() -> None:
    cells = small_result().accuracy_cells
    assert [model for model, _ in cells] == ["a", "b", "popularity"]


def test_cutoffs_are_those_of_the_metrics() -> None:
    assert small_result().cutoffs == [10]
    assert small_result(accuracy=[]).cutoffs == []


def test_too_few_replicates_are_a_warning() -> None:
    warning = (
        "With two seeds per model no difference of lists can be significant, however large: the smallest p after Holm "
        "is 0.333 (level 0.05); four seeds can reach the level"
    )
    assert small_result().warnings == [warning]
    assert small_result(smallest_p=0.05).warnings == []
    assert small_result(answers=[]).warnings == []


def test_a_sentence_that_says_so_needs_no_warning() -> None:
    (answer,) = small_result().answers
    assert small_result(answers=[replace(answer, verdict="too-few-seeds")]).warnings == []


def test_one_run_of_each_model_is_told_how_many_can_be_tested() -> None:
    assert small_result(answers=[], accuracy_tests=[]).sentence.endswith(
        " To test them, set replicates to 4 or more: with fewer, no difference can be significant."
    )


def test_unequal_numbers_of_seeds_are_a_warning() -> None:
    (equal,) = small_result().answers
    unequal = [replace(equal, target=target, runs_a=4, runs_b=10) for target in ("users", "items")]
    assert small_result(smallest_p=0.01, answers=[*unequal, replace(equal, b="c")]).warnings == [
        "a has 4 seeds and b 10; equal numbers make the test robust against models whose runs vary in different ways; "
        "train the missing seeds"
    ]


def test_the_look_at_which_training_stopped_is_a_warning_with_its_level() -> None:
    second = plan_looks([6, 8, 12], tests=4)[1]
    assert small_result(replicates=8, smallest_p=second.smallest_p, look=second).warnings == [
        "Training stopped at planned look 2 of 3 (6, 8 and 12 seeds per model), with 8 seeds per model; at this look a "
        "difference is significant if its p after Holm is at most 0.0164, so that all looks together have the level "
        "0.05"
    ]


def test_a_look_at_which_nothing_can_be_significant_is_a_warning() -> None:
    last = plan_looks([6, 8], tests=4)[-1]
    below_its_level, above_its_level = (
        small_result(smallest_p=p, look=last).cannot_reject for p in (0.9 * last.levels.difference, 0.04)
    )
    assert below_its_level == ""
    assert above_its_level.startswith("With two seeds per model no difference of lists can be significant")


def test_a_result_stored_before_there_were_planned_looks_is_readable() -> None:
    stored = json.loads(small_result().to_json())
    del stored["look"]
    assert Result.from_json(json.dumps(stored)) == small_result()


def test_a_result_stored_before_references_had_settings_is_readable() -> None:
    stored = json.loads(small_result().to_json())
    del stored["beside_references"], stored["reference_settings"]
    assert Result.from_json(json.dumps(stored)) == small_result(beside_references=[], reference_settings=[])
    assert Result.from_json(small_result().to_json()) == small_result()


def test_models_below_popularity_are_a_warning() -> None:
    tests = [
        accuracy_test("popularity", "a", 0.5, 0.25, 0.01),
        accuracy_test("popularity", "b", 0.5, 0.4, 0.03),
        accuracy_test("popularity", "c", 0.5, 0.6, 0.01),
    ]
    assert small_result(smallest_p=0.01, beside_popularity=tests).warnings == [
        "ndcg_at_10 on this split: popularity is significantly more accurate than a (popularity 0.5000, a 0.2500; "
        "difference -0.2500, 95% interval -1.0000 to +1.0000; p = 0.020 over users and seeds after Holm's adjustment)",
        "ndcg_at_10 on this split: no difference in accuracy between popularity and b is shown at the 5% level "
        "(popularity 0.5000, b 0.4000; difference -0.1000, 95% interval -1.0000 to +1.0000; p = 0.060 over users and "
        "seeds after Holm's adjustment)",
    ]


def test_up_to_two_models_without_convergence_have_a_warning_each() -> None:
    records = [convergence("a", change=0.5), convergence("b", change=0.25), convergence("c")]
    warnings = small_result(smallest_p=0.01, convergence=records).warnings
    assert warnings == [record.warning for record in records[:2]]


def test_more_models_without_convergence_share_a_warning() -> None:
    records = [convergence(model, change=0.5) for model in "abc"]
    warnings = small_result(smallest_p=0.01, convergence=records).warnings
    assert warnings == [f"{records[0].warning}; the fits of b and c have not converged either"]


def test_stopped_fits_are_a_warning() -> None:
    warnings = small_result(smallest_p=0.01, convergence=[convergence("a", ran=5)]).warnings
    assert [warning.partition(" by ")[0] for warning in warnings] == ["a was stopped after 5 of 10 iterations"]


@pytest.mark.parametrize(
    ("looks", "seeds", "level"),
    [
        ([(5, 0.03)], "with 5 seeds", "up to 10% of cases with 2 looks"),
        ([(3, 0.4), (5, 0.03), (6, 0.01), (8, 0.001)], "with 5, 6 and 8 seeds", "up to 14% of cases with 4 looks"),
    ],
)
def test_earlier_looks_that_could_be_significant_are_a_warning(
    looks: list[tuple[int, float]], seeds: str, level: str
) -> None:
    earlier = [EarlierLook("run", replicates, smallest_p) for replicates, smallest_p in looks]
    (warning,) = small_result(smallest_p=0.01, earlier_looks=earlier).warnings
    assert f"compared before {seeds}." in warning
    assert f"in {level}, instead of 5%" in warning


def test_earlier_looks_that_could_not_be_significant_are_no_warning() -> None:
    assert small_result(smallest_p=0.01, earlier_looks=[EarlierLook("run", 3, 0.4)]).warnings == []


def test_a_stored_result_without_earlier_looks_is_read() -> None:
    stored = json.loads(small_result().to_json())
    del stored["earlier_looks"]
    assert Result.from_json(json.dumps(stored)).earlier_looks == []


def test_earlier_looks_raise_the_level_of_planned_ones() -> None:
    last = plan_looks([6, 8], tests=4)[-1]
    result = small_result(smallest_p=0.001, look=last, earlier_looks=[EarlierLook("run", 5, 0.01)])
    assert result.looked_before.startswith(
        "The same models were compared before with 5 seeds, outside the planned looks"
    )
    assert "instead of" not in result.looked_before
