"""The catalogue of data sets: names, addresses, digests, licences."""

import difflib
import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from tasks.core.config.base import NAME
from tasks.core.config.dataset import Columns
from tasks.core.config.yaml_source import Source, parse
from tasks.core.errors import ConfigError

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
MemberName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Archive(_Entry):
    """A zip to download: mirrors in the order of preference, and what its bytes must be.

    sha256, md5 : one of them, whichever the publisher gives; md5 tells damage, but not a forger
    """

    urls: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256 | None = None
    md5: Md5 | None = None
    seconds: Annotated[float, Field(gt=0)] = 600
    """The longest that a download may take, all tries together."""

    @model_validator(mode="after")
    def _pinned_once(self) -> "Archive":
        if (self.sha256 is None) == (self.md5 is None):
            raise PydanticCustomError("pin", "expected either sha256 or md5, and only one of them")
        return self

    @property
    def pin(self) -> tuple[str, str]:
        """The digest's algorithm, as hashlib names it, and the digest in hex."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", str(self.md5))


class Member(_Entry):
    """A file in the archive. Without digest and size, only the archive's own digest vouches for it.

    separator : between columns; with a comma, what holds one may stand in quotes
    header : the first line names the columns
    """

    member: MemberName
    bytes: Annotated[int, Field(gt=0)] | None = None
    sha256: Sha256 | None = None
    separator: Annotated[str, StringConstraints(min_length=1)]
    header: bool = False
    encoding: str = "utf-8"


class RatingsMember(Member):
    """The file of ratings, its columns by position (by name too, where there is a header)."""

    columns: Columns


class CatalogueEntry(_Entry):
    """One data set. `users`, `items` and `rows` are before any filter."""

    title: str
    homepage: str | None = None
    licence: str
    citation: str | None = None
    users: int
    items: int
    rows: int
    archive: Archive | None = None
    seed: int | None = None
    """Where there is no archive: the seed from which the ratings are made."""
    ratings: RatingsMember
    titles: Member | None = None
    """The file of titles: item id, title, then whatever else."""


def catalogue() -> dict[str, CatalogueEntry]:
    """The shipped entries, and over them those of the file that LATENTLAB_CATALOGUE names.

    Raises
    ------
    ConfigError
        That file cannot be read, with every fault in it.
    """
    entries = _read(Path(__file__).with_name("catalogue.yaml"))
    own = os.environ.get("LATENTLAB_CATALOGUE")
    return entries | _read(Path(own)) if own else entries


def entry(name: str) -> CatalogueEntry:
    """The data set called `name`.

    Raises
    ------
    ConfigError
        There is none; the message names the nearest.
    """
    entries = catalogue()
    if name not in entries:
        close = difflib.get_close_matches(name, [*entries, "file"], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"dataset.name: found {name!r}; known are {', '.join(entries)}, and file for one's own{hint}")
    return entries[name]


def _read(path: Path) -> dict[str, CatalogueEntry]:
    try:
        source: Source = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"LATENTLAB_CATALOGUE: {path} cannot be read: {error}") from None
    problems = [str(problem) for problem in source.problems]
    if not isinstance(source.value, dict) and not problems:
        problems.append(f"{path}: empty; expected a mapping of names to data sets")
    entries = {}
    for name, value in (source.value or {}).items() if not problems else ():
        if not re.fullmatch(NAME, name) or name == "file":
            problems.append(f"{source.place((name,))}: the name {name!r} does not match {NAME}, or is `file`")
            continue
        try:
            entries[name] = CatalogueEntry.model_validate(value)
        except ValidationError as error:
            problems += [
                f"{source.place((name, *detail['loc']))}: {'.'.join(map(str, (name, *detail['loc'])))}: {detail['msg']}"
                for detail in error.errors()
            ]
            continue
        if (entries[name].archive is None) == (entries[name].seed is None):
            problems.append(f"{source.place((name,))}: {name}: expected either an archive or a seed")
    if problems:
        raise ConfigError("\n".join(problems))
    return entries
