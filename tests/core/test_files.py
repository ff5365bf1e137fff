"""Atomic writes, and the store of files that are named by their sha256."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core import files
from tasks.core.errors import DataError
from tasks.core.files import StoredFile, combined_sha256, home_error, put, recall, remember, replacing, write_text

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def put_abc() -> StoredFile:
    return put("things", ".txt", lambda path: path.write_bytes(b"abc") and None)


def test_a_stored_file_is_named_by_its_sha256(home: Path) -> None:
    file = put_abc()
    assert file == StoredFile(str(home / "things" / f"{SHA256_OF_ABC}.txt"), SHA256_OF_ABC)
    assert Path(file.path).read_bytes() == b"abc"


def test_equal_contents_are_stored_once(home: Path) -> None:
    assert put_abc() == put_abc()
    assert len(list((home / "things").iterdir())) == 1


def test_the_old_content_is_there_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
    assert path.read_text() == "new"
    assert list(tmp_path.glob("*.txt")) == [path]
    assert list(tmp_path.glob(".tmp-*")) == []


def test_a_failed_write_leaves_only_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "old")]


def test_a_killed_process_leaves_a_temporary_file_only(home: Path) -> None:
    script = (
        "import os, signal; from tasks.core.files import put\n"
        "put('things', '.txt', lambda path: (path.write_bytes(b'abc'), os.kill(os.getpid(), signal.SIGKILL)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "LATENTLAB_HOME": str(home)}, check=False
    )
    assert process.returncode == -9
    assert [path.name[:5] for path in (home / "things").iterdir()] == [".tmp-"]


@pytest.mark.parametrize("content", [b"abd", b"ab", b"", b"abc\n"])
def test_a_damaged_file_is_detected(content: bytes) -> None:
    file = put_abc()
    assert file.check() == Path(file.path)
    Path(file.path).write_bytes(content)
    with pytest.raises(DataError, match=r"ba7816bf8f01… expected.*delete it"):
        file.check()


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: cannot be read: No such file"):
        StoredFile(str(tmp_path / "gone"), SHA256_OF_ABC).check()


def test_a_folder_that_cannot_be_written_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_text(tmp_path / "file" / "a.txt", "text")


def test_a_remembered_file_is_recalled_by_its_key() -> None:
    file = put_abc()
    remember("things", "key", file)
    assert recall("things", "key") == file
    assert recall("things", "other key") is None


def test_a_damaged_file_is_not_recalled() -> None:
    file = put_abc()
    remember("things", "key", file)
    Path(file.path).write_bytes(b"abd")
    assert recall("things", "key") is None


def test_a_deleted_file_is_not_recalled() -> None:
    file = put_abc()
    remember("things", "key", file)
    Path(file.path).unlink()
    assert recall("things", "key") is None


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"name": 5}', '{"name": ""}', '"text"', "\x00"])
def test_a_damaged_record_recalls_nothing(home: Path, record: str) -> None:
    remember("things", "key", put_abc())
    (home / "things" / "made-from" / "key.json").write_text(record)
    assert recall("things", "key") is None


def test_a_record_cannot_lead_out_of_the_store(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / f"{SHA256_OF_ABC}.txt"
    outside.write_bytes(b"abc")
    write_text(home / "things" / "made-from" / "key.json", f'{{"name": "../../{outside.name}"}}')
    assert recall("things", "key") is None


def test_home_is_the_absolute_path_that_the_environment_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENTLAB_HOME", "here")
    assert files.home() == tmp_path / "here"
    monkeypatch.delenv("LATENTLAB_HOME")
    assert files.home() == tmp_path / ".latentlab"


def test_a_combined_sha256_is_that_of_the_values_as_json() -> None:
    assert combined_sha256("a", {"y": 1, "x": None}) == hashlib.sha256(b'["a", {"x": null, "y": 1}]').hexdigest()


def test_a_combined_digest_depends_on_each_part_and_their_order() -> None:
    parts = [("a", "b"), ("b", "a"), ("ab",), ("a", "b", None), ("a", ["b"]), (1, 2), (1.0, 2), ("1", 2)]
    assert len({combined_sha256(*part) for part in parts}) == len(parts)


def test_only_an_os_error_about_a_file_of_the_home_is_expected(home: Path, tmp_path: Path) -> None:
    missing = FileNotFoundError(2, "No such file or directory", str(home / "work/factors.npz"))
    assert "factors.npz: cannot be read or written: No such file or directory; check" in str(home_error(missing))
    elsewhere = FileNotFoundError(2, "No such file or directory", str(tmp_path / "elsewhere"))
    assert home_error(elsewhere) is None
    assert home_error(OSError(28, "No space left on device")) is None
    assert home_error(ValueError(str(home))) is None
