"""What several tests on data sets share: small data sets, and how they are read and built."""

import hashlib
import io
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data.catalogue import Archive
from tasks.core.data.interactions import Interactions
from tasks.core.data.locate import locate
from tasks.core.data.preprocessing import build
from tasks.core.data.readers.ratings import Ratings, read_ratings

ReadOwn = Callable[..., Ratings]
"""Reads contents as a file of one's own, see the fixture `read_own`."""

HEADER = "user,item,rating\n"

Row = tuple[object, ...]
ROWS: list[Row] = [
    ("a", 20, 1.0, 1.0),
    ("b", 30, 4.0, 2.0),
    ("a", 10, 5.0, 3.0),
    ("c", 20, 3.0, 4.0),
    ("a", 30, 4.5, 5.0),
    ("c", 10, 4.0, 6.0),
]
"""User, item, rating, timestamp.

Among ratings of at least 4, users appear in the order b, a, c, and items in the order 30, 10.
"""

TINY_RATINGS = b"1\t10\t4\n2\t20\t5\n"
TINY_TITLES = "10|Caf\u00e9 (1999)|x\n20|Two|y\n".encode("latin-1")
TINY_MEMBERS = (("tiny/ratings.tsv", TINY_RATINGS), ("tiny/titles", TINY_TITLES))
"""The content of the archive of the data set `tiny`, see the fixture `tiny_in_catalogue`."""


def ratings_of(rows: Sequence[Row], titles: dict[int | str, str] | None = None) -> Ratings:
    """Return rows of user, item and, if they have them, rating and timestamp as ratings."""
    names = ["user", "item", "rating", "timestamp"][: len(rows[0])]
    frame = pd.DataFrame(rows, columns=names)
    return Ratings(frame.astype({"user": "category", "item": "category"}), titles or {})


def build_rows(rows: Sequence[Row], **settings: object) -> Interactions:
    return build(ratings_of(rows), PreprocessConfig.model_validate(settings))


def columns_of(ratings: Ratings) -> dict[str, list[object]]:
    return {str(name): ratings.frame[name].tolist() for name in ratings.frame}


def read_tiny(path: Path) -> Ratings:
    """Read a local copy of the data set `tiny`."""
    config = DatasetConfig(name="tiny", path=str(path))
    return read_ratings(config, locate(config))


def zip_of(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some tests add the same name twice
        for name, data in members:
            # without a date the bytes are the same each time: names of tests contain them, and all workers must agree
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
    return buffer.getvalue()


def archive_of_md5(url: str, *, data: bytes) -> Archive:
    return Archive(urls=(url,), bytes=len(data), md5=hashlib.md5(data).hexdigest())
