"""Runs that exist: which of them readers may take, and which one is meant."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tasks.core.errors import TrackingError
from tasks.core.planning.runs import MODEL, PARENT, RunRef
from tasks.tracking.experiments import find_experiment
from tasks.tracking.runs import _USED, is_complete, run_ref, supersede

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def search(client: "MlflowClient", experiment_ids: Sequence[str], condition: str) -> "Iterator[Run]":
    token = None
    while experiment_ids:
        page = client.search_runs(list(experiment_ids), condition, max_results=1000, page_token=token)
        yield from page
        if not (token := page.token):
            return


def our_runs(client: "MlflowClient", experiment_ids: Sequence[str] | None = None) -> "list[Run]":
    """Every run that latentlab made, latest first."""
    if experiment_ids is None:
        experiment_ids = [str(experiment.experiment_id) for experiment in client.search_experiments()]
    return [run for run in search(client, experiment_ids, "") if "latentlab.role" in run.data.tags]


def resolve_duplicates(client: "MlflowClient", experiment_id: str, identity: str = "") -> dict[str, RunRef]:
    """The complete runs of an experiment by identity, all or one; where several have one, the one that ended first.

    The others are tagged as superseded: MLflow cannot compare and swap, so that two processes may complete one
    identity, and all readers agree on the same one.
    """
    condition = f"attributes.status = 'FINISHED'{_of(identity)}"
    found: dict[str, RunRef] = {}
    for run in sorted(filter(is_complete, search(client, [experiment_id], condition)), key=_by_end):
        ref = run_ref(run)
        if found.setdefault(ref.identity, ref) != ref:
            supersede(client, [ref.run_id], found[ref.identity].run_id)
    return found


def with_fits(client: "MlflowClient", run: "Run") -> "list[Run]":
    """A run, and the runs nested in it."""
    condition = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    return [run, *search(client, [str(run.info.experiment_id)], condition)]


def complete_parents(client: "MlflowClient", experiment_id: str, identity: str = "") -> "list[Run]":
    """The complete comparisons of an experiment, or those of one identity; the latest first."""
    condition = f"tags.`latentlab.role` = '{PARENT}'{_of(identity)}"
    found = filter(is_complete, search(client, [experiment_id], condition))
    return sorted(found, key=_last_used, reverse=True)


def find_run(client: "MlflowClient", text: str) -> "Run":
    """The run that RUN on the command line means: a run id, EXPERIMENT/MODEL/REPLICATE, EXPERIMENT, `latest`.

    Raises
    ------
    TrackingError
        There is none; the message says which there are.
    """
    from mlflow.exceptions import MlflowException

    if text == "latest":
        parents = [run for run in our_runs(client) if _role(run) == PARENT and is_complete(run)]
        if not parents:
            raise TrackingError("there is no finished experiment yet; start one with `latentlab run`")
        return max(parents, key=_last_used)
    if len(text) == 32 and all(letter in "0123456789abcdef" for letter in text):
        try:
            return client.get_run(text)
        except MlflowException:
            raise TrackingError(f"there is no run {text}; `latentlab runs` lists them") from None
    name, _, rest = text.partition("/")
    experiment_id = find_experiment(client, name)
    if experiment_id is None:
        known = ", ".join(sorted({e.name for e in client.search_experiments()} - {"Default"})) or "none yet"
        raise TrackingError(f"there is no experiment {name!r}; experiments here: {known}")
    runs = [run for run in our_runs(client, [experiment_id]) if run.info.status == "FINISHED"]
    if rest:
        model, _, replicate = rest.partition("/")
        wanted = (model, int(replicate or 0) if (replicate or "0").isdecimal() else -1)
        matching = [r for r in runs if is_complete(r) and _role(r) == MODEL and _place(r) == wanted]
        if not matching:
            have = sorted({"/".join(map(str, _place(r))) for r in runs if _role(r) == MODEL})
            raise TrackingError(f"{name} has no complete run {rest!r}; it has {', '.join(have) or 'none'}")
        return max(matching, key=lambda run: run.info.end_time)
    parents = complete_parents(client, experiment_id)
    if not parents:
        raise TrackingError(f"{name} has no finished comparison; run its config")
    return parents[0]


def _of(identity: str) -> str:
    """A condition more for one identity, none for all."""
    return f" and tags.`latentlab.identity` = '{identity}'" if identity else ""


def _role(run: "Run") -> str:
    return str(run.data.tags.get("latentlab.role", ""))


def _place(run: "Run") -> tuple[str, int]:
    ref = run_ref(run)
    return ref.model, ref.replicate


def _by_end(run: "Run") -> tuple[int, str]:
    return run.info.end_time, run.info.run_id


def _last_used(run: "Run") -> int:
    return max(int(run.info.end_time), int(run.data.tags.get(_USED, 0)))
