"""The fits of an experiment, and the identity of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tasks.core.config.als import AlsConfig, MetricStop
from tasks.core.config.evaluation import FoldsSplit, RandomSplit, RandomUserSplit
from tasks.core.config.experiment import ExperimentConfig, ResampleConfig
from tasks.core.data import resample
from tasks.core.data.splits.stop_part import StopPart
from tasks.core.files import combined_sha256
from tasks.core.formatting import run_label
from tasks.core.models import als
from tasks.core.models.seeds import run_seed
from tasks.core.models.spark import als as spark_als
from tasks.core.models.spark.installation import spark_version
from tasks.core.ranking import metrics
from tasks.core.ranking.entities import Entities
from tasks.core.types import Ids

MODEL, EVALUATION, PARENT = "model", "evaluation", "parent"
"""Roles of runs: fits on all interactions, fits on the train part of the split, and their parent run."""


@dataclass(frozen=True)
class PlannedRun:
    """One fit that an experiment consists of.

    Attributes
    ----------
    model : str
    replicate : int
        Counted from 0.
    role : str
        `model` (fitted to all interactions, for the lists) or `evaluation` (fitted to the train part of the split).
    settings : AlsConfig
    seed : int
        Of the random start.
    identity : str
        sha256 over everything that decides the result: fits of equal identity give equal factors.
    resample : ResampleConfig or None
        What the fit leaves out of the interactions; None for nothing.
    repeat : int
        For the evaluation: which of the splits the fit is for, from 0.
    stop_part : StopPart or None
        What the fit holds out to decide when it stops; None without such a rule.
    """

    model: str
    replicate: int
    role: str
    settings: AlsConfig
    seed: int
    identity: str
    resample: ResampleConfig | None = None
    repeat: int = 0
    stop_part: StopPart | None = None

    @property
    def is_evaluation(self) -> bool:
        """Whether the fit is for held-out accuracy, and not for the lists."""
        return self.role == EVALUATION

    @property
    def label(self) -> str:
        """The name that people see, such as `k500 #3` or `k500 #3 held-out`; with several, `k500 #3 held-out, split 2`.

        The first split has no number: a fit on it is also one of an experiment that has no other split.
        """
        held_out = f" held-out{f', split {self.repeat}' if self.repeat else ''}" if self.is_evaluation else ""
        return run_label(self.model, self.replicate) + held_out

    def fitted_interactions(self, n_interactions: int) -> int:
        """Return how many of the interactions the fit has, without those that it leaves out."""
        return n_interactions - resample.n_dropped(n_interactions, self.resample)

    @property
    def training_label(self) -> str:
        """The name of the training in progress reports, such as `train k8 #0`."""
        return f"train {self.label}"

    @property
    def lists_label(self) -> str:
        """The name of the making of the lists in progress reports, such as `lists of k8 #0`."""
        return f"lists of {self.label}"


@dataclass(frozen=True)
class RunRef:
    """An MLflow run that can be read, and the fit that it holds.

    Attributes
    ----------
    run_id, model : str
    replicate : int
    role, identity : str
        See `PlannedRun`.
    repeat : int
        See `PlannedRun`.
    """

    run_id: str
    model: str
    replicate: int
    role: str
    identity: str
    repeat: int = 0


def first_fits(runs: Iterable[RunRef]) -> dict[str, RunRef]:
    """Return the fit of each model's first replicate, in the order of the models."""
    first: dict[str, RunRef] = {}
    for run in runs:
        if run.role == MODEL and (run.model not in first or run.replicate < first[run.model].replicate):
            first[run.model] = run
    return first


def split_seeds(config: ExperimentConfig) -> list[int]:
    """Return the seed of each held-out split, which is the same for all models.

    Folds are parts of one division of the data, and have its seed in common.
    """
    evaluation = config.evaluation
    if evaluation is None:
        return []
    folds = isinstance(evaluation.split, FoldsSplit)
    return [run_seed(config.seed, "", 0 if folds else repeat, "split") for repeat in range(evaluation.n_splits)]


