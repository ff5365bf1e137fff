"""SVG figures: their text, and their bytes."""

import re

from tasks.reporting.drawing import Drawing, figure, model_style


def draw_point(label: str) -> Drawing:
    with figure("One point", height=1.0) as (axes, drawing):
        axes.plot([1], [1], "o", label=label)
    return drawing("point", "A point.")


def test_a_drawing_is_an_svg_element() -> None:
    drawing = draw_point("a")
    assert (drawing.name, drawing.title, drawing.alt) == ("point", "One point", "A point.")
    assert drawing.svg.startswith("<svg")


def test_equal_figures_are_equal_bytes() -> None:
    assert draw_point("a").svg == draw_point("a").svg


def test_markup_in_a_label_is_text() -> None:
    svg = draw_point("<b>&").svg
    assert "&lt;b&gt;&amp;" in svg
    assert "<b>" not in svg


def test_styles_of_eight_models_differ() -> None:
    assert len({model_style(position) for position in range(8)}) == 8
    assert model_style(8) == model_style(0)


def test_a_phone_has_the_panels_below_each_other() -> None:
    with figure("Two panels", height=2.0, columns=2) as (axes, drawing):
        for panel in axes:
            panel.plot([1], [1], "o", label="a")
    panels = drawing("panels", "Two panels.")
    sizes = [tuple(map(float, re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0])) for svg in (panels.svg, panels.narrow)]
    assert sizes == [(792, 144), (360, 288)]
    assert panels.narrow.count(">a</text>") == 1  # one legend


def test_the_two_layouts_share_no_id() -> None:
    point = draw_point("a")
    wide, narrow = (set(re.findall(r'(?:clipPath|path) id="(.*?)"', svg)) for svg in (point.svg, point.narrow))
    assert wide
    assert not wide & narrow
