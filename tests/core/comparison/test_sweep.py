"""Models along the settings that vary between them."""

import numpy as np
import pytest

from tasks.core.comparison.run_matrix import RunMatrix
from tasks.core.comparison.sweep import Estimated, Point, Sweep, estimated, steadiness, sweep, varying
from tasks.core.inference.sampling import SamplingCovariance, SamplingError


class TestVarying:
    def test_settings_with_different_values_vary(self) -> None:
        models = {
            "m-factors1": {"factors": 1, "alpha": 1.0, "iterations": 5},
            "m-factors2": {"factors": 2, "alpha": 1.0, "iterations": 5},
        }
        assert varying(models) == ["factors"]


class TestEstimates:
    def test_a_mean_has_students_interval(self) -> None:
        estimate = estimated([1.0, 2.0, 3.0])
        half = 4.302653 * 1 / np.sqrt(3)  # t(0.975, 2)
        assert (estimate.mean, estimate.low_95, estimate.high_95) == pytest.approx((2, 2 - half, 2 + half))

    def test_values_that_do_not_vary_have_no_interval(self) -> None:
        assert estimated([7.0]) == estimated([7.0, 7.0, 7.0]) == Estimated(7.0, None, None)

    def test_steadiness_is_the_mean_over_pairs(self) -> None:
        overlap = np.array([[1, 0.2, 0.4], [0.2, 1, 0.6], [0.4, 0.6, 1]])
        estimate = steadiness(overlap)
        assert estimate is not None
        assert estimate.mean == pytest.approx(0.4)
        # Leaving out one run gives 0.6, 0.4 and 0.2: the variance is 2/3 of the sum of squared deviations.
        half = 4.302653 * np.sqrt(2 / 3 * (0.04 + 0 + 0.04))
        assert (estimate.low_95, estimate.high_95) == (0.0, 1.0)
        assert half > 0.4

    def test_the_jackknife_interval_of_many_seeds_has_its_coverage(self) -> None:
        """Runs with a random trait, of which any two overlap by the product: the mean over all runs is 0.7²."""
        stream, covered = np.random.default_rng(0), 0
        for _ in range(400):
            trait = stream.uniform(0.5, 0.9, 8)
            overlap = np.outer(trait, trait)
            np.fill_diagonal(overlap, 1)
            estimate = steadiness(overlap)
            assert estimate is not None
            assert estimate.low_95 is not None
            assert estimate.high_95 is not None
            covered += estimate.low_95 <= 0.49 <= estimate.high_95
        assert 0.91 < covered / 400 < 0.99

    def test_the_interval_of_drawn_users_includes_their_sampling_error(self) -> None:
        overlap = np.array([[1, 0.49, 0.5], [0.49, 1, 0.51], [0.5, 0.51, 1]])
        of_all, sampled = steadiness(overlap), steadiness(overlap, sampling=SamplingError(0.05, 200, 5000))
        assert of_all is not None
        assert sampled is not None
        # t(0.975) with 2 and with 199 degrees of freedom; leaving out one run gives 0.51, 0.5 and 0.49
        half = np.sqrt(4.302653**2 * 2 / 3 * 0.0002 + (1.971957 * 0.05) ** 2)
        assert (sampled.mean, sampled.low_95, sampled.high_95) == pytest.approx((0.5, 0.5 - half, 0.5 + half))
        assert of_all.high_95 == pytest.approx(0.5 + 4.302653 * np.sqrt(2 / 3 * 0.0002))

    def test_few_seeds_have_no_interval(self) -> None:
        assert steadiness(np.ones((1, 1))) is None
        assert steadiness(np.ones((4, 4))) == Estimated(1.0, None, None)
        assert steadiness(np.array([[1, 0.5], [0.5, 1]])) == Estimated(0.5, None, None)


MODELS = {f"k{k}": {"factors": k, "alpha": 1.0} for k in (16, 32, 64)}


def run_matrix(overlap: float = 0.5) -> RunMatrix:
    """Two runs of each model; the runs of k64 overlap more than those of the other models."""
    runs = [(model, replicate) for model in MODELS for replicate in (0, 1)]
    values = np.full((6, 6), 0.1)
    values[0, 1] = values[1, 0] = values[2, 3] = values[3, 2] = overlap
    values[4, 5] = values[5, 4] = 0.75
    np.fill_diagonal(values, 1)
    return RunMatrix("users", 5, runs, values)


