"""`data init`: a config from a ratings file, which `check` accepts."""

import json
import re
from pathlib import Path

import pytest

from tests.command_line import CommandLine

ROWS = "".join(f"u{user},i{item},{1 + (user + item) % 5}\n" for user in range(30) for item in range(user % 3, 30, 2))
STARS = f"userId,movieId,rating\n{ROWS}"


def write(commands: CommandLine, content: str, name: str = "my.csv") -> None:
    (commands.folder / name).write_bytes(content.encode())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("stars.csv", STARS),
        ("plays.tsv", "user\titem\tplays\n" + ROWS.replace(",", "\t").replace("\t5\n", "\t700\n")),
        ("ratings.dat", ROWS.replace(",", "::")),
        ("liked.txt", re.sub(r",\d\n", "\n", ROWS)),
        ("few.csv", "user,item,rating\n1,1,5\n2,1,4\n"),
        ("zeros.csv", "user,item,rating\n" + ROWS.replace(",1\n", ",0\n")),
        ("lists.txt", "".join(f"{user} " + " ".join(map(str, range(user % 3, 20, 2))) + "\n" for user in range(30))),
    ],
)
def test_check_accepts_the_config(offline: CommandLine, name: str, content: str) -> None:
    write(offline, content, name)
    done = offline.call("data", "init", name, "--write", "new.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("new.yaml written\n")
    assert done.stdout.endswith("check it with: latentlab check new.yaml\n")
    checked = offline.call("check", "new.yaml")
    assert checked.returncode == 0, checked.stderr


def test_the_config_is_printed_unless_it_is_written(offline: CommandLine) -> None:
    write(offline, STARS)
    printed = offline.call("data", "init", "my.csv")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout.startswith("# my.csv: 440 rows, 30 users, 30 items\n\nname: my\n")
    assert offline.call("data", "init", "my.csv", "--write", "new.yaml").returncode == 0
    assert (offline.folder / "new.yaml").read_text() == printed.stdout


def test_json_has_what_was_found_and_the_config(offline: CommandLine) -> None:
    write(offline, STARS)
    answer = offline.answer("data", "init", "my.csv")
    assert answer["columns"] == {"user": "userId", "item": "movieId", "rating": "rating"}
    assert (answer["rows"], answer["scale"]["kind"], answer["to_decide"]) == (440, "stars", [])
    assert answer["config"] == offline.call("data", "init", "my.csv").stdout
    json_table = (Path(__file__).parents[2] / "docs" / "cli.md").read_text().partition("## JSON")[2]
    (row,) = re.findall(r"^\| `data init` \| (.*) \|$", json_table, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) >= answer.keys() | answer["scale"].keys()


def test_an_existing_file_is_not_overwritten(offline: CommandLine) -> None:
    write(offline, STARS)
    (offline.folder / "dangling.yaml").symlink_to("nowhere")
    before = (offline.folder / "config.yaml").read_bytes()
    for name in ("config.yaml", "dangling.yaml"):
        message = offline.failure(2, "data", "init", "my.csv", "--write", name)
        assert message == f"--write: {name} exists, and is not overwritten; name a new file\n"
    assert (offline.folder / "config.yaml").read_bytes() == before
    assert not (offline.folder / "nowhere").exists()
    message = offline.failure(3, "data", "init", "my.csv", "--write", "no-folder/c.yaml")
    assert "no-folder/c.yaml cannot be written: no-folder is no folder that can be written to" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "my.csv: empty"),
        ("user,item\né,1\n".encode("latin-1"), "my.csv: not UTF-8 text in line 2, which is 'é,1' in Latin-1"),
        (
            "user,item\n1,2\n".encode("utf-16"),
            "my.csv: UTF-16 text; expected CSV, TSV or Parquet: save the file as UTF-8",
        ),
        (b"only\none column\n", "divides its lines into columns"),
        (b"user,item,rating\n1,1,5\n1,2,good\n", "my.csv:3: the rating is 'good'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_nothing_is_written(
    offline: CommandLine, content: bytes, message: str
) -> None:
    (offline.folder / "my.csv").write_bytes(content)
    assert message in offline.failure(3, "data", "init", "my.csv", "--write", "new.yaml")
    assert not (offline.folder / "new.yaml").exists()


def test_what_is_to_be_decided_is_in_the_config_and_said(offline: CommandLine) -> None:
    write(offline, f"{STARS}u0,i0,3\n")
    done = offline.call("data", "init", "my.csv", "--write", "new.yaml")
    question = "duplicates: 1 pair of user and item occurs more than once, in 2 rows, which `duplicates: error` refuses"
    assert f"to decide: {question}\n" in done.stdout
    assert f"# to decide: {question}\n" in (offline.folder / "new.yaml").read_text()
    assert "twice" in offline.failure(3, "check", "new.yaml")
    assert offline.call("check", "new.yaml", "--set", "preprocess.duplicates=last").returncode == 0


def test_column_names_and_paths_are_escaped(offline: CommandLine) -> None:
    write(offline, STARS.replace("rating\n", "rating\x1b[31m\u202e\n", 1), "a\x1b[31mb.csv")
    for done in (
        offline.call("data", "init", "a\x1b[31mb.csv"),
        offline.call("data", "init", "a\x1b[31mb.csv", "--write", "new\x07.yaml"),
    ):
        assert done.returncode == 0, done.stderr
        assert not set("\x1b\u202e\x07") & set(done.stdout)
    assert offline.call("check", "new\x07.yaml").returncode == 0


def test_json_of_a_refused_file_is_empty(offline: CommandLine) -> None:
    done = offline.call("data", "init", "absent.csv", "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert json.dumps("absent.csv")[1:-1] in done.stderr
