"""The catalogue of data sets: addresses, digests, file formats and licences.

The entries that ship with latentlab are in `catalogue.yaml`. The environment variable LATENTLAB_CATALOGUE may name
another file of the same format, whose entries are added to these; an entry of the same name replaces the shipped one.
"""

import os
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from tasks.core.config.base import NAME
from tasks.core.config.dataset import NO_DATA_SET, Columns, DatasetConfig
from tasks.core.config.yaml_source import parse
from tasks.core.errors import ConfigError
from tasks.core.formatting import did_you_mean

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
# A relative path without `..`, so that no member can lead out of the data set's folder.
_MemberName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")]


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Download(_StrictModel):
    """A file to download."""

    urls: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Mirrors, in order of preference."""
    bytes: Annotated[int, Field(gt=0)] | None = None
    """None if it is not known: then the server's word is taken, and the digest decides."""
    sha256: _Sha256 | None = None
    md5: _Md5 | None = None
    """Exactly one of `sha256` and `md5` is set, whichever the publisher gives. MD5 detects damage, but not forgery."""
    seconds: Annotated[float, Field(gt=0)] = 600
    """Time limit of the download, all attempts together."""

    @model_validator(mode="after")
    def _pinned_once(self) -> "Download":
        if (self.sha256 is None) == (self.md5 is None):
            raise PydanticCustomError("pin", "expected either sha256 or md5, and only one of them")
        return self

    @property
    def pin(self) -> tuple[str, str]:
        """The digest's algorithm, as hashlib names it, and the digest in hex."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", str(self.md5))


class Archive(Download):
    """A zip file to download."""

    bytes: Annotated[int, Field(gt=0)]


class Member(_StrictModel):
    """A file in an archive. Without a size and a digest of its own, only the archive's digest protects it."""

    member: _MemberName
    """Its path in the archive."""
    bytes: Annotated[int, Field(gt=0)] | None = None
    sha256: _Sha256 | None = None
    separator: Annotated[str, StringConstraints(min_length=1)]
    """Between columns. If it is a comma, a field that contains commas may be quoted."""
    header: bool = False
    """Whether the first line names the columns."""
    encoding: str = "utf-8"


class RatingsMember(Member):
    """The file of ratings."""

    columns: Columns
    """By position, or by name if there is a header."""


class CatalogueEntry(_StrictModel):
    """One data set: either an archive to download, or a seed from which latentlab makes the ratings."""

    title: str
    homepage: str | None = None
    licence: str
    citation: str | None = None
    users: int
    items: int
    rows: int
    """Number of ratings. Like `users` and `items`, it is counted before any filter."""
    archive: Archive | None = None
    seed: int | None = None
    ratings: RatingsMember
    titles: Member | None = None
    """The file of titles. Its first column is the item id, its second the title; further columns are ignored."""


def catalogue() -> dict[str, CatalogueEntry]:
    """Return the data sets by name.

    Files are parsed once in a process; the file that LATENTLAB_CATALOGUE names is parsed again when its size or
    modification time changes.

    Returns
    -------
    dict of str to CatalogueEntry
        The shipped entries in the order of the file, then those that LATENTLAB_CATALOGUE adds.

    Raises
    ------
    ConfigError
        If the file that LATENTLAB_CATALOGUE names cannot be read or has faults; the message lists all of them.
    """
    own = os.environ.get("LATENTLAB_CATALOGUE")
    return _shipped_entries() | (_own_entries(Path(own).absolute()) if own else {})


def catalogue_entry(name: str) -> CatalogueEntry:
    """Return the data set called `name`.

    Raises
    ------
    ConfigError
        If the catalogue has no such entry; the message suggests the most similar name.
    """
    entries = catalogue()
    if name not in entries:
        hint = did_you_mean(name, [*entries, "file"])
        raise ConfigError(
            f"dataset.name: found {name!r}; known are {', '.join(entries)}, and `file` for your own data{hint}"
        )
    return entries[name]


def check_known(dataset: DatasetConfig) -> None:
    """Check that the data set of a config exists, if it is one of the catalogue.

    Raises
    ------
    ConfigError
        See `catalogue_entry`.
    """
    if dataset.name not in ("file", NO_DATA_SET):
        catalogue_entry(dataset.name)


@cache
def _shipped_entries() -> dict[str, CatalogueEntry]:
    return _parse_entries(Path(__file__).with_name("catalogue.yaml"))


def _own_entries(path: Path) -> dict[str, CatalogueEntry]:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return _parse_own_entries(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _parse_own_entries(path: Path, _mtime_ns: int, _size: int) -> dict[str, CatalogueEntry]:
    """Parse a file once for each of its versions: modification time and size are part of the cache's key."""
    return _parse_entries(path)


def _parse_entries(path: Path) -> dict[str, CatalogueEntry]:
    try:
        source = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    problems = [str(problem) for problem in source.problems]
    if not isinstance(source.value, dict) and not problems:
        problems.append(f"{path}: empty; expected a mapping of names to data sets")
    entries = {}
    for name, value in (source.value or {}).items() if not problems else ():
        if not re.fullmatch(NAME, name) or name == "file":
            problems.append(
                f"{source.position_of((name,))}: the name {name!r} cannot be used; expected a name that matches {NAME} "
                "and is not `file`"
            )
            continue
        try:
            entries[name] = CatalogueEntry.model_validate(value)
        except ValidationError as error:
            for detail in error.errors():
                key_path = (name, *detail["loc"])
                keys = ".".join(map(str, key_path))
                problems.append(f"{source.position_of(key_path)}: {keys}: {detail['msg']}")
            continue
        if (entries[name].archive is None) == (entries[name].seed is None):
            problems.append(f"{source.position_of((name,))}: {name}: expected either an archive or a seed")
    if problems:
        raise ConfigError("\n".join(problems))
    return entries


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(f"LATENTLAB_CATALOGUE: {path} cannot be read: {error}")