def metrics(accuracy: dict[str, list[float]]) -> dict[tuple[str, bool], list[dict[str, float]]]:
    fits = [{"fit_seconds": seconds, "summary_users": 900.0, "summary_items": 100.0} for seconds in (1.0, 3.0)]
    evaluations = {(model, True): [{"ndcg_at_10": value} for value in values] for model, values in accuracy.items()}
    return {(model, False): fits for model in MODELS} | evaluations


class TestSweep:
    def test_a_point_has_accuracy_steadiness_time_and_size(self) -> None:
        found = sweep(MODELS, metrics({"k16": [0.2], "k32": [0.25], "k64": [0.3]}), run_matrix(), "ndcg_at_10")
        assert found is not None
        assert (found.settings, found.metric, found.n) == (["factors"], "ndcg_at_10", 5)
        point = found.points[2]
        assert (point.model, point.varied) == ("k64", {"factors": 64})
        assert point.accuracy == Estimated(0.3, None, None)
        assert point.steadiness == Estimated(0.75, None, None)
        assert point.seconds == estimated([1.0, 3.0])
        assert point.megabytes == pytest.approx(4 * 64 * 1000 / 1e6)

    def test_the_steadiness_of_drawn_users_has_the_sampling_error_of_its_own_model(self) -> None:
        """k32 is the baseline, so its runs come first; only the mean overlap of k16 has an error."""
        runs = [(model, replicate) for model in ("k32", "k16", "k64") for replicate in range(3)]
        overlap = np.eye(9)
        for first in (0, 3, 6):
            overlap[first : first + 3, first : first + 3] = [[1, 0.49, 0.5], [0.49, 1, 0.51], [0.5, 0.51, 1]]
        covariance = np.zeros((6, 6))
        covariance[3, 3] = 0.05**2  # pairs: 00, 01, 02, 11, 12, 22
        sampling = SamplingCovariance(np.zeros((3, 3)), covariance, 200, 5000)
        found = sweep(MODELS, metrics({}), RunMatrix("users", 5, runs, overlap, sampling), "ndcg_at_10")
        assert found is not None
        expected = []
        for error in (0.05, 0.0, 0.0):
            of_model = steadiness(overlap[:3, :3], sampling=SamplingError(error, 200, 5000))
            assert of_model is not None
            expected.append(of_model.high_95)
        assert [point.steadiness.high_95 for point in found.points if point.steadiness] == pytest.approx(expected)
        assert expected[0] != pytest.approx(expected[1])

    def test_without_evaluation_there_is_no_accuracy(self) -> None:
        found = sweep(MODELS, metrics({}), run_matrix(), "ndcg_at_10")
        assert found is not None
        assert [point.accuracy for point in found.points] == [None, None, None]
        assert found.sentence == (
            "Of 3 models with different factors, users' lists agree most between seeds with factors 64 (0.7500)"
            " (described, not tested)."
        )

    def test_two_models_or_equal_models_are_no_sweep(self) -> None:
        two = {model: MODELS[model] for model in ("k16", "k32")}
        assert sweep(two, metrics({}), run_matrix(), "ndcg_at_10") is None
        assert sweep({model: MODELS["k16"] for model in MODELS}, metrics({}), run_matrix(), "ndcg_at_10") is None


def test_the_sentence_names_the_most_accurate_model_and_the_one_whose_seeds_agree_most() -> None:
    seconds = Estimated(1, None, None)
    points = [
        Point(
            f"als-factors{k}",
            {"factors": k},
            Estimated(accuracy, None, None),
            Estimated(overlap, None, None),
            seconds,
            k,
        )
        for k, accuracy, overlap in ((16, 0.25, 0.4), (32, 0.27, 0.5), (64, 0.2, 0.6))
    ]
    assert Sweep(["factors"], "ndcg_at_10", 5, points).sentence == (
        "Of 3 models with different factors, ndcg_at_10 is highest with factors 32 (0.2700), and users' lists agree"
        " most between seeds with factors 64 (0.6000) (described, not tested)."
    )


def test_a_row_has_three_columns_for_each_estimate() -> None:
    point = Point("k", {"factors": 2}, None, Estimated(0.5, 0.4, 0.6), Estimated(3, None, None), 1.5)
    assert point.row() == {
        "model": "k",
        "factors": 2,
        "accuracy": None,
        "accuracy_low_95": None,
        "accuracy_high_95": None,
        "steadiness": 0.5,
        "steadiness_low_95": 0.4,
        "steadiness_high_95": 0.6,
        "seconds": 3,
        "seconds_low_95": None,
        "seconds_high_95": None,
        "megabytes": 1.5,
    }
