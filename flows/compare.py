"""Models that exist, compared: nothing is trained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from prefect import flow

from flows import environment
from flows.flow_run import completed, of_experiment
from flows.publish import flow_run_tags, publish
from tasks.compare import compare_models
from tasks.core.config.dataset import NO_DATA_SET
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import config_from
from tasks.core.data.prepared import PreparedData
from tasks.core.errors import ConfigError, DataError
from tasks.core.formatting import enumerated, percent
from tasks.core.planning.runs import EVALUATION, MODEL, PARENT, RunRef
from tasks.download import download
from tasks.held_out import references_beside
from tasks.preprocess import preprocess
from tasks.recovery.lock import lock
from tasks.recovery.parent_run import Comparison, parent_run
from tasks.reporting.result import Result
from tasks.tracking.comparison import last_verdict
from tasks.tracking.noise_of_data import has_all_seeds_only_fits
from tasks.tracking.reading.named_run import find_run, split_name
from tasks.tracking.results import config_of, known_result, result_of
from tasks.tracking.runs import run_ref
from tasks.tracking.search import complete_parents
from tasks.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

environment.set_defaults()  # as in flows/experiment.py


@dataclass(frozen=True)
class ExistingModel:
    """A model as one comparison used it.

    Attributes
    ----------
    argument : str
        What names it on the command line.
    model : str
    runs : list of RunRef
        Its runs in that comparison, or a single one.
    config : ExperimentConfig
        Of that comparison.
    data_sha256 : str
    single : bool
        Whether the argument names a single run.
    """

    argument: str
    model: str
    runs: list[RunRef]
    config: ExperimentConfig
    data_sha256: str
    single: bool


@flow(name="compare", flow_run_name="{a} against {b}")
def compare(a: str, b: str, uri: str) -> Result:
    """Compare what `a` and `b` name: run ids, EXPERIMENT/MODEL/REPLICATE, EXPERIMENT/MODEL, EXPERIMENT or latest.

    A model's runs are those of the last comparison that used it. The data are prepared as for `a`.

    Args:
        a: A model, a run or an experiment.
        b: The same.
        uri: The MLflow store.
    """
    client = open_store(uri)
    models = _by_label([*_existing_models(client, a), *_existing_models(client, b)])
    _check_same_data(models)
    _check_same_resample(models)
    config = _config(models)
    if config.dataset.name == NO_DATA_SET:
        raise ConfigError(
            f"{a} and {b} were read from files of lists; compare the files: latentlab compare --lists MODEL=PATTERN"
        )
    with of_experiment(config.name):
        result = _result(client, uri, config, models)
    return completed(result.sentence, result)


def _result(client: "MlflowClient", uri: str, config: ExperimentConfig, models: dict[str, ExistingModel]) -> Result:
    """Compare the models, unless a comparison of the same runs is stored."""
    data = preprocess(config, download(config.dataset))
    runs = [replace(run, model=label) for label, model in models.items() for run in model.runs]
    runs = [run for run in runs if run.role == MODEL or config.evaluation is not None]
    runs.sort(key=lambda run: run.role == EVALUATION)  # as `planned_runs` orders them
    _check_unchanged(client, models, runs, data)
    comparison = Comparison.of(client, uri, config, data)
    with lock(f"comparison-{comparison.identity}", f"comparison {config.name}"):
        previous = last_verdict(client, comparison.experiment_id, config)
        result = known_result(client, comparison.experiment_id, comparison.identity, runs)
        if result is None or not has_all_seeds_only_fits(client, config, result):
            with parent_run(comparison, flow_run_tags()) as parent, references_beside(config, data) as references:
                remarks = _without_accuracy(models, config)
                result = compare_models(config, data, runs, parent, references, remarks=remarks)
        publish(result, comparison, previous)
    return result


def config_of_files(
    lists: Sequence[str],
    factors: Sequence[str],
    *,
    name: str,
    of: str | None = None,
    interactions: str | None = None,
    test: str | None = None,
    intersect: bool = False,
    baseline: str | None = None,
    n: int | None = None,
    depths: str | None = None,
    margin: float | None = None,
    margin_query: float | None = None,
    overrides: Sequence[str] = (),
) -> ExperimentConfig:
    """Return the config of a comparison of models that are read from files.

    Parameters
    ----------
    lists, factors : sequence of str
        `MODEL=PATTERN`.
    name : str
        Of the experiment.
    of, intersect, baseline, n, depths, margin, margin_query
        The keys of the config of that name; `n` is `recommend_n` for recommendations.
    interactions, test : str, optional
        Files of ratings: what the models were trained on, and what was held out.
    overrides : sequence of str
        `a.b.c=value`.

    Returns
    -------
    ExperimentConfig

    Raises
    ------
    ConfigError
        If an option is faulty.
    """
    models: dict[str, Any] = {}
    for kind, options in (("lists", lists), ("factors", factors)):
        for option in options:
            model, equals, pattern = option.partition("=")
            if not (equals and model and pattern):
                raise ConfigError(f"--{kind}: found {option!r}; expected MODEL=PATTERN, such as 'old=old-*.parquet'")
            if model in models:
                raise ConfigError(f"--{kind}: the model {model!r} is there twice; expected one pattern for each model")
            models[model] = {kind: pattern}
    content: dict[str, Any] = {"name": name, "models": models}
    if of is not None:
        content["of"] = of
    if intersect:
        content["intersect"] = True
    if interactions is not None:
        content["dataset"] = {"name": "file", "path": interactions}
    if interactions is not None or test is not None:
        content["preprocess"] = {"min_rating": None}
    if test is not None:
        content["evaluation"] = {"split": {"strategy": "files", "test": test}}
    if n is not None:
        content["queries"] = {"recommend_n" if of == "recommendations" else "n": n}
    comparison: dict[str, Any] = {"baseline": baseline, "margin": margin, "margin_query": margin_query}
    if depths is not None:
        comparison["depths"] = [int(depth) if depth.strip().isdecimal() else depth for depth in depths.split(",")]
    content["comparison"] = {key: value for key, value in comparison.items() if value is not None}
    return config_from(content, "command line", overrides)


def _existing_models(client: "MlflowClient", argument: str) -> list[ExistingModel]:
    """Return the models that an argument names."""
    _, name, rest = split_name(client, argument)
    wanted = rest if rest and "/" not in rest else ""  # EXPERIMENT/MODEL: every replicate
    run = find_run(client, name if wanted else argument)
    ref = run_ref(run)
    if ref.role not in (PARENT, MODEL):
        role = ref.role or "not one of latentlab's"
        raise ConfigError(f"{argument}: its role is {role}; expected a model's run or a comparison")
    parents = [run] if ref.role == PARENT and not wanted else complete_parents(client, run.info.experiment_id)
    single = ref.role == MODEL
    for parent in parents:
        config = config_of(client, parent)
        runs = result_of(client, parent).runs
        if single:
            runs = [used for used in runs if used.run_id == ref.run_id]
        by_model = {
            model: [used for used in runs if used.model == model] for model in config.models if wanted in ("", model)
        }
        if any(by_model.values()):
            data_sha256 = parent.data.tags["latentlab.data_sha256"]
            return [
                ExistingModel(argument, model, used, config, data_sha256, single)
                for model, used in by_model.items()
                if used
            ]
    models = sorted({model for parent in parents for model in config_of(client, parent).models})
    raise ConfigError(f"{argument}: no finished comparison used it; models there: {', '.join(models) or 'none'}")


def _by_label(models: list[ExistingModel]) -> dict[str, ExistingModel]:
    """Return the models by labels that are all different; models with the same runs count once."""
    labelled: dict[str, ExistingModel] = {}
    for model in models:
        run_ids = {run.run_id for run in model.runs}
        if any(run_ids == {run.run_id for run in other.runs} for other in labelled.values()):
            continue
        own = f"{model.model}-{model.runs[0].replicate}" if model.single else model.model
        candidates = [own, f"{model.config.name}-{own}", f"{own}-{model.config.digest()[:6]}", f"{own}-{len(labelled)}"]
        labelled[next(label for label in candidates if label not in labelled)] = model
    if len(labelled) < 2:
        raise ConfigError(f"{models[0].argument} and {models[-1].argument} are the same runs; expected two that differ")
    return labelled


def _config(models: dict[str, ExistingModel]) -> ExperimentConfig:
    """Return the first one's config, with the models that are compared and as many replicates as all of them have."""
    first = next(iter(models.values()))
    same_split = len({(model.config.seed, str(model.config.evaluation)) for model in models.values()}) == 1
    evaluated = same_split and all(any(run.role == EVALUATION for run in model.runs) for model in models.values())
    content = first.config.model_dump()
    content["models"] = {label: model.config.models[model.model].model_dump() for label, model in models.items()}
    content["execution"] = {}  # nothing is trained
    if all(model.get("engine") == "spark" for model in content["models"].values()):
        content.pop("snapshots")  # such a config has none
    content["replicates"] = min(sum(run.role == MODEL for run in model.runs) for model in models.values())
    content["comparison"]["baseline"] = next(iter(models))
    content["evaluation"] = content["evaluation"] if evaluated else None
    return ExperimentConfig.model_validate(content)


