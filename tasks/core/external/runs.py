"""The runs of models that are read from files: what they are, and how each is read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.file_models import ListFiles
from tasks.core.data.interactions import Interactions
from tasks.core.data.prepared import PreparedData
from tasks.core.errors import ConfigError, DataError
from tasks.core.external.alignment import RawRun, Shared, share
from tasks.core.external.factor_files import RawFactors, read_factors
from tasks.core.external.list_files import RawLists, described, lengths, read_lists, remarks
from tasks.core.external.sources import RunSource, find_runs
from tasks.core.files import combined_sha256
from tasks.core.formatting import counted, run_label
from tasks.core.planning.runs import EVALUATION, MODEL
from tasks.core.ranking import metrics
from tasks.core.ranking.lists import Lists

ALGORITHM = 1
"""Part of the identity of these runs. To be raised whenever the same files would give other lists."""


@dataclass(frozen=True)
class FileRun:
    """A run that is read from files.

    Attributes
    ----------
    model : str
    replicate : int
    role : str
        `model` for the lists, `evaluation` for held-out accuracy.
    identity : str
        Digest of the files, of how they are read, and of the users and items that are compared.
    files : str
        Their names.
    sha256 : str
        Of their content.
    content : str
        What is in them, such as `942 lists of 100 entries`.
    repeat : int
        Which of the splits the accuracy is of. There is one: a published test part is not drawn again.
    """

    model: str
    replicate: int
    role: str
    identity: str
    files: str
    sha256: str
    content: str
    repeat: int = 0

    @property
    def label(self) -> str:
        """The name that people see, such as `old #3` or `old #3 held-out`."""
        return run_label(self.model, self.replicate) + (" held-out" if self.role == EVALUATION else "")


@dataclass(frozen=True)
class ReadRuns:
    """All runs of the models that are read from files.

    Attributes
    ----------
    sources : dict of RunSource to RawLists or RawFactors
    shared : Shared
        What is compared, with remarks.
    """

    sources: dict[RunSource, RawRun]
    shared: Shared


def read_runs(config: ExperimentConfig, interactions: Interactions | None) -> ReadRuns:
    """Read the files of every model that is not trained.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    interactions : Interactions or None
        Its data set, if it has one.

    Returns
    -------
    ReadRuns

    Raises
    ------
    ConfigError
        If a pattern matches no file, or lists are shorter than those that are compared.
    DataError
        If a file cannot be read, or the files have nothing in common.
    """
    runs = {
        source: read_run(config, source)
        for model, settings in config.from_files.items()
        for source in find_runs(model, settings)
    }
    _check_models(runs)
    _check_factors(runs)
    _check_lengths(config, runs)
    shared = share(runs, of=config.of, interactions=interactions, intersect=config.intersect)
    for model in config.from_files:
        of_model = [raw for source, raw in runs.items() if source.model == model and isinstance(raw, RawLists)]
        if said := remarks([raw.counts for raw in of_model]):
            shared.remarks.append(f"Files of {model}: {said}.")
        short = sum(int(np.count_nonzero(lengths(raw.lists) < _depth(config))) for raw in of_model)
        if short:
            shared.remarks.append(
                f"Files of {model}: {counted(short, 'list')} with fewer than {_depth(config)} entries; two such lists "
                "are compared over the length of the longer one."
            )
    return ReadRuns(runs, shared)


def read_run(config: ExperimentConfig, source: RunSource) -> RawRun:
    """Read the files of one run.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    source : RunSource
        The files.

    Returns
    -------
    RawLists or RawFactors

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    settings = config.from_files[source.model]
    if isinstance(settings, ListFiles):
        assert config.of is not None, "the cross-checks of the config ask for it"
        return read_lists(source.paths[0], config.of, settings.columns)
    return read_factors(source)


def file_runs(config: ExperimentConfig, read: ReadRuns, data: PreparedData) -> list[FileRun]:
    """Return the runs in the store that the files become.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    read : ReadRuns
        The files.
    data : PreparedData
        What is compared, and the held-out split.

    Returns
    -------
    list of FileRun
        Those for the lists, then those for the held-out accuracy.
    """
    return list(_file_runs(config, read, data))


def _file_runs(config: ExperimentConfig, read: ReadRuns, data: PreparedData) -> Iterator[FileRun]:
    roles: list[tuple[str, list[Any]]] = [(MODEL, [])]
    if config.evaluation and data.splits:
        roles.append((EVALUATION, [data.splits[0].sha256, config.evaluation.cutoffs, metrics.ALGORITHM]))
    for role, measured in roles:
        for source, raw in read.sources.items():
            settings = config.from_files[source.model].model_dump(exclude={"lists", "factors"})
            parts = [data.sha256, source.sha256, settings, config.targets, ALGORITHM, *measured]
            yield FileRun(
                model=source.model,
                replicate=source.replicate,
                role=role,
                # the name and the number too: a run in the store says which model's replicate it is
                identity=combined_sha256("read from files", source.model, source.replicate, *parts),
                files=source.name,
                sha256=source.sha256,
                content=described(raw) if isinstance(raw, RawLists) else _described_factors(raw),
            )


def _described_factors(raw: RawFactors) -> str:
    users, items = raw.factors.users, raw.factors.items
    return f"{len(users):,} users and {len(items):,} items, k={users.shape[1]}"


def _check_models(runs: Mapping[RunSource, RawRun]) -> None:
    """Refuse a file that the patterns of two models match."""
    first: dict[Path, RunSource] = {}
    for source in runs:
        for path in source.paths:
            other = first.setdefault(path.resolve(), source)
            if other.model != source.model:
                raise ConfigError(
                    f"models: {path} is a run of both {other.model} and {source.model}; expected patterns that match "
                    "different files"
                )


def _check_factors(runs: dict[RunSource, RawRun]) -> None:
    """Refuse factors of different k in one model."""
    first: dict[str, tuple[RunSource, int]] = {}
    for source, raw in runs.items():
        if isinstance(raw, RawFactors):
            k = raw.factors.users.shape[1]
            other, k_of_other = first.setdefault(source.model, (source, k))
            if k != k_of_other:
                raise DataError(
                    f"models.{source.model}.factors: {source.name} has k={k}, and {other.name} has k={k_of_other}; "
                    "expected runs of one model, which have equal k: give them as two models"
                )


def _check_lengths(config: ExperimentConfig, runs: dict[RunSource, RawRun]) -> None:
    """Refuse a comparison of more entries than all lists of a run have."""
    n = _depth(config)
    key = "recommend_n" if config.of == "recommendations" else "n"
    for source, raw in runs.items():
        if isinstance(raw, RawLists) and (longest := _longest(raw.lists)) < n:
            raise ConfigError(
                f"queries.{key}: found {n}, but the longest list of {source.name} has {longest} entries; expected at "
                f"most {longest} (compare: --n {longest})"
            )


def longest_common_depth(read: ReadRuns) -> int | None:
    """Return the length of the longest list of the run whose lists are shortest; None if there are no lists."""
    longest = [_longest(raw.lists) for raw in read.sources.values() if isinstance(raw, RawLists)]
    return min(longest) if longest else None


def _longest(lists: Lists) -> int:
    return int(lengths(lists).max(initial=0))


def _depth(config: ExperimentConfig) -> int:
    """Return how many entries of the lists of files are compared."""
    return config.queries.recommend_n if config.of == "recommendations" else config.queries.n
