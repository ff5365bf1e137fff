"""The base class and the field types that the sections of a config share."""

from typing import Annotated

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
