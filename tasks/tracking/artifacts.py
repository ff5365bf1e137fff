"""Files of a run: uploaded with a manifest, and checked against it when they are read."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tasks.core.errors import TrackingError
from tasks.core.files import file_sha256, home, listing, writing
from tasks.tracking.local_store import file_path
from tasks.tracking.runs import set_tags
from tasks.tracking.store import first_line, reporting_missing

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import FileInfo

    from tasks.tracking.local_reader.types import StoreReader

MANIFEST = "manifest.json"
_DOWNLOADS = "downloads"


class RunFiles:
    """The files of a complete run. Run and manifest are fetched once, however many files are read.

    Parameters
    ----------
    client : StoreReader
    run_id : str
    local : Path, optional
        A folder on this machine that may still hold the run's files. A file there is used if it is what the manifest
        says.
    """

    def __init__(self, client: "StoreReader", run_id: str, local: Path | None = None) -> None:
        self._client, self.run_id, self._local = client, run_id, local

    def read(self, path: str) -> Path:
        """Return a file on this machine, checked against the manifest. One that was downloaded is kept under the home.

        Raises
        ------
        TrackingError
            If the run is not complete, has no such file, or the file is not what was written.
        """
        return self._read(path, home() / _DOWNLOADS / self.run_id)

    @contextmanager
    def reading(self, path: str) -> Iterator[Path]:
        """Yield a file on this machine, checked against the manifest. One that was downloaded is removed again.

        Raises
        ------
        TrackingError
            As `read` does, or if the block cannot read the file.
        """
        with self._temporary_folder() as folder:
            file = self._read(path, folder)
            try:
                yield file
            except OSError as error:
                raise TrackingError(self._unreadable(path, error)) from error

    def _read(self, path: str, folder: Path) -> Path:
        """Return a file where it is on this machine, or a copy in `folder`."""
        if path not in self.entries:
            raise TrackingError(f"run {self.run_id} has no {path}; it has {', '.join(self.entries)}")
        expected = self.entries[path]["sha256"]
        if self._local:
            with suppress(OSError):  # it was removed
                if file_sha256(self._local / path) == expected:
                    return self._local / path
        file = self._fetch(path, folder)
        if (sha256 := self._sha256(file)) != expected:
            raise TrackingError(
                f"run {self.run_id}: {path} has sha256 {sha256[:12]}… but {expected[:12]}… expected: "
                "it was damaged or changed; train it again with --fresh"
            )
        return file

    @cached_property
    def entries(self) -> dict[str, dict[str, Any]]:
        """The files that the manifest lists, by path.

        Raises
        ------
        TrackingError
            If the run is not complete, or its manifest is not what was written.
        """
        complete = self._run.data.tags.get("latentlab.complete")
        if complete is None:
            raise TrackingError(f"run {self.run_id} is not complete; run its config again")
        with self._temporary_folder() as folder:
            manifest = self._fetch(MANIFEST, folder)
            if self._sha256(manifest) != complete:
                raise TrackingError(
                    f"run {self.run_id}: {MANIFEST} differs from the run's tag; train it again with --fresh"
                )
            return {entry["path"]: entry for entry in json.loads(manifest.read_text(encoding="utf-8"))["files"]}

    @cached_property
    def _run(self) -> Any:
        advice = "run its config again, which trains what is missing"
        with reporting_missing(f"run {self.run_id} does not exist: it was deleted in MLflow; {advice}"):
            return self._client.get_run(self.run_id)

    @contextmanager
    def _temporary_folder(self) -> Iterator[Path]:
        """Yield a folder for downloads under the home; it is removed after the block."""
        if local_path(self._run.info.artifact_uri, "") is not None:
            yield Path()  # nothing is downloaded
            return
        downloads = home() / _DOWNLOADS
        with writing(downloads):
            folder = tempfile.TemporaryDirectory(dir=downloads)
        with folder as name:
            yield Path(name)

    def _fetch(self, path: str, folder: Path) -> Path:
        """Return a file on this machine: where the store keeps it, or a copy in `folder`."""
        if (stored := local_path(self._run.info.artifact_uri, path)) is not None:
            return stored
        from mlflow.exceptions import MlflowException

        try:
            folder.mkdir(parents=True, exist_ok=True)
            return Path(self._client.download_artifacts(self.run_id, path, str(folder)))
        except (MlflowException, OSError) as error:
            raise TrackingError(f"run {self.run_id}: {path} cannot be read: {error}") from error

    def _sha256(self, path: Path) -> str:
        try:
            return file_sha256(path)
        except OSError as error:
            raise TrackingError(self._unreadable(str(path), error)) from error

    def _unreadable(self, path: str, error: OSError) -> str:
        """Return the message for a file that cannot be read."""
        advice = "train it again with --fresh"
        if isinstance(error, PermissionError):
            advice = "give the user who runs latentlab the right to read it"
        folder = file_path(self._run.info.artifact_uri)
        if folder and not folder.exists():
            advice = (
                "the folder of the run's files does not exist: if the project was moved, put mlartifacts beside "
                f"the store, where it is found; else {advice}"
            )
        return f"run {self.run_id}: {path} cannot be read: {error.strerror or error}; {advice}"


def upload(
    client: "MlflowClient",
    run_id: str,
    folder: Path,
    *,
    files: Sequence[Mapping[str, Any]] | None = None,
    tables: Sequence[str] = (),
    model_files: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Upload files with a manifest of them, check that they arrived, and tag the run as complete.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        Id of the run.
    folder : Path
        The folder.
    files : sequence of dict, optional
        Which files of the folder, as `tasks.core.files.listing` returns them; all by default.
    tables : sequence of str
        Paths of the files that the MLflow UI shows as tables.
    model_files : sequence of dict
        Entries of the files of the run's logged model, which are stored elsewhere.

    Raises
    ------
    TrackingError
        If the artifacts cannot be written, or the store does not list what was sent.
    """
    sent = listing(folder) if files is None else files
    manifest = json.dumps({"files": [*sent, *model_files]}, indent=1)
    with writing_artifacts(run_id):
        for entry in sent:
            parent = PurePosixPath(entry["path"]).parent.as_posix()
            client.log_artifact(run_id, str(folder / entry["path"]), None if parent == "." else parent)
        client.log_text(run_id, manifest, MANIFEST)
    content = manifest.encode()
    check_arrived(
        f"run {run_id}",
        [*sent, {"path": MANIFEST, "size": len(content)}],
        list_files(lambda path: client.list_artifacts(run_id, path)),
    )
    tables_tag = json.dumps([{"path": path, "type": "table"} for path in tables])
    sha256 = hashlib.sha256(content).hexdigest()
    set_tags(client, run_id, {"mlflow.loggedArtifacts": tables_tag, "latentlab.complete": sha256})


