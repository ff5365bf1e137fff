"""Checkpoints: what is saved is read back, and what is damaged is set aside."""

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.core.models.factors import Factors
from tasks.core.training import checkpoint
from tasks.core.training.checkpoint import Checkpoint
from tasks.core.training.run_fit import FitRequest

IDENTITY = "a" * 64


@pytest.fixture
def saved(fit_request: FitRequest, interrupt: Callable[[FitRequest, int], None]) -> list[Path]:
    """The two checkpoints of a fit that was interrupted twice, the older first."""
    interrupt(fit_request, 4)
    interrupt(fit_request, 17)
    return [fit_request.checkpoints / f"{iteration}.npz" for iteration in (4, 17)]


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_a_byte_of_the_zip_directory(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-30] ^= 255
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_that_of_another_fit(path: Path) -> None:
    other = checkpoint.save(path.parent.with_name("other"), replace(checkpoint.read(path), identity="c" * 64))
    path.write_bytes(other.read_bytes())


def plant_a_pickle(path: Path) -> None:
    """Write code that would run if anything loaded it."""
    np.savez(path, user_factors=np.array([Planted(path.parent / "run")], dtype=object))


class Planted:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        flip_a_byte_of_the_zip_directory,
        truncate,
        empty,
        replace_by_that_of_another_fit,
        plant_a_pickle,
    ],
)
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_used(
    saved: list[Path], caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    older, newer = saved
    damage(newer)
    with caplog.at_level(logging.WARNING):
        found = checkpoint.latest(older.parent, IDENTITY)
    assert found is not None
    assert found.iteration == 4
    assert newer.with_suffix(".damaged").exists()
    assert not newer.exists()
    assert not (older.parent / "run").exists(), "no planted code was run"
    assert str(newer) in caplog.text
    assert "set aside" in caplog.text


def test_a_temporary_file_of_a_crash_is_no_checkpoint(saved: list[Path]) -> None:
    (saved[0].parent / ".tmp-abc.npz").write_bytes(b"half")
    found = checkpoint.latest(saved[0].parent, IDENTITY)
    assert found is not None
    assert found.iteration == 17


def test_a_checkpoint_is_read_as_it_was_saved(home: Path) -> None:
    rng = np.random.default_rng(0)
    factors = Factors(rng.random((3, 2), dtype=np.float32), rng.random((4, 2), dtype=np.float32))
    lists = {1: {"user_3": np.array([[1, 2]], dtype=np.int32)}}
    checked = {"items": np.array([[0]], dtype=np.int32)}
    read = checkpoint.read(
        checkpoint.save(home, Checkpoint("d" * 64, 2, factors, np.ones((2, 7)), "which lists", lists, checked))
    )
    assert (read.identity, read.iteration, read.followed) == ("d" * 64, 2, "which lists")
    np.testing.assert_array_equal(read.factors.users, factors.users)
    np.testing.assert_array_equal(read.factors.items, factors.items)
    np.testing.assert_array_equal(read.steps, np.ones((2, 7)))
    assert read.lists[1]["user_3"].tolist() == [[1, 2]]
    assert read.checked["items"].tolist() == [[0]]
