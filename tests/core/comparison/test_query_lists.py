"""Lists of single users and items, by model."""

import numpy as np
import pytest

from tasks.core.comparison.query_lists import Entry, Names, queries, query_lists
from tests.core.comparison.examples import NO_LISTS, lists

NAMES = Names(np.array([100, 200]), np.array(["x", "y", "z", "w"]), np.array(["X", "Y", "Z", "W"]))


def entries(*seeds, target: str = "recommendations", n: int) -> list[Entry]:
    return query_lists("query", target, 0, n=n, names=NAMES, lists={"k": seeds}).models["k"]


def test_queries_are_named_after_their_entity() -> None:
    assert list(queries([10], [100, 7], [0])) == [
        ("user_10", "users", 10),
        ("item_100", "items", 100),
        ("item_7", "items", 7),
        ("recommend_for_0", "recommendations", 0),
    ]


def test_entries_are_ordered_by_share_then_rank_then_index() -> None:
    merged = entries(lists([3, 1, 0]), lists([1, 0, 3]), lists([1, 2, -1]), n=3)
    # 1 is in all three lists; 3 and 0 are in two, at ranks 1, 3 and 3, 2; 2 is in one
    assert [entry.index for entry in merged] == [1, 3, 0, 2]
    assert [entry.share for entry in merged] == pytest.approx([1, 2 / 3, 2 / 3, 1 / 3])
    assert [entry.rank for entry in merged] == pytest.approx([4 / 3, 2, 5 / 2, 2])
    assert [entry.score for entry in merged] == pytest.approx([5 / 6, 2 / 3, 5 / 12, 1 / 2])


def test_ties_are_ordered_by_index() -> None:
    assert [entry.index for entry in entries(lists([3, 1]), lists([1, 3]), n=2)] == [1, 3]


def test_only_the_first_n_entries_of_a_list_count() -> None:
    assert [entry.index for entry in entries(lists([3, 1]), target="items", n=1)] == [3]


def test_a_consensus_has_ranks_of_its_own_and_the_share_of_seeds_that_list_an_entry_among_their_first_n() -> None:
    """Scores are 1, 1/2 and 1/3. The third list ends with 1/2, which 3 counts with."""
    seeds = [lists([3, 1, 0]), lists([1, 0, 3]), lists([1, 2, -1])]
    merged = query_lists("query", "items", 0, n=2, names=NAMES, lists={"k": seeds}, by_consensus=True).models["k"]
    assert [(entry.index, entry.raw_id, entry.title, entry.rank) for entry in merged] == [
        (1, "y", "Y", 1),
        (3, "w", "W", 2),
    ]
    assert [entry.share for entry in merged] == [1, 1 / 3]
    assert [entry.score for entry in merged] == pytest.approx([5 / 6, (1 + 1 / 3 + 1 / 2) / 3])


@pytest.mark.parametrize(
    ("target", "queried", "listed"),
    [
        ("users", (200, ""), (100, "")),
        ("items", ("y", "Y"), ("x", "X")),
        ("recommendations", (200, ""), ("x", "X")),
    ],
)
def test_names_are_those_of_the_target(
    target: str, queried: tuple[int | str, str], listed: tuple[int | str, str]
) -> None:
    merged = query_lists("query", target, 1, n=1, names=NAMES, lists={"k": [lists([1], [0])]})
    assert (merged.raw_id, merged.title) == queried
    (entry,) = merged.models["k"]
    assert (entry.raw_id, entry.title) == listed


def test_titles_are_empty_if_the_data_has_none() -> None:
    assert Names(np.array([1]), np.array([2]), None).of(0, item=True) == (2, "")


def test_empty_lists_have_no_entries() -> None:
    merged = query_lists("user_0", "users", 0, n=2, names=NAMES, lists={"k": [NO_LISTS]})
    assert merged.models == {"k": []}
    merged = query_lists("user_0", "users", 0, n=2, names=NAMES, lists={"k": [NO_LISTS] * 2}, by_consensus=True)
    assert merged.models == {"k": []}
