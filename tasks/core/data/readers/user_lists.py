"""Text with one line for each user, read into a frame of interactions."""

import re
from typing import TYPE_CHECKING

from tasks.core.data.readers.columns import checked_frame
from tasks.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_user_lists(data: bytes, name: str, separator: str | None) -> "pd.DataFrame":
    """Return the interactions of a text whose lines are `user item item ...`.

    A user may have several lines. A line without items is ignored.

    Parameters
    ----------
    data : bytes
        UTF-8, with or without a byte order mark.
    name : str
        The file's, for messages.
    separator : str or None
        Between ids. None: any white space.

    Returns
    -------
    pd.DataFrame
        Columns `user` and `item`, see `tasks.core.data.readers.ratings.Ratings`.

    Raises
    ------
    DataError
        If the text is not UTF-8, has a NUL byte or an empty id, or has no interactions.
    """
    import pandas as pd

    try:
        # str.splitlines would also split at characters that occur in ids, such as U+0085 and U+2028
        lines = re.split("\r\n|\r|\n", data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise DataError(f"{name}:{number}: not UTF-8 text; save the file as UTF-8") from error
    users: list[str] = []
    items: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if "\0" in line:
            raise DataError(f"{name}:{number}: a NUL byte; expected UTF-8 text: save the file as UTF-8")
        user, *user_items = line.split(separator)
        if not (user.strip() and all(map(str.strip, user_items))):
            raise DataError(f"{name}:{number}: an id is empty; expected `user item item ...`")
        users += [user] * len(user_items)
        items += user_items
    if not users:
        raise DataError(f"{name}: no interactions; expected a line for each user: `user item item ...`")
    columns = {"user": pd.Categorical(users), "item": pd.Categorical(items)}
    return checked_frame(columns, lambda reason: DataError(f"{name}: {reason}"))
