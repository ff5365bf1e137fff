"""Lists of one run, read from the files that people have."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.config.file_models import ListColumns
from tasks.core.errors import DataError
from tasks.core.external.list_files import RawLists, described, read_lists, remarks

ROWS = [("u1", "a", 1, 0.9), ("u1", "b", 2, 0.8), ("u2", "b", 1, 0.7), ("u1", "c", 3, 0.1), ("u2", "a", 2, 0.2)]
EXPECTED = {"u1": ["a", "b", "c"], "u2": ["b", "a"]}
FLAT = pd.DataFrame(ROWS, columns=["user_id", "item_id", "rank", "score"])


def by_id(raw: RawLists) -> dict[str, list[str]]:
    """Return the lists with the file's ids."""
    return {
        entity: [raw.listed_ids[position] for position in row if position >= 0]
        for entity, row in zip(raw.entity_ids.tolist(), raw.lists.ids.tolist(), strict=True)
    }


def nested(rank: bool) -> list[dict[str, Any]]:
    frame = FLAT.sort_values(["user_id", "rank"])
    return [
        {
            "user_id": user,
            "recommendations": [
                {"item_id": row.item_id, **({"rank": row.rank} if rank else {}), "rating": row.score}
                for row in rows.itertuples()
            ],
        }
        for user, rows in frame.groupby("user_id")
    ]


def write(folder: Path, form: str) -> Path:
    """Write the same lists in one of the forms."""
    path = folder / form
    shuffled = FLAT.sample(frac=1, random_state=3)
    if form == "lists.csv":
        shuffled.to_csv(path, index=False)
    elif form == "ranks.csv":
        shuffled.drop(columns="score").to_csv(path, index=False, lineterminator="\r\n")
    elif form == "scores.tsv":
        shuffled.drop(columns="rank").to_csv(path, index=False, sep="\t", encoding="utf-8-sig")
    elif form == "lists.csv.gz":
        path.write_bytes(gzip.compress(shuffled.to_csv(index=False).encode()))
    elif form == "lists.jsonl":
        path.write_text(shuffled.to_json(orient="records", lines=True))
    elif form == "nested.jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in nested(rank=False)))
    elif form == "arrays.jsonl":
        path.write_text("".join(json.dumps({"user": u, "items": items}) + "\n" for u, items in EXPECTED.items()))
    elif form in {"lists.parquet", "without-a-suffix"}:
        shuffled.to_parquet(path)
    elif form == "nested.parquet":
        pq.write_table(pa.Table.from_pylist(nested(rank=True)), path)
    else:
        path.mkdir()
        shuffled[:2].to_parquet(path / "part-0.parquet")
        shuffled[2:].to_parquet(path / "part-1.parquet")
        (path / "_SUCCESS").touch()
    return path


@pytest.mark.parametrize(
    "form",
    [
        *("lists.csv", "ranks.csv", "scores.tsv", "lists.csv.gz", "lists.jsonl", "nested.jsonl", "arrays.jsonl"),
        *("lists.parquet", "without-a-suffix", "nested.parquet", "folder"),
    ],
)
def test_all_forms_give_the_same_lists(form: str, tmp_path: Path) -> None:
    raw = read_lists(write(tmp_path, form), "recommendations")
    assert by_id(raw) == EXPECTED
    assert described(raw) == "2 lists of 2 to 3 entries"
    assert remarks([raw.counts]) == ""


