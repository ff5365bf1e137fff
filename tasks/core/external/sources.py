"""The files of models that others made: which files a pattern names, and which of them are one run."""

import glob
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core.config.file_models import FactorFiles, ListFiles
from tasks.core.errors import ConfigError, DataError
from tasks.core.files import file_sha256
from tasks.core.formatting import counted, run_label, shortened

MOST_RUNS = 1_000
"""Most runs of one model, as for models that are trained."""
_PAIR = re.compile(r"\{([^{},]+),([^{},]+)\}")
"""Where the names of a run's two files differ: the first is that of users, the second that of items."""


@dataclass(frozen=True)
class RunSource:
    """The files of one run.

    Attributes
    ----------
    model : str
    replicate : int
        From 0, in the order of the files' names.
    paths : tuple of Path
        One file or folder, or that of users and that of items.
    sha256 : str
        Of their content.
    """

    model: str
    replicate: int
    paths: tuple[Path, ...]
    sha256: str

    @property
    def name(self) -> str:
        """The files as messages name them."""
        return " and ".join(map(str, self.paths))

    @property
    def label(self) -> str:
        """The name that people see, such as `old #3`."""
        return run_label(self.model, self.replicate)


def find_runs(model: str, settings: ListFiles | FactorFiles) -> list[RunSource]:
    """Return the runs that the pattern of a model names.

    Parameters
    ----------
    model : str
        Name of the model.
    settings : ListFiles or FactorFiles
        Its pattern.

    Returns
    -------
    list of RunSource
        By the names of the files, with numbers in them in numerical order.

    Raises
    ------
    ConfigError
        If no file has such a name, a file of a pair is missing, or there are more than `MOST_RUNS`.
    DataError
        If two runs have the same content, or a file cannot be read.
    """
    runs: list[tuple[Path, ...]]
    if isinstance(settings, ListFiles):
        key, runs = f"models.{model}.lists", [(path,) for path in _matching(settings.lists)]
        pattern = settings.lists
    else:
        key, runs, pattern = f"models.{model}.factors", _pairs_or_files(model, settings.factors), settings.factors
    if not runs:
        raise ConfigError(f"{key}: no file matches {shortened(pattern)}{_nearby(pattern)}")
    if len(runs) > MOST_RUNS:
        raise ConfigError(
            f"{key}: {len(runs):,} files match {shortened(pattern)}; expected one for each run, at most {MOST_RUNS:,}"
        )
    sources = [RunSource(model, number, paths, _digest(paths)) for number, paths in enumerate(runs)]
    first_with: dict[str, RunSource] = {}
    for source in sources:
        other = first_with.setdefault(source.sha256, source)
        if other is not source:
            raise DataError(
                f"{key}: {source.name} has the same content as {other.name}; expected a file for each run, and a run "
                "counts once: remove one of them. A model whose runs are all equal is given with one file"
            )
    return sources


def _matching(pattern: str) -> list[Path]:
    # Path.glob takes no absolute patterns
    names = glob.glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207
    return [Path(name) for name in sorted(names, key=_natural)]


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key in which numbers within a text are in numerical order."""
    parts = re.split(r"(\d+)", text)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _pairs_or_files(model: str, pattern: str) -> list[tuple[Path, ...]]:
    found = _PAIR.search(pattern)
    if found is None:
        return [(path,) for path in _matching(pattern)]
    before, after = pattern[: found.start()], pattern[found.end() :]
    sides = [_matching(before + name + after) for name in found.groups()]
    if len(sides[0]) != len(sides[1]):
        raise ConfigError(
            f"models.{model}.factors: {counted(len(sides[0]), 'file')} of users "
            f"({shortened(before + found[1] + after)}) and {len(sides[1])} of items "
            f"({shortened(before + found[2] + after)}); expected a file of each for every run"
        )
    return list(zip(*sides, strict=True))


def _nearby(pattern: str) -> str:
    """Return a clause on the files in the folder of a pattern."""
    folder = Path(pattern).expanduser().parent
    if glob.has_magic(str(folder)):
        return "; check the folders in it"
    if not folder.is_dir():
        return f"; there is no folder {folder}"
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return f"; in {folder} are {', '.join(map(repr, names[:5]))}" + (", …" if len(names) > 5 else "") if names else ""


def _digest(paths: Sequence[Path]) -> str:
    """Return the sha256 of one file; of several, and of folders, that of the digests of all files in them."""
    try:
        files = [file for path in paths for file in _files_in(path)]
        digests = [file_sha256(file) for file in files]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if not files:
        raise DataError(f"{paths[0]}: an empty folder; expected Parquet files in it")
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _files_in(path: Path) -> list[Path]:
    """Return a file itself, or the files in a folder without hidden ones and those of Spark, such as `_SUCCESS`."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith((".", "_")))
