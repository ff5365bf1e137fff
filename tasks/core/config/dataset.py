"""The sections `dataset` and `preprocess`."""

import re
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from tasks.core.config.base import Section, without_later_keys

NO_DATA_SET = "none"
"""Name in place of a data set's: all models are read from files, and their users and items are all that there is."""
Layout = Literal["pairs", "lists", "counted_lists", "item_lists"]
LISTS = ("lists", "counted_lists", "item_lists")
"""Layouts with a line for each user."""
Quote = Literal["double", "none"]
Separator = Annotated[str, StringConstraints(min_length=1, max_length=8)]
Column = Annotated[int, Field(ge=0)] | Annotated[str, StringConstraints(min_length=1)]
_ADDED_LATER = {"negative": ("error",)}
"""Keys of `preprocess` that were added after data had been stored, each with the value that means the former
behaviour."""
_READING_ADDED_LATER = {
    "quote": (None, "double"),
    "url": (None,),
    "sha256": (None,),
    "order": (None,),
    "overlap": ("error",),
    "visible": (None,),
}
"""The same for keys of `dataset` and of `evaluation.split`."""


def scheme_of(path: str) -> str:
    """Return the scheme of an address such as `s3://bucket/plays`, in small letters; empty for a local path."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", path)
    return match[1].lower() if match else ""


class Columns(Section):
    """The columns of a ratings file, each by its position from 0, or by its name if the file has a header."""

    user: Column = "user"
    """Column of the user ids."""
    item: Column = "item"
    """Column of the item ids."""
    rating: Column | None = "rating"
    """Column of the ratings. null: the file has no ratings, and every interaction counts as 1."""
    timestamp: Column | None = None
    """Column of the timestamps. null: the file has none."""


class DatasetConfig(Section):
    """The ratings: a data set of the catalogue, or your own file."""

    name: str = "synthetic-100k"
    """Name of a data set in the catalogue (`latentlab data list`), or `file` for your own file. none: there is no data
    set, and all models are read from files."""
    path: str | None = None
    """For `file`: a CSV, TSV or Parquet file, or a folder of Parquet files as Spark writes them; text may be compressed
    by gzip, bzip2 or Zstandard. It may be in an object store (`s3://BUCKET/FOLDER`, `gs://…`, `abfss://…`), and is then
    copied. For a data set of the catalogue: a local copy, a directory or a zip file, that is used instead of a download
    and must match the same digests."""
    layout: Layout | None = None
    """For `file`. pairs (default): one interaction per line. lists: one user per line, `user item item ...`.
    counted_lists: `count item item ...`, where count is the number of the items. item_lists: `item item ...`. In the
    last two the user is the number of the line, from 0, and a line without items is a user without interactions."""
    separator: Separator | None = None
    """For `file`: the text between two columns. Default: any white space for a layout of lists, else a tab for .tsv
    files and a comma for others."""
    header: bool | None = None
    """For `file` with `layout: pairs`: whether the first line names the columns (default true). Must be set if all
    columns are given by position and the first line has numbers there."""
    columns: Columns | None = None
    """For `file` with `layout: pairs`: its columns. Default: user, item, rating."""
    quote: Quote | None = None
    """For `file` with `layout: pairs`: what a double quote means. double (default): a field may stand within double
    quotes, and then a quote in it is written twice. none: a quote is a character like any other."""
    url: str | None = None
    """For `file`, in place of `path`: an http(s) address. The file is downloaded once; what its name ends with, such as
    .tsv or .parquet, says what it is."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Digest of the file at `url`, which requires it: `sha256sum FILE` prints it."""
    order: Literal["time"] | None = None
    """For `file` without timestamps. time: the order of the lines is that in which the interactions happened, or for a
    layout of lists, the order of the items of each user. null: the order means nothing."""


class Transform(Section):
    """A confidence that is computed from the rating r. Without ratings, r is 1."""

    transform: Literal["linear", "log"]
    """linear: 1 + alpha·r. log: 1 + alpha·log(1 + r/epsilon). Both are from Hu, Koren and Volinsky (2008)."""
    alpha: Annotated[float, Field(gt=0, le=1e12)]
    """alpha in the formula. The `alpha` of a model multiplies the result."""
    epsilon: Annotated[float, Field(gt=0)] | None = None
    """epsilon in the formula of log, which requires it."""


def _confidence_tag(value: object) -> str:
    return "transform" if isinstance(value, dict | Transform) else "name"


# With a discriminator, a misspelt name is reported once, and not as a faulty transform too.
Confidence = Annotated[
    Annotated[Literal["rating", "binary"], Tag("name")] | Annotated[Transform, Tag("transform")],
    Discriminator(_confidence_tag),
]


class PreprocessConfig(Section):
    """How ratings become the matrix of interactions."""

    min_rating: float | None = 4.0
    """Smallest rating that is kept. null: all ratings are kept. Must be given for `name: file` if the file or the test
    file has ratings, and with `duplicates: sum` or `count`: the default, 4, is for five-point scales."""
    duplicates: Literal["error", "last", "sum", "max", "count"] = "error"
    """What to do if a user rated an item more than once. error: refuse the file. last: keep the last rating, by
    timestamp if there are timestamps, else by line. sum, max: the sum or the largest of the ratings. count: the number
    of lines, as for a log of plays or clicks. The latest timestamp is kept."""
    confidence: Confidence = "rating"
    """Values in the matrix. rating: the rating. binary: 1. Or a transform of the rating. ALS weights an interaction by
    the `alpha` of the model times this value."""
    k_core: Annotated[int, Field(ge=1)] | None = None
    """Drop users and items that have fewer interactions than this, repeatedly, until every remaining user and item has
    at least this many. null: none are dropped."""
    negative: Literal["error", "drop"] = "error"
    """What to do with ratings of 0 or less that `min_rating` keeps. error: refuse them, because every interaction
    counts as liked. drop: leave them out. See docs/evaluation.md."""

    def identity(self) -> dict[str, Any]:
        """Return the settings that decide the interactions.

        Stored interactions, splits and comparisons are found again by a digest of these settings. Hence the rule: a key
        that is added later is left out while it has the value that means the former behaviour. `_ADDED_LATER` lists
        these keys.

        Returns
        -------
        dict of str to Any
            Key to value, in the order of the fields.
        """
        return without_later_keys(self.model_dump(), _ADDED_LATER)


def without_later_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings that decide how a file is read, without those that mean the former behaviour.

    Stored interactions, splits and comparisons are found again by digests of these settings. Hence the rule: a setting
    that is added later is left out while it has the value that means the former behaviour.

    Parameters
    ----------
    settings : dict
        Of `dataset` or of `evaluation.split`, as `model_dump` returns them.

    Returns
    -------
    dict
    """
    return without_later_keys(settings, _READING_ADDED_LATER)


def reading_settings(section: Section) -> dict[str, object]:
    """Return the settings of a data set or of a split that decide how its file is read, wherever it is."""
    settings = section.model_dump(exclude={"path", "url", "sha256", "test"})
    if isinstance(settings.get("visible"), str):  # a path; with strategy strong it is a fraction
        del settings["visible"]
    return without_later_settings(settings)
