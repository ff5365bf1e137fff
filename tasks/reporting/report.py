"""The report of a comparison: a single HTML file, with its figures in it."""

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tasks.core.comparison.answers import Answer
from tasks.core.comparison.verdict import RULE, Verdict
from tasks.core.formatting import (
    SIMILARITY_LABELS,
    SUMMARY_LABELS,
    beyond_noise,
    counted,
    decimals,
    escaped,
    interval,
    level_text,
    p_value,
    percent,
    split_answer,
    summary_text,
    summary_value,
)
from tasks.core.inference.multiplicity import LEVEL
from tasks.reporting.accuracy import Accuracy, held_out_text
from tasks.reporting.drawing import Drawing
from tasks.reporting.figures_of_accuracy import draw_accuracy, draw_sweep
from tasks.reporting.figures_of_effects import draw_intervals, draw_similarities, draw_users
from tasks.reporting.figures_of_lists import draw_candidates, draw_depths, draw_runs
from tasks.reporting.figures_of_training import draw_list_stability, draw_objective
from tasks.reporting.report_rows import (
    accuracy_tables,
    accuracy_test_rows,
    agreement_rows,
    claim_rows,
    convergence_rows,
    factorial_rows,
    file_rows,
    noise_rows,
    reference_rows,
    reference_test_rows,
    similarity_rows,
    sweep_rows,
    verdict_rows,
)
from tasks.reporting.result import Result

REPORT = "report.html"
"""Name of the report among the artifacts of the parent run."""
_DRAWN_METRICS = ("ndcg_at_10", "recall_at_10", "precision_at_10", "map_at_10", "hit_rate_at_10")


def draw(result: Result, owners: Sequence[str]) -> list[Drawing]:
    """Draw the figures of lists and of training. Of several pairs of models, the first one is drawn.

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
    # a reader who knows no statistics understands who is on a list
    of_users = [query for query in result.queries if query.target == "users"] or result.queries[:1]
    drawings = [draw_candidates(query, *pair) for query in of_users] if pair else []
    if result.sweep:
        drawings.append(draw_sweep(result.sweep))
    if result.answers and pair:
        answers = [answer for answer in result.answers if (answer.a, answer.b) == pair]
        drawings.append(draw_intervals(answers, beyond))
        described = [row for row in result.other_similarity if (row.a, row.b) == pair]
        if described:
            drawings.append(draw_similarities(answers, result.similarity, described))
    # all users, and the primary endpoint
    matrices = [matrix for matrix in result.matrices if matrix.target in ("users", result.matrices[0].target)]
    drawings += [draw_runs(matrix, owners, list(result.models)) for matrix in matrices]
    if pair:
        targets = dict.fromkeys(curve.target for curve in result.curves)
        neighbours = [target for target in targets if target != "recommendations"]
        drawings += [draw_depths(result.curves, target, *pair) for target in neighbours or targets]
    drawings += [draw_users(per_user, beyond) for per_user in result.per_user[:1]]
    overlaps = {record.model: record.settled for record in result.convergence if record.settled}
    if overlaps:
        drawings.append(draw_list_stability(overlaps))
    if result.convergence:
        drawings.append(draw_objective({record.model: record.objective for record in result.convergence}))
    return drawings


def draw_held_out(result: Result) -> list[Drawing]:
    """Draw the figure of held-out accuracy, if it was measured.

    Parameters
    ----------
    result : Result
        The comparison.

    Returns
    -------
    list of Drawing
        Empty or with one figure: the models and the reference recommenders.
    """
    metrics = _drawn_accuracy(result, _first_pair(result))
    return [draw_accuracy(metrics)] if metrics else []


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
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(autoescape=True, trim_blocks=True, finalize=_without_controls, loader=loader)
    formatters: tuple[Callable[..., object], ...] = (
        *(counted, decimals, held_out_text, level_text, p_value, percent, split_answer),
        *(summary_text, summary_value),
        *(verdict_rows, claim_rows, similarity_rows, noise_rows, factorial_rows, sweep_rows, agreement_rows),
        *(reference_rows, accuracy_test_rows, reference_test_rows, convergence_rows, file_rows),
    )
    environment.filters |= {formatter.__name__: formatter for formatter in formatters}
    environment.filters |= {"remarks": _remarks, "capitalize_first": lambda text: text[:1].upper() + text[1:]}
    template = environment.get_template(REPORT)
    first_list = next((drawing for drawing in drawings if drawing.name.startswith("candidates-")), None)
    pairs: dict[tuple[str, str], list[Answer]] = {}
    for answer in result.answers:
        pairs.setdefault((answer.a, answer.b), []).append(answer)
    return template.render(
        result=result,
        models=list(result.models),
        beyond=beyond_noise(result.dropped_fraction),
        pairs=list(pairs.values()),
        accuracy_tables=accuracy_tables(result),
        drawings=drawings,
        first_list=first_list,
        sections=_sections(result, first_list, explore),
        rule=RULE,
        summary_labels=SUMMARY_LABELS,
        similarity_labels=SIMILARITY_LABELS,
        config=config,
        explore=explore,
        versions=_versions(),
    )


def _sections(result: Result, first_list: Drawing | None, explore: str) -> list[tuple[str, str]]:
    """Return id and title of each section that the page has, for its table of contents."""
    return [
        (section, title)
        for section, title, exists in (
            ("list", first_list.title.partition(":")[0] if first_list else "", first_list),
            ("verdicts", "Verdicts" if result.answers else "What was compared", True),
            ("similarity", "The other similarity", result.other_similarity),
            ("data-noise", "The data's share", result.data_noise),
            ("factorial", "Factorial design", result.factorial),
            ("settings", "Sweep", result.sweep),
            ("agreement", "Agreement", True),
            ("held-out", "Accuracy", result.accuracy),
            ("settled", "Convergence", result.convergence),
            ("queries", "Query lists", result.queries),
            ("explore", "Explore", explore),
            ("rule", "Decision rule", result.answers),
            ("data", "Data", True),
            ("reproduce", "Reproduce", True),
        )
        if exists
    ]


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


def _versions() -> str:
    names = ("latentlab", "implicit", "numpy", "scipy", "mlflow", "prefect")
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])
