"""The section Explore of a report: how users and items are chosen, and what is shown of them."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tasks.core.data.interactions import Interactions
from tests.browser.explore_page import choose, chosen, expected_lists, search, shown_lists
from tests.command_line import CommandLine

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize("user", ["10", "441", "941"])
def test_lists_of_a_user_are_those_of_the_command_line(page: "Page", experiment: CommandLine, user: str) -> None:
    choose(page, "Users", user)
    assert chosen(page).startswith(f"User {user} id ")
    similar = experiment.answer("similar", "latest", "--user", user)
    assert shown_lists(page, "Nearest users") == expected_lists(similar, 10)
    recommended = experiment.answer("recommend", "latest", "--user", user)
    assert shown_lists(page, "Recommended items") == expected_lists(recommended, 20)


@pytest.mark.parametrize("item", ["100", "0"])
def test_lists_of_an_item_are_those_of_the_command_line(page: "Page", experiment: CommandLine, item: str) -> None:
    choose(page, "Items", item)
    similar = experiment.answer("similar", "latest", "--item", item)
    assert chosen(page) == f"{similar['title']} item {item}, id {similar['raw_id']}"
    assert shown_lists(page, "Nearest items") == expected_lists(similar, 10)


def test_a_user_is_found_by_index_before_id(page: "Page", interactions: Interactions) -> None:
    index = int(np.flatnonzero(interactions.user_ids == 10)[0])
    suggested = search(page, "Users", "10").all_text_contents()
    assert suggested[:2] == [f"User 10id {interactions.user_ids[10]}", f"User {index}id 10"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert chosen(page) == f"User {index} id 10"
    search(page, "Users", "10").nth(1).click()
    assert chosen(page) == f"User {index} id 10"


def test_an_item_is_found_by_a_part_of_its_title(page: "Page", interactions: Interactions) -> None:
    assert interactions.item_titles is not None
    title = interactions.item_titles[33]  # such as The Quiet Lantern (1969)
    suggestions = search(page, "Items", title.lower().removeprefix("the ")[:-7])
    assert suggestions.count() == 1
    page.keyboard.press("Enter")
    assert chosen(page) == f"{title} item 33, id {interactions.item_ids[33]}"


def test_the_items_that_most_users_have_are_suggested_first(page: "Page", interactions: Interactions) -> None:
    assert interactions.item_titles is not None
    users = np.count_nonzero(interactions.matrix.toarray(), axis=0)
    fitting = [at for at, title in enumerate(interactions.item_titles) if title.startswith("The Quiet")]
    best = sorted(fitting, key=lambda item: (-users[item], item))[:8]
    shown = search(page, "Items", "the quiet").all_text_contents()
    expected = [f"{interactions.item_titles[item]}item {item}, id {interactions.item_ids[item]}" for item in best]
    assert shown == expected


def test_the_keyboard_alone_chooses(page: "Page") -> None:
    """Tab from the choice of users or items to the search box, arrows in its suggestions; Escape closes them."""
    page.locator("#explore-sides input:checked").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#explore h4").all_inner_texts() == ["Nearest items"]
    page.keyboard.press("Tab")
    page.keyboard.type("the s")
    box, options = page.get_by_role("combobox"), page.locator("#explore").get_by_role("option")
    assert (box.get_attribute("aria-expanded"), options.count()) == ("true", 8)
    page.keyboard.press("ArrowUp")
    assert options.nth(7).get_attribute("aria-selected") == "true"
    assert box.get_attribute("aria-activedescendant") == options.nth(7).get_attribute("id")
    name = options.nth(7).locator("span").inner_text()
    page.keyboard.press("Enter")
    assert chosen(page).startswith(name)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("the")
    page.keyboard.press("Escape")
    assert (box.get_attribute("aria-expanded"), options.count()) == ("false", 0)


def test_what_is_not_found_is_said(page: "Page") -> None:
    assert search(page, "Users", "no such user").count() == 0
    assert page.get_by_role("status").inner_text() == "No user with this index, id or title can be chosen."
    before = chosen(page)
    page.keyboard.press("Enter")
    assert chosen(page) == before


def test_the_history_of_a_user_is_that_of_the_data(page: "Page", interactions: Interactions) -> None:
    assert interactions.item_titles is not None
    choose(page, "Users", "10")
    row = interactions.matrix[[10]]
    texts = {f"{interactions.item_titles[at]}{value:g}" for at, value in zip(row.indices, row.data, strict=True)}
    shown = page.locator("#explore-result > .titles li, #explore-result > details .titles li").all_text_contents()
    assert sorted(shown) == sorted(texts)
    assert [text[-1] for text in shown] == sorted((text[-1] for text in texts), reverse=True)
    assert f"{row.nnz} items, by rating" in page.locator("#explore-result").inner_text()


def test_items_in_common_with_a_neighbour(page: "Page", experiment: CommandLine, interactions: Interactions) -> None:
    assert interactions.item_titles is not None
    choose(page, "Users", "10")
    has = interactions.matrix.toarray() > 0
    for model, entries in experiment.answer("similar", "latest", "--user", "10")["models"].items():
        rows = page.locator(".column", has_text=model).first.locator(".entry")
        for at, entry in enumerate(entries[:5]):
            common = np.flatnonzero(has[10] & has[entry["index"]])
            facts = rows.nth(at).locator(".facts")
            assert f"{len(common)} of {has[entry['index']].sum()} items in common" in str(facts.text_content())
            assert facts.locator("li").all_text_contents() == [interactions.item_titles[item] for item in common]
    folded = page.locator("#explore details.facts").first
    assert not folded.locator("ul").is_visible()
    folded.locator("summary").click()
    assert folded.locator("ul").is_visible()


def test_users_in_common_with_an_item(page: "Page", experiment: CommandLine, interactions: Interactions) -> None:
    choose(page, "Items", "100")
    has = interactions.matrix.toarray() > 0
    assert f"{has[:, 100].sum()} users" in page.locator("#explore-result").inner_text()
    entries = experiment.answer("similar", "latest", "--item", "100")["models"]["k10"][:5]
    facts = page.locator(".column", has_text="k10").first.locator(".facts").all_text_contents()
    for entry, fact in zip(entries, facts, strict=False):
        both = int((has[:, 100] & has[:, entry["index"]]).sum())
        assert fact.endswith(f"{both} of its {has[:, entry['index']].sum()} users in common")


def test_the_mark_is_on_what_every_model_lists(page: "Page", experiment: CommandLine) -> None:
    numbers, marked = set(), set()
    for user in ("0", "1", "2", "3", "4", "5"):
        choose(page, "Users", user)
        models = experiment.answer("similar", "latest", "--user", user)["models"].values()
        shared = set.intersection(*({entry["index"] for entry in entries[:5]} for entries in models))
        text = f"{len(shared) or 'None'} of the first 5 {'are' if len(shared) > 1 else 'is'} listed under every model"
        assert page.locator(".shared-line").first.inner_text().strip() == text
        assert page.locator(".columns").first.locator(".entry .mark").count() == 2 * len(shared)
        for line in page.locator(".shared-line").all():  # there is nothing to explain the mark of where none is
            assert line.locator(".mark").is_visible() == ("None" not in line.inner_text())
            marked.add("None" not in line.inner_text())
        numbers.add(len(shared))
    assert len(numbers) > 1
    assert marked == {True, False}


def test_a_neighbour_that_is_clicked_is_shown(page: "Page") -> None:
    name = page.locator(".column .entry-name").first
    text = name.inner_text()
    name.click()
    assert chosen(page) == text
    assert page.evaluate("document.activeElement.tagName") == "H3"
