"""Tables on stdout, and what they share."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from tasks.core.formatting import SUMMARY_LABELS, by_similarity, decimals, escaped, shown, summary_value

if TYPE_CHECKING:
    from flows.cli.look_up.new_user import NewUserLists
    from tasks.core.comparison.query_lists import Entry, QueryLists
    from tasks.core.data.interactions import Summary

_LEAST_WIDTH = 40
"""Of a terminal; a narrower one breaks the lines itself."""

_LONGEST_CELL = 200
"""Of a table, in characters."""


class _PlainConsole(Console):
    """A console that shows text as it is written: markup has no effect, and control characters are escaped.

    Parameters
    ----------
    stderr : bool
        Whether it prints on stderr.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments of what is printed. Only those of the console itself keep control characters."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escaped(segment.text), segment.style)


out = _PlainConsole()
err = _PlainConsole(stderr=True)
for console in (out, err):
    console.width = max(console.width, _LEAST_WIDTH)

STYLE: dict[str, Any] = {"box": box.SIMPLE_HEAD, "pad_edge": False, "show_edge": False, "collapse_padding": True}
_GAP = 2
"""Columns of text between two columns of a table."""


def plain(text: str, style: str = "") -> Text:
    """Return a text to print. It is escaped here and not by the console alone, so that its width is known.

    Parameters
    ----------
    text : str
        Of one or more lines; markup in it has no effect.
    style : str
        Of Rich.

    Returns
    -------
    Text
    """
    return Text(escaped(text), style)


def titled(title: str, table: Table, note: str = "", *, keys: int = 1) -> Group:
    """Return a table under its title, which may be wider than the table.

    If the table is wider than the terminal, the columns that do not fit follow in tables of their own.

    Parameters
    ----------
    title : str
        Shown as it is: markup in it has no effect.
    table : Table
        The table.
    note : str
        Shown below the table.
    keys : int
        Number of columns that name a row: each of the tables begins with them.

    Returns
    -------
    Group
    """
    return Group(plain(title, "bold"), *_folded(table, keys), *([plain(note, "dim")] if note else []), "")


def _folded(table: Table, keys: int) -> list[Table]:
    """Return a table, or its columns as several tables of which each fits into the terminal.

    Only names and text are broken into lines, never numbers.
    """
    names, others = table.columns[:keys], table.columns[keys:]
    width_of_names = sum(map(_width, names)) + _GAP * len(names)
    if width_of_names + sum(map(_width, others)) + _GAP * max(len(others) - 1, 0) <= out.width or not others:
        return [table]
    left = out.width - min(width_of_names, out.width - max(map(_width, others)))
    parts: list[list[Column]] = [[]]
    for column in others:
        used = sum(_width(earlier) + _GAP for earlier in parts[-1])
        if parts[-1] and used + _width(column) > left:
            parts.append([])
        parts[-1].append(column)
    return [_table_of([*names, *part], keys) for part in parts]


