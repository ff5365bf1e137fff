"""Step 1: the ratings on this machine."""

import logging

from prefect import task

from tasks.core.config.dataset import DatasetConfig
from tasks.core.data.catalogue import entry
from tasks.core.data.locate import locate
from tasks.core.files import StoredFile, home
from tasks.reporting import progress

log = logging.getLogger(__name__)


@task(name="download", task_run_name="download {dataset.name}")
def download(dataset: DatasetConfig) -> StoredFile:
    """Locate, make or download the data set.

    Retries are those of the transfer, which knows what may pass and has one deadline for all of them.
    """
    return fetch_dataset(dataset)


def fetch_dataset(dataset: DatasetConfig) -> StoredFile:
    """The same outside a flow; see `tasks.core.data.locate.locate`."""
    if dataset.name != "file" and dataset.path is None:
        known = entry(dataset.name)
        if known.archive and not any((home() / "datasets").glob(known.archive.urls[0].rpartition("/")[2])):
            log.info("%s. Terms: %s", known.title, known.licence)
            if known.citation:
                log.info("Please cite: %s", known.citation)
    label = f"download {dataset.name}"
    return locate(dataset, on_bytes=lambda done, total: progress.step(label, done, total, "bytes"))
