"""The models beside the reference recommenders, as a table."""

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from flows.cli.printing.tables import STYLE, titled
from tasks.core.formatting import p_value

if TYPE_CHECKING:
    from tasks.reporting.result import Result

_MOST_MODELS = 3
"""Most models that are all shown; of more, such as those of a sweep, only the baseline."""


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
    note = (
        "difference: of the model's mean from that of the reference. p: over users and seeds, after Holm over all "
        "models and references."
    )
    return titled(f"Models beside the reference recommenders: {tests[0].metric}", table, note, keys=3)