def listed_entities(
    config: ExperimentConfig,
    users: int,
    items: int,
    lost: resample.Lost | None = None,
    listed: Mapping[str, Ids] | None = None,
) -> dict[str, Entities]:
    """Return the `users` and the `items` whose lists every run makes, or whose lists are compared.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    users, items : int
        Numbers of users and items.
    lost : Lost, optional
        Users and items that are left out.
    listed : mapping of str to (E,) int32, optional
        See `tasks.core.data.prepared.PreparedData.listed_rows`.

    Returns
    -------
    dict of str to Entities
    """
    queries, size = config.queries, config.neighbours.sample
    entities = {
        "users": Entities.draw(
            users, size, queries={*queries.users, *queries.recommend_for}, seed=config.seed, side="users"
        ),
        "items": Entities.draw(items, size, queries=queries.items, seed=config.seed, side="items"),
    }
    sizes = {"users": users, "items": items}
    entities |= {side: Entities.only(rows, sizes[side]) for side, rows in (listed or {}).items()}
    return {side: of_side.without(lost.of(side)) for side, of_side in entities.items()} if lost else entities


def fit_identity(
    data_sha256: str,
    settings: AlsConfig,
    seed: int,
    *,
    split_sha256: str | None = None,
    measured: object = None,
    resampling: ResampleConfig | None = None,
    stop_part: StopPart | None = None,
) -> str:
    """Return the identity of a fit.

    What changes no factors and no metrics is left out, so that other configs find the same fits again.

    Parameters
    ----------
    data_sha256 : str
        Digest of the interactions.
    settings : AlsConfig
        Settings of the model.
    seed : int
        Of the random start, and of what is left out.
    split_sha256 : str, optional
        Digest of the held-out split, for the evaluation.
    measured : optional
        What the evaluation measures.
    resampling : ResampleConfig, optional
        What the fit leaves out of the interactions.
    stop_part : StopPart, optional
        What the fit holds out to decide when it stops.

    Returns
    -------
    str
        sha256.

    Raises
    ------
    ConfigError
        If Spark trains the model, and is not installed.
    """
    # fits to all interactions keep the identity that they had before there was another kind
    left_out = [] if resampling is None else [[resampling.model_dump(), resample.ALGORITHM]]
    if stop_part:
        left_out.append(stop_part.identity())
    # the partitions of Spark's input are as many as its blocks, which are among the settings
    engine = [["spark", spark_als.ALGORITHM, spark_version()]] if settings.is_of_spark else []
    return combined_sha256(
        data_sha256, split_sha256, settings.identity(), seed, als.ALGORITHM, measured, *left_out, *engine
    )


def planned_runs(
    config: ExperimentConfig, data_sha256: str, splits_sha256: Sequence[str] | None = None
) -> list[PlannedRun]:
    """Return all fits of an experiment; with planned looks, those up to the last look.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data_sha256 : str
        Digest of the interactions.
    splits_sha256 : sequence of str, optional
        Digest of each held-out split, for a config with evaluation.

    Returns
    -------
    list of PlannedRun
        The fits for the lists, then those for the evaluation; in each, the models in the config's order.
    """
    runs = []
    for model, settings in config.trained.items():
        for replicate in range(config.most_replicates):
            seed = run_seed(config.seed, model, replicate, MODEL)
            part = _stop_part(config, settings)
            identity = fit_identity(data_sha256, settings, seed, resampling=config.resample, stop_part=part)
            runs.append(PlannedRun(model, replicate, MODEL, settings, seed, identity, config.resample, 0, part))
    if evaluation := config.evaluation:
        measured = evaluation.cutoffs, metrics.ALGORITHM
        splits: Sequence[str | None] = splits_sha256 or [None] * evaluation.n_splits
        for (model, settings), (repeat, split_sha256), replicate in product(
            config.trained.items(), enumerate(splits), range(evaluation.replicates)
        ):
            # fits on the first split keep the seeds that they had when there was no other
            role = EVALUATION if repeat == 0 else f"{EVALUATION} on split {repeat}"
            seed = run_seed(config.seed, model, replicate, role)
            part = _stop_part(config, settings, repeat)
            identity = fit_identity(
                data_sha256, settings, seed, split_sha256=split_sha256, measured=measured, stop_part=part
            )
            runs.append(PlannedRun(model, replicate, EVALUATION, settings, seed, identity, None, repeat, part))
    return runs


def _stop_part(config: ExperimentConfig, settings: AlsConfig, repeat: int = 0) -> StopPart | None:
    """Return what the fits of a model hold out: the same for all seeds, drawn with the seed of a validation part."""
    if not isinstance(settings.stop, MetricStop):
        return None
    assert config.evaluation is not None, "the config was checked"
    split = config.evaluation.split
    assert isinstance(split, RandomSplit | RandomUserSplit), "the config was checked"
    return StopPart(split, split_seeds(config)[repeat] + 1)
