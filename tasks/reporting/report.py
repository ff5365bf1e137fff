"""The report of a comparison: a single HTML file, with its figures in it."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path

from tasks.core.comparison.answers import Answer
from tasks.core.comparison.verdict import RULE, Verdict
from tasks.core.formatting import (
    SIMILARITY_LABELS,
    SUMMARY_LABELS,
    beyond_noise,
    decimals,
    escaped,
    interval,
    p_value,
    percent,
    setting_text,
    summary_value,
)
from tasks.core.inference.multiplicity import LEVEL
from tasks.reporting.accuracy import Accuracy, held_out_text
from tasks.reporting.drawing import Drawing
from tasks.reporting.figures_of_accuracy import draw_accuracy, draw_sweep
from tasks.reporting.figures_of_effects import draw_intervals, draw_similarities, draw_users
from tasks.reporting.figures_of_lists import draw_candidates, draw_depths, draw_runs
from tasks.reporting.figures_of_training import draw_list_stability, draw_objective
from tasks.reporting.result import Result

REPORT = "report.html"
"""Name of the report among the artifacts of the parent run."""
_DRAWN_METRICS = ("ndcg_at_10", "recall_at_10", "precision_at_10", "map_at_10", "hit_rate_at_10")


def draw(result: Result, owners: Sequence[str]) -> list[Drawing]:
    """Draw the figures of a comparison. Of several pairs of models, the first one is drawn.

    Parameters
    ----------
    result : Result
        The comparison.
    owners : sequence of str
        (R,) model of each run, in the order of the result's matrices.

    Returns
    -------
    list of Drawing
        The most important figures first.
    """
    pair = _first_pair(result)
    beyond = beyond_noise(result.dropped_fraction)
    drawings = [draw_sweep(result.sweep)] if result.sweep else []
    if result.answers and pair:
        answers = [answer for answer in result.answers if (answer.a, answer.b) == pair]
        drawings.append(draw_intervals(answers, beyond))
        described = [row for row in result.other_similarity if (row.a, row.b) == pair]
        if described:
            drawings.append(draw_similarities(answers, result.similarity, described))
    if pair:
        drawings += [draw_candidates(query, *pair) for query in result.queries if query.target == "users"]
    # all users, and the primary endpoint
    matrices = [matrix for matrix in result.matrices if matrix.target in ("users", result.matrices[0].target)]
    drawings += [draw_runs(matrix, owners, list(result.models)) for matrix in matrices]
    if pair:
        targets = dict.fromkeys(curve.target for curve in result.curves)
        neighbours = [target for target in targets if target != "recommendations"]
        drawings += [draw_depths(result.curves, target, *pair) for target in neighbours or targets]
    drawings += [draw_users(per_user, beyond) for per_user in result.per_user[:1]]
    if metrics := _drawn_accuracy(result, pair):
        drawings.append(draw_accuracy(metrics))
    overlaps = {record.model: record.settled for record in result.convergence if record.settled}
    if overlaps:
        drawings.append(draw_list_stability(overlaps))
    if result.convergence:
        drawings.append(draw_objective({record.model: record.objective for record in result.convergence}))
    return drawings


def render(result: Result, drawings: Sequence[Drawing], config: str, explore: str = "") -> str:
    """Return the report as an HTML document that loads nothing from elsewhere.

    Parameters
    ----------
    result : Result
        The comparison.
    drawings : sequence of Drawing
        Its figures.
    config : str
        Its resolved config as YAML.
    explore : str
        The section in which users and items are looked up, as HTML. See `tasks.reporting.explore.section`.

    Returns
    -------
    str
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, finalize=_without_controls)
    for formatter in (decimals, held_out_text, interval, p_value, percent, setting_text, summary_value):
        environment.filters[formatter.__name__] = formatter
    environment.filters["remarks"] = _remarks
    environment.filters["side_by_side"] = lambda lists, n: list(zip_longest(*(entries[:n] for entries in lists)))
    template = environment.from_string(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    pairs: dict[tuple[str, str], list[Answer]] = {}
    for answer in result.answers:
        pairs.setdefault((answer.a, answer.b), []).append(answer)
    return template.render(
        result=result,
        models=list(result.models),
        beyond=beyond_noise(result.dropped_fraction),
        pairs=list(pairs.values()),
        accuracy_tables=_accuracy_tables(result),
        references=_references(result),
        drawings=drawings,
        rule=RULE,
        summary_labels=SUMMARY_LABELS,
        similarity_labels=SIMILARITY_LABELS,
        config=config,
        explore=explore,
        versions=_versions(),
    )


def _without_controls(value: object) -> object:
    """Return what the template puts out with escape sequences in place of control characters: ids may have some."""
    return type(value)(escaped(value)) if isinstance(value, str) else value


def _first_pair(result: Result) -> tuple[str, str] | None:
    """Return the models of the primary endpoint, or the first two; None for a single model."""
    if result.answers:
        return result.answers[0].a, result.answers[0].b
    if len(result.models) < 2:
        return None
    a, b, *_ = result.models
    return a, b


def _drawn_accuracy(result: Result, pair: tuple[str, str] | None) -> Mapping[str, Mapping[str, Accuracy]]:
    """Return metric -> model -> accuracy, with the reference recommenders among the models."""
    if not result.accuracy:
        return {}
    # a sweep has a figure of its own, and too many models for this one
    left_out = set(result.models) - set(pair or ()) if result.sweep else set()
    rows = [row for row in (*result.accuracy, *result.reference_accuracy) if row.model not in left_out]
    metrics = {metric: {row.model: row for row in rows if row.metric == metric} for metric in _DRAWN_METRICS}
    return {metric: cells for metric, cells in metrics.items() if cells}


def _remarks(answer: Answer) -> list[str]:
    """Return what the report says about an answer besides its sentence."""
    remarks = []
    if answer.calibrated_low is not None:
        calibrated = interval(answer.calibrated_low, answer.calibrated_high)
        remarks.append(
            "If a further run deviated as often as it does where all runs but one give the same list, on average over "
            f"all lists of this kind, Δ would be {calibrated}. This range does not enter the verdict."
        )
    if answer.p_holm is not None and answer.p_holm <= LEVEL and answer.low_95 is not None and answer.low_95 <= 0:
        remarks.append(
            "The interval includes 0, although the difference is significant: the permutation test is exact, and the "
            "interval is approximate."
        )
    low, high = answer.simultaneous_low, answer.simultaneous_high
    decided = answer.verdict in (Verdict.MEANINGFUL, Verdict.SMALL, Verdict.SAME)
    if decided and low is not None and high is not None and low <= answer.margin <= high:
        remarks.append(
            "The simultaneous interval includes the margin, which the adjusted p rejects: Holm's method adjusts each p "
            "only as far as the others require, the interval adjusts both of its limits for all endpoints."
        )
    return remarks


def _references(result: Result) -> list[dict[str, str]]:
    """Return the rows of the table of reference overlaps, as text."""
    answers = {(answer.target, answer.n, answer.a, answer.b): answer for answer in result.answers}
    chance = {(row.target, row.depth): row.chance for row in result.comparison}
    return [
        {
            "target": reference.target,
            "n": str(reference.n),
            "a": reference.a,
            "b": reference.b,
            "chance": decimals(chance.get((reference.target, reference.n))),
            "floor": decimals(reference.floor),
            "ceiling": decimals(answers[reference.target, reference.n, reference.a, reference.b].ceiling),
            "raw_a": decimals(reference.raw.get(reference.a)),
            "raw_b": decimals(reference.raw.get(reference.b)),
        }
        for reference in result.references
    ]


def _accuracy_tables(result: Result) -> dict[int, list[tuple[str, list[str]]]]:
    """Return cutoff -> rows (name, cells): a head, then each model and each reference recommender."""
    cells = result.accuracy_cells
    names = list(dict.fromkeys(model for model, _ in cells))
    metrics = list(dict.fromkeys(row.metric for row in result.accuracy))
    tables: dict[int, list[tuple[str, list[str]]]] = {}
    for cutoff in result.cutoffs:
        columns = [metric for metric in metrics if metric.endswith(f"_at_{cutoff}") or metric == "auc"]
        rows = [("model", [metric.partition("_at_")[0] for metric in columns])]
        rows += [(name, [_accuracy_text(cells.get((name, metric))) for metric in columns]) for name in names]
        tables[cutoff] = rows
    return tables


def _accuracy_text(accuracy: Accuracy | None) -> str:
    if accuracy is None:
        return "-"
    spreads = (accuracy.sd_splits, accuracy.sd)
    return " ±".join(f"{number:.4f}" for number in (accuracy.mean, *spreads) if number is not None)


def _versions() -> str:
    names = ("latentlab", "implicit", "numpy", "scipy", "mlflow", "prefect")
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])
