"""Runs and experiments as MLflow returns them: what readers use of its entities, under the same names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Record = TypeVar("Record")


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment.

    Attributes
    ----------
    experiment_id, name : str
    artifact_location : str
        URI of the folder of its runs.
    lifecycle_stage : str
        `active` or `deleted`.
    """

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str


@dataclass(frozen=True)
class RunInfo:
    """What a run is.

    Attributes
    ----------
    run_id, run_name, experiment_id : str
    status : str
        RUNNING, SCHEDULED, FINISHED, FAILED or KILLED.
    start_time : int
        Milliseconds since 1970.
    end_time : int
        None while the run is open.
    lifecycle_stage : str
        `active` or `deleted`.
    artifact_uri : str
        URI of the folder of its files.
    """

    run_id: str
    run_name: str
    experiment_id: str
    status: str
    start_time: int
    end_time: Any
    lifecycle_stage: str
    artifact_uri: str


@dataclass(frozen=True)
class RunData:
    """What was logged on a run, by name.

    Attributes
    ----------
    metrics : mapping of str to float
        The value of the last step of each metric.
    params, tags : mapping of str to str
    """

    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """An MLflow run.

    Attributes
    ----------
    info : RunInfo
    data : RunData
    """

    info: RunInfo
    data: RunData


class Page(list[Record], Generic[Record]):
    """Some of the records that were asked for.

    Parameters
    ----------
    records : iterable
    token : str or None
        What asks for the next page; None if there is none.
    """

    def __init__(self, records: Iterable[Record], token: str | None) -> None:
        super().__init__(records)
        self.token = token
