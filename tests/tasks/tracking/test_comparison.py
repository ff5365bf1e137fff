"""Metrics of a comparison's parent run."""

from dataclasses import replace

from tasks.core.ranking.reference_choice import ReferenceSettings
from tasks.tracking.comparison import metrics_of
from tests.tasks.reporting.small_result import small_result


def test_settings_of_a_reference_are_those_of_the_first_split() -> None:
    first = ReferenceSettings("ease", {"penalty": 500.0}, "ndcg_at_10", "", splits=(0, 2))
    other = ReferenceSettings("ease", {"penalty": 100.0}, "ndcg_at_10", "", splits=(1,))
    metrics = metrics_of(small_result(reference_settings=[first, other]))
    assert metrics["reference/penalty.ease"] == 500.0


def test_deviations_and_limits_are_named_as_what_they_belong_to() -> None:
    result = small_result()
    (answer,) = result.answers
    metrics = metrics_of(replace(result, answers=[replace(answer, low_95=0.3, high_95=0.5)]))
    assert (metrics["delta_low_95/users_at_5.a_vs_b"], metrics["delta_high_95/users_at_5.a_vs_b"]) == (0.3, 0.5)
    assert metrics["accuracy_sd/ndcg_at_10.a"] == 0.125


def test_a_deviation_or_a_limit_that_does_not_exist_is_no_metric() -> None:
    names = metrics_of(small_result())
    assert not [name for name in names if name.startswith(("delta_low", "delta_high"))]
    assert "accuracy/ndcg_at_10.popularity" in names
    assert "accuracy_sd/ndcg_at_10.popularity" not in names
