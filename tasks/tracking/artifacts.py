"""Files of a run: uploaded with a manifest, and checked against it when they are read."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tasks.core.errors import TrackingError
from tasks.core.files import file_sha256, home, listing
from tasks.tracking.runs import set_tags
from tasks.tracking.store import first_line

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import FileInfo, Run

MANIFEST = "manifest.json"


def write_table(folder: Path, path: str, frame: "pd.DataFrame") -> None:
    """Stage a table that the MLflow UI shows beside those of other runs, as `log_table` writes it.

    `log_table` itself appends, so that a second try would double the rows.
    """
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    frame.to_json(target, orient="split", index=False)


def check_arrived(what: str, sent: Sequence[Mapping[str, Any]], listed: Mapping[str, int]) -> None:
    """Refuse an upload whose files the store does not list with the sizes that were sent."""
    wrong = [str(entry["path"]) for entry in sent if listed.get(entry["path"]) != entry["size"]]
    if wrong:
        raise TrackingError(f"{what}: {', '.join(wrong)} did not arrive whole; run the same command again")


def upload(
    client: "MlflowClient",
    run_id: str,
    folder: Path,
    *,
    files: Sequence[Mapping[str, Any]] | None = None,
    tables: Sequence[str] = (),
    more: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Upload files with a manifest of them, check what arrived, and mark the run complete.

    Parameters
    ----------
    files : what of the folder, as `tasks.core.files.listing` says it; by default all
    tables : paths of what the MLflow UI shows as tables
    more : entries of files that belong to the run and are kept elsewhere: those of its model

    Raises
    ------
    TrackingError
        The artifacts cannot be written, or what the store lists afterwards is not what was sent.
    """
    sent = listing(folder) if files is None else files
    manifest = json.dumps({"files": [*sent, *more]}, indent=1)
    try:
        for entry in sent:
            parent = PurePosixPath(entry["path"]).parent.as_posix()
            client.log_artifact(run_id, str(folder / entry["path"]), None if parent == "." else parent)
        client.log_text(run_id, manifest, MANIFEST)
    except OSError as error:
        raise TrackingError(
            f"run {run_id}: its artifacts cannot be written: {first_line(error)}; "
            "repair the place or its server, and run the same command again: what is trained is kept"
        ) from None
    found = listed(lambda path: client.list_artifacts(run_id, path))
    content = manifest.encode()
    check_arrived(f"run {run_id}", [*sent, {"path": MANIFEST, "size": len(content)}], found)
    logged = json.dumps([{"path": path, "type": "table"} for path in tables])
    digest = hashlib.sha256(content).hexdigest()
    set_tags(client, run_id, {"mlflow.loggedArtifacts": logged, "latentlab.complete": digest})


def read_artifact(client: "MlflowClient", run_id: str, path: str) -> Path:
    """A local copy of a complete run's file, checked against the manifest and that against the run's tag.

    Raises
    ------
    TrackingError
        The run is not complete, has no such file, or the file is not the one that was written.
    """
    run = client.get_run(run_id)
    complete = run.data.tags.get("latentlab.complete")
    if complete is None:
        raise TrackingError(f"run {run_id} is not complete; run its config again")
    manifest = _local(client, run, MANIFEST)
    if _sha256(run, manifest) != complete:
        raise TrackingError(f"run {run_id}: {MANIFEST} differs from the run's tag; train it anew with --fresh")
    entries = {entry["path"]: entry for entry in json.loads(manifest.read_text(encoding="utf-8"))["files"]}
    if path not in entries:
        raise TrackingError(f"run {run_id} has no {path}; it has {', '.join(entries)}")
    file = _local(client, run, path)
    found = _sha256(run, file)
    if found != entries[path]["sha256"]:
        raise TrackingError(
            f"run {run_id}: {path} has sha256 {found[:12]}… but {entries[path]['sha256'][:12]}… expected: "
            "it was damaged or changed; train it anew with --fresh"
        )
    return file


def listed(children: "Callable[[str | None], Sequence[FileInfo]]", path: str | None = None) -> dict[str, int]:
    """Every file below a path, with its size, where `children` lists a folder."""
    sizes: dict[str, int] = {}
    for file in children(path):
        sizes |= listed(children, file.path) if file.is_dir else {file.path: int(file.file_size or 0)}
    return sizes


def kept_at(root: str, path: str) -> Path | None:
    """Where a store that is a folder keeps a file; None where the store is something else."""
    kept = urlsplit(root)
    return Path(unquote(kept.path)) / path if kept.scheme in {"", "file"} else None


def _local(client: "MlflowClient", run: "Run", path: str) -> Path:
    """A run's file on this machine: where the store keeps it, or else a copy under our home."""
    from mlflow.exceptions import MlflowException

    if (kept := kept_at(run.info.artifact_uri, path)) is not None:
        return kept
    folder = home() / "downloads" / run.info.run_id
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Path(client.download_artifacts(run.info.run_id, path, str(folder)))
    except (MlflowException, OSError) as error:
        raise TrackingError(f"run {run.info.run_id}: {path} cannot be read: {error}") from None


def _sha256(run: "Run", path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise TrackingError(
            f"run {run.info.run_id}: {path} cannot be read: {error.strerror}; train it anew with --fresh"
        ) from None
