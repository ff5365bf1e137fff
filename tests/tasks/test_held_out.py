"""When the reference recommenders of an experiment are evaluated."""

import time
from pathlib import Path

import pytest

from tasks.held_out import references_beside, references_on_splits
from tasks.reporting.progress import listening
from tests.tasks.test_reference_accuracy import home, prepared

__all__ = ["home"]


class Recorder:
    """A listener that keeps the labels of all steps."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def plan(self, title: str, work: dict[str, float]) -> None:
        raise AssertionError("reference recommenders are beside what is planned")

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        self.labels.append(label)


@pytest.mark.timeout(60)
def test_those_that_take_little_are_evaluated_while_the_block_runs(tmp_path: Path) -> None:
    config, data, _ = prepared(tmp_path)
    with listening(recorder := Recorder()), references_beside(config, data) as references:
        while "lists of popularity" not in recorder.labels:
            time.sleep(0.01)
        found = references()
    (expected,) = references_on_splits(config, data)
    assert [of_split.references.settings for of_split in found] == [expected.references.settings]
    assert {name: of.means() for name, of in found[0].references.evaluations.items()} == {
        name: of.means() for name, of in expected.references.evaluations.items()
    }


def test_those_that_take_much_are_evaluated_when_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.held_out.run_beside_fits", lambda *_: False)
    config, data, _ = prepared(tmp_path)
    with listening(recorder := Recorder()), references_beside(config, data) as references:
        time.sleep(0.2)
        assert recorder.labels == []
        assert len(references()) == 1
    assert "lists of popularity" in recorder.labels
