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
    is_lists = isinstance(settings, ListFiles)
    key, pattern = f"models.{model}.{'lists' if is_lists else 'factors'}", _pattern(settings)
    runs = _paths_of_runs(model, settings)
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


def find_run(model: str, settings: ListFiles | FactorFiles, replicate: int, sha256: str) -> RunSource:
    """Return one of the runs that `find_runs` has found, whose files may have changed since.

    Parameters
    ----------
    model : str
        Name of the model.
    settings : ListFiles or FactorFiles
        Its pattern.
    replicate : int
        Of the run.
    sha256 : str
        Of the content that was found.

    Returns
    -------
    RunSource

    Raises
    ------
    DataError
        If the content is another, or the files are gone.
    """
    runs = _paths_of_runs(model, settings)
    if replicate >= len(runs) or _digest(runs[replicate]) != sha256:
        raise DataError(f"{_pattern(settings)}: changed while it was used; run the same command again")
    return RunSource(model, replicate, runs[replicate], sha256)


def _pattern(settings: ListFiles | FactorFiles) -> str:
    return settings.lists if isinstance(settings, ListFiles) else settings.factors


def _paths_of_runs(model: str, settings: ListFiles | FactorFiles) -> list[tuple[Path, ...]]:
    if isinstance(settings, ListFiles):
        return [(path,) for path in _matching(settings.lists)]
    return _pairs_or_files(model, settings.factors)


def _matching(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.exists():  # a name may have brackets
        return [path]
    # Path.glob takes no absolute patterns
    names = glob.glob(str(path), recursive=True)  # noqa: PTH207
    found = [Path(name) for name in sorted(names, key=_natural) if not Path(name).name.startswith(("_", "."))]
    # `**` matches folders and what is in them
    parents = {parent for match in found for parent in match.parents}
    return [match for match in found if match not in parents]


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key in which numbers within a text are in numerical order."""
    parts = re.split(r"(\d+)", text)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _pairs_or_files(model: str, pattern: str) -> list[tuple[Path, ...]]:
    found = _PAIR.search(pattern)
    if found is None:
        return [(path,) for path in _matching(pattern)]
    before, after = pattern[: found.start()], pattern[found.end() :]
    users, items = (_matching(before + name + after) for name in found.groups())
    # the partner of a file has the same name but for the part in braces
    partners = [
        next((item for item in items if str(item) in _replacements(str(user), found[1], found[2])), None)
        for user in users
    ]
    pairs = [(user, item) for user, item in zip(users, partners, strict=True) if item is not None]
    alone = [*(user for user, item in zip(users, partners, strict=True) if item is None), *(set(items) - set(partners))]
    if alone:
        raise ConfigError(
            f"models.{model}.factors: {counted(len(users), 'file')} of users and {len(items)} of items; "
            f"{alone[0].name} has no partner: expected a file of each for every run, whose names differ in {found[0]}"
        )
    return list(pairs)


def _replacements(name: str, old: str, new: str) -> set[str]:
    """Return a name with each single occurrence of a part replaced."""
    return {name[: at.start()] + new + name[at.end() :] for at in re.finditer(re.escape(old), name)}


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
