"""Step 6: every run's lists -> how alike the models are, on the parent run."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from prefect import task

from tasks import measure
from tasks.core.comparison.agreement import RunLists, compare
from tasks.core.comparison.endpoints import endpoints, family_size
from tasks.core.comparison.factorial import factorial
from tasks.core.comparison.per_user import per_user
from tasks.core.comparison.query_lists import Entry, Names, queries, query_lists
from tasks.core.comparison.references import raw_neighbours, reference
from tasks.core.comparison.verdict import answer
from tasks.core.config.base import LIST_LENGTH
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.inference.permutation import replicates_needed, smallest_p
from tasks.core.models.reference_recommenders import MOST_ITEMS, RECOMMENDERS
from tasks.core.planning.runs import MODEL, RunRef
from tasks.preprocess import Prepared, load, load_split
from tasks.reporting import report
from tasks.reporting.convergence import Convergence
from tasks.reporting.result import RESULT, Accuracy, Result
from tasks.tracking import artifacts, metrics, runs, store
from tasks.tracking.lists import LISTS, read_lists
from tasks.train import Home

if TYPE_CHECKING:
    from mlflow import MlflowClient


@task(name="compare", task_run_name="compare {config.name}")
def compare_models(config: ExperimentConfig, data: Prepared, runs: Sequence[RunRef], where: Home) -> Result:
    """Compare the models' lists and log numbers, tables and `runs.json` on the parent run."""
    client = store.open_store(where.uri)
    loaded = load(data.file)
    lists: dict[str, list[RunLists]] = {name: [] for name in config.models}
    for run in runs:
        if run.role == MODEL:
            lists[run.model].append(read_lists(client, run.run_id, loaded))
    asked = list(queries(config.queries.users, config.queries.items, config.queries.recommend_for))
    rows, curves = compare(
        lists,
        depths=config.comparison.depths,
        query=asked,
        candidates=loaded.matrix.shape[1] - np.diff(loaded.matrix.indptr),
        longest=LIST_LENGTH,
    )
    arrays = {t: {m: [getattr(run, t).ids for run in found] for m, found in lists.items()} for t in LISTS}
    settings = {name: model.model_dump() for name, model in config.models.items()}
    answers, matrices = answer(lists, config)
    tested = [(each.a, each.b) for each in answers if each.target == "users" and each.a == config.baseline]
    raw = raw_neighbours(loaded, n=config.queries.n) if tested else {}
    split = load_split(data.held_out) if data.held_out else None
    beside = measure.references(config, split) if split else {}
    measured = measure.measured(client, config, runs)
    metrics_of = cache(lambda run_id: dict(client.get_run(run_id).data.metrics))
    result = Result(
        experiment=config.name,
        parent_id=where.parent_id,
        config_sha256=config.digest(),
        data_sha256=data.sha256,
        dataset=config.dataset.name,
        summary=data.summary,
        models=settings,
        replicates=config.replicates,
        answers=answers,
        smallest_p=_smallest_p(config, {model: len(found) for model, found in lists.items()}),
        replicates_needed=replicates_needed(family_size(config)),
        factorial=factorial(settings, answers, matrices),
        matrices=matrices,
        references=[
            reference(each.of, each.n, a, b, arrays[each.of], raw.get(each.of), seed=config.seed)
            for a, b in tested
            for each in endpoints(config)
            if each.entity is None
        ],
        per_user=[
            per_user(
                config.queries.n,
                a,
                b,
                arrays["users"][a],
                arrays["users"][b],
                np.diff(loaded.matrix.indptr).astype(np.int64),
                config.queries.users,
                seed=config.seed,
            )
            for a, b in tested
        ],
        comparison=rows,
        curves=curves,
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
        accuracy=measure.means(metrics_of, runs),
        accuracy_tests=measure.tests(config, measured),
        held_out=split.counts() if split else {},
        reference_accuracy=[
            Accuracy(name, metric, value, None, 1)
            for name, found in beside.items()
            for metric, value in sorted(found.means().items())
        ],
        left_out={name: f"more than {MOST_ITEMS:,} items" for name in RECOMMENDERS if split and name not in beside},
        beside_popularity=measure.beside_popularity(config, measured, beside),
        tuning=measure.tuning(config),
        sweep=measure.along(metrics_of, config, runs, matrices),
        convergence=_convergence(client, config, runs),
        runs=list(runs),
    )
    _log(client, config, result)
    return result


def _smallest_p(config: ExperimentConfig, replicates: dict[str, int]) -> float:
    """The least p after Holm that the weakest pair with the baseline can reach."""
    others = [count for model, count in replicates.items() if model != config.baseline]
    fewest = min(others, default=replicates[config.baseline])
    return smallest_p(replicates[config.baseline], fewest, endpoints=family_size(config))


