"""Metrics of a comparison's parent run."""

from tasks.core.ranking.reference_choice import ReferenceSettings
from tasks.tracking.comparison import metrics_of
from tests.tasks.reporting.small_result import small_result


def test_settings_of_a_reference_are_those_of_the_first_split() -> None:
    first = ReferenceSettings("ease", {"penalty": 500.0}, "ndcg_at_10", "", splits=(0, 2))
    other = ReferenceSettings("ease", {"penalty": 100.0}, "ndcg_at_10", "", splits=(1,))
    metrics = metrics_of(small_result(reference_settings=[first, other]))
    assert metrics["reference/penalty.ease"] == 500.0
