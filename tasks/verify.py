"""Whether everything is still what was written: runs against their manifests, our home against its digests."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from tasks import progress, staging
from tasks.artifacts import MANIFEST, kept_at, listed
from tasks.core import checkpoint
from tasks.core.catalogue import catalogue
from tasks.core.errors import DataError
from tasks.core.store import TEMPORARY, file_digest, home
from tasks.preprocess import FOLDER, SPLITS
from tasks.runs import is_complete

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


class _Check:
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
    checks = [_home()] if with_home else []
    complete = [run for run in runs if is_complete(run) or "latentlab.superseded" in run.data.tags]
    for number, run in enumerate(complete, start=1):
        with tempfile.TemporaryDirectory() as scratch:
            checks.append(_run(client, run, Path(scratch)))
        progress.step("verify", number, len(complete), "runs")
    return Verified(len(complete), sum(each.files for each in checks), [p for each in checks for p in each.problems])


def _run(client: "MlflowClient", run: "Run", scratch: Path) -> _Check:
    """A run's artifacts, and those of its logged model, against the manifest; that against the run's tag."""
    from mlflow.artifacts import download_artifacts

    check = _Check(str(run.info.run_id))

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


def _home() -> _Check:
    check = _Check("home")
    for path, algorithm, expected in _expected():
        check.digest(str(path.relative_to(home())), path, expected, algorithm)
    for path in checkpoint.all_paths():
        check.files += 1
        try:
            checkpoint.read(path)
        except DataError:
            check.note(str(path.relative_to(home())), "damaged")
    for stored in staging.stored_files():
        path = Path(stored.path)
        check.digest(str(path.relative_to(home())), path, stored.sha256)
    for path in sorted(path for folder in (FOLDER, SPLITS) for path in (home() / folder).glob("*")):
        if path.is_file() and path.suffix != ".npz" and not path.name.startswith(TEMPORARY):
            check.note(str(path.relative_to(home())), "extra")
    return check


def _expected() -> Iterator[tuple[Path, str, str]]:
    """Files of our home, those that are there and those that notes mean; the algorithm and the digest that each has."""
    for known in catalogue().values():
        algorithm, digest = known.archive.pin if known.archive else ("sha256", known.ratings.sha256)
        name = known.archive.urls[0].rpartition("/")[2] if known.archive else known.ratings.member
        if digest and (path := home() / "datasets" / name).exists():
            yield path, algorithm, digest
    for folder in (home() / FOLDER, home() / SPLITS):
        names = {path.name for path in folder.glob("*.npz") if not path.name.startswith(TEMPORARY)}
        for note in sorted((folder / "made-from").glob("*.json")):
            try:
                names.add(Path(json.loads(note.read_text(encoding="utf-8"))["name"]).name)
            except (OSError, ValueError, KeyError, TypeError):
                yield note, "sha256", ""
        for name in sorted(names):
            yield folder / name, "sha256", name.partition(".")[0]
