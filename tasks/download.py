"""Step 1: the ratings on this machine."""

import logging

from prefect import task

from tasks.core.config.dataset import DatasetConfig
from tasks.core.data.catalogue import catalogue_entry
from tasks.core.data.locate import locate
from tasks.core.files import StoredFile, home
from tasks.reporting import progress

log = logging.getLogger(__name__)


@task(name="download", task_run_name="download {dataset.name}")
def download(dataset: DatasetConfig) -> StoredFile:
    """Locate, make or download the data set.

    The task has no retries: the transfer has its own, with one deadline for all of them.

    Raises
    ------
    ConfigError, DataError
        See `tasks.core.data.locate.locate`.
    """
    return fetch_dataset(dataset)


def fetch_dataset(dataset: DatasetConfig) -> StoredFile:
    """Locate, make or download the data set outside a flow; see `download`."""
    if dataset.name != "file" and dataset.path is None:
        entry = catalogue_entry(dataset.name)
        archive = entry.archive
        if archive and not any((home() / "datasets").glob(archive.urls[0].rpartition("/")[2])):
            log.info("%s. Terms: %s", entry.title, entry.licence)
            if entry.citation:
                log.info("Please cite: %s", entry.citation)
    label = f"download {dataset.name}"
    return locate(dataset, on_bytes=lambda done, total: progress.step(label, done, total, "bytes"))
