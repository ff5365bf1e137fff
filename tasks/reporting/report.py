"""The report: one HTML file with everything in it."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tasks.core.comparison.verdict import RULE, noise_ceiling
from tasks.measure import sweep_row
from tasks.reporting import figures
from tasks.reporting.figures import Drawing
from tasks.reporting.result import Result

REPORT = "report.html"
METRICS = ("ndcg_at_10", "recall_at_10", "precision_at_10", "map_at_10", "hit_rate_at_10")
SUMMARY = {
    "users": "users",
    "items": "items",
    "interactions": "interactions",
    "mean_per_user": "mean per user",
    "mean_per_item": "mean per item",
    "max_per_user": "max per user",
    "max_per_item": "max per item",
    "min_per_user": "min per user",
    "min_per_item": "min per item",
}


def draw(result: Result) -> list[Drawing]:
    """The figures of an experiment, the headline first. Of several pairs of models, the first is drawn."""
    drawings = []
    pair = _first_pair(result)
    if result.sweep:
        drawings.append(figures.sweep(result.sweep))
    if result.answers:
        drawings.append(figures.intervals([each for each in result.answers if (each.a, each.b) == pair]))
    drawings += [figures.candidates(query, *pair) for query in result.queries if query.target == "users" and pair]
    shown = [matrix for matrix in result.matrices if matrix.target in ("users", result.matrices[0].target)]
    drawings += [figures.runs(matrix, list(result.models)) for matrix in shown]
    drawings += [figures.depths(result.curves, target, *pair) for target in ("users", "items") if pair]
    drawings += [figures.users(each) for each in result.per_user[:1]]
    if result.accuracy:
        found: dict[str, dict[str, tuple[float, float | None]]] = {}
        drawn = set(pair) if result.sweep else set(result.models)
        for row in (*result.accuracy, *result.reference_accuracy):
            if row.metric in METRICS and (row.model in drawn or row.model not in result.models):
                found.setdefault(row.metric, {})[row.model] = (row.mean, row.sd)
        drawings += (
            [figures.accuracy({metric: found[metric] for metric in METRICS if metric in found})] if found else []
        )
    settled = {each.model: each.settled for each in result.convergence if each.settled}
    drawings += [figures.trajectory(settled)] if settled else []
    return [*drawings, figures.objective({each.model: each.objective for each in result.convergence})]


def render(result: Result, drawings: Sequence[Drawing], config: str) -> str:
    """The report as one HTML document that loads nothing; `config` is the resolved YAML."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True)
    environment.filters["zipped"] = lambda lists, n: list(zip_longest(*(entries[:n] for entries in lists)))
    template = environment.from_string(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    pairs: dict[tuple[str, str], list[Any]] = {}
    for each in result.answers:
        pairs.setdefault((each.a, each.b), []).append(each)
    return template.render(
        result=result,
        models=list(result.models),
        warnings=result.warnings,
        sweep=[sweep_row(point) for point in result.sweep.points] if result.sweep else [],
        accuracy=_accuracy(result),
        pairs=list(pairs.values()),
        drawings=drawings,
        references=_references(result),
        rule=RULE,
        summary=[(name, _figure(getattr(result.summary, key))) for key, name in SUMMARY.items()],
        config=config,
        versions=_versions(),
    )


def _first_pair(result: Result) -> tuple[str, ...]:
    if result.answers:
        return result.answers[0].a, result.answers[0].b
    return tuple(result.models)[:2] if len(result.models) > 1 else ()


def _references(result: Result) -> list[dict[str, str]]:
    rows = []
    for found in result.references:
        of = (found.target, found.n, found.a, found.b)
        ceiling = [noise_ceiling(each) for each in result.answers if (each.target, each.n, each.a, each.b) == of]
        chance = [row.chance for row in result.comparison if (row.target, row.depth) == of[:2]]
        values = {
            "chance": chance[0] if chance else None,
            "floor": found.floor,
            "ceiling": ceiling[0],
            "raw_a": found.raw.get(found.a),
            "raw_b": found.raw.get(found.b),
        }
        shown = {key: "-" if value is None else f"{value:.3f}" for key, value in values.items()}
        rows.append({"target": found.target, "n": str(found.n), "a": found.a, "b": found.b, **shown})
    return rows


def _accuracy(result: Result) -> dict[str, list[tuple[str, list[str]]]]:
    """Of each family of metrics a table: its head, then a line a model and a reference recommender."""
    cells = result.accuracy_cells
    names = list(dict.fromkeys(model for model, _ in cells))
    metrics = list(dict.fromkeys(row.metric for row in result.accuracy))
    tables: dict[str, list[tuple[str, list[str]]]] = {}
    for cutoff in result.cutoffs:
        columns = [metric for metric in metrics if metric.endswith(f"_at_{cutoff}") or metric == "auc"]
        rows = [("model", [metric.partition("_at_")[0] for metric in columns])]
        for name in names:
            found = [cells.get((name, metric)) for metric in columns]
            rows.append((name, ["-" if f is None else _with_spread(f.mean, f.sd) for f in found]))
        tables[f"at {cutoff}"] = rows
    return tables


def _with_spread(mean: float, sd: float | None) -> str:
    return f"{mean:.4f}" + ("" if sd is None else f" ±{sd:.4f}")


def _figure(value: float) -> str:
    return f"{value:.6f}" if isinstance(value, float) else f"{value:,}"


def _versions() -> str:
    names = ("latentlab", "implicit", "numpy", "scipy", "mlflow", "prefect")
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])
