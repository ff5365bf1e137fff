"""What all sections of a config share: strict parsing, names, index and depth types."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
LIST_LENGTH = 100
"""Neighbours and recommendations kept a user or item: what depths and query lengths cannot exceed."""
Name = Annotated[str, StringConstraints(pattern=NAME)]
Index = Annotated[int, Field(ge=0, le=2**31 - 1)]
Depth = Annotated[int, Field(ge=1, le=LIST_LENGTH)]
Cutoff = Annotated[int, Field(ge=1, le=1000)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Margin = Annotated[float, Field(gt=0, lt=1)]
# Tuples that accept the lists of YAML and JSON, while their items stay strict.
Indexes = Annotated[tuple[Index, ...], Field(strict=False)]
Depths = Annotated[tuple[Depth, ...], Field(strict=False, min_length=1)]
Cutoffs = Annotated[tuple[Cutoff, ...], Field(strict=False, min_length=1)]
Iterations = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
