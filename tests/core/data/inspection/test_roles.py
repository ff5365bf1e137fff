"""Which column is which, by name and by content."""

import pytest

from tasks.core.data.inspection.roles import Roles, find_roles
from tasks.core.data.inspection.table import Table
from tasks.core.errors import DataError


def roles_of(names: str, *rows: str, header: bool = True) -> Roles:
    columns = [list(column) for column in zip(*(row.split(",") for row in rows), strict=True)]
    columns = columns or [[] for _ in names.split(",")]
    return find_roles(Table("pairs", "UTF-8", ",", header, "none", names.split(","), columns), "r.csv")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("userId,movieId,rating,timestamp", (0, 1, 2, 3)),
        ("timestamp,score,item_id,user_id", (3, 2, 1, 0)),
        ("user_id,parent_asin,rating,timestamp,history", (0, 1, 2, 3)),
        ("User-ID,ISBN,Book-Rating", (0, 1, 2, None)),
        ("user_id:token,item_id:token,rating:float,timestamp:float", (0, 1, 2, 3)),
        ("reviewerID,asin,reviewScore,eventTs", (0, 1, 2, 3)),
        ("uid,artist,plays", (0, 1, 2, None)),
        ("title,user,item,stars,date", (1, 2, 3, 4)),
    ],
)
def test_columns_are_found_by_their_names(names: str, expected: tuple[int | None, ...]) -> None:
    roles = roles_of(names)
    assert (roles.user, roles.item, roles.rating, roles.timestamp) == expected
    assert roles.by_name


def test_a_column_of_plays_has_counts() -> None:
    assert roles_of("user,item,plays").counts
    assert not roles_of("user,item,rating").counts


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["196,242,3,881250949", "186,302,3,891717742", "22,377,1,878887116"], (0, 1, 2, 3)),
        (["196,242,881250949,3", "186,302,891717742,3", "22,377,878887116,1"], (0, 1, 3, 2)),
        (["a,x,3.5", "a,y,4", "b,x,0.5"], (0, 1, 2, None)),
        (["a,x,1", "a,y,9667", "b,x,2"], (0, 1, 2, None)),
        (["5,80,1", "5,90,9667", "6,80,2"], (0, 1, 2, None)),
        (["a,x", "a,y", "b,x"], (0, 1, None, None)),
        (["0,a,x", "1,a,y", "2,b,x"], (1, 2, None, None)),
        (["a,x,2001-02-03 04:05:06", "a,y,2001-02-04", "b,x,2001-02-03"], (0, 1, None, 2)),
        (["1,2001-02-03,7,4", "1,2001-02-04,9,4", "2,2001-02-03,7,5"], (0, 2, 3, 1)),
        (["a,x,1600000000000000", "a,y,1600000000000001", "b,x,1600000000000002"], (0, 1, None, 2)),
        (["a,x,1600000000000", "a,y,1600000000001", "b,x,1600000000002"], (0, 1, None, 2)),
    ],
)
def test_columns_without_names_are_found_by_their_content(rows: list[str], expected: tuple[int | None, ...]) -> None:
    names = ",".join(map(str, range(rows[0].count(",") + 1)))
    roles = roles_of(names, *rows, header=False)
    assert (roles.user, roles.item, roles.rating, roles.timestamp) == expected
    assert not roles.by_name


def test_a_name_that_is_known_is_kept_where_another_is_not() -> None:
    roles = roles_of("what,user,plays", "x,a,3", "y,a,50", "x,b,1")
    assert (roles.user, roles.item, roles.rating) == (1, 0, 2)
    assert not roles.by_name


def test_a_file_without_two_columns_for_ids_is_refused() -> None:
    with pytest.raises(DataError, match=r"r\.csv: no two columns of users and items; its columns are user, time"):
        roles_of("user,time", "1,900000000", "2,900000001")
