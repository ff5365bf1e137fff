"""The base class and the field types that the sections of a config share."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""Pattern of the names of experiments, models and data sets."""
LIST_LENGTH = 100
"""Number of neighbours and recommendations that are stored for each user and item; depths and query lengths cannot
exceed it."""
Name = Annotated[str, StringConstraints(pattern=NAME)]
Index = Annotated[int, Field(ge=0, le=2**31 - 1)]  # matrix indexes are int32
Depth = Annotated[int, Field(ge=1, le=LIST_LENGTH)]
Cutoff = Annotated[int, Field(ge=1, le=1000)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Margin = Annotated[float, Field(gt=0, lt=1)]
# strict=False accepts the lists of YAML and JSON as tuples. The items stay strict.
Indexes = Annotated[tuple[Index, ...], Field(strict=False)]
Depths = Annotated[tuple[Depth, ...], Field(strict=False, min_length=1)]
Cutoffs = Annotated[tuple[Cutoff, ...], Field(strict=False, min_length=1)]
Iterations = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]


class Section(BaseModel):
    """A mapping of a config: immutable, without unknown keys, and without conversion of types.

    The docstrings of sections and fields are the help texts in Prefect's form and in `configs/schema.json`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # Prefect logs the errors of parameters, and an address may contain a password
    )


def without_later_keys(settings: Mapping[str, Any], former: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Return settings without keys that were added later and have a value that means the former behaviour.

    What is stored is found again by digests of settings, so that a new key must not change those of earlier ones.

    Parameters
    ----------
    settings : mapping of str to Any
        Key to value.
    former : mapping of str to tuple
        Key that was added later -> the values that mean the former behaviour.

    Returns
    -------
    dict of str to Any
        In the same order.
    """
    return {key: value for key, value in settings.items() if value not in former.get(key, ())}
