"""What `mlflow.pyfunc.load_model` loads of a fit or a consensus: its lists, by the data set's own ids.

MLflow stores this file with the model and runs it where the model is loaded ("models from code"). It must not import
anything of this project, and nothing in it is pickled.
"""

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
            Rows of `task`, `id` (the data set's own, as text) and `n`.
        params : dict, optional
            Not used.

        Returns
        -------
        DataFrame
            Rows of `row` (of the input, from 0), `rank` (from 1), `id`, `title` (empty without titles), `score` and, of
            a consensus, `share` (of the seeds that list the entry).

        Raises
        ------
        MlflowException
            If the task is not one of TASKS, the data set has no such id, n is not 1 to 100, or lists were made for a
            sample of users and items that does not include this one.
        """
        requests = model_input.to_dict("records")
        lists = [
            self._list(row, **{str(key): value for key, value in request.items()})
            for row, request in enumerate(requests)
        ]
        return pd.concat(lists, ignore_index=True)

    def _list(self, row: int, task: str, id: Any, n: int = 10) -> pd.DataFrame:
        if task not in TASKS:
            raise _refusal(f"row {row}: found task {task!r}; expected one of {', '.join(TASKS)}")
        side, _, artifact = TASKS[task]
        indexes = self.indexes[side]
        if str(id) not in indexes.index:
            raise _refusal(
                f"row {row}: found {side} id {str(id)!r}, which is not among the {len(indexes):,} {side}s "
                f"that the model knows; they have ids such as {', '.join(map(repr, indexes.index[:3]))}"
            )
        if not 1 <= n <= 100:
            raise _refusal(f"row {row}: found n {n}; expected 1 to 100, the number of entries that the model keeps")
        starts, listed_indexes, values, listed = self.lists[artifact]
        index = int(indexes[str(id)])
        if index not in self.listed[side]:
            raise _refusal(
                f"row {row}: {side} id {str(id)!r} is not among the {len(self.listed[side]):,} {side}s whose lists "
                "were made: the model was trained with neighbours.sample; train it without, with --fresh"
            )
        entries = slice(starts[index], min(starts[index] + n, starts[index + 1]))
        names = self.names[listed].iloc[listed_indexes[entries]]
        return pd.DataFrame(
            {
                "row": row,
                "rank": np.arange(1, len(names) + 1),
                "id": names["raw_id"].astype(str).to_numpy(),
                "title": names["title"].fillna("").to_numpy() if "title" in names else "",
                **{name: column.to_numpy() for name, column in values.iloc[entries].items()},
            }
        )


def _read(context: PythonModelContext, artifact: str) -> pd.DataFrame:
    return pd.read_parquet(Path(context.artifacts[artifact]))


def _refusal(message: str) -> MlflowException:
    return MlflowException(message, INVALID_PARAMETER_VALUE)


set_model(ListModel())
