"""Two models that exist already, compared: nothing is trained."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prefect import flow

from flows.experiment import Place, identity, opened, publish
from tasks.compare import compare_models
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError, DataError
from tasks.core.planning.runs import EVALUATION, MODEL, PARENT, RunRef
from tasks.download import download
from tasks.preprocess import preprocess
from tasks.recovery.lock import lock
from tasks.reporting.result import Result
from tasks.tracking import experiments, results, store
from tasks.tracking.runs import run_ref
from tasks.tracking.search import complete_parents, find_run

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Compared:
    """A model as one comparison knew it: its runs there (or a single one), that comparison's config and data."""

    place: str
    model: str
    runs: list[RunRef]
    config: ExperimentConfig
    data_sha256: str
    single: bool


@flow(name="compare", flow_run_name="{a} against {b}")
def compare(a: str, b: str, uri: str) -> Result:
    """Compare what `a` and `b` name: run ids, EXPERIMENT/MODEL/REPLICATE, EXPERIMENT/MODEL, EXPERIMENT or latest.

    A model's runs are those of the latest comparison that used it. The data are prepared as for `a`.

    Raises
    ------
    ConfigError
        One of them has no model's runs, both are the same, or they are on different data.
    """
    client = store.open_store(uri)
    found = [*_named(client, a), *_named(client, b)]
    first = found[0]
    for other in found[1:]:
        if other.data_sha256 != first.data_sha256:
            raise ConfigError(
                f"{first.place} is on interactions {first.data_sha256[:12]}, "
                f"{other.place} on {other.data_sha256[:12]}; lists of different data cannot be compared"
            )
    labelled = _labelled(found)
    config = _config(labelled)
    data = preprocess(config, download(config.dataset))
    if data.sha256 != first.data_sha256:
        raise DataError(
            f"the data of {first.place} have changed: found interactions {data.sha256[:12]}, "
            f"expected {first.data_sha256[:12]}; put the old data back, or run its config again"
        )
    runs = [replace(run, model=label) for label, each in labelled.items() for run in each.runs]
    kept = [run for run in runs if run.role == MODEL or config.evaluation is not None]
    for run in kept:
        split = client.get_run(run.run_id).data.tags.get("latentlab.split_sha256") if run.role == EVALUATION else None
        if split is not None and data.held_out and split != data.held_out.sha256:
            raise DataError(
                f"{run.model}: its held-out split is not the one that the config of {first.place} gives now "
                f"({split[:12]}, {data.held_out.sha256[:12]}): the test file or the timestamps have changed; put the "
                "old data back, or run its config again"
            )
    place = Place(uri, experiments.open_experiment(client, uri, config.name), identity(config, data))
    with lock(f"comparison-{place.identity}", f"comparison {config.name}"):
        result = results.known_result(client, place.experiment_id, place.identity, kept)
        if result is None:
            with opened(place, config, data) as where:
                result = compare_models(config, data, kept, where)
        publish(result, place)
    return result


def _named(client: "MlflowClient", text: str) -> list[Compared]:
    """The models that an argument means."""
    name, _, rest = text.partition("/")
    wanted = rest if rest and "/" not in rest else ""  # EXPERIMENT/MODEL: every replicate
    run = find_run(client, name if wanted else text)
    ref = run_ref(run)
    if ref.role not in (PARENT, MODEL):
        raise ConfigError(f"{text}: its role is {ref.role or 'not ours'}; expected a model's run or a comparison")
    whole = ref.role == PARENT and not wanted
    parents = [run] if whole else complete_parents(client, run.info.experiment_id)
    for parent in parents:
        config = results.config_of(client, parent)
        used = results.result_of(client, parent).runs
        if ref.role == MODEL:
            used = [each for each in used if each.run_id == ref.run_id]
        models = [model for model in config.models if model == wanted or not wanted]
        groups = {model: [each for each in used if each.model == model] for model in models}
        if any(groups.values()):
            data = parent.data.tags["latentlab.data_sha256"]
            single = ref.role == MODEL
            return [Compared(text, model, runs, config, data, single) for model, runs in groups.items() if runs]
    known = sorted({model for parent in parents for model in results.config_of(client, parent).models})
    raise ConfigError(f"{text}: no finished comparison used it; models there: {', '.join(known) or 'none'}")


def _labelled(found: list[Compared]) -> dict[str, Compared]:
    """The models by names that are all different."""
    labelled: dict[str, Compared] = {}
    for each in found:
        runs = sorted(run.run_id for run in each.runs)
        if any(runs == sorted(run.run_id for run in other.runs) for other in labelled.values()):
            continue
        own = f"{each.model}-{each.runs[0].replicate}" if each.single else each.model
        names = [own, f"{each.config.name}-{own}", f"{own}-{each.config.digest()[:6]}"]
        label = next((name for name in names if name not in labelled), f"{own}-{len(labelled)}")
        labelled[label] = each
    if len(labelled) < 2:
        raise ConfigError(f"{found[0].place} and {found[-1].place} are the same runs; expected two that differ")
    return labelled


def _config(labelled: dict[str, Compared]) -> ExperimentConfig:
    """The first one's config, with the models that are compared and as many replicates as all of them have."""
    first = next(iter(labelled.values()))
    same_split = len({(each.config.seed, str(each.config.evaluation)) for each in labelled.values()}) == 1
    evaluated = same_split and all(any(run.role == EVALUATION for run in each.runs) for each in labelled.values())
    content = first.config.model_dump()
    content["models"] = {label: each.config.models[each.model].model_dump() for label, each in labelled.items()}
    content["replicates"] = min(sum(run.role == MODEL for run in each.runs) for each in labelled.values())
    content["comparison"]["baseline"] = next(iter(labelled))
    content["evaluation"] = content["evaluation"] if evaluated else None
    return ExperimentConfig.model_validate(content)
