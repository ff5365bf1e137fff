"""Runs against their manifests: every file is hashed again."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, cast

from tasks.core.errors import TrackingError
from tasks.core.files import file_digest
from tasks.core.planning.runs import PARENT
from tasks.reporting import progress
from tasks.tracking.artifacts import MANIFEST, list_files, local_path
from tasks.tracking.comparison import used_fits
from tasks.tracking.logged_models.consensus_model import COMPLETE
from tasks.tracking.logged_models.files import output_models
from tasks.tracking.runs import is_complete, run_ref
from tasks.tracking.store import is_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from tasks.tracking.local_reader.types import StoredRun

_LEFT_BY_LOADING = {"__pycache__", "registered_model_meta"}
"""What Python and MLflow write beside a model's code when `models:/NAME/VERSION` is loaded from a local store."""


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


def verify_runs(client: "MlflowClient", runs: "Sequence[StoredRun]") -> Iterator[FileCheck]:
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
        str(run.info.run_id): cast("Run", run)  # the client is MLflow's
        for run in runs
        if is_complete(run) or "latentlab.superseded" in run.data.tags
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


def _used_fits(client: "MlflowClient", run: "StoredRun") -> list[str]:
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
    """Compare a run's artifacts and its logged models with the manifest, and that with the run's tag.

    A consensus is logged with a comparison that was complete before, and has a manifest and a tag of its own.
    """
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

    def read_manifest(root: str, sha256: str, prefix: str = "") -> list[dict[str, Any]] | None:
        """Return the files that a manifest lists; None if it is damaged, and proves nothing."""
        manifest, problems = fetch(root, MANIFEST), len(check.problems)
        check.compare(f"{prefix}{MANIFEST}", manifest, sha256)
        if manifest is None or len(check.problems) > problems:
            return None
        listed = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        return [{**entry, "path": f"{prefix}{entry['path']}"} for entry in listed]

    root = str(run.info.artifact_uri)
    entries = read_manifest(root, run.data.tags["latentlab.complete"])
    if entries is None:
        return check
    recorded = {str(entry["path"]) for entry in entries}

    def listed_in(prefix: str, children: "Callable[[str | None], Any]") -> set[str]:
        """Return the paths that a store lists; those of the manifest if it cannot: each is reported as it is read."""
        try:
            paths = list_files(children)
            return {f"{prefix}{path}" for path in paths if not _LEFT_BY_LOADING & set(PurePosixPath(path).parts)}
        except OSError:
            return recorded

    listed = listed_in("", lambda path: client.list_artifacts(run.info.run_id, path)) - {MANIFEST}
    model_roots, deleted = {}, set()
    for model_id in output_models(run):
        prefix = f"models/{model_id}/"
        try:
            model = client.get_logged_model(model_id)
        except MlflowException as error:
            if not is_missing(error):
                raise
            deleted.add(model_id)
            check.add_problem(f"models/{model_id}", "missing")
            continue
        model_roots[model_id] = str(model.artifact_location)
        if sha256 := model.tags.get(COMPLETE):
            own_entries = read_manifest(model_roots[model_id], sha256, prefix)
            if own_entries is None:
                continue
            entries += own_entries
            recorded |= {f"{prefix}{MANIFEST}", *(str(entry["path"]) for entry in own_entries)}
        listed |= listed_in(prefix, _files_of_model(client, model_id))
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
