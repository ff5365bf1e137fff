"""What a person sees: progress bars on stderr, results as tables on stdout."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product, zip_longest
from threading import Lock
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from tasks.reporting.progress import listening

if TYPE_CHECKING:
    from tasks.core.comparison.agreement import Row
    from tasks.core.comparison.factorial import Factorial
    from tasks.core.comparison.query_lists import Entry, QueryLists
    from tasks.core.comparison.sweep import Sweep
    from tasks.core.comparison.verdict import Answer
    from tasks.core.data.interactions import Summary
    from tasks.reporting.result import Result

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_STYLE: dict[str, Any] = {"box": box.SIMPLE_HEAD, "pad_edge": False, "show_edge": False, "collapse_padding": True}

SUMMARY = {
    "users": "users",
    "items": "items",
    "mean_per_user": "mean per user",
    "mean_per_item": "mean per item",
    "max_per_user": "max per user",
    "max_per_item": "max per item",
    "min_per_user": "min per user",
    "min_per_item": "min per item",
}
"""The notebook's eight figures and how they are headed."""


class Bars:
    """A bar over everything planned, with the time left, and one for each part that is running."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.work: dict[str, float] = {}
        self.share: dict[str, float] = {}
        self.overall: TaskID | None = None
        self.running: dict[str, TaskID] = {}
        self.lock = Lock()

    def plan(self, title: str, work: dict[str, float]) -> None:
        """Show the bar over everything; each part counts by its work."""
        self.work = work
        if work:
            self.overall = self.progress.add_task(title, total=sum(work.values()), shown="")

    def step(self, label: str, done: int, total: int, unit: str) -> None:
        """Move the bars."""
        with self.lock:
            if label not in self.running:
                self.running[label] = self.progress.add_task(label, total=total, shown="")
            self.progress.update(self.running[label], completed=done, shown=f"{done:,}/{total:,} {unit}")
            self.share[label] = self.work.get(label, 0.0) * done / total
            if self.overall is not None:
                self.progress.update(self.overall, completed=sum(self.share.values()))
            if done == total:
                self.progress.remove_task(self.running.pop(label))


@contextmanager
def bars(*, hidden: bool) -> Iterator[None]:
    """Show progress within the block; nothing where stderr is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[shown]}"),
    )
    disable = hidden or not err.is_terminal
    with Progress(*columns, console=err, transient=True, disable=disable) as progress, listening(Bars(progress)):
        yield


def show_result(result: "Result", *, every_depth: bool = False) -> None:
    """The answer first, then what it rests on, then the lists, accuracy and the data."""
    out.print()
    out.print(Text(result.sentence, "bold"))
    for warning in result.warnings:
        out.print(Text(warning, "yellow"))
    out.print()
    if result.sweep:
        out.print(_sweep_table(result.sweep))
    pairs = dict.fromkeys((answer.a, answer.b) for answer in result.answers if every_depth or answer.verdict)
    for a, b in pairs:
        judged = [answer for answer in result.answers if (answer.a, answer.b) == (a, b)]
        out.print(_verdict_table(judged, explained=(a, b) == list(pairs)[-1]))
    if result.factorial:
        out.print(_factorial_table(result.factorial))
    for query in result.queries:
        out.print(query_table(query))
    if every_depth or not (result.answers or result.sweep):
        out.print(_agreement_table(result, every_depth=every_depth))
    if result.accuracy:
        for part in _accuracy_tables(result, every_metric=every_depth):
            out.print(part)
    out.print(summary_table(result.dataset, result.summary))


def _titled(title: str, table: Table, note: str = "") -> Group:
    """A table under its title, which may be wider than it. Titles and notes are text, whatever they hold."""
    return Group(Text(title, "bold"), table, *([Text(note, "dim")] if note else []), "")


def _verdict_table(answers: "Sequence[Answer]", *, explained: bool) -> Group:
    """One line an endpoint: within each model, between them, the excess Δ with its interval, p, the verdict."""
    table = Table(**_STYLE)
    for column in ("lists", "n", "in A", "in B", "A&B", "Δ", "95% interval", "n·Δ", "p"):
        table.add_column(column, justify="left" if column == "lists" else "right", no_wrap=True)
    for answer in answers:
        overlaps = (answer.within_a, answer.within_b, answer.between, answer.delta)
        interval = "-" if answer.low_95 is None else f"{answer.low_95:.3f} {answer.high_95:.3f}"
        p = answer.p if answer.p_holm is None else answer.p_holm
        numbers = [*(f"{value:.3f}" for value in overlaps), interval, f"{answer.n_delta:.1f}"]
        table.add_row(answer.target, str(answer.n), *numbers, "<.001" if p < 0.001 else f"{p:.3f}")
    judged = [answer for answer in answers if answer.verdict]
    lines = [f"{answer.target}: {answer.verdict}" + " (decided by seed)" * answer.decided_by_seed for answer in judged]
    note = (
        "Mean overlap@n of two runs. A, B: of seeds of one model; A&B: between the models; Δ = (A + B)/2 - A&B. "
        "p: exact permutation of run labels" + (", after Holm where there is a verdict." if judged else ".")
    )
    title = f"{answers[0].a} (A) against {answers[0].b} (B)"
    return _titled(title, table, "\n".join([*lines, note] if explained else lines))


