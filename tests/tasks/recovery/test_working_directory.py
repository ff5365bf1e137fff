"""What a working directory still holds of a fit that was interrupted."""

from dataclasses import replace

import pytest

from tasks.core.errors import DataError
from tasks.core.files import StoredFile, file_sha256, listing, write_text
from tasks.recovery.working_directory import TrainedFit, WorkingDirectory, recorded_files, working_directories

IDENTITY = "a" * 64


@pytest.fixture
def directory() -> WorkingDirectory:
    return WorkingDirectory(IDENTITY)


@pytest.fixture
def trained(directory: WorkingDirectory) -> TrainedFit:
    write_text(directory.factors, "factors")
    fit = TrainedFit(IDENTITY, [("objective", 2.5, 1000, 1)], file_sha256(directory.factors))
    fit.save()
    return fit


@pytest.fixture
def evaluated(directory: WorkingDirectory, trained: TrainedFit) -> TrainedFit:
    write_text(directory.artifacts / "neighbours" / "users.parquet", "lists")
    fit = replace(trained, files=listing(directory.artifacts), results={"auc": 0.5})
    fit.save()
    return fit


def test_an_empty_directory_holds_no_fit(directory: WorkingDirectory) -> None:
    assert directory.trained_fit() is None
    assert working_directories() == []


def test_a_trained_fit_is_found_again(directory: WorkingDirectory, trained: TrainedFit) -> None:
    found = directory.trained_fit()
    assert found is not None
    assert replace(found, metrics=[]) == replace(trained, metrics=[])
    assert [tuple(metric) for metric in found.metrics] == trained.metrics
    assert working_directories() == [directory]


def test_an_evaluated_fit_is_found_with_its_files(directory: WorkingDirectory, evaluated: TrainedFit) -> None:
    found = directory.trained_fit()
    assert found is not None
    assert (found.files, found.results) == (evaluated.files, evaluated.results)
    assert [file.path for file in found.stored_files()] == [
        str(directory.factors),
        str(directory.artifacts / "neighbours" / "users.parquet"),
    ]


def test_damaged_lists_are_made_again_from_the_factors(directory: WorkingDirectory, evaluated: TrainedFit) -> None:
    (directory.artifacts / "neighbours" / "users.parquet").write_text("damaged")
    found = directory.trained_fit()
    assert found is not None
    assert (found.files, found.results) == (None, None)


def test_damaged_factors_are_not_used(directory: WorkingDirectory, evaluated: TrainedFit) -> None:
    directory.factors.write_text("damaged")
    assert directory.trained_fit() is None
    with pytest.raises(DataError, match="was damaged"):
        evaluated.check()


@pytest.mark.parametrize("record", ["", "{", "[]", '{"identity": "x"}'])
def test_an_unreadable_record_is_no_fit_and_is_reported_as_damaged(
    directory: WorkingDirectory, trained: TrainedFit, record: str
) -> None:
    path = directory.path / "fit.json"
    path.write_text(record)
    assert directory.trained_fit() is None
    assert list(recorded_files()) == [StoredFile(str(path), "")]


def test_a_removed_directory_is_gone(directory: WorkingDirectory, evaluated: TrainedFit) -> None:
    directory.remove()
    assert not directory.path.exists()
    assert working_directories() == []
