"""Runs against their manifests."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from tasks.core.files import file_digest
from tasks.recovery.verify_home import verify_home
from tasks.reporting import progress
from tasks.tracking.artifacts import MANIFEST, kept_at, listed
from tasks.tracking.runs import is_complete

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class Problem:
    """A file that is not as it was written.

    place : the run's id, or `home`
    """

    place: str
    path: str
    problem: Literal["damaged", "missing", "extra"]


@dataclass(frozen=True)
class Verified:
    """How much was hashed, and what was found."""

    runs: int
    files: int
    problems: list[Problem]


class FileCheck:
    """Files counted and problems found, of one place."""

    def __init__(self, place: str) -> None:
        self.place, self.files = place, 0
        self.problems: list[Problem] = []

    def note(self, path: str, problem: Literal["damaged", "missing", "extra"]) -> None:
        self.problems.append(Problem(self.place, path, problem))

    def digest(self, path: str, file: Path | None, expected: str, algorithm: str = "sha256") -> None:
        """Compare a file, None where it is not there, with its digest."""
        self.files += 1
        try:
            if file is None:
                self.note(path, "missing")
            elif file_digest(file, algorithm) != expected:
                self.note(path, "damaged")
        except FileNotFoundError:
            self.note(path, "missing")
        except OSError:
            self.note(path, "damaged")


def verify(client: "MlflowClient", runs: "Sequence[Run]", *, with_home: bool) -> Verified:
    """Hash every file of the complete ones among `runs`, and of our home."""
    checks = [verify_home()] if with_home else []
    complete = [run for run in runs if is_complete(run) or "latentlab.superseded" in run.data.tags]
    for number, run in enumerate(complete, start=1):
        with tempfile.TemporaryDirectory() as scratch:
            checks.append(_run(client, run, Path(scratch)))
        progress.step("verify", number, len(complete), "runs")
    return Verified(len(complete), sum(each.files for each in checks), [p for each in checks for p in each.problems])


def _run(client: "MlflowClient", run: "Run", scratch: Path) -> FileCheck:
    """A run's artifacts, and those of its logged model, against the manifest; that against the run's tag."""
    from mlflow.artifacts import download_artifacts

    check = FileCheck(str(run.info.run_id))

    def fetch(root: str, path: str) -> Path | None:
        """A file on this machine: where the store keeps it, or else a copy for the moment."""
        if (kept := kept_at(root, path)) is not None:
            return kept
        source = f"{root.rstrip('/')}/{path}"
        try:
            return Path(download_artifacts(source, dst_path=str(scratch), tracking_uri=client.tracking_uri))
        except Exception:  # each kind of store has errors of its own for what is not there
            return None

    root = str(run.info.artifact_uri)
    manifest = fetch(root, MANIFEST)
    check.digest(MANIFEST, manifest, run.data.tags["latentlab.complete"])
    if check.problems or manifest is None:
        return check
    entries: list[dict[str, Any]] = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    there = {path for path in listed(lambda path: client.list_artifacts(run.info.run_id, path)) if path != MANIFEST}
    models = {str(each.model_id): "" for each in (run.outputs.model_outputs if run.outputs else [])}
    for model_id in models:
        models[model_id] = str(client.get_logged_model(model_id).artifact_location)
        found = listed(_model_lister(client, model_id))
        there |= {f"models/{model_id}/{path}" for path in found}
    for entry in entries:
        path = str(entry["path"])
        if not _is_plain(path):
            check.note(path, "damaged")
            continue
        first, _, rest = path.partition("/")
        model_id, _, inner = rest.partition("/")
        if path not in there:
            check.digest(path, None, entry["sha256"])
        elif first == "models" and model_id in models:
            check.digest(path, fetch(models[model_id], inner), entry["sha256"])
        else:
            check.digest(path, fetch(root, path), entry["sha256"])
    for path in sorted(there - {str(entry["path"]) for entry in entries}):
        check.note(path, "extra")
    return check


def _model_lister(client: "MlflowClient", model_id: str) -> "Callable[[str | None], Any]":
    return lambda path: client.list_logged_model_artifacts(model_id, path)


def _is_plain(path: str) -> bool:
    """Whether a path stays within the folder that it is relative to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts
