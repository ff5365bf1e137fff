"""Which column of a ratings file has the users, the items, the ratings and the times: by name, else by content."""

import re
from dataclasses import dataclass

import numpy as np

from tasks.core.data.inspection.table import Table, are_numbers, plain_name
from tasks.core.data.timestamps import are_in_one_unit, is_iso
from tasks.core.errors import DataError
from tasks.core.formatting import shown

_COUNTS = (
    "plays play playcount count counts listens listencount clicks click views view purchases quantity qty times "
    "frequency freq interactions"
)
_NAMES = {
    "user": "user userid uid userno username reviewerid reviewer customerid customer memberid member visitorid "
    "accountid account profileid clientid client personid person listenerid listener steamid sessionid session u",
    "item": "item itemid iid movieid movie parentasin asin productid product sku bookid book isbn songid song trackid "
    "track artistid artist articleid article businessid business gameid game animeid anime recipeid beerid newsid "
    "videoid video filmid film showid stockcode gmapid contentid i",
    "rating": f"rating ratings stars star starrating score scores overall rate grade vote value {_COUNTS} hours r",
    "timestamp": "timestamp ts time unixtime unixreviewtime epoch date datetime ratedat createdat reviewtime eventtime "
    "t",
}
"""Usual names of the columns, in order of preference."""
KNOWN_NAMES = {name for names in _NAMES.values() for name in names.split()}
"""Usual names of columns, in lower case without punctuation."""
_WORDS = re.compile(r"[^A-Za-z0-9:]+|(?<=[a-z])(?=[A-Z])")
"""What stands between the words of a name, as in `Book-Rating` and `reviewScore`."""
_MOST_RATINGS = 100
"""Number of different values in a column without a name that is taken for ratings."""
_USUAL_COUNT = 10
"""Largest median of whole numbers that are taken for counts, such as plays, however large some of them are."""


@dataclass(frozen=True)
class Roles:
    """Position of each column.

    Attributes
    ----------
    user, item : int
    rating, timestamp : int or None
        None if the file has no such column.
    by_name : bool
        Whether the names of the columns of users and of items say what they are.
    counts : bool
        Whether the name of the column of ratings says that they are counts, such as plays.
    """

    user: int
    item: int
    rating: int | None
    timestamp: int | None
    by_name: bool
    counts: bool


def find_roles(table: Table, name: str) -> Roles:
    """Return which column is which.

    Parameters
    ----------
    table : Table
        The first rows.
    name : str
        The file's, for messages.

    Returns
    -------
    Roles

    Raises
    ------
    DataError
        If there are no two columns for users and items.
    """
    found: dict[str, int] = {}
    if table.header:
        plain = [plain_name(column) for column in table.names]
        last_words = [plain_name(_WORDS.split(column.strip())[-1]) for column in table.names]
        for role, names in _NAMES.items():
            position = next((plain.index(text) for text in names.split() if text in plain), None)
            if position is None and role in ("rating", "timestamp"):
                position = next((at for at, text in enumerate(last_words) if text in names.split()), None)
            if position is not None and position not in found.values():
                found[role] = position
    by_name = {"user", "item"} <= found.keys()
    if not by_name:
        _find_by_content(table, found)
    if not {"user", "item"} <= found.keys():
        columns = ", ".join(map(shown, table.names[:20]))
        raise DataError(
            f"{name}: no two columns of users and items; its columns are {columns}; write a config by hand, with "
            "dataset.columns"
        )
    rating = found.get("rating")
    counts = table.header is True and rating is not None and plain_name(table.names[rating]) in _COUNTS.split()
    return Roles(found["user"], found["item"], rating, found.get("timestamp"), by_name, counts)


def _find_by_content(table: Table, found: dict[str, int]) -> None:
    """Add the roles that names do not give: times and ratings by their range, then users and items in this order."""
    free = [at for at in range(len(table.names)) if at not in found.values() and not _are_row_numbers(table, at)]
    for role, is_one in (("timestamp", _are_times), ("rating", _are_ratings)):
        missing = len({"user", "item"} - found.keys())
        candidates = [at for at in free if role not in found and is_one(table.columns[at])]
        if candidates and len(free) > missing:  # ids are whole numbers too; ratings usually follow them
            found[role] = candidates[-1] if role == "rating" else candidates[0]
            free.remove(found[role])
    for role in ("user", "item"):
        if role not in found and free:
            found[role] = free.pop(0)


def _are_row_numbers(table: Table, at: int) -> bool:
    """Return whether a column counts the rows, as pandas writes its index."""
    texts = table.columns[at]
    return len(texts) > 2 and texts in ([str(i + start) for i in range(len(texts))] for start in (0, 1))


def _are_times(texts: list[str]) -> bool:
    if not are_numbers(texts):
        return bool(texts) and all(is_iso(text.strip()) for text in texts)
    return are_in_one_unit(np.array([float(text) for text in texts]))


def _are_ratings(texts: list[str]) -> bool:
    if not are_numbers(texts):
        return False
    values = np.array([float(text) for text in texts])
    low, high = values.min(), values.max()
    is_scale = len(np.unique(values)) <= _MOST_RATINGS and low >= -100 and high <= 1000
    return bool(is_scale or (low >= 0 and (values % 1 == 0).all() and np.median(values) <= _USUAL_COUNT))
