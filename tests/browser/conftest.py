"""A browser, and the report of an experiment in a page that reaches files only."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.core.data.interactions import Interactions
from tests.command_line import CommandLine, command_line

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

WAIT = 30_000  # ms; a busy machine is slow
CONFIG = """\
name: explored
dataset: {name: synthetic-100k}
models: {k10: {factors: 10, iterations: 5}, k40: {factors: 40, iterations: 5}}
replicates: 4
queries: {users: [10], items: [100], recommend_for: [0]}
comparison: {depths: [5]}
evaluation: null
execution: {isolate: false, system_metrics: false}
"""


@pytest.fixture(scope="module")  # while it is open, nothing else in this process can run an event loop
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import expect, sync_playwright

    browsers = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    browser_path = next(filter(None, browsers), None)
    if not browser_path:
        if os.environ.get("CI"):
            pytest.fail("no chromium; CI runs this test")
        pytest.skip("no chromium on this machine")
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def offline(browser: "Browser") -> Iterator["Page"]:
    """A page that reaches files only. A test fails if it asks for anything else, or if its script fails."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(WAIT)
    complaints: list[str] = []

    def only_files(route: "Route") -> None:
        if route.request.url.startswith(("file:", "data:")):
            route.continue_()
        else:
            complaints.append(route.request.url)
            route.abort()

    page.route("**/*", only_files)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield page
    assert complaints == []
    page.close()


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A finished experiment on the synthetic data set, with Prefect's embedded server."""
    folder = tmp_path_factory.mktemp("explored")
    (folder / "config.yaml").write_text(CONFIG)
    commands = command_line(folder, "")
    done = commands.run("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    return commands


@pytest.fixture(scope="session")
def report(experiment: CommandLine) -> Path:
    return Path(experiment.answer("report")["report"])


@pytest.fixture(scope="session")
def interactions(experiment: CommandLine) -> Interactions:
    (path,) = (experiment.folder / "home" / "interactions").glob("*.npz")
    return Interactions.load(path)


@pytest.fixture
def page(offline: "Page", report: Path) -> "Page":
    offline.goto(report.as_uri())
    offline.locator("#explore h3").wait_for()
    return offline
