"""A split whose test part is a published file.

Raw ids are compared as text. The ids of a file are integers only if all of them are, so the same id may be an integer
in one of the files and text in the other.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.config.evaluation import FilesSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.preprocessing import resolve_duplicates
from tasks.core.data.readers.ratings import Ratings
from tasks.core.data.splits import Split
from tasks.core.errors import DataError
from tasks.core.types import Ids


def published_test(ratings: Ratings, config: PreprocessConfig) -> Ratings:
    """Apply the rules on duplicates and on the minimum rating to a published test file.

    The k-core is not applied: it is a rule on the train part.

    Parameters
    ----------
    ratings : Ratings
        Of the test file.
    config : PreprocessConfig
        The rules of the train part.

    Returns
    -------
    Ratings
        Without titles; may be empty.

    Raises
    ------
    DataError
        If there are duplicates, and `config.duplicates` is `error`.
    """
    frame = resolve_duplicates(ratings.frame, config)
    if "rating" in frame and config.min_rating is not None:
        frame = frame[frame["rating"] >= config.min_rating]
    return Ratings(frame, {})


def split_of_files(interactions: Interactions, test_ratings: Ratings, config: FilesSplit) -> Split:
    """Return the split whose train part is all interactions, and whose test part is a published file.

    Parameters
    ----------
    interactions : Interactions
        The train part.
    test_ratings : Ratings
        See `published_test`. Users and items that the interactions do not have get rows and columns after theirs.
    config : FilesSplit
        Gives the test file's name, for messages.

    Returns
    -------
    Split
        The values of the test part are 1.

    Raises
    ------
    DataError
        If the test part is empty, or one of its interactions is in the train part too.
    """
    from scipy.sparse import csr_array

    frame = test_ratings.frame
    if frame.empty:
        raise DataError(
            f"evaluation.split.test: {config.test} holds no interaction that counts; lower preprocess.min_rating"
        )
    rows, n_users = _extended_indexes(interactions.user_ids, frame["user"])
    columns, n_items = _extended_indexes(interactions.item_ids, frame["item"])
    matrix = interactions.matrix
    empty_rows = np.full(n_users - matrix.shape[0], matrix.nnz, dtype=matrix.indptr.dtype)
    indptr = np.concatenate([matrix.indptr, empty_rows])
    train = csr_array((matrix.data, matrix.indices, indptr), shape=(n_users, n_items))
    test = csr_array((np.ones(len(frame), dtype=np.float32), (rows, columns)), shape=(n_users, n_items))
    test.sort_indices()
    in_both = train.multiply(test).tocoo()
    if in_both.nnz:
        user, item = interactions.user_ids[in_both.coords[0][0]], interactions.item_ids[in_both.coords[1][0]]
        raise DataError(
            f"evaluation.split.test: {in_both.nnz} of its {test.nnz} interactions are in the train part too, for "
            f"example user {user} with item {item}; items of the train part are never recommended: remove them from "
            "one of the files"
        )
    return Split(train, test)


def _extended_indexes(ids: npt.NDArray[Any], column: Any) -> tuple[Ids, int]:
    """Return the index of each raw id in a categorical column, and the number of all ids.

    Raw ids that are not in `ids` get the indexes after them.
    """
    index_of = {str(raw_id): index for index, raw_id in enumerate(ids.tolist())}
    column = column.cat.remove_unused_categories()
    of_code = [index_of.setdefault(str(raw_id), len(index_of)) for raw_id in column.cat.categories.tolist()]
    return np.array(of_code, dtype=np.int32)[column.cat.codes.to_numpy()], len(index_of)
