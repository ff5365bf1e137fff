"""Step 2: ratings -> interactions and their held-out split, kept in the store under the digest of their origin."""

from dataclasses import dataclass, replace

from prefect import task

from tasks.core import datasets, interactions, splits
from tasks.core.config import DatasetConfig, ExperimentConfig, FilesSplit, PreprocessConfig
from tasks.core.interactions import Interactions, Summary
from tasks.core.plan import split_seed
from tasks.core.splits import Split
from tasks.core.store import StoredFile, combined_sha256, put, recall, remember

FOLDER, SPLITS = "interactions", "splits"


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
        See `tasks.core.interactions.build` and `tasks.core.splits.hold_out`.
    """
    return hold_out(config, prepare(config.dataset, config.preprocess, ratings), ratings)


def prepare(dataset: DatasetConfig, settings: PreprocessConfig, ratings: StoredFile) -> Prepared:
    """The interactions alone, outside a flow too."""
    reading = dataset.model_dump(exclude={"path"})
    key = combined_sha256(ratings.sha256, reading, settings.model_dump(), interactions.ALGORITHM)
    file = recall(FOLDER, key)
    if file is None:
        file = put(FOLDER, ".npz", interactions.build(datasets.read(dataset, ratings), settings).save)
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
        located = datasets.locate(published)
    seed = split_seed(config)
    # the ratings hold the timestamps, and what the rules on ratings make of them holds for a published test part too
    origin = (data.sha256, ratings.sha256, config.preprocess.model_dump(), located and located.sha256)
    key = combined_sha256(*origin, split.model_dump(exclude={"test"}), part, seed, splits.ALGORITHM)
    train, test = (recall(SPLITS, f"{key}-{name}") for name in ("train", "test"))
    if train is None or test is None:
        test_ratings = datasets.read(published, located) if published and located else None
        made = splits.hold_out(
            load(data.file),
            split,
            seed=seed,
            validation=part == "validation",
            published=test_ratings and splits.published_test(test_ratings, config.preprocess),
        )
        train = put(SPLITS, ".npz", lambda path: interactions.save_matrix(made.train, path))
        test = put(SPLITS, ".npz", lambda path: interactions.save_matrix(made.test, path))
        remember(SPLITS, f"{key}-train", train)
        remember(SPLITS, f"{key}-test", test)
    return replace(data, held_out=HeldOut(train, test, key))


def load(file: StoredFile) -> Interactions:
    """Read stored interactions, whose bytes are checked first."""
    return Interactions.load(file.check())


def load_split(held_out: HeldOut) -> Split:
    """Read a stored split, whose bytes are checked first."""
    return Split(interactions.load_matrix(held_out.train.check()), interactions.load_matrix(held_out.test.check()))