@pytest.mark.parametrize(
    ("of", "columns"),
    [
        ("users", ["entity", "neighbour"]),
        ("users", ["user_id", "similar_user_id"]),
        ("users", ["index", "neighbour"]),
        ("items", ["entity", "item"]),
        ("items", ["target_item_id", "item_id"]),
        ("items", ["item_id", "similar_item_id"]),
        ("recommendations", ["entity", "item"]),
        ("recommendations", ["index", "item"]),
    ],
)
def test_usual_names_of_columns(of: str, columns: list[str], tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    FLAT.set_axis([*columns, "rank", "score"], axis=1).to_parquet(path)
    assert by_id(read_lists(path, of)) == EXPECTED


def test_other_names_of_columns_are_configured(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    FLAT.set_axis(["who", "what", "place", "points"], axis=1).to_csv(path, index=False)
    with pytest.raises(DataError, match="none of its columns 'who', 'what', 'place', 'points' is known as the listed"):
        read_lists(path, "recommendations")
    columns = ListColumns(entity="who", listed="what", score="points")
    assert by_id(read_lists(path, "recommendations", columns)) == EXPECTED
    with pytest.raises(DataError, match="no column 'whom' for entity"):
        read_lists(path, "recommendations", ListColumns(entity="whom", listed="what"))


def test_the_lists_are_those_of_recommenders_with_whole_floats_as_ids(tmp_path: Path) -> None:
    floats, integers = tmp_path / "floats.parquet", tmp_path / "integers.csv"
    frame = pd.DataFrame({"user_id": [1.0, 1.0, 2.0], "item_id": [7.0, 10.0, 7.0], "rank": [1, 2, 1]})
    frame.to_parquet(floats)
    frame.astype(int).to_csv(integers, index=False)
    text = tmp_path / "text.csv"
    frame.to_csv(text, index=False)
    assert "1.0" in text.read_text()
    lists = {"1": ["7", "10"], "2": ["7"]}
    assert [by_id(read_lists(path, "recommendations")) for path in (floats, integers, text)] == [lists] * 3


def test_leading_zeros_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("user_id,item_id,rank\n007,1.0,1\n7,x,1\n")
    assert by_id(read_lists(path, "recommendations")) == {"007": ["1.0"], "7": ["x"]}


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    rows = [("a", "a", 1), ("a", "b", 2), ("a", "c", 3), ("a", "b", 4), ("a", "d", 4), ("b", "a", 1)]
    rows += [("c", f"x{rank}", rank) for rank in range(1, 104)]
    pd.DataFrame(rows, columns=["entity", "neighbour", "rank"]).to_csv(path, index=False)
    raw = read_lists(path, "users")
    assert by_id(raw)["a"] == ["b", "c", "d"]
    assert len(by_id(raw)["c"]) == 100
    assert {kind: count for kind, count in raw.counts.items() if count} == {
        "self": 1,
        "repeated": 1,
        "beyond": 3,
        "tied": 1,
    }
    said = remarks([raw.counts, raw.counts])
    assert "2 entries of users or items in their own lists, which were left out" in said
    assert "6 entries beyond rank 100" in said
    assert "in their own lists" not in remarks(
        [read_lists(path, "recommendations", ListColumns(listed="neighbour")).counts]
    )


def test_ranks_count_where_scores_say_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "distances.csv"
    FLAT.assign(score=-FLAT["score"]).to_csv(path, index=False)
    raw = read_lists(path, "recommendations")
    assert by_id(raw) == EXPECTED
    assert "3 entries with a higher score than the one before" in remarks([raw.counts])


def test_equal_scores_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("user_id,item_id,score\nu,c,0.5\nu,a,0.5\nu,b,0.9\n")
    assert by_id(read_lists(path, "recommendations")) == {"u": ["b", "c", "a"]}


def test_scores_are_those_of_the_file(tmp_path: Path) -> None:
    raw = read_lists(write(tmp_path, "scores.tsv"), "recommendations")
    first = raw.entity_ids.tolist().index("u1")
    np.testing.assert_allclose(raw.lists.scores[first], [0.9, 0.8, 0.1], rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id,item_id,rank\n", "no rows"),
        ("user_id,item_id\n1,2\n", "has neither ranks nor scores"),
        ("user_id,item_id,rank\n1,,x\n", "column rank: expected numbers"),
        ("user_id,item_id,score\n1,2,nan\n", "the score in row 1 is nan"),
        ("user_id,item_id,rank\n1,2\n", "cannot be read: .*expected CSV or TSV with a header"),
        ("", "cannot be read"),
        ("user_id,item_id,rank\n1.0,5,1\n,6,2\n", "column user_id: the id in row 2 is missing"),
        ("user_id,item_id,rank\n1,5,1\n1, ,2\n", "column item_id: the id in row 2 is missing"),
        ("user_id,item_id,score,score\n1,2,3,4\n", "the column 'score' is there twice"),
        ("user_id;item_id;score\n1;2;3\n", "columns are separated by commas"),
    ],
)
def test_bad_text_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_lists(path, "recommendations")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"user_id":1,"recommendations":[null,{"item_id":3}]}', "1 entries are missing"),
        ('{"user_id":1,"items":[3,4],"scores":[0.1,0.9]}', "items and scores are both columns of lists"),
        ('{"user_id":1,"items":[[3,0.5]]}', "ids are of type list"),
        ('{"user_id":1,"items":[]}', "no rows; expected a row for each entry"),
        ("5\nnull", "a line is no JSON object"),
        (
            '{"user_id":1,"item_id":2,"score":1}\n{"user_id":1,"item_id":3,"score":2,"rank":1}',
            "the rank in row 1 is nan",
        ),
    ],
)
def test_bad_json_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "lists.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_lists(path, "recommendations")


def test_a_json_array_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lists.json"
    path.write_text(json.dumps(nested(rank=True)))
    assert by_id(read_lists(path, "recommendations")) == EXPECTED


def test_a_missing_id_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    FLAT.assign(item_id=["a", None, "b", "c", "d"]).to_parquet(path)
    with pytest.raises(DataError, match="column item_id: the id in row 2 is missing"):
        read_lists(path, "recommendations")
    FLAT.assign(item_id=[1, 2, np.nan, 4, 5]).to_parquet(path)
    with pytest.raises(DataError, match="the id in row 3 is missing"):
        read_lists(path, "recommendations")


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match="cannot be read"):
        read_lists(path, "users")
