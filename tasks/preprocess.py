"""Step 2: ratings -> interactions and their held-out split, kept in the store under the digest of their origin."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from prefect import task

from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.config.evaluation import FilesSplit
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data import interactions, preprocessing, published_split, splits
from tasks.core.data.interactions import Interactions, Summary
from tasks.core.data.locate import locate
from tasks.core.data.readers.ratings import read_ratings
from tasks.core.data.splits import Split
from tasks.core.errors import DataError
from tasks.core.files import StoredFile, combined_sha256, put, recall, remember
from tasks.core.planning.runs import split_seed

FOLDER, SPLITS = "interactions", "splits"
T = TypeVar("T")


@dataclass(frozen=True)
class HeldOut:
    """A split in the store.

    sha256 : of everything that decides it
    """

    train: StoredFile
    test: StoredFile
    sha256: str


@dataclass(frozen=True)
class Prepared:
    """Interactions in the store.

    sha256 : the interactions' own digest, the same on every machine
    held_out : the split, in experiments with evaluation
    """

    file: StoredFile
    sha256: str
    summary: Summary
    held_out: HeldOut | None = None


@task(name="preprocess", task_run_name="preprocess {config.dataset.name}")
def preprocess(config: ExperimentConfig, ratings: StoredFile) -> Prepared:
    """Filter and index the ratings and split them, or find what an earlier run made of the same bytes.

    Raises
    ------
    DataError
        See `tasks.core.data.preprocessing.build` and `tasks.core.data.splits.hold_out`.
    """
    return hold_out(config, prepare(config.dataset, config.preprocess, ratings), ratings)


def prepare(dataset: DatasetConfig, settings: PreprocessConfig, ratings: StoredFile) -> Prepared:
    """The interactions alone, outside a flow too."""
    reading = dataset.model_dump(exclude={"path"})
    key = combined_sha256(ratings.sha256, reading, settings.model_dump(), preprocessing.ALGORITHM)
    file = recall(FOLDER, key)
    if file is None:
        file = put(FOLDER, ".npz", preprocessing.build(read_ratings(dataset, ratings), settings).save)
        remember(FOLDER, key, file)
    loaded = load(file)
    return Prepared(file, loaded.digest(), interactions.summarize(loaded.matrix))


def hold_out(config: ExperimentConfig, data: Prepared, ratings: StoredFile) -> Prepared:
    """The same with the split that the config asks for."""
    if config.evaluation is None:
        return data
    split, part = config.evaluation.split, config.evaluation.part
    published = located = None
    if isinstance(split, FilesSplit):
        published = DatasetConfig(name="file", path=split.test, **split.model_dump(exclude={"strategy", "test"}))
        located = _told(lambda: locate(published))
    seed = split_seed(config)
    # the ratings hold the timestamps, and what the rules on ratings make of them holds for a published test part too
    reading = config.dataset.model_dump(exclude={"path"})
    origin = (data.sha256, ratings.sha256, reading, config.preprocess.model_dump(), located and located.sha256)
    key = combined_sha256(*origin, split.model_dump(exclude={"test"}), part, seed, splits.ALGORITHM)
    parts = [recall(SPLITS, f"{key}-{name}") for name in ("train", "test")]
    if None in parts:
        test = None
        if published and located:
            test = _told(lambda: published_split.published_test(read_ratings(published, located), config.preprocess))
        if isinstance(split, FilesSplit):
            assert test is not None, "a published split comes with its test file"
            made = published_split.split_of_files(load(data.file), test, split)
        else:
            made = splits.hold_out(load(data.file), split, seed=seed, validation=part == "validation")
        parts = []
        for name, matrix in (("train", made.train), ("test", made.test)):
            stored = put(SPLITS, ".npz", partial(interactions.save_matrix, matrix))
            remember(SPLITS, f"{key}-{name}", stored)
            parts.append(stored)
    train, held = (file for file in parts if file is not None)
    return replace(data, held_out=HeldOut(train, held, key))


def _told(step: Callable[[], T]) -> T:
    """Do a step on a published test file; what is wrong with it is told of that key."""
    try:
        return step()
    except DataError as error:
        raise DataError(f"evaluation.split.test: {str(error).removeprefix('dataset.path: ')}") from None


def load(file: StoredFile) -> Interactions:
    """Read stored interactions, whose bytes are checked first."""
    return Interactions.load(file.check())


def load_split(held_out: HeldOut) -> Split:
    """Read a stored split, whose bytes are checked first."""
    return Split(interactions.load_matrix(held_out.train.check()), interactions.load_matrix(held_out.test.check()))
