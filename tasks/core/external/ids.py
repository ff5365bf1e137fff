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
    """Return the ids of a column as text.

    Parameters
    ----------
    column, name
        See `coded_ids`.

    Returns
    -------
    (n,) object array of str
    """
    codes, ids = coded_ids(column, name)
    return np.asarray(ids[codes])


def coded_ids(column: Any, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """Return the ids of a column. Numbers that are whole are written as integers: 1.0 and 1 are one id.

    Parameters
    ----------
    column : pyarrow array or chunked array
        Integers, floats or text; text that looks like a whole float counts as one if all ids of the column are numbers.
    name : str
        Of the file and the column, for messages.

    Returns
    -------
    codes : (n,) int64
        Positions in the ids.
    ids : (m,) object array of str
        The different ids as text, by first appearance.

    Raises
    ------
    DataError
        If an id is missing, or not a number or a text.
    """
    import pandas as pd
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError(f"{name}: the id in row {row + 1} is missing; expected a number or a text")
    # each different id becomes a text once
    try:
        encoded = column.dictionary_encode()
    except pa.ArrowNotImplementedError:
        raise DataError(f"{name}: ids are of type {column.type}; expected integers, floats or text") from None
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    texts = _texts(encoded.dictionary, codes, name)
    code_of, ids = pd.factorize(text_array(texts))  # 1.0 and 1 may be two of a column of texts
    return code_of.astype(np.int64)[codes], np.asarray(ids, dtype=object)


def _texts(different: Any, codes: npt.NDArray[Any], name: str) -> list[str]:
    """Return different ids as text; `codes` tell in which row each of them is."""
    import pyarrow as pa

    kind = different.type
    if not len(different):
        return []
    if pa.types.is_floating(kind):
        numbers = different.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if len(wrong := np.flatnonzero(~np.isfinite(numbers))):
            row = int(np.flatnonzero(codes == wrong[0])[0])
            raise DataError(f"{name}: the id in row {row + 1} is {numbers[wrong[0]]}; expected a number or a text")
        return [str(int(number)) if number == int(number) else repr(number) for number in numbers.tolist()]
    if pa.types.is_integer(kind):
        return [str(number) for number in different.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts: list[str] = different.to_pylist()
        if (blank := next((code for code, text in enumerate(texts) if not text.strip()), None)) is not None:
            row = int(np.flatnonzero(codes == blank)[0])
            raise DataError(f"{name}: the id in row {row + 1} is missing; expected a number or a text")
        return whole_numbers(texts)
    raise DataError(f"{name}: ids are of type {kind}; expected integers, floats or text")


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
