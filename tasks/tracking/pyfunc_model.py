"""What `mlflow.pyfunc.load_model` loads of a fit: its lists, by the data set's own ids."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

TASKS = {
    "recommend": ("user", "item", "recommendations"),
    "similar_users": ("user", "user", "neighbours_users"),
    "similar_items": ("item", "item", "neighbours_items"),
}
"""task -> what `id` is, what is listed, the artifact that holds the lists."""


class Lists(PythonModel):
    """Recommendations and nearest neighbours, as they were when the fit was compared."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the lists and the names of what is in them."""
        self.names = {side: _frame(context, f"{side}s") for side in ("user", "item")}
        self.places = {
            side: pd.Series(np.arange(len(frame)), index=frame["raw_id"].astype(str).to_numpy())
            for side, frame in self.names.items()
        }
        self.lists = {}
        for asked, listed, artifact in TASKS.values():
            frame = _frame(context, artifact).sort_values(["index", "rank"], kind="stable")
            starts = np.searchsorted(frame["index"].to_numpy(), np.arange(len(self.names[asked]) + 1))
            column = "item" if artifact == "recommendations" else "neighbour"
            self.lists[artifact] = (starts, frame[column].to_numpy(), frame["score"].to_numpy(), listed)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Rows of `task`, `id` (the data set's own, as text) and `n`, to rows of what is listed.

        Returns
        -------
        DataFrame of `row` (of the input, from 0), `rank` (from 1), `id`, `title` (empty without titles) and `score`

        Raises
        ------
        MlflowException
            A task that is not one of TASKS, an id that the data set does not have, n below 1 or above 100.
        """
        rows = model_input.to_dict("records")
        found = [self._list(row, **{str(key): value for key, value in asked.items()}) for row, asked in enumerate(rows)]
        return pd.concat(found, ignore_index=True)

    def _list(self, row: int, task: str, id: Any, n: int = 10) -> pd.DataFrame:
        if task not in TASKS:
            raise _refused(f"row {row}: found task {task!r}; expected one of {', '.join(TASKS)}")
        side, _, artifact = TASKS[task]
        places = self.places[side]
        if str(id) not in places.index:
            raise _refused(
                f"row {row}: found {side} id {str(id)!r}, which is not among the {len(places):,} {side}s "
                f"that the model knows; they have ids such as {', '.join(map(repr, places.index[:3]))}"
            )
        if not 1 <= n <= 100:
            raise _refused(f"row {row}: found n {n}; expected 1 to 100, as many as the model keeps")
        starts, listed_ids, scores, listed = self.lists[artifact]
        at = int(places[str(id)])
        span = slice(starts[at], min(starts[at] + n, starts[at + 1]))
        names = self.names[listed].iloc[listed_ids[span]]
        titles = names["title"].fillna("").to_numpy() if "title" in names else ""
        return pd.DataFrame(
            {
                "row": row,
                "rank": np.arange(1, len(names) + 1),
                "id": names["raw_id"].astype(str).to_numpy(),
                "title": titles,
                "score": scores[span].astype(np.float64),
            }
        )


def _frame(context: PythonModelContext, artifact: str) -> pd.DataFrame:
    return pd.read_parquet(Path(context.artifacts[artifact]))


def _refused(message: str) -> MlflowException:
    return MlflowException(message, INVALID_PARAMETER_VALUE)
