"""Step 5: every run's lists -> how alike the models are, on the parent run."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from prefect import task

from tasks import tracking
from tasks.core.comparison import Entry, Names, QueryLists, Row, RunLists, compare, queries, query_lists
from tasks.core.config import ExperimentConfig
from tasks.core.interactions import Interactions, Summary
from tasks.core.neighbours import Lists
from tasks.core.plan import EVALUATION, MODEL
from tasks.evaluate import COLUMNS, LISTS
from tasks.preprocess import Prepared, load
from tasks.tracking import RunRef
from tasks.train import Home

if TYPE_CHECKING:
    from mlflow import MlflowClient

RESULT = "result.json"


@dataclass(frozen=True)
class Accuracy:
    """One held-out metric of one model: mean and standard deviation over its seeds (None for one seed)."""

    model: str
    metric: str
    mean: float
    sd: float | None
    replicates: int


@dataclass(frozen=True)
class Result:
    """What an experiment found; `result.json` of the parent run is this."""

    experiment: str
    parent_id: str
    config_sha256: str
    data_sha256: str
    dataset: str
    summary: Summary
    models: dict[str, dict[str, Any]]
    comparison: list[Row]
    queries: list[QueryLists]
    accuracy: list[Accuracy]
    runs: list[RunRef]

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """The inverse of `to_json`."""
        parts = json.loads(text)
        parts["summary"] = Summary(**parts["summary"])
        parts["comparison"] = [Row(**row) for row in parts["comparison"]]
        parts["accuracy"] = [Accuracy(**row) for row in parts["accuracy"]]
        parts["runs"] = [RunRef(**row) for row in parts["runs"]]
        for query in parts["queries"]:
            query["models"] = {model: [Entry(**row) for row in rows] for model, rows in query["models"].items()}
        parts["queries"] = [QueryLists(**query) for query in parts["queries"]]
        return cls(**parts)

    def to_json(self) -> str:
        """All of it, as JSON."""
        return json.dumps(asdict(self), indent=1)


@task(name="compare", task_run_name="compare {config.name}")
def compare_models(config: ExperimentConfig, data: Prepared, runs: Sequence[RunRef], where: Home) -> Result:
    """Compare the models' lists and log numbers, tables and `runs.json` on the parent run."""
    client = tracking.open_store(where.uri)
    loaded = load(data.file)
    lists: dict[str, list[RunLists]] = {name: [] for name in config.models}
    for run in runs:
        if run.role == MODEL:
            lists[run.model].append(read_lists(client, run.run_id, loaded))
    asked = list(queries(config.queries.users, config.queries.items, config.queries.recommend_for))
    rows = compare(
        lists,
        depths=config.comparison.depths,
        query=asked,
        candidates=loaded.matrix.shape[1] - np.diff(loaded.matrix.indptr),
    )
    result = Result(
        experiment=config.name,
        parent_id=where.parent_id,
        config_sha256=config.digest(),
        data_sha256=data.sha256,
        dataset=config.dataset.name,
        summary=data.summary,
        models={name: settings.model_dump() for name, settings in config.models.items()},
        comparison=rows,
        queries=[
            query_lists(
                name,
                target,
                index,
                n=config.queries.recommend_n if target == "recommendations" else config.queries.n,
                names=Names(loaded.user_ids, loaded.item_ids, loaded.item_titles),
                lists={model: [getattr(run, target) for run in found] for model, found in lists.items()},
            )
            for name, target, index in asked
        ],
        accuracy=_accuracy(client, config, runs),
        runs=list(runs),
    )
    _log(client, config, result)
    return result


def read_lists(client: "MlflowClient", run_id: str, loaded: Interactions) -> RunLists:
    """A complete run's lists, each file checked against the manifest."""
    users, items = loaded.matrix.shape
    sizes = {"users": users, "items": items, "recommendations": users}
    return RunLists(**{target: read_target(client, run_id, target, size) for target, size in sizes.items()})


def read_target(client: "MlflowClient", run_id: str, target: str, n_entities: int) -> Lists:
    """A complete run's lists of one target: `users`, `items` or `recommendations`."""
    import pandas as pd

    frame = pd.read_parquet(tracking.read_artifact(client, run_id, LISTS[target]))
    return Lists.from_frame(frame, COLUMNS[target], n_entities)


def _accuracy(client: "MlflowClient", config: ExperimentConfig, runs: Sequence[RunRef]) -> list[Accuracy]:
    """Each model's held-out metrics over its seeds."""
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run.role == EVALUATION:
            for metric, value in client.get_run(run.run_id).data.metrics.items():
                if "_at_" in metric:
                    found.setdefault((run.model, metric), []).append(value)
    return [
        Accuracy(model, metric, float(np.mean(values)), _sd(values), len(values))
        for (model, metric), values in sorted(found.items())
    ]


def _sd(values: list[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _log(client: "MlflowClient", config: ExperimentConfig, result: Result) -> None:
    import pandas as pd

    numbers = {row.metric: row.overlap for row in result.comparison if row.overlap is not None}
    numbers |= {f"{row.metric}.{row.model}": row.mean for row in result.accuracy}
    numbers |= {f"summary_{key}": float(value) for key, value in asdict(result.summary).items()}
    tracking.log_metrics(client, result.parent_id, numbers)
    folder = Path(tempfile.mkdtemp(prefix="latentlab-"))
    try:
        (folder / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
        (folder / "runs.json").write_text(json.dumps([asdict(run) for run in result.runs], indent=1), encoding="utf-8")
        (folder / RESULT).write_text(result.to_json(), encoding="utf-8")
        tables = {
            "summary.json": pd.DataFrame([asdict(result.summary)]),
            "comparison.json": pd.DataFrame([asdict(row) for row in result.comparison]),
        }
        if result.accuracy:
            tables["accuracy.json"] = pd.DataFrame([asdict(row) for row in result.accuracy])
        for query in result.queries:
            rows = [{"model": model, **asdict(entry)} for model, found in query.models.items() for entry in found]
            nameless = ["title"] if all(not row["title"] for row in rows) else []
            tables[f"queries/{query.name}.json"] = pd.DataFrame(rows).drop(columns=nameless)
        for path, frame in tables.items():
            tracking.write_table(folder, path, frame)
        tracking.upload(client, result.parent_id, folder, tables=list(tables))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
