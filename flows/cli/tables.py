"""Tables on stdout, and what they share."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tasks.core.formatting import SUMMARY_LABELS, summary_value

if TYPE_CHECKING:
    from tasks.core.comparison.query_lists import Entry, QueryLists
    from tasks.core.data.interactions import Summary

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

STYLE: dict[str, Any] = {"box": box.SIMPLE_HEAD, "pad_edge": False, "show_edge": False, "collapse_padding": True}


def titled(title: str, table: Table, note: str = "") -> Group:
    """Return a table under its title, which may be wider than the table.

    Parameters
    ----------
    title : str
        Shown as it is: markup in it has no effect.
    table : Table
        The table.
    note : str
        Shown below the table.

    Returns
    -------
    Group
    """
    return Group(Text(title, "bold"), table, *([Text(note, "dim")] if note else []), "")


def columns_table(rows: Sequence[Mapping[str, object]], title: str) -> Group:
    """Return mappings of equal keys as a table.

    Parameters
    ----------
    rows : sequence of mapping
        The rows, of equal keys.
    title : str
        Title of the table.

    Returns
    -------
    Group
    """
    table = Table(**STYLE)
    for column in rows[0] if rows else ():
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row.values()))
    return titled(title, table)


def summary_table(dataset: str, summary: "Summary") -> Group:
    """Return the notebook's eight figures of a data set.

    Parameters
    ----------
    dataset : str
        The data set.
    summary : Summary
        Figures of the data.

    Returns
    -------
    Group
    """
    table = Table(**STYLE)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for key, label in SUMMARY_LABELS.items():
        if key != "interactions":  # it is in the title
            table.add_row(label, summary_value(getattr(summary, key)))
    return titled(f"{dataset}: {summary.interactions:,} interactions", table)


def query_table(query: "QueryLists") -> Group:
    """Return one query's lists side by side: the n entries that most seeds list, and how many more there are."""
    names = f"{query.title}, id {query.raw_id}" if query.title else f"id {query.raw_id}"
    kind = {"users": "Users like user", "items": "Items like item", "recommendations": "Recommendations for user"}
    title = f"{kind[query.target]} {query.index} ({names}): first {query.n}, and the share of seeds listing each"
    models = list(query.models.items())
    models_a_row = max(out.width // 40, 1)
    parts = [
        _side_by_side(dict(models[start : start + models_a_row]), query.n)
        for start in range(0, len(models), models_a_row)
    ]
    return Group(Text(title, "bold"), *parts, "")


def _side_by_side(models: "dict[str, list[Entry]]", n: int) -> Table:
    table = Table(**STYLE)
    width = max(out.width // len(models) - 16, 12)  # what `seeds` and `score` leave
    for model in models:
        table.add_column(model, no_wrap=True, overflow="ellipsis", max_width=width)
        table.add_column("seeds", justify="right", no_wrap=True)
        table.add_column("score", justify="right", no_wrap=True)
    for entries in zip_longest(*(entries[:n] for entries in models.values())):
        cells: list[Text | str] = []
        for entry in entries:
            cells += ["", "", ""] if entry is None else [_name(entry), f"{entry.share:.0%}", f"{entry.score:.3f}"]
        table.add_row(*cells)
    more = [len(entries) - n for entries in models.values()]
    if any(count > 0 for count in more):
        table.add_row(*(cell for count in more for cell in (f"and {count} more" if count > 0 else "", "", "")))
    return table


def _name(entry: "Entry") -> Text:
    """Return index and title of an entry, or its raw id. Markup in a title has no effect."""
    return Text(f"{entry.index}  {entry.title or f'(id {entry.raw_id})'}")
