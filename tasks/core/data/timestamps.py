"""Timestamps of ratings: the order of a file in place of them."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


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
