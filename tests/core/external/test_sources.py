"""Which files a pattern names, and which of them are one run."""

from pathlib import Path

import pytest

from tasks.core.config.file_models import FactorFiles, ListFiles
from tasks.core.errors import ConfigError, DataError
from tasks.core.external.sources import MOST_RUNS, find_run, find_runs


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_files_are_in_numerical_order(tmp_path: Path) -> None:
    write(tmp_path, "old-10.csv", "old-2.csv", "old-1.csv", "new-1.csv")
    runs = find_runs("old", ListFiles(lists=f"{tmp_path}/old-*.csv"))
    assert [run.paths[0].name for run in runs] == ["old-1.csv", "old-2.csv", "old-10.csv"]
    assert [run.label for run in runs] == ["old #0", "old #1", "old #2"]


def test_a_pair_of_files_is_one_run(tmp_path: Path) -> None:
    write(tmp_path, *(f"als-{seed}-{side}.npy" for seed in (1, 2) for side in ("users", "items")))
    runs = find_runs("als", FactorFiles(factors=f"{tmp_path}/als-*-{{users,items}}.npy"))
    assert [[path.name for path in run.paths] for run in runs] == [
        [f"als-{seed}-users.npy", f"als-{seed}-items.npy"] for seed in (1, 2)
    ]
    (tmp_path / "als-2-items.npy").unlink()
    with pytest.raises(ConfigError, match=r"2 files of users and 1 of items; als-2-users.npy has no partner"):
        find_runs("als", FactorFiles(factors=f"{tmp_path}/als-*-{{users,items}}.npy"))
    write(tmp_path, "als-3-items.npy")  # as many files, of other seeds
    with pytest.raises(ConfigError, match=r"2 files of users and 2 of items; als-2-users.npy has no partner"):
        find_runs("als", FactorFiles(factors=f"{tmp_path}/als-*-{{users,items}}.npy"))


def test_a_name_with_brackets_and_all_files_below_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "run [1].csv", "below/part-0.csv", "below/deeper/part-1.csv", "below/_SUCCESS")
    assert len(find_runs("old", ListFiles(lists=f"{tmp_path}/run [1].csv"))) == 1
    found = find_runs("old", ListFiles(lists=f"{tmp_path}/below/**"))
    assert sorted(run.paths[0].name for run in found) == ["part-0.csv", "part-1.csv"]


def test_the_digest_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    write(tmp_path, "a/part-0.parquet", "b/part-0.parquet", "c/part-0.parquet")
    (tmp_path / "b" / "part-0.parquet").write_text("a/part-0.parquet")
    (tmp_path / "a" / "_SUCCESS").touch()
    (tmp_path / "a" / ".part-0.parquet.crc").write_text("checksum")
    digests = [find_runs("x", ListFiles(lists=f"{tmp_path}/{name}"))[0].sha256 for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


def test_two_files_of_one_run_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "old-1.csv", "old-2.csv")
    (tmp_path / "old-3.csv").write_text("old-1.csv")
    with pytest.raises(DataError, match=r"old-3.csv has the same content as .*old-1.csv"):
        find_runs("old", ListFiles(lists=f"{tmp_path}/old-*.csv"))


def test_a_pattern_without_files_names_what_is_there(tmp_path: Path) -> None:
    write(tmp_path, "new-1.csv", ".hidden")
    with pytest.raises(ConfigError, match=r"models.old.lists: no file matches .*; in .* are 'new-1.csv'$"):
        find_runs("old", ListFiles(lists=f"{tmp_path}/old-*.csv"))
    with pytest.raises(ConfigError, match="there is no folder"):
        find_runs("old", ListFiles(lists=f"{tmp_path}/nowhere/old-*.csv"))


def test_too_many_files_are_refused_before_they_are_read(tmp_path: Path) -> None:
    for number in range(MOST_RUNS + 1):
        (tmp_path / f"old-{number}.csv").touch()
    with pytest.raises(ConfigError, match=r"1,001 files match .*; expected one for each run, at most 1,000"):
        find_runs("old", ListFiles(lists=f"{tmp_path}/old-*.csv"))


def test_a_run_whose_files_have_changed_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "old-1.csv", "old-2.csv")
    settings = ListFiles(lists=f"{tmp_path}/old-*.csv")
    runs = find_runs("old", settings)
    assert [find_run("old", settings, run.replicate, run.sha256) for run in runs] == runs
    (tmp_path / "old-2.csv").write_text("other")
    assert find_run("old", settings, 0, runs[0].sha256) == runs[0]
    with pytest.raises(DataError, match="changed while it was used"):
        find_run("old", settings, 1, runs[1].sha256)
    (tmp_path / "old-2.csv").unlink()
    with pytest.raises(DataError, match="changed while it was used"):
        find_run("old", settings, 1, runs[1].sha256)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    with pytest.raises(DataError, match="an empty folder"):
        find_runs("old", ListFiles(lists=f"{tmp_path}/lists"))
