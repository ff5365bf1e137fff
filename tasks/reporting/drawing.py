"""Figures as SVG with a text alternative.

Each is drawn for a wide page and for a phone: one drawing cannot be legible on both.
The colours can be told apart by the colour-blind and in a black-and-white print.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

A, B, BETWEEN, CHANCE = "#0072b2", "#d55e00", "#444444", "#999999"
"""Colours of two models, of what is between them, and of chance."""

_COLORS = (A, B, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c564b")
_MARKERS = "oDs^vPX*"
_WIDE, _NARROW = 11.0, 5.0  # inches: at 72 points an inch, the text is of 10 to 13 pixels on a page of either width
_LEAST_LOGARITHMIC = 100
"""Largest value of a logarithmic axis from 1 on; shorter ones are linear, which readers understand without effort."""


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Attributes
    ----------
    name : str
        Of its file, without `.svg`.
    title : str
    alt : str
        What the figure shows, in words.
    svg : str
        For a wide page.
    narrow : str
        The same for a phone, as SVG: panels are below each other.
    """

    name: str
    title: str
    alt: str
    svg: str
    narrow: str


def model_style(position: int) -> tuple[str, str]:
    """Return the colour and the marker of the model at a position; they repeat after eight models."""
    return _COLORS[position % len(_COLORS)], _MARKERS[position % len(_MARKERS)]


def count_axis(axes: Any, largest: int) -> None:
    """Make the x axis one of counts, such as iterations: logarithmic only where linear would hide the beginning.

    Parameters
    ----------
    axes : matplotlib Axes
        With everything drawn.
    largest : int
        The largest count.
    """
    from matplotlib.ticker import MaxNLocator

    if largest >= _LEAST_LOGARITHMIC:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.minorticks_off()  # drawing a tick takes longer than drawing a curve
    else:
        # at least one tick, not two: between the limits of a single point there is one integer
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


@contextmanager
def figure(
    title: str, *, height: float, columns: int = 1, rows: int = 1
) -> Iterator[tuple[Any, Callable[[str, str], Drawing]]]:
    """Make a figure from what the block draws, with a legend below if a line of the first panel that has any is named.

    Parameters
    ----------
    title : str
        What the figure shows. It is not drawn, but shown by whoever displays the figure.
    height : float
        In inches, on a wide page.
    columns, rows : int
        Number of panels.

    Yields
    ------
    axes : matplotlib Axes, or an array of them for several panels
    drawing : callable
        (name, alt) -> Drawing; to be called after the block.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

    style: dict[Any, Any] = {
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "svg.fonttype": "none",  # text stays text
    }
    with mpl.rc_context(style):
        # a Figure of its own instead of pyplot's: pyplot keeps every figure, and threads would share the current one
        canvas = Figure(figsize=(_WIDE, height), layout="compressed")
        axes = canvas.subplots(rows, columns)
        panels = list(canvas.axes)
        svgs: list[str] = []

        def drawing(name: str, alt: str) -> Drawing:
            return Drawing(name, title, alt, *svgs)

        yield axes, drawing
        svgs.append(_svg(canvas, title, "wide", legend_width=130))
        if columns > 1:
            below = GridSpec(len(panels), 1, figure=canvas)
            for row, panel in enumerate(panels):
                panel.set_subplotspec(below[row])
        canvas.set_size_inches(_NARROW, height * columns)
        svgs.append(_svg(canvas, title, "narrow", legend_width=54))


def _svg(canvas: Any, title: str, layout: str, *, legend_width: int) -> str:
    """Return a figure as an SVG element, with a legend below that is at most so many characters wide."""
    import matplotlib as mpl

    for earlier in canvas.legends:
        earlier.remove()
    for panel in canvas.axes:
        handles, labels = panel.get_legend_handles_labels()
        if handles:
            entry = max(map(len, labels)) + 8  # with its line, and the gap to the next one
            columns = max(min(legend_width // entry, len(labels)), 1)
            width, height = canvas.get_size_inches()
            more_lines = -(-len(labels) // columns) - 1
            canvas.set_size_inches(width, height + 0.2 * more_lines)  # they take nothing from the panels
            canvas.legend(handles, labels, loc="outside lower center", ncols=columns)
            break
    file = io.StringIO()
    # savefig lays out a figure by drawing everything once more
    layout_engine = canvas.get_layout_engine()
    layout_engine.execute(canvas)
    canvas.set_layout_engine(None)
    # The salt makes equal figures equal bytes. The two layouts stand in one page and share no id: an element that
    # refers to one in a layout that is not displayed would be missing.
    with mpl.rc_context({"svg.hashsalt": f"latentlab {layout}"}):
        canvas.savefig(file, format="svg", metadata={"Date": None, "Title": title})
    canvas.set_layout_engine(layout_engine)
    text = file.getvalue()
    return text[text.index("<svg") :]  # without the XML declaration, so that it can stand in an HTML page
