"""A file is inspected as a whole, and the config for it is valid and says what was found."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.config.load import load_config
from tasks.core.data.inspection.inspect_file import Inspection, inspect_file
from tasks.core.data.inspection.starter_config import open_questions, starter_config
from tasks.core.data.interactions import Interactions
from tasks.core.data.locate import locate
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import DataError

STARS = "userId,movieId,rating,timestamp,title\n1,10,4.5,900000000,x\n1,11,3,900000001,y\n2,10,4,900000002,x\n"


def inspected(folder: Path, content: str | pd.DataFrame, name: str = "r.csv") -> Inspection:
    if isinstance(content, pd.DataFrame):
        content.to_parquet(folder / name)
    else:
        (folder / name).write_text(content, encoding="utf-8")
    return inspect_file(folder / name)


def built(folder: Path, inspection: Inspection) -> tuple[str, Interactions]:
    """Return the config of an inspection, and the interactions that it gives."""
    text = starter_config(inspection)
    (folder / "c.yaml").write_text(text, encoding="utf-8")
    config = load_config(folder / "c.yaml")
    return text, build(read_ratings(config.dataset, locate(config.dataset)), config.preprocess)


def test_what_a_file_contains(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    (tmp_path / "r.csv").write_text(f"{STARS}1,10,5,900000003,x\n")
    found = inspect_file(tmp_path / "r.csv", on_step=lambda *counts: steps.append(counts))
    assert (found.format, found.encoding, found.separator, found.header, found.quoting) == (
        *("pairs", "UTF-8", ",", True, "none"),
    )
    assert found.columns == {"user": "userId", "item": "movieId", "rating": "rating", "timestamp": "timestamp"}
    assert found.other_columns == ["title"]
    assert (found.rows, found.users, found.items, found.repeated_pairs, found.repeated_rows) == (4, 2, 2, 1, 2)
    assert found.scale is not None
    assert found.scale.counts == {"3": 1, "4": 1, "4.5": 1, "5": 1}
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_five_star_scale_keeps_4_and_more(tmp_path: Path) -> None:
    found = inspected(tmp_path, STARS)
    text, interactions = built(tmp_path, found)
    assert "min_rating: 4                # keeps 66.7% of the ratings" in text
    assert "# ratings: 3 (1), 4 (1), 4.5 (1)" in text
    assert "# not used: title" in text
    assert interactions.matrix.nnz == 2
    assert open_questions(found) == []
    assert "to decide" not in text


def test_counts_keep_all_and_a_transform_is_proposed(tmp_path: Path) -> None:
    found = inspected(tmp_path, "user\titem\tplays\n" + "".join(f"u{i}\ti{i}\t{i + 1}\n" for i in range(40)), "r.tsv")
    text, interactions = built(tmp_path, found)
    assert interactions.matrix.nnz == 40
    assert "min_rating: null             # all ratings count" in text
    assert "# ratings from 1 to 40, median 20.5, 40 different values" in text
    assert "# confidence: {transform: log, alpha: 1, epsilon: 1}" in text
    assert open_questions(found) == ["min_rating: which ratings count as liked"]


def test_a_scale_of_half_stars_keeps_4_and_more(tmp_path: Path) -> None:
    """As that of MovieLens 20M: 0.5 to 5 in steps of 0.5."""
    ratings = 0.5 * (1 + np.arange(200) % 10)
    frame = pd.DataFrame({"user": np.arange(200) // 10, "item": np.arange(200) % 23, "rating": ratings})
    text, interactions = built(tmp_path, inspected(tmp_path, frame.to_csv(index=False)))
    assert "# ratings: 0.5 (20), 1 (20), 1.5 (20)" in text
    assert "min_rating: 4                # keeps 30% of the ratings" in text
    assert sorted(set(interactions.matrix.data.tolist())) == [4, 4.5, 5]


def test_plays_with_a_heavy_tail_are_counts(tmp_path: Path) -> None:
    """Of a Pareto distribution, repeated pairs included, without a name that says so."""
    stream = np.random.default_rng(0)
    plays = np.ceil(stream.pareto(1.1, 2000)).astype(int)
    frame = pd.DataFrame({0: stream.integers(0, 50, 2000), 1: stream.integers(0, 300, 2000), 2: plays})
    found = inspected(tmp_path, frame.to_csv(index=False, header=False, sep="\t"), "plays.tsv")
    text = starter_config(found)
    assert found.scale is not None
    assert (found.scale.kind, found.columns) == ("counts", {"user": 0, "item": 1, "rating": 2})
    assert "# duplicates: sum" in text
    assert "# confidence: {transform: log, alpha: 1, epsilon: 1}" in text


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["881250949", "893286638"], "# timestamps from 1997-12-04 to 1998-04-22 (seconds since 1970)"),
        (["881250949000", "893286638000"], "# timestamps from 1997-12-04 to 1998-04-22 (milliseconds since 1970)"),
        (["1997-12-04", "1998-04-22T23:10:38Z"], "# timestamps from 1997-12-04 to 1998-04-22 (seconds since 1970)"),
    ],
)
def test_the_span_of_the_times_is_said(tmp_path: Path, times: list[str], words: str) -> None:
    found = inspected(tmp_path, "user,item,date\n" + "".join(f"{at},{at},{time}\n" for at, time in enumerate(times)))
    text, interactions = built(tmp_path, found)
    assert words in text
    assert found.times is not None
    assert interactions.times is not None
    assert (found.times.first, found.times.last) == (interactions.times.min(), interactions.times.max())


def test_ten_points_keep_all_with_what_thresholds_would_keep(tmp_path: Path) -> None:
    text, _ = built(tmp_path, inspected(tmp_path, "user,item,score\n1,1,10\n1,2,7\n2,1,8\n2,2,1\n"))
    assert "# min_rating: 7   # keeps 75%" in text
    assert "# min_rating: 8   # keeps 50%" in text
    assert "  min_rating: null" in text


@pytest.mark.parametrize(
    ("ratings", "key", "words", "kept"),
    [
        ([0, 0, 7, 8.5], "min_rating: 7 ", "2 ratings of 0:", 2),
        ([-1, 0, 0.5, 2], "min_rating: 0.5 ", "1 rating of 0 and 1 rating below 0:", 2),
        ([-1, 1, -1, 1], "min_rating: 1 ", "2 ratings below 0:", 2),
    ],
)
def test_ratings_of_0_or_less_are_left_out(
    tmp_path: Path, ratings: list[float], key: str, words: str, kept: int
) -> None:
    rows = "".join(f"u{at},i{at},{rating}\n" for at, rating in enumerate(ratings))
    text, interactions = built(tmp_path, inspected(tmp_path, f"user,item,rating\n{rows}"))
    assert key in text
    assert words in text
    assert interactions.matrix.nnz == kept


def test_repeats_are_to_be_decided(tmp_path: Path) -> None:
    found = inspected(tmp_path, "user,item\na,x\na,x\na,x\nb,y\n")
    text = starter_config(found)
    assert open_questions(found) == [
        "duplicates: 1 pair of user and item occurs more than once, in 3 rows, which `duplicates: error` refuses"
    ]
    assert "\n  # duplicates: " in text
    with pytest.raises(DataError, match="twice"):
        built(tmp_path, found)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("1::10::5::978300760\n1::11::5::978300761\n2::10::4::978300762\n", "ratings.dat"),
        ("1 2 3\n2 3\n", "train.txt"),
        ("2 2 3\n1 3\n1 2\n", "users.dat"),
        ('user;item\n"a;b";x\nc;"say ""y"""\n', "r.csv"),
        (pd.DataFrame({"uid": ["no", "017"], "sku": ["1e3", "null"], "stars": [4.0, 5.0]}), "r.parquet"),
        ("\ufeffuser,item,user\na,b,c\nc,b,a\n", "twice.csv"),
        ("wer,was,wieviel\na,x,5\nb,y,4\n", "no.known.names.csv"),
        (",user,item\n0,a,x\n1,a,y\n2,b,x\n", "with an index.csv"),
        ("no,item,rating\na,x,4\nb,y,5\n", "no.csv"),
    ],
)
def test_a_config_reads_the_file_as_it_was_inspected(tmp_path: Path, content: Any, name: str) -> None:
    found = inspected(tmp_path, content, name)
    _, interactions = built(tmp_path, found)
    assert interactions.matrix.shape == (found.users, found.items)
    assert interactions.matrix.nnz == found.rows


