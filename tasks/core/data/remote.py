"""Ratings in an object store, copied into the home.

They are copied and not streamed: their digest is that of all bytes, the columns that are read are some of them, and a
table is read two or three times. So each byte is transferred once, and later commands only list the store's files.
"""

import errno
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tasks.core.data.readers.parquet.folder import digest_of_files, table_files
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import StoredFile, combined_sha256, file_sha256, home, replacing, write_text
from tasks.core.formatting import shown
from tasks.core.types import OnProgress

log = logging.getLogger(__name__)
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
"""Extra of latentlab that installs the client library of a scheme."""


def copies() -> Path:
    """Return the folder of the copies of remote data, each in a folder with a record beside it."""
    return home() / "datasets" / "remote"


def recorded_files(record: Path) -> dict[str, str]:
    """Return the files of a complete copy.

    Parameters
    ----------
    record : Path
        `KEY.json` in the folder of the copies. The copy is in the folder KEY beside it.

    Returns
    -------
    dict of str to str
        Path in the folder of each file -> its sha256.

    Raises
    ------
    OSError, ValueError
        If the record is missing or damaged.
    """
    try:
        return {
            str(file): str(sha256) for file, sha256 in json.loads(record.read_text(encoding="utf-8"))["files"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{record}: damaged") from error


def fetch_remote(url: str, *, on_bytes: OnProgress | None = None) -> StoredFile:
    """Return the copy of a remote file or folder, after copying it unless that was done before.

    The store's listing says what there is: for each file its size and whatever changes with its content (a tag, a
    time, a generation). Another listing is another copy. Files that an interrupted command has copied are kept.

    Parameters
    ----------
    url : str
        What fsspec understands, such as `s3://bucket/plays`: a file, or a folder of Parquet files.
    on_bytes : OnProgress, optional
        Called with the bytes copied and the bytes of all files.

    Returns
    -------
    StoredFile
        With the digest that a local copy has.

    Raises
    ------
    ConfigError
        If the client library of the store is not installed.
    DataError
        If there is nothing at the address, it cannot be read or copied, is no table, or changes meanwhile.
    """
    store = _store(url)
    files, key = store.files()
    folder, record = copies() / key, copies() / f"{key}.json"
    path = folder / store.name
    if record.exists():
        try:
            expected = recorded_files(record)
            if {file: file_sha256(folder / file) for file in expected} == expected:
                return StoredFile(str(path), _digest(folder, expected, path))
        except (OSError, ValueError):
            pass
        log.warning("%s is not what was copied from %s; copying it again", path, url)
        record.unlink()
        shutil.rmtree(folder, ignore_errors=True)
    total, done = sum(size for _, size in files.values()), 0
    for file, (remote, size) in files.items():
        target = folder / file
        if not (target.exists() and target.stat().st_size == size):
            with replacing(target) as temporary:
                store.copy(remote, temporary, done, total, on_bytes)
                if (copied := temporary.stat().st_size) != size:
                    raise DataError(
                        f"{url}: {remote} has {size:,} bytes, but {copied:,} arrived; run the command again"
                    )
        done += size
        if on_bytes:
            on_bytes(done, total)
    if store.files()[1] != key:
        shutil.rmtree(folder, ignore_errors=True)
        raise DataError(f"{url}: changed while it was copied; run the same command again")
    digests = {file: file_sha256(folder / file) for file in files}
    write_text(record, json.dumps({"url": url, "files": digests}))
    return StoredFile(str(path), _digest(folder, digests, path))


def _digest(folder: Path, digests: dict[str, str], path: Path) -> str:
    """Return the digest of a copy whose files have these digests."""
    if path.is_file():
        return digests[path.name]
    sizes = {file: (folder / file).stat().st_size for file in digests}
    # the paths of a table are relative to its own folder
    return digest_of_files((file.partition("/")[2], sizes[file], digests[file]) for file in digests)


@dataclass(frozen=True)
class _Store:
    """What fsspec gives for an address."""

    url: str
    filesystem: Any
    root: str

    @property
    def name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(self.root).name or "table"

    def files(self) -> tuple[dict[str, tuple[str, int]], str]:
        """Return the local path of each file -> its remote path and size; and the digest of the listing."""
        with self._errors():
            self.filesystem.invalidate_cache()
            info = self.filesystem.info(self.root)
            if info["type"] == "file":
                infos = {self.name: info}
            else:
                infos = self._table(self.filesystem.find(self.root, detail=True))
        # what changes with the content is called otherwise in each store; fsspec compares versions by all of it, too
        listing = {file: sorted((str(name), str(value)) for name, value in infos[file].items()) for file in infos}
        found = {file: (str(info["name"]), int(info["size"])) for file, info in infos.items()}
        return found, combined_sha256(self.url, listing)

    def _table(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the local path of each file of a table -> what the store says of it."""
        prefix = self.root.rstrip("/") + "/"
        # an object whose name ends in a slash stands for a folder
        infos = {path.removeprefix(prefix): info for path, info in found.items() if not path.endswith("/")}
        if not infos:
            raise self._not_found()
        for path in infos:
            if ".." in PurePosixPath(path).parts or path.startswith("/"):
                raise DataError(f"{self.url}: holds {shown(path)}, which is no path in a folder")
        return {f"{self.name}/{path}": infos[path] for path in table_files(infos, self.url)}

    def _not_found(self) -> DataError:
        return DataError(f"{self.url}: not found; expected a file of ratings or a folder of Parquet files")

    def copy(self, remote: str, target: Path, done: int, total: int, on_bytes: OnProgress | None) -> None:
        """Copy a file."""
        from fsspec.callbacks import Callback

        def report(size: int | None, value: int, **_: Any) -> None:
            if on_bytes:
                on_bytes(done + value, total)

        with self._errors():
            self.filesystem.get_file(remote, str(target), callback=Callback(hooks={"bytes": report}))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Report whatever a client library raises: each has exceptions of its own."""
        try:
            yield
        except DataError:
            raise
        except FileNotFoundError as error:
            raise self._not_found() from error
        except Exception as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise  # of this machine's disk
            reason = str(error) or type(error).__name__
            raise DataError(
                f"{self.url}: cannot be read: {shown(reason)}; check the address, and the credentials in the "
                "environment or the configuration files of the client library"
            ) from error


def _store(url: str) -> _Store:
    import fsspec

    scheme = url.partition("://")[0]
    try:
        filesystem, root = fsspec.url_to_fs(url, **_options(scheme))
    except (ImportError, ValueError) as error:
        if scheme in _EXTRAS and (isinstance(error, ImportError) or scheme not in fsspec.available_protocols()):
            remedy = f"its client library is not installed: pip install --editable '.[{_EXTRAS[scheme]}]'"
        else:
            remedy = f"{error}; expected an address such as s3://BUCKET/FOLDER, whose client library is installed"
        raise ConfigError(f"dataset.path: {url}: {remedy}") from error
    return _Store(url, filesystem, str(root))


def _options(scheme: str) -> dict[str, Any]:
    """Return the options of a client that bound how long it waits.

    s3fs repeats what fails five times, and by default botocore does so within each, with a minute for each attempt.
    """
    if _EXTRAS.get(scheme) != "s3":
        return {}
    from fsspec.config import conf  # a user's configuration file

    limits = {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 0}}
    return {"config_kwargs": {**limits, **conf.get("s3", {}).get("config_kwargs", {})}}
