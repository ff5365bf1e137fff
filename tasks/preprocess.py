"""Step 2: ratings -> interactions, kept in the store under the digest of what they were made from."""

from dataclasses import dataclass

from prefect import task

from tasks.core import datasets, interactions
from tasks.core.config import DatasetConfig, PreprocessConfig
from tasks.core.interactions import Interactions, Summary
from tasks.core.store import StoredFile, combined_sha256, put, recall, remember

FOLDER = "interactions"


@dataclass(frozen=True)
class Prepared:
    """Interactions in the store.

    sha256 : the interactions' own digest, the same on every machine
    """

    file: StoredFile
    sha256: str
    summary: Summary


@task(name="preprocess", task_run_name="preprocess {dataset.name}")
def preprocess(dataset: DatasetConfig, settings: PreprocessConfig, ratings: StoredFile) -> Prepared:
    """Filter and index the ratings, or find what an earlier run made of the same bytes."""
    return prepare(dataset, settings, ratings)


def prepare(dataset: DatasetConfig, settings: PreprocessConfig, ratings: StoredFile) -> Prepared:
    """The same outside a flow."""
    reading = dataset.model_dump(exclude={"path"})
    key = combined_sha256(ratings.sha256, reading, settings.model_dump(), interactions.ALGORITHM)
    file = recall(FOLDER, key)
    if file is None:
        file = put(FOLDER, ".npz", interactions.build(datasets.read(dataset, ratings), settings).save)
        remember(FOLDER, key, file)
    loaded = load(file)
    return Prepared(file, loaded.digest(), interactions.summarize(loaded.matrix))


def load(file: StoredFile) -> Interactions:
    """Read stored interactions, whose bytes are checked first."""
    return Interactions.load(file.check())