def _without_accuracy(models: dict[str, ExistingModel], config: ExperimentConfig) -> list[str]:
    """Return a sentence on why accuracy is not compared, if models with accuracy are compared without."""
    evaluated = {label: any(run.role == EVALUATION for run in model.runs) for label, model in models.items()}
    if config.evaluation is not None or not any(evaluated.values()):
        return []
    if missing := [label for label, has_accuracy in evaluated.items() if not has_accuracy]:
        return [
            f"Accuracy is not compared: {enumerated(missing)} came without, from a single run or a comparison that has "
            "none."
        ]
    settings = [{"seed": model.config.seed, **_evaluation(model.config)} for model in models.values()]
    different = [key for key in settings[0] if any(of_other[key] != settings[0][key] for of_other in settings)]
    return [
        f"Accuracy is not compared: the configs differ in {enumerated(different)}, and with them in what was measured."
    ]


def _evaluation(config: ExperimentConfig) -> dict[str, Any]:
    section = config.model_dump()["evaluation"]
    return {f"evaluation.{key}": value for key, value in section.items()}


def _check_same_data(models: dict[str, ExistingModel]) -> None:
    first, *others = models.values()
    for other in others:
        if other.data_sha256 != first.data_sha256:
            raise ConfigError(
                f"{first.argument} is on interactions {first.data_sha256[:12]}, "
                f"{other.argument} on {other.data_sha256[:12]}; lists of different data cannot be compared"
            )


