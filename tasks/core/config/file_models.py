"""Models that others have trained: their lists or factors are read from files."""

from typing import Annotated, Literal

from pydantic import Discriminator, StringConstraints, Tag

from tasks.core.config.als import AlsConfig
from tasks.core.config.base import Section

Target = Literal["users", "items", "recommendations"]
Pattern = Annotated[str, StringConstraints(min_length=1)]
ColumnName = Annotated[str, StringConstraints(min_length=1)]


class ListColumns(Section):
    """Names of the columns of files of lists, where they are not among the usual ones (see docs/other-models.md)."""

    entity: ColumnName | None = None
    """Column of the user or item whose list it is."""
    listed: ColumnName | None = None
    """Column of what is listed. In a nested file: of the lists."""
    rank: ColumnName | None = None
    """Column of the ranks, from the best to the worst in ascending order."""
    score: ColumnName | None = None
    """Column of the scores, from the best to the worst in descending order. Ranks count where there are both."""


class ListFiles(Section):
    """A model whose lists others have made, one file for each run."""

    lists: Pattern
    """Pattern of the files, such as runs/old-*.parquet. Each is one run: CSV, TSV, JSON lines, a Parquet file or a
    folder of Parquet files. `of` says what the lists are."""
    columns: ListColumns | None = None
    """Names of the columns. null: the usual ones."""


class FactorFiles(Section):
    """A model whose factors others have trained, one file (or one for users and one for items) for each run."""

    factors: Pattern
    """Pattern of the files, such as runs/als-*.npz, or runs/als-*-{users,items}.npy for pairs of files. See
    docs/other-models.md."""


def model_kind(settings: object) -> str:
    """Return how a model comes about: `als` if it is trained, `lists` or `factors` if it is read from such files."""
    keys = settings if isinstance(settings, dict) else {}
    if isinstance(settings, ListFiles) or "lists" in keys:
        return "lists"
    # a model that is trained has iterations, even where its number of factors is faulty
    is_pattern = isinstance(keys.get("factors"), str) and "iterations" not in keys
    return "factors" if isinstance(settings, FactorFiles) or is_pattern else "als"


# The kind comes first, so that a misspelt key is reported for that kind alone.
ModelConfig = Annotated[
    Annotated[AlsConfig, Tag("als")] | Annotated[ListFiles, Tag("lists")] | Annotated[FactorFiles, Tag("factors")],
    Discriminator(model_kind),
]
