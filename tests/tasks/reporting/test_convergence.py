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
    )