def test_columns_without_known_names_are_to_be_checked(tmp_path: Path) -> None:
    found = inspected(tmp_path, "a,b\nc,d\ne,f\n")
    assert [question.partition(":")[0] for question in open_questions(found)] == ["columns", "header"]


def test_times_that_cannot_be_read_are_left_out_and_said(tmp_path: Path) -> None:
    found = inspected(tmp_path, "user,item,date\na,x,yesterday\nb,y,today\n")
    assert "timestamp" not in found.columns
    (question,) = open_questions(found)
    assert question.startswith("timestamp: the times cannot be read (r.csv:2: the timestamp is 'yesterday'; expected")
    built(tmp_path, found)


def test_names_of_a_file_cannot_add_keys_to_the_config(tmp_path: Path) -> None:
    """A name with a line feed stays within its comment or its quotes, and control characters are escaped."""
    name = 'x\nreplicates: 1 #"\x1b[31m\u202e'
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], name: ["a", "b"], f"{name} rating": [4.0, 5.0]})
    text, interactions = built(tmp_path, inspected(tmp_path, frame, "r.parquet"))
    assert load_config(tmp_path / "c.yaml").replicates == 6
    assert interactions.matrix.nnz == 2
    assert not set("\x1b\u202e") & set(text)


def test_models_are_no_larger_than_the_data(tmp_path: Path) -> None:
    rows = "".join(f"{user},{item},5\n" for user in range(500) for item in (user, (user + 1) % 500))
    built(tmp_path, inspected(tmp_path, f"user,item,rating\n{rows}"))
    assert [model.factors for model in load_config(tmp_path / "c.yaml").models.values()] == [50, 200]
    built(tmp_path, inspected(tmp_path, STARS))
    assert [model.factors for model in load_config(tmp_path / "c.yaml").models.values()] == [1, 2]


def test_a_fault_of_the_file_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"r\.csv:3: the user id is empty"):
        inspected(tmp_path, "user,item\na,x\n,y\n")
    with pytest.raises(DataError, match="is not a file"):
        inspect_file(tmp_path / "gone.csv")


def test_a_folder_of_parquet_files_is_inspected_with_the_columns_of_its_partitions(tmp_path: Path) -> None:
    for rating, users in {4: ["b", "a"], 5: ["c"]}.items():
        (tmp_path / "plays" / f"rating={rating}").mkdir(parents=True)
        frame = pd.DataFrame({"userId": users, "songId": [7] * len(users), "other": 0.5})
        frame.to_parquet(tmp_path / "plays" / f"rating={rating}" / "part-0.parquet")
    found = inspect_file(tmp_path / "plays")
    assert found.columns == {"user": "userId", "item": "songId", "rating": "rating"}
    assert (found.format, found.rows, found.users, found.items, found.other_columns) == ("parquet", 3, 3, 1, ["other"])
    assert built(tmp_path, found)[1].user_ids.tolist() == ["b", "a", "c"]
