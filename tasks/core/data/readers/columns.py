"""Columns of a ratings file that arrive in parts, and the checks that all formats share."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.data.timestamps import iso_seconds
from tasks.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

ID_ROLES = ("user", "item")
"""The columns of ids."""
CHUNK_ROWS = 1 << 18
"""Number of rows that pandas parses at a time: as many as it parses internally. Each chunk sorts its new ids."""
Rows = dict[str, Any]
"""From `user`, `item`, `rating` and `timestamp` to a pandas Categorical of text (ids) or an array of float64, (n,)."""


class ColumnBuilder:
    """A column of numbers that is appended to part by part.

    The rows are in one array that grows. Concatenating the parts at the end would need twice the memory.

    Parameters
    ----------
    dtype : type
        Of the rows.
    """

    def __init__(self, dtype: type) -> None:
        self._rows: npt.NDArray[Any] = np.empty(0, dtype=dtype)
        self._n = 0

    def append(self, part: "pd.Series[Any]") -> None:
        """Append rows."""
        self._append(part.to_numpy())

    def _append(self, part: npt.NDArray[Any]) -> None:
        end = self._n + len(part)
        if end > len(self._rows):
            self._rows.resize(max(end, self._n * 9 // 8), refcheck=False)
        self._rows[self._n : end] = part
        self._n = end

    def finish(self) -> Any:
        """Return all rows, (n,). Nothing can be appended afterwards."""
        self._rows.resize(self._n, refcheck=False)
        return self._rows


class TimeColumnBuilder(ColumnBuilder):
    """A column of dates and times of ISO 8601, as seconds since 1970."""

    def __init__(self) -> None:
        super().__init__(np.float64)

    def append(self, part: "pd.Series[Any]") -> None:
        """Append the rows of a categorical column of texts."""
        self._append(iso_seconds(part.cat.categories)[part.cat.codes.to_numpy()])


class IdColumnBuilder(ColumnBuilder):
    """A categorical column of ids as text. The parts may code the same id differently."""

    def __init__(self) -> None:
        super().__init__(np.int32)
        self._code_of: dict[str, int] = {}

    def append(self, part: "pd.Series[Any]") -> None:
        """Append the rows of a categorical column."""
        self.append_coded(part.cat.codes.to_numpy(), part.cat.categories)

    def append_coded(self, codes: npt.NDArray[Any], texts: Iterable[str | None]) -> None:
        """Append rows by the codes of their ids.

        Parameters
        ----------
        codes : (n,) int
            Positions in `texts`; -1 for a missing id.
        texts : iterable of str or None
            None for a missing id.
        """
        code_of = self._code_of
        codes_of_texts = [-1 if text is None else code_of.setdefault(text, len(code_of)) for text in texts]
        self._append(np.array([*codes_of_texts, -1], dtype=np.int32)[codes])  # -1 indexes the last

    def finish(self) -> Any:
        """Return all rows as a pandas Categorical. Nothing can be appended afterwards."""
        import pandas as pd

        return pd.Categorical.from_codes(super().finish(), pd.Index(list(self._code_of), dtype=object))


def checked_frame(columns: dict[str, Any], error_for: Callable[[str], DataError]) -> "pd.DataFrame":
    """Return the frame of the columns after checking them.

    Ids become integers if all ids of the column are written as integers: `007` and `7` stay two texts.

    Parameters
    ----------
    columns : dict of str to (n,) array
        `user` and `item` as Categorical of text; `rating` and `timestamp`, if present, as float64.
    error_for : callable
        Makes the error from a reason, such as "no user id in row 2".

    Returns
    -------
    pd.DataFrame
        See `tasks.core.data.readers.ratings.Ratings`.

    Raises
    ------
    DataError
        If an id is missing or blank, or a number is not finite.
    """
    import pandas as pd

    for role in ID_ROLES:
        texts, codes = columns[role].categories, columns[role].codes
        is_blank = np.array([*(not text.strip() for text in texts), True])  # the last is for code -1
        if is_blank[:-1].any() or codes.min() < 0:
            blank_rows = np.flatnonzero(is_blank[codes])
            if len(blank_rows):
                raise error_for(f"no {role} id in row {int(blank_rows[0]) + 1}")
        columns[role] = pd.Categorical.from_codes(codes, raw_ids(texts))
    for role in ("rating", "timestamp"):
        if role in columns and not (finite := np.isfinite(columns[role])).all():
            row = int(np.flatnonzero(~finite)[0])
            raise error_for(f"the {role} in row {row + 1} is {columns[role][row]}; expected a finite number")
    return pd.DataFrame(columns, copy=False)  # a copy would need twice the memory


def raw_ids(texts: Sequence[str]) -> "pd.Index[Any]":
    """Return the ids of a column: integers if all of them are written as integers, else the texts."""
    import pandas as pd

    if all(is_canonical_integer(text) for text in texts):
        return pd.Index([int(text) for text in texts])
    return pd.Index(texts, dtype=object)


def is_canonical_integer(text: str) -> bool:
    """Return whether the text is how Python writes an integer of at most 18 digits."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(text)) == text
