"""Timestamps of ratings: dates and times of ISO 8601, units of numbers, and the order of a file in place of them.

Splits only compare timestamps, so that the unit of numbers need not be known. It matters where times are shown, and
where a column mixes units.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.types import Mask, Values

if TYPE_CHECKING:
    import pandas as pd

UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
"""Units of numbers, with how many of each are a second."""
ISO_8601 = "a date or time of ISO 8601, such as 2001-02-03 or 2001-02-03T04:05:06Z"
"""For messages."""
_RANGE = (1e8, 5e9)
"""Seconds since 1970 from 1973 to 2128. The range in one unit does not overlap with that in another."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)


def is_iso(text: str) -> bool:
    """Return whether a text, without blanks around it, is a date or time of ISO 8601 with hyphens and colons."""
    try:
        iso_seconds([text])
    except ValueError:
        return False
    return True


def iso_seconds(texts: Iterable[str]) -> Values:
    """Return dates and times of ISO 8601 as seconds since 1970, in UTC.

    Parameters
    ----------
    texts : iterable of str
        A date, or a date and a time with `T` or a blank between them. Without a zone they are taken for UTC. A date is
        its midnight. Decimals of a second beyond the sixth are cut off.

    Returns
    -------
    (n,) float64

    Raises
    ------
    ValueError
        If a text is something else; the message names it.
    """
    return np.array([_seconds(text.strip()) for text in texts], dtype=np.float64)


def _seconds(text: str) -> float:
    try:
        time = datetime.fromisoformat(text if _ISO.fullmatch(text) else "")
    except ValueError as error:  # another form, or a day that its month does not have
        raise ValueError(f"found {text[:60]!r}; expected {ISO_8601}") from error
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH).total_seconds()


@dataclass(frozen=True)
class TimeSpan:
    """The first and the last of the timestamps.

    Attributes
    ----------
    first, last : float
        As they were read.
    unit : str or None
        `seconds`, `milliseconds`, `microseconds` or `nanoseconds` since 1970, whichever makes the last one a time
        between 1973 and 2128; None if none does.
    """

    first: float
    last: float
    unit: str | None

    @property
    def text(self) -> str:
        """The span in words: as dates if the unit is known."""
        if self.unit is None:
            return f"timestamps from {self.first:,.15g} to {self.last:,.15g}, of no known unit"
        try:
            dates = [(_EPOCH + timedelta(seconds=t / UNITS[self.unit])).date() for t in (self.first, self.last)]
        except OverflowError:  # a first time before the year 1
            return f"timestamps to {(_EPOCH + timedelta(seconds=self.last / UNITS[self.unit])).date()} ({self.unit})"
        return f"timestamps from {dates[0]} to {dates[1]} ({self.unit} since 1970)"


def time_span(times: Values) -> TimeSpan:
    """Return the span of timestamps.

    Parameters
    ----------
    times : (n,) float64
        At least one; all finite.

    Returns
    -------
    TimeSpan
    """
    last = float(times.max())
    return TimeSpan(float(times.min()), last, next((unit for unit in UNITS if _in_unit(np.array(last), unit)), None))


def mixed_units(times: Values) -> str:
    """Return what is wrong with timestamps some of which are in seconds and others in milliseconds, or the like.

    Parameters
    ----------
    times : (n,) float64
        Of the rows of a file.

    Returns
    -------
    str
        Empty if no two timestamps are between 1973 and 2128 in different units.
    """
    rows = first_rows_of_units(times)
    return mixed_units_text({unit: f"{times[row]:.15g} (row {row + 1})" for unit, row in rows.items()})


def first_rows_of_units(times: Values) -> dict[str, int]:
    """Return the units of which timestamps are between 1973 and 2128, each with the first such row."""
    return {unit: int(np.argmax(mask)) for unit in UNITS if (mask := _in_unit(times, unit)).any()}


def mixed_units_text(found: Mapping[str, str]) -> str:
    """Return what is wrong with timestamps of several units.

    Parameters
    ----------
    found : mapping of str to str
        Unit -> one of its timestamps and where it stands, such as `978300760 (row 1)`.

    Returns
    -------
    str
        Empty for fewer than two units.
    """
    if len(found) < 2:
        return ""
    first_two = " and ".join(f"{found[unit]} in {unit}" for unit in [unit for unit in UNITS if unit in found][:2])
    return f"the timestamps mix units: {first_two} since 1970; expected one unit: convert them, or leave the column out"


def are_in_one_unit(times: Values) -> bool:
    """Return whether all numbers are times between 1973 and 2128 in the same unit."""
    return any(bool(_in_unit(times, unit).all()) for unit in UNITS)


def _in_unit(times: Values, unit: str) -> Mask:
    """Mark the times between 1973 and 2128 if they are in this unit."""
    low, high = (bound * UNITS[unit] for bound in _RANGE)
    return (times >= low) & (times <= high)


def with_order(frame: "pd.DataFrame", *, by_user: bool) -> "pd.DataFrame":
    """Return a frame whose timestamps are the order of its rows.

    Parameters
    ----------
    frame : pd.DataFrame
        See `tasks.core.data.readers.ratings.Ratings`, without timestamps.
    by_user : bool
        Whether to number the rows of each user. Otherwise all rows are numbered.

    Returns
    -------
    pd.DataFrame
        With the column `timestamp`, float64: numbers from 1.
    """
    import pandas as pd

    if by_user:
        numbers = frame.groupby("user", observed=True).cumcount().to_numpy() + 1
    else:
        numbers = np.arange(1, len(frame) + 1)
    columns = {str(name): frame[name].array for name in frame}
    return pd.DataFrame({**columns, "timestamp": numbers.astype(np.float64)}, copy=False)
