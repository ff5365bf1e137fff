"""Runs against their manifests: every file is hashed again."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from tasks.core.errors import TrackingError
from tasks.core.files import file_digest
from tasks.core.planning.runs import PARENT
from tasks.reporting import progress
from tasks.tracking.artifacts import MANIFEST, list_files, local_path
from tasks.tracking.comparison import used_fits
from tasks.tracking.runs import is_complete, run_ref
from tasks.tracking.store import is_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class Problem:
    """A file, a logged model or a run that is not what was written.

    Attributes
    ----------
    place : str
        The run's id, or `home`.
    path : str
    problem : str
        `damaged`, `missing` or `extra`.
    """

    place: str
    path: str
    problem: Literal["damaged", "missing", "extra"]


@dataclass(frozen=True)
class Verified:
    """What a verification has hashed, and the problems it found.

    Attributes
    ----------
    runs, files : int
    problems : list of Problem
    """

    runs: int
    files: int
    problems: list[Problem]

    @classmethod
    def of(cls, home: "Sequence[FileCheck]", runs: "Sequence[FileCheck]") -> "Verified":
        """Return the sum of the checks of the home and of runs.

        Parameters
        ----------
        home, runs : sequence of FileCheck
            Checks of the home and of runs.

        Returns
        -------
        Verified
        """
        checks = [*home, *runs]
        problems = [problem for check in checks for problem in check.problems]
        return cls(len(runs), sum(check.files for check in checks), problems)


class FileCheck:
    """Counts the files of one place, and collects their problems.

    Parameters
    ----------
    place : str
        See `Problem`.

    Attributes
    ----------
    files : int
    problems : list of Problem
    """

    def __init__(self, place: str) -> None:
        self.place, self.files = place, 0
        self.problems: list[Problem] = []

    def add_problem(self, path: str, problem: Literal["damaged", "missing", "extra"]) -> None:
        """Record a problem.

        Parameters
        ----------
        path : str
            Path of the file.
        problem : str
            `damaged`, `missing` or `extra`.
        """
        self.problems.append(Problem(self.place, path, problem))

    def compare(self, path: str, file: Path | None, expected: str, algorithm: str = "sha256") -> None:
        """Compare a file with its digest.

        Parameters
        ----------
        path : str
            How the file is called in a problem.
        file : Path or None
            None if it is missing.
        expected : str
            Its digest.
        algorithm : str
            Of the digest.
        """
        self.files += 1
        try:
            if file is None:
                self.add_problem(path, "missing")
            elif file_digest(file, algorithm) != expected:
                self.add_problem(path, "damaged")
        except FileNotFoundError:
            self.add_problem(path, "missing")
        except OSError:
            self.add_problem(path, "damaged")


def verify_runs(client: "MlflowClient", runs: "Sequence[Run]") -> Iterator[FileCheck]:
    """Hash every file of the runs that are, or were, complete, and of the fits that the comparisons among them used.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    runs : sequence of Run
        The runs.

    Yields
    ------
    FileCheck
        Of each run. A fit that was deleted in MLflow is a missing `run`.
    """
    complete = {
        str(run.info.run_id): run for run in runs if is_complete(run) or "latentlab.superseded" in run.data.tags
    }
    used = {run_id for run in runs if is_complete(run) for run_id in _used_fits(client, run)}
    for run_id in sorted(used - complete.keys()):
        if run := _active_run(client, run_id):
            complete[run_id] = run
        else:
            check = FileCheck(run_id)
            check.add_problem("run", "missing")
            yield check
    for number, run in enumerate(complete.values(), start=1):
        with tempfile.TemporaryDirectory() as folder:
            yield _verify_run(client, run, Path(folder))
        progress.step("verify", number, len(complete), "runs")


def _used_fits(client: "MlflowClient", run: "Run") -> list[str]:
    """Return the ids of the fits that a comparison used, wherever in the store they are; none if it cannot be read."""
    if run_ref(run).role != PARENT:
        return []
    try:
        return [fit.run_id for fit in used_fits(client, run.info.run_id)]
    except TrackingError:  # the file itself is reported
        return []


def _active_run(client: "MlflowClient", run_id: str) -> "Run | None":
    """Return a run; None if it was deleted."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if not is_missing(error):
            raise
        return None
    return run if run.info.lifecycle_stage == "active" else None


def _verify_run(client: "MlflowClient", run: "Run", folder: Path) -> FileCheck:
    """Compare a run's artifacts and its logged model with the manifest, and that with the run's tag."""
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    check = FileCheck(str(run.info.run_id))

    def fetch(root: str, path: str) -> Path | None:
        """Return a file where the store keeps it, or else a copy in `folder`."""
        if (stored := local_path(root, path)) is not None:
            return stored
        source = f"{root.rstrip('/')}/{path}"
        try:
            return Path(download_artifacts(source, dst_path=str(folder), tracking_uri=client.tracking_uri))
        except Exception:  # each kind of store has errors of its own for a missing file
            return None

    root = str(run.info.artifact_uri)
    manifest = fetch(root, MANIFEST)
    check.compare(MANIFEST, manifest, run.data.tags["latentlab.complete"])
    if check.problems or manifest is None:
        return check
    entries: list[dict[str, Any]] = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    recorded = {str(entry["path"]) for entry in entries}

    def listed_in(prefix: str, children: "Callable[[str | None], Any]") -> set[str]:
        """Return the paths that a store lists; those of the manifest if it cannot: each is reported as it is read."""
        try:
            return {f"{prefix}{path}" for path in list_files(children)}
        except OSError:
            return recorded

    listed = listed_in("", lambda path: client.list_artifacts(run.info.run_id, path)) - {MANIFEST}
    model_roots, deleted = {}, set()
    for output in run.outputs.model_outputs if run.outputs else []:
        model_id = str(output.model_id)
        try:
            model_roots[model_id] = str(client.get_logged_model(model_id).artifact_location)
        except MlflowException as error:
            if not is_missing(error):
                raise
            deleted.add(model_id)
            check.add_problem(f"models/{model_id}", "missing")
            continue
        listed |= listed_in(f"models/{model_id}/", _files_of_model(client, model_id))
    for entry in entries:
        path = str(entry["path"])
        folder_name, _, rest = path.partition("/")
        model_id, _, path_in_model = rest.partition("/")
        if folder_name == "models" and model_id in deleted:
            continue
        if not _stays_within(path):
            check.add_problem(path, "damaged")
        elif path not in listed:
            check.compare(path, None, entry["sha256"])
        elif folder_name == "models" and model_id in model_roots:
            check.compare(path, fetch(model_roots[model_id], path_in_model), entry["sha256"])
        else:
            check.compare(path, fetch(root, path), entry["sha256"])
    for path in sorted(listed - recorded):
        check.add_problem(path, "extra")
    return check


def _files_of_model(client: "MlflowClient", model_id: str) -> "Callable[[str | None], Any]":
    return lambda path: client.list_logged_model_artifacts(model_id, path)


def _stays_within(path: str) -> bool:
    """Return whether a path stays within the folder that it is relative to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts
