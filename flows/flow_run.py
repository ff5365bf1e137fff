"""The flow run as Prefect shows it: its tags and those of its task runs, its name, and its final state."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from prefect import tags
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.states import Completed

T = TypeVar("T")


@contextmanager
def of_experiment(name: str, *, flow_run_name: str | None = None) -> Iterator[None]:
    """Tag the flow run, and the task runs that start in the block, with `experiment:NAME`.

    Parameters
    ----------
    name : str
        Of the experiment.
    flow_run_name : str, optional
        New name of the flow run. By default it keeps its own.
    """
    tag = f"experiment:{name}"
    context = FlowRunContext.get()
    assert context is not None, "a flow calls this"
    assert context.flow_run is not None
    flow_run = context.flow_run
    # a worker creates flow runs without the tags of the code that calls the flow: they are added here
    flow_run.tags = sorted({*flow_run.tags, tag})
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, tags=flow_run.tags, name=flow_run_name)
    with tags(tag):
        yield


@contextmanager
def of_model(model: str, role: str) -> Iterator[None]:
    """Tag the task runs that start in the block with `model:MODEL` and `role:ROLE`.

    Parameters
    ----------
    model : str
        Of the experiment.
    role : str
        As in MLflow: `model`, `evaluation` or `search`.
    """
    with tags(f"model:{model}", f"role:{role}"):
        yield


def completed(message: str, value: T) -> T:
    """Return what a flow has to return so that its final state has a message and its caller gets the value.

    Parameters
    ----------
    message : str
        Shown in place of an empty message.
    value : T
        What the caller of the flow gets.

    Returns
    -------
    T
        In fact a state. Prefect takes it as the flow run's final state, and gives its data to the caller.
    """
    return cast(T, Completed(message=message, data=value))