def _convergence(client: "MlflowClient", config: ExperimentConfig, runs: Sequence[RunRef]) -> list[Convergence]:
    """How settled each model was, from its runs' metrics along the iterations."""
    found = []
    for model, settings in config.models.items():
        ids = [run.run_id for run in runs if run.role == MODEL and run.model == model]
        objectives = [metrics.metric_history(client, run_id, "objective") for run_id in ids]
        settled = [
            metrics.metric_history(client, run_id, f"overlap_final.users_at_{config.queries.n}") for run_id in ids
        ]
        imbalances = [list(metrics.metric_history(client, run_id, "imbalance").values())[-1] for run_id in ids]
        ends = [max(history) for history in objectives]
        since = [_since(history) for history in objectives]
        fallen = [history[step] for history, step in zip(objectives, since, strict=True)]
        final = [history[step] for history, step in zip(objectives, ends, strict=True)]
        found.append(
            Convergence(
                model,
                settings.iterations,
                min(since),
                sum(fallen) / sum(final) - 1,
                max(imbalances),
                _mean_history(objectives),
                _mean_history(settled),
                ends,
                float(np.mean(final)),
            )
        )
    return found


def _since(history: Mapping[int, float]) -> int:
    """The iteration from which a fit's last change counts: noted ones at nine tenths of all, or before."""
    return max((step for step in history if step <= 0.9 * max(history)), default=min(history))


def _mean_history(histories: Sequence[Mapping[int, float]]) -> list[tuple[int, float]]:
    """A metric's mean over runs, at the iterations that all of them have."""
    steps = sorted(set.intersection(*(set(history) for history in histories)))
    return [(step, float(np.mean([history[step] for history in histories]))) for step in steps]


def _log(client: "MlflowClient", config: ExperimentConfig, result: Result) -> None:
    import pandas as pd

    numbers = {row.metric: row.overlap for row in result.comparison if row.overlap is not None}
    numbers |= {f"{row.metric}.{row.model}": row.mean for row in (*result.accuracy, *result.reference_accuracy)}
    numbers |= {key: float(value) for key, value in result.held_out.items()}
    for point in result.sweep.points if result.sweep else ():
        numbers |= {f"fit_seconds.{point.model}": point.seconds.mean, f"factor_mb.{point.model}": point.megabytes}
    for each in result.answers:
        numbers |= {f"delta.{each.metric}": each.delta, f"p.{each.metric}": each.p}
        if each.p_holm is not None:
            numbers[f"p_holm.{each.metric}"] = each.p_holm
    numbers |= {f"summary_{key}": float(value) for key, value in asdict(result.summary).items()}
    metrics.log_metrics(client, result.parent_id, numbers)
    verdicts = {
        f"latentlab.verdict.{each.target}.{each.a}_vs_{each.b}": each.verdict for each in result.answers if each.verdict
    }
    if result.answers and result.answers[0].verdict:
        verdicts["latentlab.verdict"] = result.answers[0].verdict
    asked = client.get_run(result.parent_id).data.tags.get("latentlab.description", "")
    warned = "\n".join(f"- {told}." for told in result.warnings)
    described = "\n\n".join([f"**{result.sentence}**", *filter(None, [warned, asked])])
    runs.set_tags(client, result.parent_id, {**verdicts, "mlflow.note.content": described})
    folder = Path(tempfile.mkdtemp(prefix="latentlab-"))
    try:
        (folder / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
        (folder / "runs.json").write_text(json.dumps([asdict(run) for run in result.runs], indent=1), encoding="utf-8")
        (folder / RESULT).write_text(result.to_json(), encoding="utf-8")
        tables = {
            "summary.json": pd.DataFrame([asdict(result.summary)]),
            **({"verdict.json": pd.DataFrame([asdict(each) for each in result.answers])} if result.answers else {}),
            "comparison.json": pd.DataFrame([asdict(row) for row in result.comparison]),
        }
        if result.accuracy:
            rows = [asdict(row) for row in (*result.accuracy, *result.reference_accuracy)]
            tables["accuracy.json"] = pd.DataFrame(rows)
        if result.sweep:
            tables["sweep.json"] = pd.DataFrame([measure.sweep_row(point) for point in result.sweep.points])
        for query in result.queries:
            rows = [{"model": model, **asdict(entry)} for model, found in query.models.items() for entry in found]
            columns = ["model", *(field.name for field in fields(Entry))]
            if all(not row["title"] for row in rows):
                columns.remove("title")
            tables[f"queries/{query.name}.json"] = pd.DataFrame(rows, columns=columns)
        drawings = report.draw(result)
        (folder / "figures").mkdir()
        for drawing in drawings:
            (folder / "figures" / f"{drawing.name}.svg").write_text(drawing.svg, encoding="utf-8")
        (folder / report.REPORT).write_text(report.render(result, drawings, config.to_yaml()), encoding="utf-8")
        for path, frame in tables.items():
            artifacts.write_table(folder, path, frame)
        artifacts.upload(client, result.parent_id, folder, tables=list(tables))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
