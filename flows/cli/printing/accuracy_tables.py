"""Held-out accuracy as tables: the models and the reference recommenders, and the differences between them."""

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from flows.cli.printing.tables import STYLE, titled
from tasks.core.comparison.accuracy_tests import usual_cutoff
from tasks.core.formatting import p_value

if TYPE_CHECKING:
    from tasks.reporting.accuracy import Accuracy
    from tasks.reporting.result import Result

_METRICS = {
    "Held-out accuracy": ("ndcg", "recall", "precision", "map"),
    "Further accuracy": ("hit_rate", "mrr", "auc"),
    "Variants": ("ndcg_all", "map_all", "recall_capped"),
    "The catalogue": ("coverage", "gini", "entropy"),
    "The lists": ("novelty", "arp", "intra_list_similarity"),
}
"""Metrics of each table: as many as a terminal of 80 columns holds."""
_MOST_MODELS = 3
"""Most models that are all shown beside the references; of more, such as those of a sweep, only the baseline."""


def accuracy_tables(result: "Result", *, every_metric: bool) -> Iterator[Group]:
    """Yield a table for each cutoff: a row for each model, then one for each reference recommender.

    Parameters
    ----------
    result : Result
        With held-out accuracy.
    every_metric : bool
        Whether to show every metric at every cutoff.

    Yields
    ------
    Group
    """
    cells, cutoffs = result.accuracy_cells, result.cutoffs
    models = list(dict.fromkeys(model for model, _ in cells))
    with_spread = max(map(len, models)) <= 20  # otherwise there is no room for it
    seeds = max(row.replicates for row in result.accuracy)
    kinds = list(_METRICS) if every_metric else list(_METRICS)[:1]
    note = _split_note(result)
    for cutoff, kind in product(cutoffs if every_metric else [usual_cutoff(cutoffs)], kinds):
        table = Table(**STYLE)
        table.add_column("model", no_wrap=True)
        for metric in _METRICS[kind]:
            table.add_column(metric, justify="right", no_wrap=True)
        for model in models:
            names = [metric if metric == "auc" else f"{metric}_at_{cutoff}" for metric in _METRICS[kind]]
            table.add_row(model, *(_accuracy(cells.get((model, name)), with_spread=with_spread) for name in names))
        yield titled(f"{kind} at {cutoff}: {_spread_text(seeds, result.n_splits)}", table, note)
        note = ""


def _spread_text(seeds: int, splits: int) -> str:
    """Return what the numbers of a table of accuracy are."""
    over_seeds = f"over {seeds} seed{'s' * (seeds > 1)} of one split"
    if splits == 1:
        return f"mean ± standard deviation {over_seeds}"
    return f"mean ± standard deviation over {splits} splits" + (f"; second line: {over_seeds}" if seeds > 1 else "")


def _accuracy(cell: "Accuracy | None", *, with_spread: bool) -> str:
    """Return a mean with its standard deviation; with several splits, that over seeds is in a second line."""
    if cell is None:
        return "-"
    mean = f"{cell.mean:.4g}" if cell.mean >= 1 else f"{cell.mean:.4f}"
    if not with_spread:
        return mean
    spreads = [f"±{spread:.4f}".replace("±0.", "±.") for spread in (cell.sd_splits, cell.sd) if spread is not None]
    return mean + "\n".join(spreads)


def _split_note(result: "Result") -> str:
    """Return how much was held out, what the split emptied, and settings and absence of reference recommenders."""
    from tasks.reporting.accuracy import held_out_text

    lines = [held_out_text(result.held_out, result.n_splits)]
    lines += [f"{name} was not run: {reason}." for name, reason in result.left_out.items()]
    lines += [f"{settings.text}." for settings in result.reference_settings]
    return "\n".join([*lines, result.tuning])


def reference_table(result: "Result", *, every_model: bool) -> Group:
    """Return one row for each reference recommender and model: means, the difference with its interval, p.

    Parameters
    ----------
    result : Result
        With tests of models against reference recommenders.
    every_model : bool
        Whether to show every model of a sweep too.

    Returns
    -------
    Group
    """
    tests = result.beside_references
    models = list(result.models)
    if len(models) > _MOST_MODELS and not every_model:
        baseline = result.accuracy_tests[0].a
        tests = [test for test in tests if test.b == baseline]
    table = Table(**STYLE)
    for column in ("reference", "mean", "model", "difference", "95% interval", "p"):
        table.add_column(column, justify="left" if column in ("reference", "model") else "right", no_wrap=True)
    for test in tests:
        limits = "-" if test.low_95 is None or test.high_95 is None else f"{test.low_95:+.4f} {test.high_95:+.4f}"
        p = p_value(test.p if test.p_holm is None else test.p_holm)
        table.add_row(test.a, f"{test.mean_a:.4f}", test.b, f"{test.difference:+.4f}", limits, p)
    adjusted = "" if tests[0].p_holm is None else ", after Holm over all models and references"
    note = f"difference: of the model's mean from that of the reference. p: over {tests[0].is_over}{adjusted}."
    return titled(f"Models beside the reference recommenders: {tests[0].metric}", table, note, keys=3)
