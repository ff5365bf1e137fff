"""The catalogue of data sets, and one's own beside it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.data.catalogue import catalogue, entry
from tasks.core.errors import ConfigError

OWN = f"""\
mine:
  title: Mine
  licence: mine
  users: 3
  items: 4
  rows: 5
  archive: {{urls: ["https://a.example/m.zip", "https://b.example/m.zip"], bytes: 10, sha256: {"a" * 64}}}
  ratings: {{member: m/r.csv, separator: ",", columns: {{user: 0, item: 1}}}}
"""

Set = Callable[[str], None]


@pytest.fixture
def set_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Set:
    def set_own(text: str) -> None:
        (tmp_path / "own.yaml").write_text(text)
        monkeypatch.setenv("LATENTLAB_CATALOGUE", str(tmp_path / "own.yaml"))

    return set_own


def test_the_published_digests_are_pinned() -> None:
    known = catalogue()
    large = {f"movielens-{millions}m" for millions in (20, 25, 32)}
    assert set(known) == {"movielens-100k", "movielens-1m", "synthetic-100k", *large}
    archive = known["movielens-100k"].archive
    assert archive is not None
    assert archive.bytes == 4_924_029
    assert archive.pin == ("sha256", "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229")
    assert known["movielens-100k"].ratings.sha256 == "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
    assert all(url.startswith("https://") for each in known.values() if each.archive for url in each.archive.urls)


@pytest.mark.parametrize(
    ("millions", "md5", "size", "counts"),
    [
        (20, "cd245b17a1ae2cc31bb14903e1204af3", 198_702_078, (138_493, 26_744, 20_000_263)),
        (25, "6b51fb2759a8657d3bfcbfc42b592ada", 261_978_986, (162_541, 59_047, 25_000_095)),
        (32, "d472be332d4daa821edc399621853b57", 238_950_008, (200_948, 84_432, 32_000_204)),
    ],
)
def test_the_larger_movielens_are_pinned_as_their_publisher_does(
    millions: int, md5: str, size: int, counts: tuple[int, int, int]
) -> None:
    known = entry(f"movielens-{millions}m")
    assert known.archive is not None
    assert known.archive.urls == (f"https://files.grouplens.org/datasets/movielens/ml-{millions}m.zip",)
    assert (known.archive.pin, known.archive.bytes) == (("md5", md5), size)
    assert (known.users, known.items, known.rows) == counts
    assert known.titles is not None
    members = (known.ratings, known.titles)
    assert [member.member for member in members] == [f"ml-{millions}m/{name}.csv" for name in ("ratings", "movies")]
    assert all(member.header and member.separator == "," for member in members)


def test_ones_own_entries_stand_beside_the_shipped(set_own: Set) -> None:
    set_own(OWN)
    assert {"mine", "movielens-100k"} <= set(catalogue())
    archive = entry("mine").archive
    assert archive is not None
    assert archive.urls == ("https://a.example/m.zip", "https://b.example/m.zip")


def test_ones_own_entry_goes_before_a_shipped_one(set_own: Set) -> None:
    set_own(OWN.replace("mine:", "movielens-100k:", 1))
    assert entry("movielens-100k").title == "Mine"


def test_an_unknown_name_lists_the_known_and_the_nearest(set_own: Set) -> None:
    set_own(OWN)
    with pytest.raises(ConfigError, match=r"known are .*mine.*did you mean 'movielens-1m'"):
        entry("movielens-1n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  rows: 5\n", "", "own.yaml:1: mine.rows: "),
        ("rows: 5", 'rows: "5"', "own.yaml:6: mine.rows: "),
        ("licence: mine", "license: mine", "own.yaml:3: mine.license: "),
        ("a" * 64, "a" * 63, "own.yaml:7: mine.archive.sha256: "),
        ("a" * 64, "A" * 64, "own.yaml:7: mine.archive.sha256: "),
        (f", sha256: {'a' * 64}", "", "own.yaml:7: mine.archive: expected either sha256 or md5, and only one of them"),
        (
            "sha256:",
            f"md5: {'b' * 32}, sha256:",
            "own.yaml:7: mine.archive: expected either sha256 or md5, and only one",
        ),
        (f"sha256: {'a' * 64}", f"md5: {'b' * 31}", "own.yaml:7: mine.archive.md5: "),
        ("bytes: 10", "bytes: 0", "own.yaml:7: mine.archive.bytes: "),
        ("m/r.csv", "../r.csv", "own.yaml:8: mine.ratings.member: "),
        ("m/r.csv", "/etc/passwd", "own.yaml:8: mine.ratings.member: "),
        ("m/r.csv", "m/../../r.csv", "own.yaml:8: mine.ratings.member: "),
        ('separator: ","', 'separator: ""', "own.yaml:8: mine.ratings.separator: "),
        ("  title: Mine", "  title: Mine\n  seed: 5", "own.yaml:1: mine: expected either an archive or a seed"),
        ("mine:", '"../mine":', "own.yaml:1: the name '../mine' does not match "),
        ("mine:", "file:", "own.yaml:1: the name 'file' "),
        ("mine:\n", "mine: {}\nmine:\n", "own.yaml:2: mine: the key stands twice, first on line 1"),
    ],
)
def test_a_fault_names_its_line(set_own: Set, old: str, new: str, message: str) -> None:
    assert old in OWN
    set_own(OWN.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        catalogue()
    assert message in str(caught.value)


def test_all_faults_come_at_once(set_own: Set) -> None:
    set_own(OWN.replace("rows: 5", "rows: x") + OWN.replace("mine:", "other:", 1).replace("users: 3", "users: x"))
    with pytest.raises(ConfigError) as caught:
        catalogue()
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["mine.rows", "other.users"]


@pytest.mark.parametrize("text", ["", "- a\n", "text\n", "a: [\n", "a: &b 1\n", "a: 1\n"])
def test_what_is_no_catalogue_is_refused(set_own: Set, text: str) -> None:
    set_own(text)
    with pytest.raises(ConfigError, match=r"own\.yaml"):
        catalogue()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTLAB_CATALOGUE", str(tmp_path / "gone.yaml"))
    with pytest.raises(ConfigError, match=r"LATENTLAB_CATALOGUE: .* cannot be read"):
        catalogue()
