"""The sections `dataset` and `preprocess`."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from tasks.core.config.base import Section

Layout = Literal["pairs", "lists"]
Separator = Annotated[str, StringConstraints(min_length=1, max_length=8)]
Column = Annotated[int, Field(ge=0)] | Annotated[str, StringConstraints(min_length=1)]


class Columns(Section):
    """Which column of a ratings file holds what: by position from 0, or by name where there is a header."""

    user: Column = "user"
    item: Column = "item"
    rating: Column | None = "rating"
    """null: the file has no ratings, and every interaction counts as 1."""
    timestamp: Column | None = None


class DatasetConfig(Section):
    """Which ratings are used: a name from the catalogue, or `file` for one's own."""

    name: str = "synthetic-100k"
    """A data set of the catalogue (`latentlab data list`), or `file`."""
    path: str | None = None
    """For `file`: a CSV, TSV or Parquet file. Otherwise a directory or zip that one already has,
    used instead of a download and checked against the same digests."""
    layout: Layout | None = None
    """For `file`. pairs (default): a line an interaction. lists: a line a user, `user item item ...`."""
    separator: Separator | None = None
    """For `file`; by default a tab for .tsv, else a comma, and for `layout: lists` any white space."""
    header: bool | None = None
    """For `file` of pairs: whether its first line names the columns (default true)."""
    columns: Columns | None = None
    """For `file` of pairs; by default user, item, rating."""


class Transform(Section):
    """A confidence made from the rating r, which is 1 where the file has no ratings."""

    transform: Literal["linear", "log"]
    """linear: 1 + alpha·r. log: 1 + alpha·log(1 + r/epsilon). Both from Hu, Koren, Volinsky 2008."""
    alpha: Annotated[float, Field(gt=0, le=1e12)]
    epsilon: Annotated[float, Field(gt=0)] | None = None
    """For log."""


def _kind(value: object) -> str:
    return "transform" if isinstance(value, dict | Transform) else "name"


Confidence = Annotated[
    Annotated[Literal["rating", "binary"], Tag("name")] | Annotated[Transform, Tag("transform")], Discriminator(_kind)
]


class PreprocessConfig(Section):
    """From ratings to the matrix of interactions."""

    min_rating: float | None = 4.0
    """Keep ratings of at least this; null keeps all."""
    duplicates: Literal["error", "last"] = "error"
    """Where a user rated an item twice: refuse the file, or keep the last (by timestamp where there
    is one, else by line)."""
    confidence: Confidence = "rating"
    """The value in the matrix: the rating, 1, or a transform of the rating. ALS weighs the interaction by the model's
    own alpha times it."""
    k_core: Annotated[int, Field(ge=1)] | None = None
    """Drop users and items with fewer interactions, again and again until every one left has as many."""
