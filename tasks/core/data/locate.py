"""A config's data set -> its file on this machine."""

from pathlib import Path

from tasks.core.config.dataset import DatasetConfig
from tasks.core.data.catalogue import CatalogueEntry, entry
from tasks.core.data.download import OnBytes, fetch
from tasks.core.data.readers.archives import member_sha256
from tasks.core.data.synthetic import write_ratings
from tasks.core.errors import DataError
from tasks.core.files import StoredFile, file_digest, file_sha256, home, replacing


def locate(config: DatasetConfig, *, on_bytes: OnBytes | None = None) -> StoredFile:
    """The file or directory of the data set on this machine: made, downloaded, or the copy that `path` names.

    The digest is that of the ratings' bytes; for a catalogued data set it, or its archive's, is the pinned one. Where
    the archive alone is pinned, nothing vouches for a folder but its number of ratings.

    Raises
    ------
    ConfigError
        An unknown data set.
    DataError
        A path that is not there, bytes that are not those published, a failed download.
    """
    if config.name == "file":
        path = Path(str(config.path)).expanduser().absolute()
        if not path.is_file():
            raise DataError(f"dataset.path: {path} is not a file; expected a CSV, TSV or Parquet file of ratings")
        return StoredFile(str(path), _digest_of(path))
    known = entry(config.name)
    if config.path is not None:
        path = Path(config.path).expanduser().absolute()
        if not path.exists():
            raise DataError(f"dataset.path: {path} does not exist; remove the key to have the data set downloaded")
        _check_archive(path, known)
    elif known.archive:
        path = fetch(known.archive, home() / "datasets", on_bytes=on_bytes)
    else:
        path = home() / "datasets" / known.ratings.member
        if not path.exists() or file_sha256(path) != known.ratings.sha256:
            with replacing(path) as temporary:
                write_ratings(temporary, known.seed or 0)
    return StoredFile(str(path), member_sha256(path, known.ratings))


def _check_archive(path: Path, known: CatalogueEntry) -> None:
    """Refuse a zip that is not the published one, where no digest of what is in it is known."""
    if known.archive and not known.ratings.sha256 and path.suffix == ".zip" and path.is_file():
        algorithm, expected = known.archive.pin
        found = file_digest(path, algorithm)
        if found != expected:
            raise DataError(
                f"{path}: its {algorithm} is {found[:12]}… but {expected[:12]}… was published; it is truncated, "
                "altered or packed anew: use another copy, or the folder that it unpacks to"
            )


def _digest_of(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read_ratings: {error.strerror}") from None
