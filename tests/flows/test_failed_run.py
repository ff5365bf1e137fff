"""Faults that a run of the flow meets: the exit code of each kind, and no finished run."""

import shutil

import pytest

from tests.command_line import CommandLine


@pytest.mark.parametrize(
    ("code", "override", "message"),
    [
        (
            2,
            "queries={users: [4], items: [0, 7], recommend_for: [400]}",
            "queries.users: found 4; the data have users 0 to 3\n"
            "queries.items: found 7; the data have items 0 to 6\n"
            "queries.recommend_for: found 400; the data have users 0 to 3",
        ),
        (3, "dataset.path=absent.csv", "is not a file; expected a CSV, TSV or Parquet file of ratings"),
        (3, "preprocess.min_rating=6", "no rating is at least min_rating 6"),
        pytest.param(
            3,
            "evaluation={split: {test_fraction: 0.001}}",
            "one part is empty; change evaluation.split",
        ),
        (
            6,
            "execution={runner: dask, address: 'tcp://127.0.0.1:9'}",
            "the Dask cluster at tcp://127.0.0.1:9 cannot be",
        ),
        (5, "tracking.uri=sqlite:///ratings.csv", "file is not a database"),
    ],
)
def test_a_fault_that_the_flow_meets_leaves_no_finished_run(
    online: CommandLine, monkeypatch: pytest.MonkeyPatch, code: int, override: str, message: str
) -> None:
    monkeypatch.setattr("flows.fits._CLUSTER_SECONDS", 1)
    assert message in online.failure(code, "run", "config.yaml", "--set", override)
    assert online.finished_runs() == 0


@pytest.mark.parametrize("name", ["", "mine/k2", "mine:1"])
def test_a_name_under_which_no_model_can_be_registered_is_refused(offline: CommandLine, name: str) -> None:
    assert f"--register: found {name!r}" in offline.failure(2, "run", "config.yaml", "--register", name)
    assert offline.finished_runs() == 0


def test_an_api_of_prefect_that_is_down_is_reported(offline: CommandLine, closed: str) -> None:
    message = offline.failure(6, "run", "config.yaml", run=offline.run)
    assert f"Failed to reach API at {closed}/api" in message
    assert "check PREFECT_API_URL, or unset it for the embedded server" in message
    assert offline.finished_runs() == 0


def test_a_fit_that_fails_ends_the_process_with_its_code(online: CommandLine) -> None:
    failing = "models.k2={factors: 2, iterations: 2, alpha: 1e12, regularization: 1e38}"
    assert "regularization" in online.failure(4, "run", "config.yaml", "--set", failing, run=online.run)
    assert online.finished_runs() == 0


def test_a_fit_under_fresh_that_cannot_be_written_fails_the_command_and_keeps_the_old_run(online: CommandLine) -> None:
    """A disk that is full while a fit trains is a DataError. The earlier result must not be returned in its place."""
    here = ("--set", "execution.isolate=false")
    first = online.answer("run", "config.yaml", *here)
    work = online.folder / "home" / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.write_text("where the folder of the fit belongs")
    assert "cannot be written" in online.failure(3, "run", "config.yaml", "--fresh", *here)
    work.unlink()
    again = online.answer("run", "config.yaml", *here)
    assert (again["trained"], again["runs"], again["parent_id"]) == (0, first["runs"], first["parent_id"])
