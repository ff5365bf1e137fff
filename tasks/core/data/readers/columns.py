"""Columns of a ratings file that arrive in parts, and the checks that hold for every format."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

ID_ROLES = ("user", "item")


class Rows:
    """A column whose rows come in parts: one array that grows, for parts and their whole would be twice the memory."""

    def __init__(self, dtype: type) -> None:
        self._rows: npt.NDArray[Any] = np.empty(0, dtype=dtype)
        self._used = 0

    def take(self, part: "pd.Series[Any]") -> None:
        """Add rows."""
        self._add(part.to_numpy())

    def _add(self, part: npt.NDArray[Any]) -> None:
        end = self._used + len(part)
        if end > len(self._rows):
            self._rows.resize(max(end, self._used * 9 // 8), refcheck=False)
        self._rows[self._used : end] = part
        self._used = end

    def column(self) -> Any:
        """All rows, (n,); none can be added any more."""
        self._rows.resize(self._used, refcheck=False)
        return self._rows


class IdColumn(Rows):
    """A column of ids as codes of the texts that they are, whatever codes its parts come with."""

    def __init__(self) -> None:
        super().__init__(np.int32)
        self._places: dict[str, int] = {}

    def take(self, part: "pd.Series[Any]") -> None:
        """Add rows of a categorical part."""
        self.take_coded(part.cat.codes.to_numpy(), part.cat.categories)

    def take_coded(self, codes: npt.NDArray[Any], texts: Iterable[str | None]) -> None:
        """Add rows; a code of -1, and one whose text is None, is no id."""
        places = self._places
        of_code = [-1 if text is None else places.setdefault(text, len(places)) for text in texts]
        self._add(np.array([*of_code, -1], dtype=np.int32)[codes])

    def column(self) -> Any:
        """All rows, categorical."""
        import pandas as pd

        return pd.Categorical.from_codes(super().column(), pd.Index(list(self._places), dtype=object))


def checked_frame(columns: dict[str, Any], blame: Any) -> "pd.DataFrame":
    """The frame, once every id is there and every rating is finite; ids as integers where they are written so."""
    import pandas as pd

    for role in ID_ROLES:
        texts, codes = columns[role].categories, columns[role].codes
        no_id = np.array([*(not text.strip() for text in texts), True])  # the last is that of code -1
        if no_id[:-1].any() or codes.min() < 0:
            absent = np.flatnonzero(no_id[codes])
            if len(absent):
                raise blame(f"no {role} id in row {int(absent[0]) + 1}")
        if all(is_canonical_integer(text) for text in texts):
            columns[role] = pd.Categorical.from_codes(codes, pd.Index([int(text) for text in texts]))
    for role in ("rating", "timestamp"):
        if role in columns and not (finite := np.isfinite(columns[role])).all():
            row = int(np.flatnonzero(~finite)[0])
            raise blame(f"the {role} in row {row + 1} is {columns[role][row]}; expected a finite number")
    return pd.DataFrame(columns, copy=False)  # nothing of which is held twice


def is_canonical_integer(raw: str) -> bool:
    digits = raw.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(raw)) == raw
