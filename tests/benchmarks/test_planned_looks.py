"""The simulation of docs/verdict.md at a smaller size: level of planned looks, and the seeds that they save."""

from scipy.stats import binom

from tests.benchmarks.planned_looks import simulate

REPETITIONS = 400


def test_planned_looks_hold_the_level_and_unplanned_looks_exceed_it() -> None:
    found = simulate(REPETITIONS, endpoints=1, shift=0.0)
    planned, unplanned = (int(found[name].anywhere.any(axis=1).sum()) for name in ("planned", "unplanned"))
    most = binom.ppf(0.999, REPETITIONS, 0.05)
    assert planned <= most < unplanned


def test_planned_looks_save_seeds_where_models_differ_clearly() -> None:
    found = simulate(60, endpoints=1, shift=2.0)
    assert found["planned"].primary.any(axis=1).mean() == found["fixed"].primary.any(axis=1).mean() == 1
    assert found["planned"].seeds < 9 < found["fixed"].seeds == 12
