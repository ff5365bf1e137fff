"""Where the section Explore of a report works: on wide and narrow pages, with hostile ids, without data, in MLflow."""

import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.reporting.explore.section import explore_section
from tests.browser.conftest import WAIT
from tests.browser.explore_page import choose, chosen, overflowing
from tests.command_line import CommandLine
from tests.serving import refused_port, start_server
from tests.tasks.reporting.explore.small_lists import config, draw, everyone

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_or_overflows(page: "Page", width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for side, text in (("Users", "10"), ("Items", "100")):
        choose(page, side, text)
        for folded in page.locator("#explore details:not([open]) > summary").all():
            if folded.is_visible():
                folded.click()
        assert overflowing(page, width) == []


def test_a_picture_of_it(page: "Page") -> None:
    """The picture of docs/report.md is made like this: with the items in common with one neighbour."""
    choose(page, "Users", "8")
    page.get_by_role("combobox").blur()
    page.locator(".facts summary").nth(1).click()
    page.mouse.move(0, 0)
    assert page.locator("#explore .facts ul:visible").count() == 1
    if folder := os.environ.get("LATENTLAB_SCREENSHOTS"):
        box, end = (page.locator(of).bounding_box() for of in ("#explore", "#explore h4:has-text('Recommended')"))
        assert box
        assert end
        clip = {**box, "y": box["y"] + page.evaluate("scrollY"), "height": end["y"] - box["y"]}
        page.screenshot(path=Path(folder) / "explore.png", clip=clip, full_page=True)


def test_it_is_not_printed(page: "Page") -> None:
    page.emulate_media(media="print")
    assert not page.locator("#explore").is_visible()
    assert page.locator("h1").is_visible()


HOSTILE = [
    "</script><script>document.title = 'broken'</script>",
    "<img src=x onerror=\"document.title = 'broken'\">",
    "\x1b[31mred",
    "\u202ereversed",
    "long" * 100,
]


@pytest.mark.parametrize("width", [1280, 390])
def test_markup_in_titles_and_ids_is_text(offline: "Page", tmp_path: Path, width: int) -> None:
    lists, drawn = draw(30, len(HOSTILE), 3, titles=HOSTILE, width=3)
    ids = np.array([f"{title} {at}" for at, title in enumerate(HOSTILE * 6)], dtype=object)
    html = explore_section(lists, replace(drawn, user_ids=ids), everyone(drawn), config())
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><meta charset=utf-8><title>t</title><body>{html}")
    offline.set_viewport_size({"width": width, "height": 900})
    offline.goto((tmp_path / "page.html").as_uri())
    for side, text in (("Users", "<img"), ("Items", "</script"), ("Users", "long")):
        choose(offline, side, text)
        assert text in chosen(offline)
        assert overflowing(offline, width) == []
    shown = str(offline.locator("#explore").text_content())
    assert r"\x1b[31mred" in shown
    assert re.findall("[\x1b\u202e]", shown) == []
    assert offline.title() == "t"
    assert offline.locator("#explore script, #explore img").count() == 0


def test_lists_without_data_show_what_there_is(offline: "Page", tmp_path: Path) -> None:
    lists, drawn = draw(30, 20, 3, width=3)
    empty = drawn.matrix * 0
    empty.eliminate_zeros()
    html = explore_section(lists, replace(drawn, matrix=empty), everyone(drawn), config())
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><meta charset=utf-8><title>t</title><body>{html}")
    offline.goto((tmp_path / "page.html").as_uri())
    choose(offline, "Users", "1007")
    assert chosen(offline) == "User 7 id 1007"
    assert offline.locator(".entry").count() > 6
    assert "in common" not in offline.locator("#explore-result").inner_text()
    choose(offline, "Items", "3")
    assert chosen(offline) == "Item 3 id 2003"


def test_a_user_without_interactions_has_no_items_to_order(offline: "Page", tmp_path: Path) -> None:
    lists, drawn = draw(30, 20, 3, width=3)
    keeps = np.ones(30, dtype=np.float32)
    keeps[7] = 0
    matrix = csr_array(drawn.matrix.multiply(keeps[:, None]))
    matrix.eliminate_zeros()
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    html = explore_section(lists, replace(drawn, matrix=matrix), everyone(drawn), config())
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><meta charset=utf-8><title>t</title><body>{html}")
    offline.goto((tmp_path / "page.html").as_uri())
    choose(offline, "Users", "1007")
    assert offline.locator("#explore h3 + .muted").inner_text() == "No items"
    assert offline.locator("#explore-result > .titles").count() == 0


def test_it_works_in_the_viewer_of_mlflow(browser: "Browser", experiment: CommandLine) -> None:
    """The viewer shows a report in a frame with a sandbox, which has no origin."""
    url = f"http://127.0.0.1:{refused_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", experiment.store, "--workers", "1"]
    env = {**experiment.env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = start_server([*command, "--port", url.rpartition(":")[2]], experiment.folder, env, f"{url}/health")
    try:
        (parent,) = (run for run in experiment.answer("runs")["runs"] if run["role"] == "parent")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(WAIT)
        page.goto(f"{url}/#/experiments/1/runs/{parent['run_id']}/artifacts/report.html")
        frame = page.frame_locator("iframe").first
        frame.locator("#explore-input").fill("441")
        frame.locator("#explore-input").press("Enter")
        assert frame.locator("#explore h3").inner_text().startswith("User 441 id ")
        assert "allow-same-origin" not in str(page.locator("iframe").first.get_attribute("sandbox"))
        frame.locator(".entry button").first.click()
        assert not frame.locator("#explore h3").inner_text().startswith("User 441 id ")
        page.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
