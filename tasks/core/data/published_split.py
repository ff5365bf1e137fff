"""A published test file -> the test part of a split."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.config.evaluation import FilesSplit
from tasks.core.data.interactions import Interactions
from tasks.core.data.preprocessing import without_duplicates
from tasks.core.data.readers.ratings import Ratings
from tasks.core.data.splits import Split
from tasks.core.errors import DataError

if TYPE_CHECKING:
    pass


def published_test(ratings: Ratings, config: PreprocessConfig) -> Ratings:
    """A published test part's interactions: those that the train part's rules on ratings keep."""
    frame = without_duplicates(ratings.frame, config)
    if "rating" in frame and config.min_rating is not None:
        frame = frame[frame["rating"] >= config.min_rating]
    return Ratings(frame, {})


def split_of_files(loaded: Interactions, published: Ratings, config: FilesSplit) -> Split:
    from scipy.sparse import csr_array

    frame = published.frame
    if frame.empty:
        raise DataError(f"evaluation.split.test: {config.test} holds no interaction that counts; lower min_rating")
    rows, n_users = _places(loaded.user_ids, frame["user"])
    columns, n_items = _places(loaded.item_ids, frame["item"])
    matrix = loaded.matrix
    grown = np.concatenate([matrix.indptr, np.full(n_users - matrix.shape[0], matrix.nnz, dtype=matrix.indptr.dtype)])
    train = csr_array((matrix.data, matrix.indices, grown), shape=(n_users, n_items))
    test = csr_array((np.ones(len(frame), dtype=np.float32), (rows, columns)), shape=(n_users, n_items))
    test.sort_indices()
    again = train.multiply(test).tocoo()
    if again.nnz:
        user, item = loaded.user_ids[again.coords[0][0]], loaded.item_ids[again.coords[1][0]]
        raise DataError(
            f"evaluation.split.test: {again.nnz} of its {test.nnz} interactions are in the train part too, user {user} "
            f"with item {item} for one; what was trained on is never recommended: remove them from one of the files"
        )
    return Split(train, test)


def _places(known: npt.NDArray[Any], column: Any) -> tuple[npt.NDArray[np.int32], int]:
    """Each raw id's index, ids that are not known after those that are; and how many there are in all."""
    places = {str(raw): index for index, raw in enumerate(known.tolist())}
    codes = column.cat.remove_unused_categories()
    of_code = [places.setdefault(str(raw), len(places)) for raw in codes.cat.categories.tolist()]
    return np.array(of_code, dtype=np.int32)[codes.cat.codes.to_numpy()], len(places)
