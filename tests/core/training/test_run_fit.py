"""A fit that is cut off goes on where it was, to the very same factors; what is damaged is set aside."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.als import AlsConfig
from tasks.core.data.interactions import Interactions
from tasks.core.errors import DataError, Stopped, TrainingError
from tasks.core.files import put
from tasks.core.models import als
from tasks.core.models.als import Start
from tasks.core.models.factors import Factors
from tasks.core.training import checkpoint
from tasks.core.training.checkpoint import Checkpoint
from tasks.core.training.run_fit import FitRequest, FitResult, run_fit
from tasks.core.training.step import Step

ITERATIONS = 30
SETTINGS = AlsConfig(factors=6, iterations=ITERATIONS)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENTLAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def matrix() -> csr_array:
    rng = np.random.default_rng(5)
    dense = rng.integers(1, 6, size=(40, 25)) * (rng.random((40, 25)) < 0.3)
    return csr_array(dense.astype(np.float32))


@pytest.fixture
def order(matrix: csr_array, home: Path) -> FitRequest:
    interactions = Interactions(matrix, np.arange(40), np.arange(25), None)
    data = put("interactions", ".npz", interactions.save)
    return FitRequest("a" * 64, data, SETTINGS, 7, (1, 10), (3,), 5, 1, 1e9)


def cut_off(order: FitRequest, target: Path, at: int) -> list[Step]:
    """Train up to an iteration, and be stopped there; what was told."""
    seen: list[Step] = []

    def tell(steps: list[Step]) -> None:
        seen.extend(steps)
        if steps[-1].iteration == at:
            raise Stopped

    with pytest.raises(Stopped):
        run_fit(order, target, tell)
    return seen


def whole(order: FitRequest, target: Path) -> tuple[FitResult, list[Step]]:
    seen: list[Step] = []
    return run_fit(order, target, seen.extend), seen


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
@pytest.mark.parametrize("orientation", ["user_item", "item_user"])
def test_a_fit_that_was_cut_off_twice_gives_bit_identical_factors(
    order: FitRequest, home: Path, solver: str, orientation: str
) -> None:
    settings = AlsConfig.model_validate({**SETTINGS.model_dump(), "solver": solver, "orientation": orientation})
    order = replace(order, settings=settings)
    undisturbed, told = whole(replace(order, identity="b" * 64), home / "undisturbed.npz")
    cut_off(order, home / "resumed.npz", 4)
    cut_off(order, home / "resumed.npz", 17)
    resumed, told_again = whole(order, home / "resumed.npz")
    assert resumed.factors.sha256 == undisturbed.factors.sha256
    assert resumed.overlaps == undisturbed.overlaps
    for a, b in zip(told, told_again, strict=True):
        assert a.iteration == b.iteration
        np.testing.assert_array_equal(
            (a.factor_change, a.objective, a.imbalance), (b.factor_change, b.objective, b.imbalance)
        )
    elapsed = [step.elapsed for step in told_again]
    assert elapsed == sorted(elapsed)


def test_the_steps_before_a_checkpoint_are_told_at_once(order: FitRequest, home: Path) -> None:
    cut_off(order, home / "f.npz", 12)
    batches: list[int] = []
    run_fit(order, home / "f.npz", lambda steps: batches.append(len(steps)))
    assert batches == [12] + [1] * (ITERATIONS - 12)


def test_checkpoints_are_written_every_so_often_and_two_are_kept(order: FitRequest, home: Path) -> None:
    seen: list[list[str]] = []
    often = replace(order, checkpoint_seconds=1e-9)

    def tell(_: list[Step]) -> None:
        seen.append(sorted(path.name for path in checkpoint.folder(order.identity).glob("*")))

    # writing one takes long beside these iterations: the pause between two grows with it
    run_fit(often, home / "f.npz", tell)
    assert max(len(names) for names in seen) <= checkpoint.KEPT
    assert seen[0] == ["1.npz"]


def test_writing_checkpoints_takes_a_hundredth_of_the_time_at_most(
    order: FitRequest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.core.training import run_fit as training

    clock = iter(range(10**6))
    monkeypatch.setattr(training.time, "monotonic", lambda: float(next(clock)))
    saved: list[int] = []
    monkeypatch.setattr(checkpoint, "save", lambda _, kept: saved.append(kept.iteration))
    settings = SETTINGS.model_copy(update={"iterations": 1000})
    run_fit(replace(order, settings=settings, checkpoint_seconds=5), home / "f.npz", lambda _: None)
    # a second a look at the clock, one more to write: 5 s to the first, then 100 s between two
    assert len(saved) == 10
    assert np.diff(saved).min() >= 98


def test_another_config_that_follows_other_lists_goes_on_from_the_same_checkpoint(
    order: FitRequest, home: Path
) -> None:
    cut_off(order, home / "f.npz", 12)
    fitted, _ = whole(replace(order, queries=(1, 2), n=3), home / "f.npz")
    assert [iteration for iteration, _ in fitted.overlaps] == [27, 30], "those of before were of other users"
    assert set(fitted.overlaps[-1][1]) >= {"overlap_final.user_1_at_3", "overlap_final.user_2_at_3"}


def kept(order: FitRequest, home: Path) -> list[Path]:
    """The two checkpoints of a fit that was cut off twice, the older first."""
    cut_off(order, home / "f.npz", 4)
    cut_off(order, home / "f.npz", 17)
    return [checkpoint.folder(order.identity) / f"{iteration}.npz" for iteration in (4, 17)]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_in_the_directory(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-30] ^= 255
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_another_fit(path: Path) -> None:
    found = checkpoint.read(path)
    other = checkpoint.save("c" * 64, found)
    path.write_bytes(other.read_bytes())


def with_a_pickle(path: Path) -> None:
    """Code that would run if anything loaded it."""
    np.savez(path, user_factors=np.array([Planted(path.parent / "run")], dtype=object))


class Planted:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("damage", [flip, flip_in_the_directory, cut, empty, of_another_fit, with_a_pickle])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_used(
    order: FitRequest, home: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    older, newer = kept(order, home)
    damage(newer)  # type: ignore[operator]
    with caplog.at_level(logging.WARNING):
        found = checkpoint.latest(order.identity)
    assert found is not None
    assert found.iteration == 4
    assert newer.with_suffix(".damaged").exists()
    assert not newer.exists()
    assert not (older.parent / "run").exists(), "nothing planted was run"
    assert str(newer) in caplog.text
    assert "set aside" in caplog.text


def test_where_all_are_damaged_the_fit_begins_anew(order: FitRequest, home: Path) -> None:
    for path in kept(order, home):
        empty(path)
    fitted, told = whole(order, home / "f.npz")
    undisturbed, _ = whole(replace(order, identity="b" * 64), home / "g.npz")
    assert (len(told), fitted.factors.sha256) == (ITERATIONS, undisturbed.factors.sha256)


def test_what_a_crash_leaves_beside_the_checkpoints_is_not_one(order: FitRequest, home: Path) -> None:
    older, _ = kept(order, home)
    (older.parent / ".tmp-abc.npz").write_bytes(b"half")
    found = checkpoint.latest(order.identity)
    assert found is not None
    assert found.iteration == 17


def test_a_checkpoint_of_the_last_iteration_gives_the_factors(order: FitRequest, home: Path) -> None:
    cut_off(order, home / "f.npz", ITERATIONS)
    fitted, told = whole(order, home / "f.npz")
    undisturbed, _ = whole(replace(order, identity="b" * 64), home / "g.npz")
    assert (len(told), fitted) == (ITERATIONS, replace(undisturbed, factors=fitted.factors, seconds=fitted.seconds))
    assert fitted.factors.sha256 == undisturbed.factors.sha256


def test_damaged_interactions_are_refused(order: FitRequest, home: Path) -> None:
    flip(Path(order.data.path))
    with pytest.raises(DataError, match="the file was damaged"):
        run_fit(order, home / "f.npz", lambda _: None)


def test_a_folder_that_cannot_be_written_ends_the_fit(order: FitRequest, home: Path) -> None:
    (home / "checkpoints").write_text("where a folder belongs")
    with pytest.raises(DataError, match=r"checkpoints.* cannot be written"):
        run_fit(replace(order, checkpoint_seconds=1e-9), home / "f.npz", lambda _: None)


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
        als.fit(matrix, SETTINGS, seed=7, start=start)


def test_saving_needs_no_more_than_what_is_read_back(home: Path) -> None:
    rng = np.random.default_rng(0)
    factors = Factors(rng.random((3, 2), dtype=np.float32), rng.random((4, 2), dtype=np.float32))
    made = Checkpoint(2, factors, np.ones((2, 6)), "what", {1: {"user_3": np.array([[1, 2]], dtype=np.int32)}})
    read = checkpoint.read(checkpoint.save("d" * 64, made))
    assert (read.iteration, read.following) == (2, "what")
    assert np.array_equal(read.factors.items, factors.items)
    assert read.lists[1]["user_3"].tolist() == [[1, 2]]
