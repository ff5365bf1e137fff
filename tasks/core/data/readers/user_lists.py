"""Text with one line for each user -> a frame of interactions."""

from typing import TYPE_CHECKING

from tasks.core.data.readers.columns import checked_frame
from tasks.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_user_lists(data: bytes, name: str, separator: str | None) -> "pd.DataFrame":
    """A line a user: the user, then items. A user without items is a user without interactions."""
    import pandas as pd

    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        at = data[: error.start].count(b"\n") + 1
        raise DataError(f"{name}:{at}: not UTF-8 text; save the file as UTF-8") from None
    users: list[str] = []
    items: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        user, *listed = line.split(separator)
        if not (user.strip() and all(map(str.strip, listed))):
            raise DataError(f"{name}:{number}: an id is empty; expected `user item item ...`")
        users += [user] * len(listed)
        items += listed
    if not users:
        raise DataError(f"{name}: no interactions; expected a line a user: `user item item ...`")
    columns = {"user": pd.Categorical(users), "item": pd.Categorical(items)}
    return checked_frame(columns, lambda reason: DataError(f"{name}: {reason}"))
