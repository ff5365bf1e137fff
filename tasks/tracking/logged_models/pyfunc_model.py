"""What `mlflow.pyfunc.load_model` loads of a fit or a consensus: its lists, by the data set's own ids, and new users.

MLflow stores this file with the model and runs it where the model is loaded ("models from code"). It must not import
anything of this project, and nothing in it is pickled.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

TASKS = {
    "recommend": ("user", "item", "recommendations"),
    "similar_users": ("user", "user", "neighbours_users"),
    "similar_items": ("item", "item", "neighbours_items"),
}
"""Task -> what `id` is, what is listed, the artifact that holds the lists."""
ITEM_FACTORS = "item_factors"
"""Artifact for users who are not in the data. A consensus, whose lists are of several fits, does not have it."""


class ListModel(PythonModel):
    """Recommendations and nearest neighbours, as they were when the fits were compared."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the lists, and the names of users and items."""
        self.names = {side: _read(context, f"{side}s") for side in ("user", "item")}
        self.indexes = {
            side: pd.Series(np.arange(len(frame)), index=frame["raw_id"].astype(str).to_numpy())
            for side, frame in self.names.items()
        }
        sample = _read(context, "sample") if "sample" in context.artifacts else None
        self.listed = {
            side: np.arange(len(frame)) if sample is None else sample["index"][sample["side"] == f"{side}s"].to_numpy()
            for side, frame in self.names.items()
        }
        self.item_factors = context.artifacts.get(ITEM_FACTORS)
        self.lists = {}
        for side, listed, artifact in TASKS.values():
            frame = _read(context, artifact).sort_values(["index", "rank"], kind="stable")
            starts = np.searchsorted(frame["index"].to_numpy(), np.arange(len(self.names[side]) + 1))
            column = "item" if artifact == "recommendations" else "neighbour"
            values = frame[["score", *(["share"] if "share" in frame else [])]].astype(np.float64)
            self.lists[artifact] = (starts, frame[column].to_numpy(), values, listed)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return the lists that the rows of the input ask for.

        Parameters
        ----------
        context : PythonModelContext
            Not used.
        model_input : DataFrame
            Rows of `task`, `id` (the data set's own, as text) and `n`. For `recommend`, `items` in place of `id`: the
            ids of what somebody has who is not among the users.
        params : dict, optional
            With `arrays` true, the result has one row for each row of the input.

        Returns
        -------
        DataFrame
            Rows of `row` (of the input, from 0), `rank` (from 1), `id`, `title` of items (empty without titles; null
            for a user, and no column if all entries are users), `score` and, of a consensus, `share` (of the seeds that
            list the entry). With `arrays`, one row for each row of the input, with its index, and the
            columns `id`, `title` (empty for users), `score` and `share`, each an array in the order of the ranks.

        Raises
        ------
        MlflowException
            If the task is not one of TASKS, the data set has no such id, n is not 1 to 100, or lists were made for a
            sample of users and items that does not include this one. If there are both `id` and `items`, or neither, if
            `items` has an id twice or none, is for another task, or the model has no item factors.
        """
        requests = model_input.to_dict("records")
        lists = [
            self._list(row, **{str(key): value for key, value in request.items()})
            for row, request in enumerate(requests)
        ]
        if params and params.get("arrays"):
            values = next(iter(self.lists.values()))[2]
            columns = ["id", "title", *values]
            rows = [[entries[column].tolist() if column in entries else [] for column in columns] for entries in lists]
            return pd.DataFrame(rows, columns=columns, index=model_input.index)
        entries = pd.concat(lists, ignore_index=True)
        if "title" not in entries:
            return entries
        titles = [title if isinstance(title, str) else None for title in entries.pop("title")]  # JSON has no NaN
        entries.insert(3, "title", titles)
        return entries

    @cached_property
    def new_users(self) -> "_NewUsers":
        """What folds users in; read once it is needed, as it can be much larger than the lists."""
        return _NewUsers(Path(self.item_factors))

    def _list(self, row: int, task: str, id: Any = None, n: int = 10, items: Any = None) -> pd.DataFrame:
        if task not in TASKS:
            raise _refusal(f"row {row}: found task {task!r}; expected one of {', '.join(TASKS)}")
        if not 1 <= n <= 100:
            raise _refusal(f"row {row}: found n {n}; expected 1 to 100, the number of entries that the model keeps")
        # a row of a table whose other rows have the column can have None, or not a number
        has_id, has_items = id is not None and id == id, np.ndim(items) > 0
        if has_id == has_items:
            raise _refusal(f"row {row}: found {'both id and items' if has_id else 'no id'}; expected an id, or items")
        side, listed_side, artifact = TASKS[task]
        if has_items:
            if task != "recommend":
                raise _refusal(f"row {row}: found items for task {task!r}; expected an id: items are for 'recommend'")
            return self._entries(row, listed_side, *self._recommended(row, list(items), n))
        index = self._index(row, side, id)
        if index not in self.listed[side]:
            raise _refusal(
                f"row {row}: {side} id {str(id)!r} is not among the {len(self.listed[side]):,} {side}s whose lists "
                "were made: the model was trained with neighbours.sample; train it without, with --fresh"
            )
        starts, listed_indexes, values, _ = self.lists[artifact]
        entries = slice(starts[index], min(starts[index] + n, starts[index + 1]))
        return self._entries(row, listed_side, listed_indexes[entries], values.iloc[entries])

    def _index(self, row: int, side: str, id: Any) -> int:
        indexes = self.indexes[side]
        if str(id) not in indexes.index:
            raise _refusal(
                f"row {row}: found {side} id {str(id)!r}, which is not among the {len(indexes):,} {side}s "
                f"that the model knows; they have ids such as {', '.join(map(repr, indexes.index[:3]))}"
            )
        return int(indexes[str(id)])

    def _recommended(self, row: int, ids: list[Any], n: int) -> tuple[np.ndarray, pd.DataFrame]:
        """Return the items with the highest scores for somebody who has some items, and their scores."""
        if self.item_factors is None:
            raise _refusal(
                f"row {row}: found items, and this model is a consensus of lists, without item factors to fold a new "
                "user in; expected an id, or the model of a single fit"
            )
        owned = [self._index(row, "item", id) for id in ids]
        if not owned or len(set(owned)) < len(owned):
            raise _refusal(f"row {row}: found items {list(map(str, ids))}; expected one id or more, each once")
        scores = self.new_users.scores(owned)
        best = np.argsort(-scores, kind="stable")[:n]
        best = best[np.isfinite(scores[best])]
        return best, pd.DataFrame({"score": scores[best]})

    def _entries(self, row: int, side: str, indexes: np.ndarray, values: pd.DataFrame) -> pd.DataFrame:
        names = self.names[side].iloc[indexes]
        entries = pd.DataFrame(
            {
                "row": row,
                "rank": np.arange(1, len(names) + 1),
                "id": names["raw_id"].astype(str).to_numpy(),
            }
        )
        if side == "item":  # users have no titles
            entries["title"] = names["title"].fillna("").to_numpy() if "title" in names else ""
        for name, column in values.items():
            entries[str(name)] = column.to_numpy()
        return entries


class _NewUsers:
    """Solves for users whom the model was not trained on, against its item factors.

    The equation is (YᵀCY + λI) x = YᵀCp (Hu, Koren, Volinsky 2008, eq. 4); a model of Spark multiplies λ by the number
    of the user's items.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as arrays:
            self.factors = arrays["item_factors"].astype(np.float64)  # (I, k)
            self.confidence = float(arrays["confidence"])
            self.regularization = float(arrays["regularization"])
            self.by_count = bool(arrays["by_count"])
        self.gram = self.factors.T @ self.factors  # YᵀY, which the systems of all users have in common

    def scores(self, owned: list[int]) -> np.ndarray:
        """Return the scores of all items, (I,); -inf for those of the user, and for those that were not trained."""
        of_user = self.factors[owned]
        regularization = self.regularization * (len(owned) if self.by_count else 1)
        system = self.gram + (self.confidence - 1) * of_user.T @ of_user + regularization * np.eye(len(self.gram))
        user = np.linalg.solve(system, self.confidence * of_user.sum(axis=0))
        scores = self.factors @ user
        scores[owned] = -np.inf
        scores[~np.any(self.factors, axis=1)] = -np.inf
        return np.asarray(scores)


def _read(context: PythonModelContext, artifact: str) -> pd.DataFrame:
    return pd.read_parquet(Path(context.artifacts[artifact]))


def _refusal(message: str) -> MlflowException:
    return MlflowException(message, INVALID_PARAMETER_VALUE)


set_model(ListModel())
