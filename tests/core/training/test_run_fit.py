"""A fit that is interrupted resumes where it was, to bit-identical factors."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ResampleConfig
from tasks.core.data.resample import resampled
from tasks.core.errors import DataError, TrainingError
from tasks.core.models import als
from tasks.core.models.als import Start
from tasks.core.models.factors import Factors
from tasks.core.training import checkpoint
from tasks.core.training import run_fit as module
from tasks.core.training.run_fit import FitRequest, FitResult, run_fit
from tasks.core.training.step import Step

Interrupt = Callable[[FitRequest, int], None]
Complete = Callable[[FitRequest], tuple[FitResult, list[Step]]]


def elsewhere(request: FitRequest, home: Path) -> FitRequest:
    """Return the same fit with a folder of checkpoints of its own."""
    return replace(request, checkpoints=home / "other checkpoints", target=home / "other.npz")


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
def test_a_fit_that_was_interrupted_twice_gives_bit_identical_factors(
    fit_request: FitRequest, home: Path, interrupt: Interrupt, complete: Complete, solver: str, orientation: str
) -> None:
    settings = {**fit_request.settings.model_dump(), "solver": solver, "orientation": orientation}
    request = replace(fit_request, settings=AlsConfig.model_validate(settings))
    undisturbed, steps = complete(elsewhere(request, home))
    interrupt(request, 4)
    interrupt(request, 17)
    resumed, resumed_steps = complete(request)
    assert resumed.factors.sha256 == undisturbed.factors.sha256
    assert resumed.overlaps == undisturbed.overlaps
    assert [step.iteration for step in resumed_steps] == [step.iteration for step in steps]
    np.testing.assert_array_equal(
        [(step.factor_change, step.objective, step.imbalance) for step in resumed_steps],
        [(step.factor_change, step.objective, step.imbalance) for step in steps],
    )
    elapsed = [step.elapsed for step in resumed_steps]
    assert elapsed == sorted(elapsed)


def test_the_steps_before_a_checkpoint_are_reported_at_once(fit_request: FitRequest, interrupt: Interrupt) -> None:
    interrupt(fit_request, 12)
    batches: list[int] = []
    run_fit(fit_request, lambda steps: batches.append(len(steps)))
    assert batches == [12] + [1] * 18


def test_checkpoints_are_written_during_a_fit_and_two_are_kept(fit_request: FitRequest) -> None:
    files: list[list[str]] = []

    def on_steps(_: list[Step]) -> None:
        files.append(sorted(path.name for path in fit_request.checkpoints.glob("*")))

    # writing one takes long beside these iterations: the time between two grows with it
    run_fit(replace(fit_request, checkpoint_seconds=1e-9), on_steps)
    assert max(len(names) for names in files) <= 2
    assert files[0] == ["1.npz"]


def test_writing_checkpoints_takes_a_hundredth_of_the_time_at_most(
    fit_request: FitRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    # the module's own clock: other threads of the process read the real one
    own_time = SimpleNamespace(monotonic=lambda: float(next(clock)), time_ns=time.time_ns)
    monkeypatch.setattr(module, "time", own_time)
    saved: list[int] = []
    monkeypatch.setattr(checkpoint, "save", lambda _, saved_one: saved.append(saved_one.iteration))
    settings = fit_request.settings.model_copy(update={"iterations": 1000})
    run_fit(replace(fit_request, settings=settings, checkpoint_seconds=5), lambda _: None)
    # the clock advances by a second each time it is read, and once more while a checkpoint is written: 5 s to the
    # first, then 100 s between two
    assert len(saved) == 10
    assert np.diff(saved).min() >= 98


def test_another_config_that_follows_other_lists_resumes_from_the_same_checkpoint(
    fit_request: FitRequest, interrupt: Interrupt, complete: Complete
) -> None:
    interrupt(fit_request, 12)
    result, _ = complete(replace(fit_request, queries=(1, 2), n=3))
    assert [iteration for iteration, _ in result.overlaps] == [27, 30], "earlier lists are of other users"
    assert set(result.overlaps[-1][1]) >= {"overlap_final.user_1_at_3", "overlap_final.user_2_at_3"}


def test_without_an_intact_checkpoint_the_fit_starts_from_the_beginning(
    fit_request: FitRequest, home: Path, interrupt: Interrupt, complete: Complete
) -> None:
    interrupt(fit_request, 4)
    interrupt(fit_request, 17)
    for path in fit_request.checkpoints.glob("*.npz"):
        path.write_bytes(b"")
    result, steps = complete(fit_request)
    undisturbed, _ = complete(elsewhere(fit_request, home))
    assert (len(steps), result.factors.sha256) == (30, undisturbed.factors.sha256)


def test_a_checkpoint_of_the_last_iteration_gives_the_factors(
    fit_request: FitRequest, home: Path, interrupt: Interrupt, complete: Complete
) -> None:
    interrupt(fit_request, 30)
    result, steps = complete(fit_request)
    undisturbed, _ = complete(elsewhere(fit_request, home))
    assert (len(steps), result) == (30, replace(undisturbed, factors=result.factors, seconds=result.seconds))
    assert result.factors.sha256 == undisturbed.factors.sha256


def test_damaged_interactions_are_refused(fit_request: FitRequest) -> None:
    path = Path(fit_request.data.path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="the file was damaged"):
        run_fit(fit_request, lambda _: None)


def test_a_folder_that_cannot_be_written_ends_the_fit(fit_request: FitRequest) -> None:
    fit_request.checkpoints.write_text("where a folder belongs")
    with pytest.raises(DataError, match=r"checkpoints.* cannot be written"):
        run_fit(replace(fit_request, checkpoint_seconds=1e-9), lambda _: None)


def test_a_fit_is_trained_without_what_it_leaves_out_also_after_an_interrupt(
    fit_request: FitRequest, matrix: csr_array, home: Path, interrupt: Interrupt, complete: Complete
) -> None:
    """The matrix in memory, which the next fit uses, stays complete."""
    dropping = ResampleConfig(strategy="drop_interactions", fraction=0.1)
    request = replace(fit_request, resample=dropping)
    left = resampled(matrix, dropping, seed=request.seed)
    expected = als.fit(left, request.settings, seed=request.seed)
    interrupt(request, 4)
    result, steps = complete(request)
    np.testing.assert_array_equal(Factors.load(request.target).users, expected.users)
    objectives = {step.iteration: step.objective for step in steps if np.isfinite(step.objective)}
    assert objectives[30] == pytest.approx(als.objective(left, expected, request.settings), rel=1e-4)
    undisturbed, _ = complete(elsewhere(fit_request, home))
    np.testing.assert_array_equal(
        Factors.load(Path(undisturbed.factors.path)).users,
        als.fit(matrix, request.settings, seed=request.seed).users,
    )
    assert undisturbed.factors.sha256 != result.factors.sha256


@pytest.mark.parametrize(
    "start",
    [
        Start(3, Factors(np.zeros((40, 5), np.float32), np.zeros((25, 5), np.float32))),
        Start(3, Factors(np.zeros((25, 6), np.float32), np.zeros((40, 6), np.float32))),
        Start(3, Factors(np.zeros((40, 6)), np.zeros((25, 6)))),
        Start(31, Factors(np.zeros((40, 6), np.float32), np.zeros((25, 6), np.float32))),
    ],
)
def test_a_start_of_another_fit_is_refused(matrix: csr_array, start: Start) -> None:
    with pytest.raises(TrainingError, match="the start is of another fit"):
        als.fit(matrix, AlsConfig(factors=6, iterations=30), seed=7, start=start)