def _factorial_table(found: "Factorial") -> Group:
    """Each setting's effect at each value of the other, and the interactions."""
    table = Table(**_STYLE)
    for column in ("lists", "setting", "at", "Δ", "95% interval", "p"):
        table.add_column(column, justify="left" if column in ("lists", "setting", "at") else "right", no_wrap=True)
    for each in found.effects:
        interval = "-" if each.low_95 is None else f"{each.low_95:.3f} {each.high_95:.3f}"
        p = "<.001" if each.p_holm < 0.001 else f"{each.p_holm:.3f}"
        table.add_row(each.target, each.setting, each.held, f"{each.delta:.3f}", interval, p)
    for apart in found.interactions:
        interval = "-" if apart.low_95 is None else f"{apart.low_95:.3f} {apart.high_95:.3f}"
        table.add_row(apart.target, "interaction", "(approximate)", f"{apart.size:.3f}", interval, "")
    title = f"{found.settings[0]} and {found.settings[1]}, each at two values of the other"
    return _titled(title, table, "p: exact permutation of run labels, after Holm over all rows with one.")


def summary_table(dataset: str, summary: "Summary") -> Group:
    """The notebook's eight figures."""
    table = Table(**_STYLE)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for key, name in SUMMARY.items():
        value = getattr(summary, key)
        table.add_row(name, f"{value:.6f}" if isinstance(value, float) else f"{value:,}")
    return _titled(f"{dataset}: {summary.interactions:,} interactions", table)


def _accuracy_tables(result: "Result", *, every_metric: bool) -> Iterator[Group]:
    """A table a cutoff: a line a model, then a line a reference recommender."""
    from tasks.reporting.result import usual_cutoff

    cells, cutoffs = result.accuracy_cells, result.cutoffs
    names = list(dict.fromkeys(model for model, _ in cells))
    seeds = max(row.replicates for row in result.accuracy)
    wanted = cutoffs if every_metric else [usual_cutoff(cutoffs)]
    for cutoff, kind in product(wanted, _METRICS if every_metric else list(_METRICS)[:1]):
        table = Table(**_STYLE)
        table.add_column("model", no_wrap=True)
        columns = {metric: f"{metric}_at_{cutoff}" if metric != "auc" else metric for metric in _METRICS[kind]}
        for metric in columns:
            table.add_column(metric, justify="right", no_wrap=True)
        for name in names:
            found = [cells.get((name, metric)) for metric in columns.values()]
            told = ["-" if f is None else f"{f.mean:.4g}" if f.mean >= 1 else f"{f.mean:.4f}" for f in found]
            known = [None if f is None or max(map(len, names)) > 20 else f.sd for f in found]  # where there is room
            spread = ["" if sd is None else f"±{sd:.4f}".replace("±0.", "±.") for sd in known]
            table.add_row(name, *(value + more for value, more in zip(told, spread, strict=True)))
        title = f"{kind} at {cutoff}: mean ± standard deviation over {seeds} seed{'s' * (seeds > 1)} of one split"
        yield _titled(title, table, _split_note(result) if cutoff == wanted[0] and kind == next(iter(_METRICS)) else "")


_METRICS = {
    "Held-out accuracy": ("ndcg", "recall", "precision", "map"),
    "Further accuracy": ("hit_rate", "mrr", "auc"),
    "Variants": ("ndcg_all", "map_all", "recall_capped"),
    "The catalogue": ("coverage", "gini", "entropy"),
    "The lists": ("novelty", "arp", "intra_list_similarity"),
}
"""Which metrics stand in one table: so many that a terminal of 80 columns holds them."""


def _split_note(result: "Result") -> str:
    """How much was held out, what the split emptied, and which references there are."""
    held = result.held_out
    lines = [
        f"Held out: {held['test_interactions']:,} interactions of {held['evaluated_users']:,} users; "
        f"{held['users_without_train']:,} users and {held['items_without_train']:,} items have nothing to train on."
    ]
    lines += [f"{name} was not run: {why}." for name, why in result.left_out.items()]
    return "\n".join([*lines, result.tuning])


