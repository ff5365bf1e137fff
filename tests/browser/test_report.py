"""The report in a real browser, on a wide page and on a phone: nothing is cut, and the contents lead to sections."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core.comparison.agreement import OtherSimilarity
from tasks.core.comparison.factorial import Factorial, Interaction, SimpleEffect
from tasks.core.comparison.query_lists import Entry, QueryLists
from tasks.core.comparison.run_matrix import Matrix
from tasks.core.comparison.sweep import Estimated, Point, Sweep
from tasks.core.inference.data_noise import DataNoise
from tasks.reporting.report import draw, render
from tasks.reporting.result import Result
from tests.tasks.reporting.small_result import OWNERS, accuracy_test, convergence, small_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MODELS = ("k50-balanced", "k500-i300-regularized")
SMALLEST_TEXT = 9
"""In pixels."""
CUT_CELLS = """() => [...document.querySelectorAll("td, th, p, li, figcaption, h1, h2, h3")]
  .filter(element => element.offsetParent && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0)
  .map(element => element.textContent)"""
CELLS_OUTSIDE = """() => [...document.querySelectorAll("td, th")].filter(cell => {
  const box = cell.getBoundingClientRect(), scroll = cell.closest(".scroll");
  if (!box.width || (scroll && scroll.scrollWidth > scroll.clientWidth && getComputedStyle(scroll).overflowX == "auto"))
    return false;
  return box.right > document.documentElement.clientWidth || box.left < 0;
}).map(cell => cell.textContent)"""
CUT_TEXTS = """() => [...document.querySelectorAll("figure svg")].flatMap(svg => {
  const whole = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter(text => {
    const box = text.getBoundingClientRect();
    return whole.width && (box.left < whole.left - 2 || box.right > whole.right + 2 || box.top < whole.top - 2
      || box.bottom > whole.bottom + 2);
  }).map(text => svg.closest("figure").id + ": " + text.textContent);
})"""
TEXT_SIZES = """() => [...document.querySelectorAll("figure svg")].filter(svg => svg.getBoundingClientRect().width).map(
  svg => 10 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"""


def large_result() -> Result:
    """Return a result with every table and figure, long names and long numbers."""
    a, b = MODELS
    of_pair = {"a": a, "b": b}
    small = small_result()
    (answer,) = small.answers
    limits = {"low_95": 0.1234, "high_95": 0.5678, "simultaneous_low": 0.01, "simultaneous_high": 0.71, "rho_low": -0.1}
    answer = replace(answer, **of_pair, **limits, rho_high=0.56, verdict="different-size-uncertain", p_holm=3e-146)
    answers = [replace(answer, target=target) for target in ("user_1", "users", "items", "recommendations")]
    answers += [replace(answer, target=name, verdict=None, p_holm=None) for name in ("item_100", "recommend_for_0")]
    titles = [f"A film with a long title {index} (1997)" for index in range(9)]
    entries = [Entry(10**6 + index, "id", title, 0.5, 1.0, 0.9) for index, title in enumerate(titles)]
    estimated = Estimated(0.12345, 0.1, 0.2)
    effect = SimpleEffect("recommendations", 10, "iterations 15→1500", "factors 500", a, b, 0.1, 0.01, 0.2, 0.1, 1.0)
    overlap = [[1, 0.5, 0.1, 0.1], [0.5, 1, 0.1, 0.1], [0.1, 0.1, 1, 1], [0.1, 0.1, 1, 1]]
    per_user, rename = small.per_user[0], dict(zip("ab", MODELS, strict=True))
    metrics = ("recall", "precision", "map", "hit_rate", "mrr", "novelty", "arp", "intra_list_similarity")
    accuracy = [replace(row, model=rename[row.model]) for row in small.accuracy]
    further = [(row, f"{name}_at_10") for name in metrics for row in (*accuracy, *small.reference_accuracy)]
    large = [replace(row, metric=metric, mean=134.4557) for row, metric in further]
    points = [Point(a, {"factors": k}, estimated, estimated, estimated, k) for k in (8, 64, 512)]
    return replace(
        small,
        models={name: {"factors": 2, "acceleration": "none"} for name in MODELS},
        answers=answers,
        matrices=[Matrix(target, 5, [], overlap) for target in ("user_1", "users")],
        references=[replace(row, **of_pair) for row in small.references],
        per_user=[replace(per_user, **of_pair, queries={"user_1": 1.5})],
        comparison=[replace(row, a=rename[row.a], b=rename[row.b]) for row in small.comparison],
        curves=[
            replace(row, a=rename[row.a], b=rename[row.b], overlap=[0.5] * 100, chance=[0.1] * 100)
            for row in small.curves
        ],
        queries=[QueryLists("user_1", "users", 1, "u1", "", 5, dict.fromkeys(MODELS, entries))],
        accuracy=[*accuracy, *(row for row in large if row.model in MODELS)],
        reference_accuracy=[*small.reference_accuracy, *(row for row in large if row.model not in MODELS)],
        accuracy_tests=[accuracy_test(a, b, 0.25, 0.5, 3e-146)],
        beside_references=[accuracy_test("popularity", b, 0.25, 0.5, 3e-146)],
        sweep=Sweep(["factors"], "ndcg_at_10", 5, points),
        factorial=Factorial(("factors", "iterations"), [effect], [Interaction("users", 5, 0.1, -0.2, 0.3)]),
        other_similarity=[OtherSimilarity("users", "scores", 5, a, b, 0.5, 0.6, 0.4)],
        data_noise=[DataNoise(a, "recommendations", 5, 2, 0.75, 0.5)],
        dropped_fraction=0.01,
        convergence=[convergence(name) for name in MODELS],
        runs=[replace(run, model=rename[run.model]) for run in small.runs],
        compared_on="2026-11-28",
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = large_result()
    owners = [dict(zip("ab", MODELS, strict=True))[owner] for owner in OWNERS]
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(result, draw(result, owners), "name: small\n" * 3), encoding="utf-8")
    return path


@pytest.fixture(params=[1280, 700, 390])
def page(request: pytest.FixtureRequest, browser: "Browser", file: Path) -> Iterator["Page"]:
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    page.goto(file.as_uri())
    yield page
    page.close()


def test_nothing_is_cut(page: "Page") -> None:
    page.locator("details:not([open]) > summary").evaluate_all("all => all.forEach(summary => summary.click())")
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth") <= page.evaluate(f"{root}.clientWidth")
    assert page.evaluate(CUT_CELLS) == []
    assert page.evaluate(CELLS_OUTSIDE) == []


def test_the_text_of_every_figure_is_whole_and_legible(page: "Page") -> None:
    assert page.evaluate(CUT_TEXTS) == []
    sizes = page.evaluate(TEXT_SIZES)
    assert len(sizes) == page.locator("figure").count() > 9
    assert min(sizes) >= SMALLEST_TEXT


def test_figures_are_as_wide_as_the_page_where_it_is_wide(page: "Page") -> None:
    width = page.evaluate("document.body.clientWidth") - 32  # without its padding
    if width > 1000:
        widths = page.locator(".wide svg").evaluate_all("all => all.map(svg => svg.getBoundingClientRect().width)")
        assert widths == pytest.approx([width] * len(widths), abs=1)
    assert page.locator(".wide:visible, .narrow:visible").count() == page.locator("figure").count()


def test_a_row_shows_its_verdict_and_p_without_scrolling(page: "Page") -> None:
    row = page.locator("#verdicts ~ .scroll").first.locator("tbody tr").first
    for text in ("different-size-uncertain", "<0.001"):
        box = row.get_by_text(text, exact=True).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.evaluate("document.documentElement.clientWidth")


def test_the_contents_lead_to_their_sections(page: "Page") -> None:
    page.get_by_role("navigation", name="Contents").get_by_role("link", name="Convergence").click()
    box = page.get_by_role("heading", name="Convergence", exact=True).bounding_box()
    assert box is not None
    assert -1 < box["y"] < 900


def test_no_p_has_an_exponent(page: "Page") -> None:
    assert "e-1" not in page.locator("body").inner_text()
