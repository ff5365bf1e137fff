"""Columns of Parquet files: ids as codes, ratings and timestamps as numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.data.timestamps import is_iso, iso_seconds
from tasks.core.types import Ids, Values

_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # in each unit of Arrow


def plain_type(kind: Any) -> Any:
    """Return the type of a column's values: that of the dictionary's values, and one type for texts of any size."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind):
        return pa.large_binary()
    return kind


class IdColumn:
    """A column of ids that arrives in parts. Codes are given in the order of first appearance.

    Python sees each different id once, however many parts it occurs in.

    Attributes
    ----------
    texts : list of str
        The text of each id; its position is the code.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._values: Any = None  # an Arrow array: the value of each code

    def codes(self, column: Any) -> Ids:
        """Return the code of each row of a part, (n,); -1 where the id is missing.

        Parameters
        ----------
        column : pyarrow.Array
            Of one type in all parts, see `plain_type`.
        """
        import pyarrow as pa

        if self._values is None:
            self._values = column.slice(0, 0)
        try:
            return self._codes(column)
        except pa.ArrowNotImplementedError:  # a type that Arrow cannot compare, such as a UUID
            values = column.to_pandas()
            texts = values.astype(object).astype(str).where(values.notna(), None)
            if not self.texts:
                self._values = pa.array([], pa.large_string())
            return self._codes(pa.array(texts, pa.large_string()))

    def _codes(self, column: Any) -> Ids:
        """Return the codes of a part whose values Arrow can compare."""
        import pyarrow as pa
        import pyarrow.compute as pc

        codes = pc.index_in(column, value_set=self._values).fill_null(-1).to_numpy()
        rows = np.flatnonzero(codes < 0)
        if not len(rows):
            return np.asarray(codes)
        unknown = column.take(pa.array(rows))
        values = unknown.unique()
        new = values.to_pandas()
        new = new[new.notna().to_numpy()]  # a missing id is null or NaN
        values = values.take(pa.array(new.index))
        codes = codes.copy()
        codes[rows] = pc.add(pc.index_in(unknown, value_set=values), len(self.texts)).fill_null(-1).to_numpy()
        self.texts.extend(new.astype(object).astype(str))
        self._values = pa.concat_arrays([self._values, values])
        return np.asarray(codes)


class NumberColumn:
    """A column of numbers that arrives in parts.

    Parameters
    ----------
    role : str
        `rating` or `timestamp`.
    """

    def __init__(self, role: str) -> None:
        self.role = role
        self._is_iso: bool | None = None  # the first row decides for all parts

    def numbers(self, column: Any) -> Values:
        """Return the rows of a part as numbers, (n,) float64; NaN for a missing one.

        Parameters
        ----------
        column : pyarrow.Array
            Not empty; of one type in all parts, see `plain_type`.

        Raises
        ------
        ValueError, TypeError
            If the values are no numbers.
        """
        import pyarrow as pa

        kind = column.type
        is_time = self.role == "timestamp"
        if is_time and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            return _seconds(column)
        if is_time and pa.types.is_large_string(kind):
            if self._is_iso is None:
                self._is_iso = is_iso(str(column[0].as_py()).strip())
            if self._is_iso:
                return _of_different(column, lambda values: iso_seconds(values.to_pylist()))
        if pa.types.is_temporal(kind):
            expected = "numbers, dates or times since 1970" if is_time else "numbers"
            raise ValueError(f"found {kind}; expected {expected}")
        if pa.types.is_decimal(kind) or kind in (pa.float16(), pa.float32()):
            return _shortest_decimals(column)
        return np.asarray(column.to_pandas().astype("float64").to_numpy())


def _of_different(column: Any, convert: Any) -> Values:
    """Return the numbers of an Arrow array, each different value of which is converted once; NaN for a missing one."""
    encoded = column.dictionary_encode()
    numbers = np.append(convert(encoded.dictionary), np.nan)
    return np.asarray(numbers[encoded.indices.fill_null(-1).to_numpy()])  # -1 indexes the last


def _seconds(column: Any) -> Values:
    """Return dates, or times with or without a zone, in seconds since 1970. Times without a zone are taken for UTC."""
    import pyarrow as pa

    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(column.type) else "ms"))
    missing = column.is_null().to_numpy(zero_copy_only=False)
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy() / _SECOND[column.type.unit]
    return np.where(missing, np.nan, numbers)


def _shortest_decimals(column: Any) -> Values:
    """Return the decimals that decimal numbers or floats of less than 64 bits were written from.

    The float32 nearest to 4.1 is 4.099999904..., which is less than a `min_rating` of 4.1. Its shortest decimal that
    gives the same float32 is 4.1.
    """
    import pyarrow as pa

    def from_texts(values: Any) -> npt.NDArray[Any]:
        return np.asarray(values.cast(pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False))

    if column.type == pa.float16():  # Arrow does not compare them
        values, codes = np.unique(column.fill_null(np.float16("nan")).to_numpy(), return_inverse=True)
        return np.array([float(str(value)) for value in values])[codes]
    return _of_different(column, from_texts)
