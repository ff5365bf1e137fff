"""The file or directory on this machine that holds a config's data set."""

from pathlib import Path

from tasks.core.config.dataset import DatasetConfig, scheme_of
from tasks.core.data.catalogue import CatalogueEntry, Download, catalogue_entry
from tasks.core.data.download import fetch
from tasks.core.data.readers.archives import member_sha256
from tasks.core.data.readers.parquet.folder import folder_digest
from tasks.core.data.remote import fetch_remote
from tasks.core.data.synthetic import write_ratings
from tasks.core.errors import DataError
from tasks.core.files import StoredFile, file_digest, file_sha256, home, replacing
from tasks.core.types import OnProgress

_SECONDS = 6 * 3600
"""Time limit of the download of a file of one's own, whose size is not known."""


def downloads() -> Path:
    """Return the folder of the files that were downloaded for `dataset.url`, each in a folder named by its sha256."""
    return home() / "datasets" / "by-sha256"


def locate(config: DatasetConfig, *, on_bytes: OnProgress | None = None) -> StoredFile:
    """Return the data set on this machine: the file that `path` names, else one that is downloaded or generated.

    Parameters
    ----------
    config : DatasetConfig
        Names an entry of the catalogue, or a file of one's own.
    on_bytes : OnProgress, optional
        Called during a download or the copying of remote data with the bytes received and the bytes expected.

    Returns
    -------
    StoredFile
        The path may be a ratings file, a folder of Parquet files, an archive or its folder. The digest is always that
        of the ratings' bytes, for a folder of Parquet files with their paths in it, and is compared to the catalogue.
        If the catalogue pins the archive alone, a folder's content cannot be verified; reading it checks the number of
        ratings.

    Raises
    ------
    ConfigError
        If the catalogue has no such data set.
    DataError
        If the path does not exist, its content is not what was published, or the download fails.
    """
    if config.url is not None and config.sha256 is not None:
        file = Download(urls=(config.url,), sha256=config.sha256, seconds=_SECONDS)
        return StoredFile(str(fetch(file, downloads() / config.sha256, on_bytes=on_bytes)), config.sha256)
    if config.name == "file":
        if scheme_of(str(config.path)):
            return fetch_remote(str(config.path), on_bytes=on_bytes)
        path = Path(str(config.path)).expanduser().absolute()
        if path.is_dir():
            return StoredFile(str(path), folder_digest(path))
        if not path.is_file():
            raise DataError(
                f"dataset.path: {path} is not a file; expected a CSV, TSV or Parquet file of ratings, or a folder of "
                "Parquet files"
            )
        try:
            return StoredFile(str(path), file_sha256(path))
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    entry = catalogue_entry(config.name)
    if copy := named_copy(config):
        path = copy
        _check_archive(path, entry)
    elif entry.archive:
        path = fetch(entry.archive, home() / "datasets", on_bytes=on_bytes)
    else:
        path = home() / "datasets" / entry.ratings.member
        if not path.exists() or file_sha256(path) != entry.ratings.sha256:
            with replacing(path) as temporary:
                write_ratings(temporary, entry.seed or 0)
    return StoredFile(str(path), member_sha256(path, entry.ratings))


def named_copy(config: DatasetConfig) -> Path | None:
    """Return the copy of a data set of the catalogue that `path` names; None if the config names none.

    Parameters
    ----------
    config : DatasetConfig
        Names an entry of the catalogue.

    Returns
    -------
    Path or None

    Raises
    ------
    DataError
        If there is no such file or folder.
    """
    if config.path is None:
        return None
    path = Path(config.path).expanduser().absolute()
    if not path.exists():
        raise DataError(f"dataset.path: {path} does not exist; remove the key to have the data set downloaded")
    return path


def _check_archive(path: Path, entry: CatalogueEntry) -> None:
    """Check the digest of a local zip file if the catalogue pins no digest of the ratings in it.

    Where it does, the ratings' own digest is enough, and a zip file that was repacked is accepted.
    """
    if entry.archive and not entry.ratings.sha256 and path.suffix == ".zip" and path.is_file():
        algorithm, expected = entry.archive.pin
        digest = file_digest(path, algorithm)
        if digest != expected:
            raise DataError(
                f"{path}: its {algorithm} is {digest[:12]}… but {expected[:12]}… was published; it is truncated, "
                "altered or repacked: use another copy, or the folder that it unpacks to"
            )