@contextmanager
def writing_artifacts(run_id: str) -> Iterator[None]:
    """Report an OSError of the block, which sends files to the store, as a TrackingError.

    Raises
    ------
    TrackingError
        If the artifacts cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise TrackingError(
            f"run {run_id}: its artifacts cannot be written: {first_line(error)}; "
            "repair the place or its server, and run the same command again: what is trained is kept"
        ) from error


def check_arrived(what: str, sent: Sequence[Mapping[str, Any]], arrived: Mapping[str, int]) -> None:
    """Compare what was uploaded with what the store lists.

    Parameters
    ----------
    what : str
        What was uploaded, in a message.
    sent : sequence of dict
        `path` and `size` of each file.
    arrived : mapping of str to int
        Path -> size, see `list_files`.

    Raises
    ------
    TrackingError
        If a file is missing or has another size.
    """
    wrong = [str(entry["path"]) for entry in sent if arrived.get(entry["path"]) != entry["size"]]
    if wrong:
        raise TrackingError(f"{what}: {', '.join(wrong)} did not arrive completely; run the same command again")


def list_files(children: "Callable[[str | None], Sequence[FileInfo]]", path: str | None = None) -> dict[str, int]:
    """List every file below a path.

    Parameters
    ----------
    children : callable
        Lists the files and folders in a folder; None is the root.
    path : str, optional
        Path of the file.

    Returns
    -------
    dict of str to int
        Path -> size in bytes.
    """
    sizes: dict[str, int] = {}
    for file in children(path):
        sizes |= list_files(children, file.path) if file.is_dir else {file.path: int(file.file_size or 0)}
    return sizes


def local_path(root: str, path: str) -> Path | None:
    """Return where a store keeps a file on this machine.

    Parameters
    ----------
    root : str
        URI of a run's or a model's artifacts.
    path : str
        Within it.

    Returns
    -------
    Path or None
        None if the store is not a folder of this machine.
    """
    folder = file_path(root)
    return folder / path if folder else None


def write_table(folder: Path, path: str, frame: "pd.DataFrame") -> None:
    """Write a table in the form in which `log_table` does, so that the MLflow UI shows it beside those of other runs.

    `log_table` itself appends: a second attempt would double the rows.

    Parameters
    ----------
    folder : Path
        The folder.
    path : str
        Within the folder.
    frame : DataFrame
        The table.
    """
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    frame.to_json(target, orient="split", index=False)
