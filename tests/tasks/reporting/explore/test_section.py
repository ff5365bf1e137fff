"""The section Explore: what the page embeds is what the lists and the interactions say, and its size is limited."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.core.comparison.agreement import LISTED, RunLists
from tasks.core.comparison.query_lists import Names, merge
from tasks.core.data.interactions import Interactions, text_array
from tasks.core.ranking.entities import Entities
from tasks.core.ranking.lists import Lists
from tasks.reporting.explore import section
from tasks.reporting.explore.page_data import page_data
from tasks.reporting.explore.section import choose, explore_section, pack
from tests.tasks.reporting.explore.small_lists import config, draw, everyone, unpack

HOSTILE = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\x1b[31mred", "\u202elr", "a\nb", "é"]


def groups(numbers: Sequence[Any], sizes: Sequence[int]) -> list[list[Any]]:
    """Return consecutive groups of numbers."""
    each = iter(numbers)
    return [list(itertools.islice(each, size)) for size in sizes]


def indexes(data: Any, side: str) -> list[int]:
    """Return the indexes of the users or items that the page names."""
    return list(itertools.accumulate(data[side]["indexes"]))


def test_data_are_read_as_they_were_written() -> None:
    data = {"numbers": [1, -2, None], "text": "</script>é\u2028", "none": None}
    text = pack(data)
    assert re.fullmatch("[A-Za-z0-9+/=]+", text)
    assert unpack(text) == data


def test_lists_of_every_user_and_item_are_those_of_the_queries() -> None:
    lists, interactions = draw(60, 45, 7)
    data = unpack(explore_section(lists, interactions, everyone(interactions), config()))
    names = Names(interactions.user_ids, interactions.item_ids, None)
    assert [model["name"] for model in data["models"]] == ["a", "b"]
    for target, n in {"users": 3, "items": 3, "recommendations": 4}.items():
        stored, listed = data["lists"][target], indexes(data, LISTED[target])
        assert stored["n"] == n
        assert list(itertools.accumulate(stored["of"])) == list(range(45 if target == "items" else 60))
        for model, packed in zip("ab", stored["models"], strict=True):
            for row, places in enumerate(groups(packed["entries"], packed["sizes"])):
                replicates = {model: [getattr(run, target) for run in lists[model]]}
                merged = merge(replicates, row, n, names, item=target != "users", by_consensus=False)[model]
                assert [listed[place] for place in places] == [entry.index for entry in merged[: 2 * n]]


def test_histories_values_and_common_users_are_those_of_the_interactions() -> None:
    lists, interactions = draw(60, 45, 7)
    matrix = interactions.matrix.toarray()
    data = unpack(explore_section(lists, interactions, everyone(interactions), config()))
    items, history = indexes(data, "items"), data["history"]
    sizes = history["sizes"]
    for user, (steps, codes) in enumerate(
        zip(groups(history["items"], sizes), groups(history["codes"], sizes), strict=True)
    ):
        own = [items[place] for place in itertools.accumulate(steps)]
        assert own == np.flatnonzero(matrix[user]).tolist()
        assert [history["values"][code] for code in codes] == matrix[user, own].tolist()
    assert data["item_users"] == np.count_nonzero(matrix, axis=0).tolist()
    assert data["users"]["ids"] == interactions.user_ids.tolist()
    has = matrix > 0
    for packed in data["lists"]["items"]["models"]:
        parts = [groups(packed[key], packed["sizes"]) for key in ("entries", "common")]
        for item, (places, common) in enumerate(zip(*parts, strict=True)):
            assert common == [int((has[:, item] & has[:, items[place]]).sum()) for place in places]


def test_ids_and_titles_are_text_without_control_characters() -> None:
    lists, interactions = draw(20, 6, 3, titles=HOSTILE, width=3)
    ids = text_array(f"{title}{at}" for at, title in enumerate(HOSTILE))
    html = explore_section(lists, replace(interactions, item_ids=ids), everyone(interactions), config())
    assert html.count("<script") == html.count("</script>") == 2
    data = unpack(html)
    assert data["items"]["titles"] == [*HOSTILE[:2], r"\x1b[31mred", r"\u202elr", r"a\nb", "é"]
    assert data["items"]["ids"][2] == r"\x1b[31mred2"


def test_ids_that_javascript_would_round_are_text() -> None:
    lists, interactions = draw(20, 6, 3, width=3)
    user_ids = np.arange(20) + 2**60
    data = unpack(explore_section(lists, replace(interactions, user_ids=user_ids), everyone(interactions), config()))
    assert data["users"]["ids"] == [str(raw_id) for raw_id in user_ids]
    assert data["items"]["ids"] == list(range(2000, 2006))


def test_lists_of_others_have_no_history_and_no_scores() -> None:
    lists, interactions = draw(20, 12, 3, width=3)
    for run in itertools.chain.from_iterable(lists.values()):
        for target in run.targets:
            getattr(run, target).scores[:] = np.nan
    empty = Interactions(interactions.matrix[:, :] * 0, interactions.user_ids, interactions.item_ids, None)
    empty.matrix.eliminate_zeros()
    only_users = {model: [RunLists(users=run.users) for run in runs] for model, runs in lists.items()}
    data = unpack(explore_section(only_users, empty, everyone(empty), config()))
    assert (data["history"], data["item_users"]) == (None, None)
    assert list(data["lists"]) == ["users"]
    assert [model["scores"] for model in data["lists"]["users"]["models"]] == [None, None]


def test_files_of_items_lists_name_no_users() -> None:
    lists, interactions = draw(20, 12, 3, width=3)
    nobody = Interactions(interactions.matrix[:0], interactions.user_ids[:0], interactions.item_ids, None)
    only_items = {model: [RunLists(items=run.items) for run in runs] for model, runs in lists.items()}
    data = unpack(explore_section(only_items, nobody, everyone(nobody), config()))
    assert (list(data["lists"]), indexes(data, "users"), indexes(data, "items")) == (["items"], [], list(range(12)))


@pytest.mark.parametrize("values", [[4.0], list(np.arange(200) / 7)], ids=["all equal", "too many"])
def test_values_that_say_nothing_are_left_out(values: list[float]) -> None:
    lists, interactions = draw(60, 45, 7)
    matrix = interactions.matrix.copy()
    matrix.data = np.resize(np.array(values, dtype=np.float32) + 1, matrix.nnz)
    data = unpack(explore_section(lists, replace(interactions, matrix=matrix), everyone(interactions), config()))
    assert (data["history"]["values"], data["history"]["codes"]) == (None, None)


def test_of_a_sample_of_the_comparison_those_drawn_can_be_chosen() -> None:
    lists, interactions = draw(20, 12, 3, width=3)
    rows = np.array([3, 5, 11], dtype=np.int32)
    of_three = {
        model: [RunLists(users=Lists(run.ids("users")[rows], run.users.scores[rows])) for run in runs if run.users]
        for model, runs in lists.items()
    }
    entities = {"users": Entities(rows, np.array([True, True, False]), 20)}
    data = unpack(explore_section(of_three, interactions, entities, config()))
    named = indexes(data, "users")
    assert [named[place] for place in itertools.accumulate(data["lists"]["users"]["of"])] == rows.tolist()
    assert data["left_out"] == "3 of 20 users can be chosen: a random sample, with those that the config queries."
    assert data["start"] == {"users": 3}
    entities["users"] = Entities.only(rows, 20)
    data = unpack(explore_section(of_three, interactions, entities, config()))
    assert data["left_out"] == "3 of 20 users can be chosen: the others have no lists."


def test_beyond_the_limit_a_sample_with_the_queries_can_be_chosen() -> None:
    entities = Entities.all(100)
    smaller, larger = (choose(entities, [99, 7], 1, "users", size) for size in (5, 20))
    assert (len(smaller), len(larger)) == (5, 20)
    assert {99, 7} <= set(smaller.tolist()) <= set(larger.tolist())
    assert (np.diff(larger) > 0).all()
    assert choose(entities, [99, 7], 1, "users", 20).tolist() == larger.tolist()
    assert choose(entities, [99, 7], 2, "users", 20).tolist() != larger.tolist()
    assert choose(entities, [], 1, "users", 100).tolist() == list(range(100))
    assert choose(entities, [4, 3, 2], 1, "users", 2).tolist() == [3, 4]


def test_of_more_than_five_thousand_users_five_thousand_can_be_chosen() -> None:
    lists, interactions = draw(12_000, 6000, 20, seeds=2)
    html = explore_section(lists, interactions, everyone(interactions), config())
    data = unpack(html)
    assert [len(data["lists"][target]["of"]) for target in ("users", "items")] == [5000, 5000]
    assert data["left_out"].startswith("5,000 of 12,000 users and 5,000 of 6,000 items can be chosen: a random sample")
    assert len(html.encode()) < section.MOST_BYTES + 50_000


def test_the_sample_is_smaller_where_it_would_take_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    lists, interactions = draw(400, 300, 30)
    monkeypatch.setattr(section, "MOST_BYTES", 20_000)
    html = explore_section(lists, interactions, everyone(interactions), config())
    data = unpack(html)
    assert 9 < len(data["lists"]["users"]["of"]) < 300
    named = indexes(data, "users")
    assert {0, 3} <= {named[place] for place in itertools.accumulate(data["lists"]["users"]["of"])}
    assert len(pack(data)) <= 20_000
    monkeypatch.setattr(section, "MOST_BYTES", 1000)
    assert explore_section(lists, interactions, everyone(interactions), config()) == ""


def test_what_is_surely_too_large_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 400 users has 28.6 items, and up to 2 x 6 neighbours: 25 x 13 x 28.6 is the first below 10,000."""
    lists, interactions = draw(400, 300, 30)
    sizes = []

    def observed(*arguments: Any, **named: Any) -> Any:
        sizes.append(len(arguments[3]["users"]))
        return page_data(*arguments, **named)

    monkeypatch.setattr(section, "MOST_BYTES", 10_000)
    monkeypatch.setattr(section, "MOST_ENTITIES", 400)
    monkeypatch.setattr(section, "page_data", observed)
    explore_section(lists, interactions, everyone(interactions), config())
    assert sizes[0] == 25
