"""Ids and numbers, in whatever format they are stored."""

import pandas as pd
import pytest

from tests.core.data.helpers import ReadOwn, columns_of

pytestmark = pytest.mark.usefixtures("block_sizes")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["-1", "0"], [-1, 0]),
        (["007", "7"], ["007", "7"]),
        (["1", "1.0"], ["1", "1.0"]),
        (["1", "b"], ["1", "b"]),
        (["+1", "1"], ["+1", "1"]),
        (["1", "٣"], ["1", "٣"]),
        (["NA", "null"], ["NA", "null"]),
        (["nan", "None"], ["nan", "None"]),
        (["true", "1e3"], ["true", "1e3"]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ids_are_integers_only_if_all_are_written_as_integers(
    read_own: ReadOwn, ids: list[str], expected: list[object], suffix: str
) -> None:
    frame = pd.DataFrame({"user": ids, "item": "x", "rating": 5})
    ratings = read_own(frame if suffix == "parquet" else frame.to_csv(index=False), f"own.{suffix}")
    assert columns_of(ratings)["user"] == expected
