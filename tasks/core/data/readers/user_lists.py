"""Text with one line for each user, read into a frame of interactions."""

import re
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.dataset import Layout
from tasks.core.data.readers.columns import checked_frame
from tasks.core.errors import DataError
from tasks.core.formatting import counted, shown

if TYPE_CHECKING:
    import pandas as pd

_FORMS: dict[Layout | None, str] = {
    "lists": "user item item ...",
    "counted_lists": "count item item ...",
    "item_lists": "item item ...",
}
"""What a line consists of, by layout."""


def read_user_lists(data: bytes, name: str, layout: Layout | None, separator: str | None) -> "pd.DataFrame":
    """Return the interactions of a text with a line for each user.

    With `lists`, a line is `user item item ...`. A user may have several lines, and blank lines are ignored. With
    `counted_lists`, a line is `count item item ...`, and with `item_lists` it is `item item ...`. The user is then the
    number of the line, from 0. A blank line counts, as a user without items: otherwise the users after it would have
    other numbers than in other files of the data set.

    Parameters
    ----------
    data : bytes
        UTF-8, with or without a byte order mark.
    name : str
        The file's, for messages.
    layout : str
        `lists`, `counted_lists` or `item_lists`.
    separator : str or None
        Between ids. None: any white space.

    Returns
    -------
    pd.DataFrame
        Columns `user` and `item`, see `tasks.core.data.readers.ratings.Ratings`. The rows are in the file's order.

    Raises
    ------
    DataError
        If the text is not UTF-8, has a NUL byte or an empty id, a count is not that of the items of its line, or there
        are no interactions.
    """
    import pandas as pd

    form = _FORMS[layout]
    lines = _lines(data, name)
    users: list[str] = []
    lengths: list[int] = []  # numbers of items
    items: list[str] = []
    for number, line in enumerate(lines, start=1):
        fields = line.split(separator) if line.strip() else []
        if not all(map(str.strip, fields)):
            raise DataError(f"{name}:{number}: an id is empty; expected `{form}`")
        user = str(number - 1)
        if fields and layout == "lists":
            user, *fields = fields
        elif fields and layout == "counted_lists":
            count, *fields = fields
            if count != str(len(fields)):
                raise DataError(f"{name}:{number}: {_count_error(count, len(fields))}")
        users.append(user)
        lengths.append(len(fields))
        items += fields
    if not items:
        raise DataError(f"{name}: no interactions; expected a line for each user: `{form}`")
    columns = {
        "user": pd.Categorical(np.repeat(np.array(users, dtype=object), lengths)),
        "item": pd.Categorical(items),
    }
    return checked_frame(columns, lambda reason: DataError(f"{name}: {reason}"))


def _lines(data: bytes, name: str) -> list[str]:
    """Return the lines of a text. The line feed at its end does not begin another one."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise DataError(f"{name}:{number}: not UTF-8 text; save the file as UTF-8") from error
    # str.splitlines would also split at characters that occur in ids, such as U+0085 and U+2028
    lines = re.split("\r\n|\r|\n", text)
    if "\0" in text:
        number = next(number for number, line in enumerate(lines, start=1) if "\0" in line)
        raise DataError(f"{name}:{number}: a NUL byte; expected UTF-8 text: save the file as UTF-8")
    return lines if lines[-1] else lines[:-1]


def _count_error(count: str, n_items: int) -> str:
    """Return why the first entry of a line is not the number of the items after it."""
    return (
        f"the first entry is '{shown(count)}', followed by {counted(n_items, 'item')}; expected their number: set "
        "layout: lists if the first entry is the user, or item_lists if it is an item"
    )
