"""Whatever stands in a config or a file of ratings, it is read or refused: never a traceback, never for long."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.config.yaml_source import MAX_BYTES
from tasks.core.data.locate import locate
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.errors import LatentlabError

CONFIG = """\
name: any
dataset: {name: file, path: ratings.csv, columns: {user: 0, item: 1, rating: null}}
models:
  k2: {factors: 2, iterations: 2, regularization: 1e-2, alpha: 1.0}
replicates: 1
queries: {users: [0], n: 5}
comparison: {depths: [1, 5], margin: 0.1}
evaluation: {split: {strategy: random, test_fraction: 0.2}, cutoffs: [10]}
execution: {runner: threads, workers: 1}
"""

often = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["file", "k2", "random"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
keys = st.sampled_from(
    [
        *ExperimentConfig.model_fields,
        *(
            "name",
            "path",
            "separator",
            "header",
            "columns",
            "user",
            "k2",
            "factors",
            "regularization",
            "split",
            "cutoffs",
        ),
    ]
)
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(["1e-2", "017", "0x1F", "1_000", "٣", "²", "nan", "1e999"]),
)


def refused_or(act: Callable[[], Any]) -> Any:
    """What a call gives, None where it is refused with a message of ours."""
    try:
        return act()
    except LatentlabError as refusal:
        message = str(refusal)
    assert 0 < len(message) < 20_000
    return None


def config_of(folder: Path, text: str) -> ExperimentConfig | None:
    """Return the config that a text contains, or None if it is refused. Any other outcome fails the test."""
    path = folder / "config.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return refused_or(lambda: load_config(path))


@often
@given(text=st.text(alphabet=st.characters(codec=None), max_size=200))
@example(text="name: \ud800")
@example(text="name: \x00")
@example(text="? [a]\n: b")
def test_any_text_loads_or_is_refused(tmp_path: Path, text: str) -> None:
    config_of(tmp_path, text)


@often
@given(at=st.integers(0, len(CONFIG)), cut=st.integers(0, 30), put=st.text(max_size=12))
def test_edited_config_loads_or_is_refused(tmp_path: Path, at: int, cut: int, put: str) -> None:
    config_of(tmp_path, CONFIG[:at] + put + CONFIG[at + cut :])


@often
@given(content=st.dictionaries(keys, st.one_of(values, st.dictionaries(keys, values, max_size=3)), max_size=6))
def test_any_values_load_or_are_refused(tmp_path: Path, content: dict[str, object]) -> None:
    config_of(tmp_path, yaml.safe_dump({**yaml.safe_load(CONFIG), **content}, allow_unicode=True))


@often
@given(key=st.sampled_from(["factors", "iterations", "regularization", "alpha"]), value=numbers)
def test_number_keeps_its_value_or_is_refused(tmp_path: Path, key: str, value: object) -> None:
    model = {"factors": 2, "iterations": 2, "regularization": 0.01, "alpha": 1.0, key: value}
    inline = ", ".join(f"{name}: {setting}" for name, setting in model.items())
    config = config_of(tmp_path, CONFIG.replace(CONFIG.splitlines()[3], f"  k2: {{{inline}}}"))
    if config is not None:
        loaded = getattr(config.models["k2"], key)
        assert np.isfinite(loaded)
        assert loaded >= 0
        assert loaded == float(str(value).replace("_", ""))


def test_digest_does_not_depend_on_how_a_number_is_written(tmp_path: Path) -> None:
    digests = set()
    for written in ("1e-2", "0.01", "1.0e-02", ".01", "0.010"):
        config = config_of(tmp_path, CONFIG.replace("1e-2", written))
        assert config is not None, written
        digests.add(config.digest())
    assert len(digests) == 1


@often
@given(override=st.text(max_size=40))
@example(override="models.k2.factors=[[[[")
@example(override="models=1")
@example(override="models.k2=~")
@example(override="a.b.c=&a [*a]")
def test_any_override_is_applied_or_refused(tmp_path: Path, override: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    refused_or(lambda: load_config(path, [override]))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: [" + ",".join(["1"] * 499_000) + "]", id="half a million values"),
        pytest.param("\n".join(f"k{i}: 1" for i in range(90_000)), id="many keys"),
        pytest.param("a: 1\n" * 199_000, id="one key many times"),
        pytest.param("[" * 999_000, id="deep"),
        pytest.param("- " * 499_000, id="deep lists"),
        pytest.param("{a: " * 240_000, id="deep keys"),
        pytest.param("a: &a [x]\n" + "\n".join(f"b{i}: [*a, *a]" for i in range(30_000)), id="aliases"),
        pytest.param("a: " + "9" * 990_000, id="a long number"),
        pytest.param('a: "' + "\\x41" * 240_000 + '"', id="a long text"),
        pytest.param("#" * (MAX_BYTES + 1), id="larger than a config is"),
    ],
)
def test_a_hostile_config_is_refused_in_two_seconds(tmp_path: Path, text: str) -> None:
    start = time.monotonic()
    assert config_of(tmp_path, text) is None
    assert time.monotonic() - start < 2


def test_config_with_five_thousand_queries_loads(tmp_path: Path) -> None:
    users = ", ".join(map(str, range(5000)))
    assert config_of(tmp_path, CONFIG.replace("users: [0]", f"users: [{users}]")) is not None


# Ratings


def are_ratings(folder: Path, data: bytes, name: str = "ratings.csv", **settings: object) -> bool:
    """Return whether bytes are read as ratings. Everything but ratings and a refusal fails the test."""
    (folder / name).write_bytes(data)
    dataset = DatasetConfig.model_validate({"name": "file", "path": str(folder / name), **settings})
    config = PreprocessConfig(min_rating=None, duplicates="last")
    interactions = refused_or(lambda: build(read_ratings(dataset, locate(dataset)), config))
    if interactions is None:
        return False
    assert interactions.matrix.nnz > 0
    assert np.isfinite(interactions.matrix.data).all()
    assert (interactions.matrix.data > 0).all()
    assert interactions.matrix.shape == (len(interactions.user_ids), len(interactions.item_ids))
    return True


fields = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.text(max_size=6),
    st.sampled_from(
        [
            *("", " ", "nan", "NaN", "inf", "-inf", "1e999", "0", "-1", "007", '"', '"a,b"', "\x00", "5", "4.5"),
            *("2001-02-03", "2001-02-03T04:05:06Z", "0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59", "1e9", "1e12"),
        ]
    ),
)


@often
@given(data=st.binary(max_size=200))
@example(data=b"user,item,rating\n1,2,5\n1,2,\xff\n")
@example(data=b'user,item,rating\n1,"2,5\n')
@example(data=b"user,item,rating\r1,2,5\r")
@example(data=b"\xef\xbb\xbfuser,item,rating\n1,2,5\n")
@example(data=b"user,item,rating\n1,2,5\n\x00\n")
def test_any_bytes_are_ratings_or_refused(tmp_path: Path, data: bytes) -> None:
    are_ratings(tmp_path, data)
    are_ratings(tmp_path, b"user,item,rating\n" + data)
    are_ratings(tmp_path, data, "ratings.parquet")
    for layout in ("lists", "counted_lists", "item_lists"):
        are_ratings(tmp_path, data, layout=layout, order="time")
        are_ratings(tmp_path, b"2 1 7\n" + data, layout=layout)


@often
@given(
    rows=st.lists(st.lists(fields, min_size=1, max_size=5), max_size=6), separator=st.sampled_from([",", "\t", "::"])
)
def test_any_rows_are_ratings_or_refused(tmp_path: Path, rows: list[list[str]], separator: str) -> None:
    text = "\n".join(separator.join(row) for row in [["user", "item", "rating"], *rows])
    data = text.encode("utf-8", "surrogatepass")
    are_ratings(tmp_path, data, separator=separator)
    are_ratings(tmp_path, data, separator=separator, header=False, columns={"user": 0, "item": 1, "rating": 2})
    for first in ("2001-02-03", "5"):
        timed = f"a{separator}b{separator}{first}\n".encode() + data
        columns = {"user": 0, "item": 1, "rating": None, "timestamp": 2}
        are_ratings(tmp_path, timed, separator=separator, header=False, columns=columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item,rating\n1,1,5\n1,2,5,9\n", "ratings.csv:3: 4 columns, but the first line has 3"),
        ("user,item,rating,x\n1,1,5,a\n1,2,5\n", "ratings.csv:3: 3 columns, but the first line has 4"),
        ('user,item,rating\n1,"a,b",5\n1,"c,d",5,7\n', "ratings.csv:3: 4 columns, but the first line has 3"),
    ],
)
def test_lines_of_different_length_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "ratings.csv").write_text(text)
    dataset = DatasetConfig(name="file", path=str(tmp_path / "ratings.csv"))
    with pytest.raises(LatentlabError, match=message):
        read_ratings(dataset, locate(dataset))


def test_separators_within_quotes_do_not_separate(tmp_path: Path) -> None:
    assert are_ratings(tmp_path, b'user,item,rating\n1,"a,b",5\n"x,y",c,4\n')