def _sweep_table(found: "Sweep") -> Group:
    """A line a model, along what varies: accuracy, steadiness, time of a fit, size."""
    from tasks.core.formatting import setting_text as shown

    table = Table(**_STYLE)
    for key in found.settings:
        table.add_column(key, no_wrap=True)
    judged = [("accuracy", found.metric), ("steadiness", "steadiness")]
    judged = [(name, head) for name, head in judged if any(getattr(point, name) for point in found.points)]
    for column in (*(head for _, name in judged for head in (name, "95%")), "fit s", "MB"):
        table.add_column(column, justify="right", no_wrap=True)
    for point in found.points:
        cells = []
        for each in (getattr(point, name) for name, _ in judged):
            cells.append("-" if each is None else f"{each.mean:.4f}")
            known = each is not None and each.low_95 is not None
            cells.append(f"{each.low_95:.3f} {each.high_95:.3f}".replace("0.", ".") if each and known else "-")
        table.add_row(*map(shown, point.varied.values()), *cells, f"{point.seconds.mean:.2f}", f"{point.megabytes:.1f}")
    note = ""
    if len(judged) == 2:
        note = f"Steadiness: overlap@{found.n} of all users' lists between two seeds of one model."
    return _titled(f"Along {' and '.join(found.settings)}", table, note)


def _agreement_table(result: "Result", *, every_depth: bool) -> Group:
    """One line a pair of models, target and depth: within each, between them, chance."""
    models = list(result.models)
    table = Table(**_STYLE)
    for column in ("lists", "A", "B"):
        table.add_column(column, no_wrap=True)
    for column in ("n", "in A", "in B", "A&B", "chance", "Jacc.", "RBO"):
        table.add_column(column, justify="right", no_wrap=True)
    cells = {(row.target, row.depth, row.a, row.b): row for row in result.comparison}
    shown = _headline(result)
    for target, depth in dict.fromkeys((row.target, row.depth) for row in result.comparison):
        if not every_depth and depth != shown[target]:
            continue
        for a, b in [(a, b) for i, a in enumerate(models) for b in models[i + 1 :]] or [(models[0], models[0])]:
            between: Row = cells[target, depth, a, b]
            within = [cells[target, depth, model, model].overlap for model in (a, b)]
            numbers = [*within, between.overlap, between.chance, between.jaccard, between.rbo]
            table.add_row(target, a, b, str(depth), *("-" if x is None else f"{x:.3f}" for x in numbers))
    note = (
        "in A, in B: between seeds of one model. A&B: between the models. "
        "Jaccard and extrapolated rank-biased overlap (p = 0.8): of A&B."
    )
    return _titled("Agreement of lists: mean overlap@n over pairs of seeds", table, note)


def _headline(result: "Result") -> dict[str, int]:
    """The depth shown first for each target: the length of the query lists, where it was compared."""
    lengths = {query.name: query.n for query in result.queries}
    depths: dict[str, list[int]] = {}
    for row in result.comparison:
        depths.setdefault(row.target, []).append(row.depth)
    wanted = {target: lengths.get(target, 10 if target == "recommendations" else 5) for target in depths}
    return {target: wanted[target] if wanted[target] in known else known[0] for target, known in depths.items()}


def query_table(query: "QueryLists") -> Group:
    """The lists of one query side by side: the n entries that most seeds list, and how many others some list."""
    named = f"{query.title}, id {query.raw_id}" if query.title else f"id {query.raw_id}"
    kind = {"users": "Users like user", "items": "Items like item", "recommendations": "Recommendations for user"}
    title = f"{kind[query.target]} {query.index} ({named}): first {query.n}, and the share of seeds listing each"
    models = list(query.models.items())
    beside = max(out.width // 40, 1)
    parts = [_side_by_side(dict(models[at : at + beside]), query.n) for at in range(0, len(models), beside)]
    return Group(Text(title, "bold"), *parts, "")


def _side_by_side(models: "dict[str, list[Entry]]", n: int) -> Table:
    table = Table(**_STYLE)
    room = max(out.width // len(models) - 16, 12)  # what `seeds` and `score` leave
    for model in models:
        table.add_column(model, no_wrap=True, overflow="ellipsis", max_width=room)
        table.add_column("seeds", justify="right", no_wrap=True)
        table.add_column("score", justify="right", no_wrap=True)
    for entries in zip_longest(*(found[:n] for found in models.values())):
        cells: list[Text | str] = []
        for entry in entries:
            cells += ["", "", ""] if entry is None else [_name(entry), f"{entry.share:.0%}", f"{entry.score:.3f}"]
        table.add_row(*cells)
    others = [len(found) - n for found in models.values()]
    if any(count > 0 for count in others):
        table.add_row(*(cell for count in others for cell in (f"and {count} more" if count > 0 else "", "", "")))
    return table


def _name(entry: "Entry") -> Text:
    """An entity as people see it: index, raw id, title. Titles are text, whatever they hold."""
    return Text(f"{entry.index}  {entry.title or f'(id {entry.raw_id})'}")


def columns_table(rows: Sequence[dict[str, object]], title: str) -> Group:
    """Dicts of equal keys as a table."""
    table = Table(**_STYLE)
    for column in rows[0] if rows else ():
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row.values()))
    return _titled(title, table)
