"""Rows of the report's tables, as text."""

from collections.abc import Iterator, Sequence

from tasks.core.comparison.accuracy_tests import AccuracyTest
from tasks.core.comparison.answers import Answer
from tasks.core.comparison.factorial import Factorial
from tasks.core.comparison.sweep import Sweep
from tasks.core.formatting import decimals, interval, p_value, run_label, setting_text
from tasks.reporting.accuracy import Accuracy
from tasks.reporting.result import Result

Rows = Iterator[list[str]]


def verdict_rows(answers: Sequence[Answer]) -> Rows:
    """Yield the verdict, Δ with its interval and p, and the overlaps, of each endpoint of a pair of models."""
    for answer in answers:
        has_interval = answer.low_95 is not None
        yield [
            answer.target,
            answer.verdict or "described",
            decimals(answer.n_delta, 2),
            str(answer.n),
            decimals(answer.delta),
            interval(answer.low_95, answer.high_95) if has_interval else answer.note or "-",
            _p(answer.p_holm),
            *map(decimals, (answer.within_a, answer.within_b, answer.between)),
        ]


def claim_rows(answers: Sequence[Answer]) -> Rows:
    """Yield what the verdict on each endpoint of a pair of models is based on: p of each claim, and ρ."""
    for answer in answers:
        limits = "" if answer.rho_low is None else f", {interval(answer.rho_low, answer.rho_high)}"
        yield [
            answer.target,
            interval(answer.simultaneous_low, answer.simultaneous_high),
            f"{answer.margin:g}",
            *map(_p, (answer.p_holm, answer.p_above, answer.p_below, answer.p)),
            decimals(answer.rho) + limits,
        ]


def similarity_rows(result: Result) -> Rows:
    """Yield the agreement of neighbours by the similarity that is not judged."""
    for row in result.other_similarity:
        overlaps = (row.within_a, row.within_b, row.between, row.delta)
        yield [row.target, row.a, row.b, str(row.n), *map(decimals, overlaps)]


def noise_rows(result: Result) -> Rows:
    """Yield the disagreement within each model with and without the loss of interactions, and the data's share."""
    for row in result.data_noise:
        overlaps = (row.seed_only, row.seed_and_data)
        numbers = (*overlaps, *(1 - overlap for overlap in overlaps), row.of_data)
        share = "-" if row.share is None else f"{row.share:.0%}"
        yield [row.model, row.target, str(row.n), *map(decimals, numbers), share]


def factorial_rows(factorial: Factorial) -> Rows:
    """Yield the effect of each setting at each value of the other, then the interactions."""
    for row in factorial.effects:
        limits = interval(row.low_95, row.high_95)
        yield [row.target, row.setting, row.held, decimals(row.delta), limits, p_value(row.p_holm)]
    for one in factorial.interactions:
        limits = interval(one.low_95, one.high_95)
        yield [one.target, "interaction (approximate)", "", decimals(one.size), limits, ""]


def sweep_rows(sweep: Sweep) -> Rows:
    """Yield the values of the settings that vary, and the estimates with their intervals, of each model."""
    for point in sweep.points:
        cells = [setting_text(point.varied[key]) for key in sweep.settings]
        for estimate, digits in ((point.accuracy, 4), (point.steadiness, 3), (point.seconds, 2)):
            if estimate is None:
                cells += ["-", "-"]
            else:
                cells += [decimals(estimate.mean, digits), interval(estimate.low_95, estimate.high_95, digits)]
        yield [*cells, decimals(point.megabytes, 2)]


def agreement_rows(result: Result) -> Rows:
    """Yield the agreement of two runs of each model and of each pair of models, at one depth of each kind of lists."""
    depths = result.usual_depths
    for row in result.comparison:
        if row.pairs and row.depth == depths[row.target]:
            runs = f"within {row.a}" if row.a == row.b else f"{row.a} and {row.b}"
            yield [row.target, runs, str(row.depth), *map(decimals, (row.overlap, row.chance, row.jaccard, row.rbo))]


