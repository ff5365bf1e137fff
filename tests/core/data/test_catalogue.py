"""The catalogue of data sets, with a file of one's own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import tasks.core.data.catalogue as catalogue_module
from tasks.core.data.catalogue import catalogue, catalogue_entry
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

WriteOwn = Callable[[str], Path]


@pytest.fixture
def write_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteOwn:
    """Write a catalogue of one's own and set LATENTLAB_CATALOGUE."""

    def write_own(text: str) -> Path:
        path = tmp_path / "own.yaml"
        path.write_text(text)
        monkeypatch.setenv("LATENTLAB_CATALOGUE", str(path))
        return path

    return write_own


def test_published_digests_are_pinned() -> None:
    entries = catalogue()
    large = {f"movielens-{millions}m" for millions in (20, 25, 32)}
    assert set(entries) == {"movielens-100k", "movielens-1m", "synthetic-100k", *large}
    archive = entries["movielens-100k"].archive
    assert archive is not None
    assert archive.bytes == 4_924_029
    assert archive.pin == ("sha256", "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229")
    assert entries["movielens-100k"].ratings.sha256 == (
        "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
    )
    assert all(url.startswith("https://") for entry in entries.values() if entry.archive for url in entry.archive.urls)


@pytest.mark.parametrize(
    ("millions", "md5", "size", "counts"),
    [
        (20, "cd245b17a1ae2cc31bb14903e1204af3", 198_702_078, (138_493, 26_744, 20_000_263)),
        (25, "6b51fb2759a8657d3bfcbfc42b592ada", 261_978_986, (162_541, 59_047, 25_000_095)),
        (32, "d472be332d4daa821edc399621853b57", 238_950_008, (200_948, 84_432, 32_000_204)),
    ],
)
def test_the_larger_movielens_are_pinned_by_the_published_md5(
    millions: int, md5: str, size: int, counts: tuple[int, int, int]
) -> None:
    entry = catalogue_entry(f"movielens-{millions}m")
    assert entry.archive is not None
    assert entry.archive.urls == (f"https://files.grouplens.org/datasets/movielens/ml-{millions}m.zip",)
    assert (entry.archive.pin, entry.archive.bytes) == (("md5", md5), size)
    assert (entry.users, entry.items, entry.rows) == counts
    assert entry.titles is not None
    members = (entry.ratings, entry.titles)
    assert [member.member for member in members] == [f"ml-{millions}m/{name}.csv" for name in ("ratings", "movies")]
    assert all(member.header and member.separator == "," for member in members)


def test_own_entries_are_added_to_the_shipped_ones(write_own: WriteOwn) -> None:
    write_own(OWN)
    assert {"mine", "movielens-100k"} <= set(catalogue())
    archive = catalogue_entry("mine").archive
    assert archive is not None
    assert archive.urls == ("https://a.example/m.zip", "https://b.example/m.zip")


def test_an_own_entry_replaces_a_shipped_one_of_the_same_name(write_own: WriteOwn) -> None:
    write_own(OWN.replace("mine:", "movielens-100k:", 1))
    assert catalogue_entry("movielens-100k").title == "Mine"


def test_the_error_for_an_unknown_name_lists_all_names_and_suggests_one(write_own: WriteOwn) -> None:
    write_own(OWN)
    with pytest.raises(ConfigError, match=r"known are .*mine.*did you mean 'movielens-1m'"):
        catalogue_entry("movielens-1n")


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
        ("mine:", '"../mine":', "own.yaml:1: the name '../mine' cannot be used; expected a name that matches "),
        ("mine:", "file:", "own.yaml:1: the name 'file' cannot be used; "),
        ("mine:\n", "mine: {}\nmine:\n", "own.yaml:2: mine: the key stands twice, first on line 1"),
    ],
)
def test_a_fault_is_reported_with_its_line(write_own: WriteOwn, old: str, new: str, message: str) -> None:
    assert old in OWN
    write_own(OWN.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        catalogue()
    assert message in str(raised.value)


def test_all_faults_are_reported_at_once(write_own: WriteOwn) -> None:
    write_own(OWN.replace("rows: 5", "rows: x") + OWN.replace("mine:", "other:", 1).replace("users: 3", "users: x"))
    with pytest.raises(ConfigError) as raised:
        catalogue()
    assert [line.split(": ")[1] for line in str(raised.value).splitlines()] == ["mine.rows", "other.users"]


@pytest.mark.parametrize("text", ["", "- a\n", "text\n", "a: [\n", "a: &b 1\n", "a: 1\n"])
def test_a_file_that_is_no_catalogue_is_refused(write_own: WriteOwn, text: str) -> None:
    write_own(text)
    with pytest.raises(ConfigError, match=r"own\.yaml"):
        catalogue()


def test_a_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTLAB_CATALOGUE", str(tmp_path / "gone.yaml"))
    with pytest.raises(ConfigError, match=r"LATENTLAB_CATALOGUE: .* cannot be read"):
        catalogue()


def test_a_file_is_parsed_once(write_own: WriteOwn, monkeypatch: pytest.MonkeyPatch) -> None:
    write_own(OWN)
    first = catalogue()

    def parse(*_: object) -> None:
        pytest.fail("a catalogue is parsed again")

    monkeypatch.setattr(catalogue_module, "parse", parse)
    assert catalogue() == first


def test_a_file_of_another_size_is_parsed_again(write_own: WriteOwn) -> None:
    write_own(OWN)
    assert catalogue_entry("mine").title == "Mine"
    write_own(OWN.replace("title: Mine", "title: Changed"))
    assert catalogue_entry("mine").title == "Changed"


def test_a_file_with_another_modification_time_is_parsed_again(write_own: WriteOwn) -> None:
    path = write_own(OWN)
    assert catalogue_entry("mine").title == "Mine"
    before = path.stat().st_mtime_ns
    write_own(OWN.replace("title: Mine", "title: Nine"))
    os.utime(path, ns=(before + 1, before + 1))
    assert catalogue_entry("mine").title == "Nine"


def test_another_file_of_the_same_size_and_time_is_parsed(write_own: WriteOwn, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_own(OWN)
    assert catalogue_entry("mine").title == "Mine"
    other = path.with_name("other.yaml")
    other.write_text(OWN.replace("title: Mine", "title: Nine"))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    monkeypatch.setenv("LATENTLAB_CATALOGUE", str(other))
    assert catalogue_entry("mine").title == "Nine"


def test_a_faulty_file_is_refused_each_time(write_own: WriteOwn) -> None:
    write_own("a: 1\n")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"own\.yaml"):
            catalogue()


def test_changes_to_the_result_do_not_reach_the_next_one() -> None:
    catalogue().clear()
    assert "movielens-100k" in catalogue()
