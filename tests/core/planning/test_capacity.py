"""How many fits run at a time."""

import pytest

from tasks.core.models.cost import fit_bytes
from tasks.core.planning import capacity
from tasks.core.planning.capacity import fits_at_a_time, run_bytes
from tasks.core.planning.runs import planned_runs
from tests.core.planning.small_experiment import small_experiment

RUN = planned_runs(small_experiment(), "data", ["split"])[0]
SIZE = (10, 10, 2**16)


@pytest.mark.parametrize(
    ("workers", "cores", "n_fits", "fits_in_memory", "expected"),
    [
        ("auto", 4, 9, 1000, 4),
        ("auto", 4, 3, 1000, 3),
        ("auto", 4, 0, 1000, 1),
        ("auto", 4, 9, 7, 3),  # half of the memory for seven holds three
        ("auto", 4, 9, 1, 1),
        (2, 4, 9, 1, 2),  # a number that is set is not reduced for lack of memory
        (8, 4, 9, 1000, 4),
    ],
)
def test_cores_fits_and_memory_limit_the_fits_at_a_time(
    monkeypatch: pytest.MonkeyPatch, workers: int | str, cores: int, n_fits: int, fits_in_memory: int, expected: int
) -> None:
    monkeypatch.setattr(capacity, "cores", lambda: cores)
    fit = capacity._LIBRARY_BYTES + fit_bytes(*SIZE, RUN.settings)
    monkeypatch.setattr(capacity, "free_memory", lambda: fits_in_memory * fit)
    assert fits_at_a_time(workers, [RUN] * n_fits, SIZE) == expected


def test_a_fit_that_leaves_out_interactions_holds_the_complete_matrix_too() -> None:
    """A matrix takes 8 bytes an interaction; a fit has one and its transpose."""
    config = small_experiment(resample={"strategy": "drop_interactions", "fraction": 0.25})
    resampled, *_, held_out = planned_runs(config, "data", ["split"])
    assert run_bytes(RUN, SIZE) == run_bytes(held_out, SIZE) == fit_bytes(*SIZE, RUN.settings)
    assert run_bytes(resampled, SIZE) - run_bytes(RUN, SIZE) == 8 * 2**16 - 2 * 8 * 2**14