def reference_rows(result: Result) -> Rows:
    """Yield what the overlaps of the baseline with each other model can be compared with."""
    answers = {(answer.target, answer.n, answer.a, answer.b): answer for answer in result.answers}
    chance = {(row.target, row.depth): row.chance for row in result.comparison}
    for row in result.references:
        ceiling = answers[row.target, row.n, row.a, row.b].ceiling
        numbers = (chance.get((row.target, row.n)), row.floor, ceiling, row.raw.get(row.a), row.raw.get(row.b))
        yield [row.target, str(row.n), f"{row.a} (A), {row.b} (B)", *map(decimals, numbers)]


def accuracy_test_rows(tests: Sequence[AccuracyTest]) -> Rows:
    """Yield the means, the difference and each p of every test of two models."""
    for test in tests:
        yield [
            *(test.metric, test.a, test.b, decimals(test.mean_a, 4), decimals(test.mean_b, 4)),
            *(f"{test.difference:+.4f}", _signed_interval(test)),
            *(decimals(test.standard_error, 4), decimals(test.degrees_of_freedom, 1)),
            *map(_p, (test.p, test.p_holm, test.p_equivalent, test.p_equivalent_holm)),
        ]


def reference_test_rows(tests: Sequence[AccuracyTest]) -> Rows:
    """Yield the means, the difference and p of every test of a model against a reference recommender."""
    for test in tests:
        yield [
            *(test.a, decimals(test.mean_a, 4), test.b, decimals(test.mean_b, 4)),
            *(f"{test.difference:+.4f}", _signed_interval(test), _p(test.p), _p(test.p_holm)),
        ]


def accuracy_tables(result: Result) -> dict[int, tuple[list[str], list[list[str]]]]:
    """Return cutoff -> columns and rows: a row for each metric, a column for each model and reference recommender.

    Parameters
    ----------
    result : Result
        With held-out accuracy.

    Returns
    -------
    dict of int to (list of str, list of list of str)
        In each cell the mean, with its standard deviations over splits and seeds where there are several.
    """
    cells = result.accuracy_cells
    names = list(dict.fromkeys(model for model, _ in cells))
    metrics = list(dict.fromkeys(row.metric for row in result.accuracy))
    return {
        cutoff: (
            ["metric", *names],
            [
                [metric.partition("_at_")[0], *(_accuracy(cells.get((name, metric))) for name in names)]
                for metric in metrics
                if metric.endswith(f"_at_{cutoff}") or metric == "auc"
            ],
        )
        for cutoff in result.cutoffs
    }


def convergence_rows(result: Result) -> Rows:
    """Yield how far the fits of each model had converged."""
    for record in result.convergence:
        final = (
            "" if record.final is None else f"{record.final:,.1f}" if abs(record.final) >= 10 else f"{record.final:.3g}"
        )
        acceleration = result.models[record.model].get("acceleration") or "none"
        imbalance = f"{record.imbalance:.2g}"
        yield [record.model, acceleration, record.iterations_run, final, str(record.since), record.change, imbalance]


def file_rows(result: Result) -> Rows:
    """Yield the files of each run that was read from files."""
    for run in result.files:
        if run.role == "model":
            yield [run_label(run.model, run.replicate), run.content, run.files, f"{run.sha256[:12]}…"]


def _p(p: float | None) -> str:
    return "-" if p is None else p_value(p)


def _signed_interval(test: AccuracyTest) -> str:
    return "-" if test.low_95 is None or test.high_95 is None else f"{test.low_95:+.4f} to {test.high_95:+.4f}"


def _accuracy(accuracy: Accuracy | None) -> str:
    if accuracy is None:
        return "-"
    spreads = (accuracy.sd_splits, accuracy.sd)
    return " ±".join(f"{number:.4f}" for number in (accuracy.mean, *spreads) if number is not None)