def _table_of(columns: Sequence[Column], keys: int) -> Table:
    table = Table(**STYLE)
    for number, column in enumerate(columns):
        no_wrap = column.no_wrap and number >= keys
        table.add_column(column.header, justify=column.justify, no_wrap=no_wrap, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def _width(column: Column) -> int:
    """Return the width below which a column would be cut: of its longest line, or word if lines may be broken."""
    texts = [str(cell) for cell in (column.header, *column.cells)]
    parts = [part for text in texts for part in (text.splitlines() if column.no_wrap else text.split())]
    return max(map(cell_len, parts), default=0)


def columns_table(rows: Sequence[Mapping[str, object]], title: str, *, keys: int = 1) -> Group:
    """Return mappings of equal keys as a table.

    Parameters
    ----------
    rows : sequence of mapping
        The rows, of equal keys.
    title : str
        Title of the table.
    keys : int
        Number of columns that name a row.

    Returns
    -------
    Group
    """
    table = Table(**STYLE)
    for column in rows[0] if rows else ():
        header = shown(column, _LONGEST_CELL)
        table.add_column(header, no_wrap=not any(" " in str(row[column]) for row in rows))
    for row in rows:
        table.add_row(*(Text(shown(str(value), _LONGEST_CELL)) for value in row.values()))
    return titled(title, table, keys=keys)


def summary_table(dataset: str, summary: "Summary", ratings: str = "") -> Group:
    """Return the notebook's eight figures of a data set.

    Parameters
    ----------
    dataset : str
        The data set.
    summary : Summary
        Figures of the data.
    ratings : str
        What was read and dropped, in words.

    Returns
    -------
    Group
    """
    table = Table(**STYLE)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for key, label in SUMMARY_LABELS.items():
        # interactions are in the title; files of lists have none
        if key != "interactions" and (summary.interactions or getattr(summary, key)):
            table.add_row(label, summary_value(getattr(summary, key)))
    title = f"{dataset}: {summary.interactions:,} interactions" if summary.interactions else dataset
    return titled(title, table, ratings)


def query_table(query: "QueryLists", *, consensus: bool = False) -> Group:
    """Return one query's lists side by side: the n entries that most seeds list, and how many more there are.

    Parameters
    ----------
    query : QueryLists
        The lists of each model.
    consensus : bool
        Whether they are the consensus of the seeds, which has ranks of its own.

    Returns
    -------
    Group
    """
    raw_id = shown(str(query.raw_id))
    names = f"{shown(query.title)}, id {raw_id}" if query.title else f"id {raw_id}"
    kind = {"users": "Users like user", "items": "Items like item", "recommendations": "Recommendations for user"}
    by = by_similarity(query.target, query.similarity)
    title = f"{kind[query.target]} {query.index} ({names}){by}"
    return _titled_lists(title, query.models, query.n, consensus=consensus)


def new_user_table(lists: "NewUserLists", *, consensus: bool = False) -> Group:
    """Return the recommendations for somebody who has some items, as `query_table` does.

    Parameters
    ----------
    lists : NewUserLists
        The lists of each model.
    consensus : bool
        See `query_table`.

    Returns
    -------
    Group
    """
    items = "; ".join(shown(item.title) if item.title else f"id {shown(str(item.raw_id))}" for item in lists.items)
    confidence = f"each with confidence {lists.confidence:g}, the median of the data"
    title = f"Recommendations for a user who has {items} ({confidence})"
    return _titled_lists(title, lists.models, lists.n, consensus=consensus)


def _titled_lists(title: str, lists: "dict[str, list[Entry]]", n: int, *, consensus: bool) -> Group:
    what = f"first {n}, and the share of seeds listing each"
    if consensus:
        what = f"consensus of all seeds, and the share of seeds listing each among their first {n}"
    models = list(lists.items())
    models_a_row = max(out.width // 40, 1)
    parts = [
        _side_by_side(dict(models[start : start + models_a_row]), n, with_ranks=consensus)
        for start in range(0, len(models), models_a_row)
    ]
    return Group(plain(f"{title}: {what}", "bold"), *parts, "")


def _side_by_side(models: "dict[str, list[Entry]]", n: int, *, with_ranks: bool) -> Table:
    table = Table(**STYLE)
    scores = [decimals(entry.score) for entries in models.values() for entry in entries[:n]]
    ranks = len("rank") + _GAP if with_ranks else 0
    width = (out.width - ranks) // len(models) - max(map(len, ["score", *scores])) - len("seeds") - 3 * _GAP
    if with_ranks:
        table.add_column("rank", justify="right", no_wrap=True)
    for model in models:
        table.add_column(model, no_wrap=True, overflow="ellipsis", max_width=width)
        table.add_column("seeds", justify="right", no_wrap=True)
        table.add_column("score", justify="right", no_wrap=True)
    for rank, entries in enumerate(zip_longest(*(entries[:n] for entries in models.values())), start=1):
        cells: list[Text | str] = [str(rank)] if with_ranks else []
        for entry in entries:
            cells += ["", "", ""] if entry is None else [_name(entry), f"{entry.share:.0%}", decimals(entry.score)]
        table.add_row(*cells)
    more = [len(entries) - n for entries in models.values()]
    if any(count > 0 for count in more):
        table.add_row(*(cell for count in more for cell in (f"and {count} more" if count > 0 else "", "", "")))
    return table


def _name(entry: "Entry") -> Text:
    """Return index and title of an entry, or its raw id, which is only cut if it is very long."""
    if entry.title:
        return Text(f"{entry.index}  {shown(entry.title, _LONGEST_CELL)}")
    return Text(f"{entry.index}  (id {shown(str(entry.raw_id))})", no_wrap=False, overflow="fold")
