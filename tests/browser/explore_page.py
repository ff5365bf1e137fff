"""What a reader does and sees in the section Explore of a report."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SEEDS = 4
"""Of each model of the experiment."""


def search(page: "Page", side: str, text: str) -> "Locator":
    """Type into the search box, and return the suggestions."""
    page.locator("#explore-sides label", has_text=side).click()
    page.get_by_role("combobox", name="Index, id or title").fill(text)
    return page.locator("#explore").get_by_role("option")


def choose(page: "Page", side: str, text: str) -> None:
    """Choose what fits best."""
    search(page, side, text)
    page.keyboard.press("Enter")


def chosen(page: "Page") -> str:
    return page.locator("#explore h3").inner_text()


def shown_lists(page: "Page", heading: str) -> dict[str, list[tuple[str, str]]]:
    """Return model -> (name, share) of the entries, those that are folded away too."""
    columns = page.locator(f"#explore h4:has-text('{heading}') ~ .columns").first.locator(".column")
    lists = {}
    for column in columns.all():
        names, shares = (column.locator(of).all_text_contents() for of in (".entry-name", ".share"))
        lists[column.locator("h5").inner_text().split()[0]] = list(zip(names, shares, strict=True))
    return lists


def expected_lists(answer: Any, kept: int) -> dict[str, list[tuple[str, str]]]:
    """Return the same of what the command line printed as JSON."""

    def name(entry: Any) -> str:
        index, title = entry["index"], entry["title"]
        return f"{title} item\xa0{index}" if title else f"User {index} id {entry['raw_id']}"

    return {
        model: [(name(entry), f"{entry['share'] * SEEDS:.0f} of {SEEDS}") for entry in entries[:kept]]
        for model, entries in answer["models"].items()
    }


def overflowing(page: "Page", width: int) -> Any:
    """Return the elements of the section that reach beyond the page, or that have content wider than themselves."""
    return page.evaluate(
        """width => [...document.querySelectorAll("#explore *")].filter((element) =>
            element.checkVisibility() && !element.closest("#explore-sides input")
            && (element.getBoundingClientRect().right > width + 1 || element.scrollWidth > element.clientWidth + 1)
            && getComputedStyle(element).display !== "inline").map((element) => element.outerHTML.slice(0, 200))""",
        width,
    )