def _check_same_resample(models: dict[str, ExistingModel]) -> None:
    """Refuse models whose runs differ by other things than each other's do."""
    first, *others = models.values()
    for other in others:
        if other.config.resample != first.config.resample:
            raise ConfigError(
                f"{first.argument} is fitted {_fitted_to(first.config)}, {other.argument} {_fitted_to(other.config)}; "
                "expected models that leave out the same fraction; run one of the configs again with the resample of "
                "the other"
            )


def _fitted_to(config: ExperimentConfig) -> str:
    resample = config.resample
    return f"without a random {percent(resample.fraction)} of the interactions" if resample else "to all interactions"


def _check_unchanged(
    client: "MlflowClient", models: dict[str, ExistingModel], runs: list[RunRef], data: PreparedData
) -> None:
    """Refuse data, or a split, that have changed since the models were trained."""
    first = next(iter(models.values()))
    if data.sha256 != first.data_sha256:
        raise DataError(
            f"the data of {first.argument} have changed: found interactions {data.sha256[:12]}, "
            f"expected {first.data_sha256[:12]}; put the old data back, or run its config again"
        )
    for run in runs:
        if run.role == EVALUATION and data.splits:
            split = client.get_run(run.run_id).data.tags.get("latentlab.split_sha256")
            expected = data.splits[run.repeat].sha256
            if split not in (None, expected):
                raise DataError(
                    f"{run.model}: its held-out split is not the one that the config of {first.argument} gives now "
                    f"({split[:12]}, {expected[:12]}): the test file or the timestamps have changed; put "
                    "the old data back, or run its config again"
                )
