"""Whether fits have converged: the limits, the words, and the summary of their metrics."""

import pytest

from tasks.reporting.convergence import Convergence, summarize_fits


def convergence(change: float = 0.0, imbalance: float = 0.0, ran: tuple[int, ...] = (100,)) -> Convergence:
    return Convergence("k8", 100, 90, change, imbalance, [(90, 2.0), (100, 1.0)], [], list(ran))


@pytest.mark.parametrize(("change", "imbalance"), [(0.0, 0.0), (0.001, 0.1), (-0.5, 0.1)])
def test_small_changes_give_no_warning(change: float, imbalance: float) -> None:
    assert convergence(change, imbalance).warning == ""


def test_the_warning_gives_the_reasons() -> None:
    assert convergence(change=0.004).warning == (
        "k8 has not converged after 100 iterations: the objective still fell by 0.40% after iteration 90; "
        "its lists depend on when training stops"
    )
    assert (
        "factors of users and items are out of balance (0.23; 0 at an optimum)" in convergence(imbalance=0.23).warning
    )
    assert "iteration 90 and the factors" in convergence(0.004, 0.23).warning


@pytest.mark.parametrize(
    ("ran", "iterations_run"),
    [((), "100"), ((100, 100), "100"), ((40, 40), "40 of 100"), ((40, 60, 50), "40 to 60 of 100")],
)
def test_iterations_run_are_a_range_over_the_replicates(ran: tuple[int, ...], iterations_run: str) -> None:
    assert convergence(ran=ran).iterations_run == iterations_run


def test_stopped_fits_are_reported() -> None:
    assert convergence().stopped == ""
    assert convergence(ran=(40, 60)).stopped == (
        "k8 was stopped after 40 to 60 of 100 iterations by the stopping rule of its config, which does not prove "
        "convergence"
    )


def test_a_summary_is_the_mean_over_the_replicates() -> None:
    summary = summarize_fits(
        "k8",
        10,
        objectives=[{1: 30.0, 9: 11.0, 10: 10.0}, {1: 50.0, 5: 40.0, 9: 33.0, 10: 30.0}],
        overlaps=[{1: 0.5, 10: 1.0}, {1: 0.75, 10: 1.0}],
        imbalances=[{1: 1.0, 10: 0.25}, {1: 1.0, 10: 0.5}],
    )
    assert summary == Convergence(
        model="k8",
        iterations=10,
        since=9,
        objective_change=pytest.approx(44 / 40 - 1),
        imbalance=0.5,
        objective=[(1, 40.0), (9, 22.0), (10, 20.0)],
        settled=[(1, 0.625), (10, 1.0)],
        ran=[10, 10],
        final=20.0,
        before=22.0,
    )


def of_objectives(*values: float) -> Convergence:
    """Summarize one fit of ten iterations with these objectives, the last two at iterations 9 and 10."""
    history = dict(zip((*range(1, len(values) - 1), 9, 10), values, strict=True))
    return summarize_fits("k8", 10, objectives=[history], overlaps=[{10: 1.0}], imbalances=[{10: 0.0}])


@pytest.mark.parametrize("values", [(0.0, 0.0), (500.0, 0.0, 0.0), (500.0, 1e-6, 2e-8), (500.0, 1e-5, -1e-5)])
def test_an_objective_of_zero_that_no_longer_falls_gives_no_warning(values: tuple[float, ...]) -> None:
    assert of_objectives(*values).warning == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((271.29, 6.4832), "the objective still fell from 271 to 6.48 after iteration 9"),
        ((3.0, 0.0), "the objective still fell from 3 to 0 after iteration 9"),
        ((500.0, 3.0, -0.25), "the objective still fell from 3 to -0.25 after iteration 9"),
        ((2.0, 1.0), "the objective still fell by 100.00% after iteration 9"),
    ],
)
def test_a_fall_to_less_than_half_is_described_in_absolute_terms(values: tuple[float, ...], words: str) -> None:
    assert words in of_objectives(*values).warning


def test_results_of_earlier_versions_have_a_relative_change_only() -> None:
    assert "the objective still fell by 150.00% after iteration 90" in convergence(change=1.5).warning
