"""Figures as SVG with a text alternative.

The width suits a phone. The colours can be told apart by the colour-blind and in a black-and-white print.
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
_WIDTH = 5.6  # inches


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
    """

    name: str
    title: str
    alt: str
    svg: str


def model_style(position: int) -> tuple[str, str]:
    """Return the colour and the marker of the model at a position; they repeat after eight models."""
    return _COLORS[position % len(_COLORS)], _MARKERS[position % len(_MARKERS)]


@contextmanager
def figure(
    title: str, *, height: float, columns: int = 1, rows: int = 1
) -> Iterator[tuple[Any, Callable[[str, str], Drawing]]]:
    """Make a figure from what the block draws, with a legend below if any line has a label.

    Parameters
    ----------
    title : str
        What the figure shows. It is not drawn, but shown by whoever displays the figure.
    height : float
        In inches.
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

    style: dict[Any, Any] = {
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "latentlab",  # equal figures are equal bytes
    }
    with mpl.rc_context(style):
        # a Figure of its own instead of pyplot's: pyplot keeps every figure, and threads would share the current one
        canvas = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = canvas.subplots(rows, columns)
        svg = ""

        def drawing(name: str, alt: str) -> Drawing:
            return Drawing(name, title, alt, svg)

        yield axes, drawing
        for panel in canvas.axes:
            handles, labels = panel.get_legend_handles_labels()
            if handles:
                canvas.legend(handles, labels, loc="outside lower center", ncols=2)
                break
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Title": title})
    text = file.getvalue()
    svg = text[text.index("<svg") :]  # without the XML declaration, so that it can stand in an HTML page
