"""Ids of files that others wrote, compared as text."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.data.interactions import text_array
from tasks.core.data.readers.columns import is_canonical_integer
from tasks.core.errors import DataError

_WHOLE = re.compile(r"(-?\d+)(\.0*)?")
"""An integer, or a float that is whole."""


def ids_as_text(column: Any, name: str) -> npt.NDArray[np.object_]:
    """Return ids as text. Numbers that are whole are written as integers: 1.0 and 1 are one id.

    Parameters
    ----------
    column : pyarrow array or chunked array
        Integers, floats or text; text that looks like a whole float counts as one if all ids of the column are numbers.
    name : str
        Of the file and the column, for messages.

    Returns
    -------
    (n,) object array of str

    Raises
    ------
    DataError
        If an id is missing, or not a number or a text.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        row = next(row for row, value in enumerate(column) if not value.is_valid)
        raise DataError(f"{name}: the id in row {row + 1} is missing; expected a number or a text")
    if pa.types.is_floating(column.type):
        numbers = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise DataError(f"{name}: the id in row {row + 1} is {numbers[row]}; expected a number or a text")
        whole = numbers == np.floor(numbers)
        return _object_array(
            str(int(number)) if is_whole else repr(float(number))
            for number, is_whole in zip(numbers.tolist(), whole.tolist(), strict=True)
        )
    if not (
        pa.types.is_integer(column.type) or pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    ):
        raise DataError(f"{name}: ids are of type {column.type}; expected integers, floats or text")
    texts = column.cast(pa.large_string()).to_pylist()
    if pa.types.is_integer(column.type):
        return _object_array(texts)
    return _object_array(whole_numbers(texts))


def whole_numbers(texts: list[str]) -> list[str]:
    """Return ids with whole floats written as integers if all of them are numbers, else as they are."""
    if all(map(is_canonical_integer, texts)):
        return texts
    matches = [_WHOLE.fullmatch(text) for text in texts]
    integers = [match[1] for match in matches if match]
    if len(integers) == len(texts) and all(map(is_canonical_integer, integers)):
        return integers
    return texts


def in_natural_order(ids: Iterable[str]) -> npt.NDArray[Any]:
    """Return different ids in order: as integers if all are written as integers, else as text."""
    texts = list(ids)
    if all(map(is_canonical_integer, texts)):
        return np.array(sorted(map(int, texts)), dtype=np.int64)
    return text_array(sorted(texts))


def _object_array(values: Iterable[str]) -> npt.NDArray[np.object_]:
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array
