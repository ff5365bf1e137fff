"""The result of a comparison as tables: the answer first, then what it is based on."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from flows.cli.printing.accuracy_tables import accuracy_tables, reference_table
from flows.cli.printing.tables import STYLE, out, plain, query_table, summary_table, titled
from tasks.core.config.dataset import NO_DATA_SET
from tasks.core.formatting import SIMILARITY_LABELS, beyond_noise, decimals, p_value, percent, setting_text

if TYPE_CHECKING:
    from tasks.core.comparison.answers import Answer
    from tasks.core.comparison.factorial import Factorial
    from tasks.core.comparison.sweep import Estimated, Sweep
    from tasks.reporting.result import Result


def show_result(result: "Result", *, every_depth: bool = False) -> None:
    """Print a result.

    Parameters
    ----------
    result : Result
        Result of the comparison.
    every_depth : bool
        Print every pair of models, every depth and every metric.
    """
    out.print()
    out.print(plain(result.sentence, "bold"))
    for warning in result.warnings:
        out.print(plain(warning, "yellow"))
    out.print()
    if result.sweep:
        out.print(_sweep_table(result.sweep))
    pairs = list(dict.fromkeys((answer.a, answer.b) for answer in result.answers if every_depth or answer.verdict))
    for pair in pairs:
        answers = [answer for answer in result.answers if (answer.a, answer.b) == pair]
        out.print(_verdict_table(answers, explained=pair == pairs[-1]))
    for per_user in result.per_user:
        out.print(plain(per_user.sentence(beyond_noise(result.dropped_fraction))))
        out.print()
    if result.other_similarity:
        out.print(_other_similarity_table(result, every_pair=every_depth))
    if result.data_noise:
        out.print(_data_noise_table(result))
    if result.factorial:
        out.print(_factorial_table(result.factorial))
    for query in result.queries:
        out.print(query_table(query))
    if every_depth or not (result.answers or result.sweep):
        out.print(_agreement_table(result, every_depth=every_depth))
    if result.accuracy:
        for table in accuracy_tables(result, every_metric=every_depth):
            out.print(table)
    if result.beside_references:
        out.print(reference_table(result, every_model=every_depth))
    if result.files:
        out.print(_files_table(result))
    title = "Compared" if result.dataset == NO_DATA_SET else result.dataset
    out.print(summary_table(title, result.summary, result.ratings.text() if result.ratings else ""))
    for remark in result.remarks:
        out.print(plain(remark))


def _files_table(result: "Result") -> Group:
    """Return one row for each run that was read from files."""
    table = Table(**STYLE)
    table.add_column("run", no_wrap=True)
    table.add_column("content", no_wrap=True)
    table.add_column("files", overflow="fold")
    for run in result.files:
        if run.role == "model":
            table.add_row(f"{run.model} #{run.replicate}", run.content, plain(run.files))
    return titled("Runs that were read from files", table)


def _verdict_table(answers: "Sequence[Answer]", *, explained: bool) -> Group:
    """Return one row for each endpoint: overlaps within and between the models, Δ with its interval, p, the verdict."""
    table = Table(**STYLE)
    for column in ("lists", "n", "in A", "in B", "A&B", "Δ", "95% interval", "n·Δ", "p"):
        table.add_column(column, justify="left" if column == "lists" else "right", no_wrap=True)
    for answer in answers:
        table.add_row(
            answer.target,
            str(answer.n),
            *(decimals(overlap) for overlap in (answer.within_a, answer.within_b, answer.between, answer.delta)),
            _interval(answer.low_95, answer.high_95),
            decimals(answer.n_delta, 1),
            p_value(answer.p if answer.p_holm is None else answer.p_holm),
        )
    judged = [answer for answer in answers if answer.verdict]
    lines = [f"{answer.target}: {answer.verdict}" for answer in judged]
    note = (
        "Mean overlap@n of two runs. A, B: of seeds of one model; A&B: between the models; Δ = (A + B)/2 - A&B. "
        "p: exact permutation of run labels" + (", after Holm where there is a verdict." if judged else ".")
    )
    title = f"{answers[0].a} (A) against {answers[0].b} (B)"
    return titled(title, table, "\n".join([*lines, note] if explained else lines))


def _other_similarity_table(result: "Result", *, every_pair: bool) -> Group:
    """Return one row for each kind of neighbours by the similarity that is not judged; of the baseline's pairs."""
    described = result.other_similarity
    rows = described if every_pair else [row for row in described if row.a == described[0].a]
    several = len({(row.a, row.b) for row in rows}) > 1
    table = Table(**STYLE)
    for column in ("lists", *(("A", "B") if several else ())):
        table.add_column(column, no_wrap=True)
    for column in ("n", "in A", "in B", "A&B", "Δ"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        models = (row.a, row.b) if several else ()
        numbers = map(decimals, (row.within_a, row.within_b, row.between, row.delta))
        table.add_row(row.target, *models, str(row.n), *numbers)
    title = f"Neighbours by {SIMILARITY_LABELS[described[0].by]}: described, without a verdict"
    return titled(title, table, keys=3 if several else 1)


def _data_noise_table(result: "Result") -> Group:
    """Return one row for each model and target: agreement of its runs, and the share of the data."""
    table = Table(**STYLE)
    for column in ("model", "lists", "n", "seed", "both", "1-seed", "1-both", "of data", "share"):
        table.add_column(column, justify="left" if column in ("model", "lists") else "right", no_wrap=True)
    for row in result.data_noise:
        overlaps = (row.seed_only, row.seed_and_data)
        numbers = [*overlaps, *(1 - overlap for overlap in overlaps), row.of_data]
        share = "-" if row.share is None else f"{row.share:.0%}"
        table.add_row(row.model, row.target, str(row.n), *map(decimals, numbers), share)
    note = (
        "Mean overlap@n of two runs of one model. seed: of fits to all interactions. both: of fits that each leave out "
        f"their own random {percent(result.dropped_fraction or 0)} of them. 1-: the disagreement. of data: what both "
        "disagree by more, and its share."
    )
    return titled("How much of the disagreement within a model is the data's", table, note, keys=2)


def _factorial_table(factorial: "Factorial") -> Group:
    """Return each setting's effect at each value of the other, and the interactions."""
    table = Table(**STYLE)
    for column in ("lists", "setting", "at", "Δ", "95% interval", "p"):
        table.add_column(column, justify="left" if column in ("lists", "setting", "at") else "right", no_wrap=True)
    for effect in factorial.effects:
        interval = _interval(effect.low_95, effect.high_95)
        table.add_row(
            effect.target, effect.setting, effect.held, decimals(effect.delta), interval, p_value(effect.p_holm)
        )
    for interaction in factorial.interactions:
        interval = _interval(interaction.low_95, interaction.high_95)
        table.add_row(interaction.target, "interaction", "(approximate)", decimals(interaction.size), interval, "")
    title = f"{factorial.settings[0]} and {factorial.settings[1]}, each at two values of the other"
    return titled(title, table, "p: exact permutation of run labels, after Holm over all rows with one.", keys=3)


def _sweep_table(sweep: "Sweep") -> Group:
    """Return one row for each model, along what varies: accuracy, steadiness, time of a fit, size."""
    table = Table(**STYLE)
    for setting in sweep.settings:
        table.add_column(setting, no_wrap=True)
    headings = {"accuracy": sweep.metric, "steadiness": "steadiness"}
    names = [name for name in headings if any(getattr(point, name) for point in sweep.points)]
    for column in (*(heading for name in names for heading in (headings[name], "95%")), "fit s", "MB"):
        table.add_column(column, justify="right", no_wrap=True)
    for point in sweep.points:
        cells = []
        for name in names:
            estimated: Estimated | None = getattr(point, name)
            if estimated is None:
                cells += ["-", "-"]
            else:
                cells += [f"{estimated.mean:.4f}", _interval(estimated.low_95, estimated.high_95).replace("0.", ".")]
        settings = map(setting_text, point.varied.values())
        table.add_row(*settings, *cells, f"{point.seconds.mean:.2f}", f"{point.megabytes:.1f}")
    note = ""
    if "steadiness" in names and len(names) > 1:
        note = f"Steadiness: overlap@{sweep.n} of all users' lists between two seeds of one model."
    return titled(f"Along {' and '.join(sweep.settings)}", table, note, keys=len(sweep.settings))


def _agreement_table(result: "Result", *, every_depth: bool) -> Group:
    """Return one row for each pair of models, target and depth: within each, between them, by chance."""
    table = Table(**STYLE)
    for column in ("lists", "A", "B"):
        table.add_column(column, no_wrap=True)
    for column in ("n", "in A", "in B", "A&B", "chance", "Jacc.", "RBO"):
        table.add_column(column, justify="right", no_wrap=True)
    models = list(result.models)
    rows = {(row.target, row.depth, row.a, row.b): row for row in result.comparison}
    depths = result.usual_depths
    for target, depth in dict.fromkeys((row.target, row.depth) for row in result.comparison):
        if not every_depth and depth != depths[target]:
            continue
        for a, b in list(combinations(models, 2)) or [(models[0], models[0])]:
            between = rows[target, depth, a, b]
            within = [rows[target, depth, model, model].overlap for model in (a, b)]
            numbers = [*within, between.overlap, between.chance, between.jaccard, between.rbo]
            table.add_row(target, a, b, str(depth), *map(decimals, numbers))
    note = (
        "in A, in B: between seeds of one model. A&B: between the models. "
        "Jaccard and extrapolated rank-biased overlap (p = 0.8): of A&B."
    )
    return titled("Agreement of lists: mean overlap@n over pairs of seeds", table, note, keys=3)


def _interval(low: float | None, high: float | None) -> str:
    """Return an interval in as few columns as possible: a terminal has 80."""
    return "-" if low is None or high is None else f"{decimals(low)} {decimals(high)}"
