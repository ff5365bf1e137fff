"""The complete config of an experiment."""

import hashlib
import json
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)

from tasks.core.config.als import DEFAULT_SNAPSHOTS, AlsConfig, without_engine
from tasks.core.config.base import Depths, Fraction, Iterations, Margin, Name, Section, without_later_keys
from tasks.core.config.checks.cross_checks import find_disagreements
from tasks.core.config.checks.values import model_kinds
from tasks.core.config.dataset import NO_DATA_SET, DatasetConfig, PreprocessConfig, without_later_settings
from tasks.core.config.evaluation import ADDED_LATER as EVALUATION_ADDED_LATER
from tasks.core.config.evaluation import EvaluationConfig, Tuned
from tasks.core.config.file_models import FactorFiles, ListFiles, ModelConfig, Target
from tasks.core.config.queries import QueriesConfig
from tasks.core.config.search.sections import SearchConfig
from tasks.core.config.sweeps import expand_models


class NeighboursConfig(Section):
    """Which neighbours are judged, and of whom lists are made."""

    similarity: Literal["factors", "scores"] = "factors"
    """Which lists of users and items get verdicts. factors: neighbours by the cosine of the factors. scores: by the
    cosine of the predicted scores, which does not depend on the scaling of the factors. Both kinds are computed, and
    the other one is described. See docs/similarity.md."""
    sample: Annotated[int, Field(ge=2, le=2**31 - 1)] | None = None
    """Number of users, and number of items, whose lists are made and compared; they are drawn at random, once for all
    models and seeds. Queries are added to them. null: all users and items."""


class ResampleConfig(Section):
    """Fit every replicate without a random part of the interactions, which is different for each of them."""

    strategy: Literal["drop_interactions"]
    """drop_interactions: leave out interactions at random, all with the same probability."""
    fraction: Fraction
    """Fraction of the interactions that each replicate is fitted without."""


class ComparisonConfig(Section):
    """How the lists of the models are compared."""

    baseline: Name | None = None
    """Model that the other models are compared with. Default: the first model."""
    depths: Depths = (5, 10, 20, 50, 100)
    """List lengths at which overlaps are computed, in increasing order."""
    margin_query: Margin = 0.2
    """Smallest excess disagreement Δ that is meaningful for the list of one query, as a fraction of the list: 0.2 is
    one of five entries. See docs/verdict.md."""
    margin: Margin = 0.1
    """The same for the lists of all users or all items, and for all recommendations."""


def _workers_tag(value: object) -> str:
    return "name" if isinstance(value, str) else "number"


Workers = Annotated[
    Annotated[Literal["auto"], Tag("name")] | Annotated[int, Field(ge=1, le=1024), Tag("number")],
    Discriminator(_workers_tag),
]


def _text_of_option(value: object) -> object:
    """Return a number, true or false as Spark writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


SparkOption = Annotated[
    str, BeforeValidator(_text_of_option), WithJsonSchema({"type": ["string", "number", "boolean"]})
]


class SparkConfig(Section):
    """The Spark session that is started for models with `engine: spark`."""

    master: Annotated[str, StringConstraints(min_length=1)]
    """Spark's master, such as local[2], or spark://host:7077 for a standalone cluster."""
    config: dict[Annotated[str, StringConstraints(pattern=r"^spark\..+$")], SparkOption] = Field(default={})
    """Spark's own options, such as `{"spark.driver.memory": "8g"}`."""


class ExecutionConfig(Section):
    """Where fits run, and how many at the same time. These settings change no result."""

    runner: Literal["threads", "dask"] = "threads"
    """threads: on this machine. dask: on an existing Dask cluster (needs the extra `dask`)."""
    workers: Workers = "auto"
    """For `threads`: number of fits that run at the same time and share the cores. auto: one per core, or fewer if
    there are fewer fits or too little memory; 1 with a model of `engine: spark`. A Dask cluster has its own workers."""
    address: str | None = None
    """For `dask`: address of the scheduler, such as tcp://scheduler:8786."""
    isolate: bool = True
    """Run fits in separate processes, so that a crash of such a process is reported as a failed fit. The workers of a
    Dask cluster are always separate processes."""
    checkpoint_seconds: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """Shortest time between two checkpoints of a fit, in seconds. After a crash the fit resumes from its last
    checkpoint."""
    system_metrics: bool = True
    """Log the use of CPU, memory, disk and network every 10 s while a fit runs."""
    spark: SparkConfig | None = None
    """Where models with `engine: spark` are trained. null: in the Spark session of the Python process that runs the
    experiment, as in a notebook on Databricks."""


class PlannedLooks(Section):
    """Train more seeds only until the answer is decided: a group-sequential design.

    At each look the models are compared with the seeds trained so far. The significance level is divided over the
    looks, so that all looks together have the level of one comparison. See docs/verdict.md.
    """

    looks: Annotated[
        tuple[Annotated[int, Field(ge=2, le=1000)], ...],
        Field(strict=False, min_length=2),
    ]
    """Numbers of seeds for each model at which the models are compared, in increasing order."""
    until: Literal["primary", "all"] = "primary"
    """Stop once the primary endpoint is decided, or once all endpoints with a verdict are."""


def _replicates_tag(value: object) -> str:
    return "looks" if isinstance(value, dict | PlannedLooks) else "number"


Replicates = Annotated[
    Annotated[int, Field(ge=1, le=1000), Tag("number")] | Annotated[PlannedLooks, Tag("looks")],
    Discriminator(_replicates_tag),
]


class TrackingConfig(Section):
    """Where MLflow stores the runs."""

    uri: str | None = None
    """MLflow tracking URI. The environment variable MLFLOW_TRACKING_URI takes precedence. Default: mlflow.db in the
    current directory."""
    experiment: str | None = None
    """Name of the MLflow experiment, for servers that want names of another kind: on Databricks an absolute path such
    as /Users/someone@example.org/ml-100k. Default: the name of the config."""
    registry: str | None = None
    """URI of the model registry, such as databricks-uc. The environment variable MLFLOW_REGISTRY_URI takes precedence.
    Default: the store of the runs; of a Databricks workspace, Unity Catalog."""


_ADDED_LATER = {
    "neighbours": (NeighboursConfig().model_dump(),),
    "resample": (None,),
    "of": (None,),
    "intersect": (False,),
}
"""Keys that were added after comparisons had been stored, each with the value that means the former behaviour."""


class ExperimentConfig(Section):
    """One experiment: the config that `latentlab run` reads and the parameter of the Prefect flow."""

    name: Name
    """Name of the experiment, and of the MLflow experiment unless `tracking.experiment` gives another. Configs with the
    same MLflow experiment share their runs."""
    dataset: DatasetConfig = DatasetConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    models: Annotated[dict[Name, ModelConfig], Field(min_length=1)]
    """Models to compare, by name, such as `{"k50": {"factors": 50, "iterations": 15}}`. A list in place of a value
    stands for one model per entry. Or models that others have trained, such as `{"old": {"lists": "old-*.csv"}}`."""
    of: Target | None = None
    """Which lists are compared: the nearest users of users, the nearest items of items, or the recommendations. null:
    all of them. Required if a model is read from files of lists."""
    intersect: bool = False
    """For models that are read from files: whether to compare what is left if users and items that some of them do not
    have are removed from all lists. false: different catalogues are refused."""
    replicates: Replicates = 6
    """Number of independent seeds for each model. They separate the effect of the model from that of the random
    start. Or planned looks, such as `{"looks": [6, 8, 12], "until": "primary"}`: more seeds are trained only until the
    answer is decided."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 20250101
    """Root seed, from which the seeds of all fits and of the split are derived."""
    snapshots: Iterations = DEFAULT_SNAPSHOTS
    """Iterations at which the objective and the imbalance of the factors are logged, in increasing order. They are
    always logged at the last iteration, and for models with `engine: spark` only there."""
    queries: QueriesConfig = QueriesConfig()
    neighbours: NeighboursConfig = NeighboursConfig()
    resample: ResampleConfig | None = None
    """null: every replicate is fitted to all interactions."""
    comparison: ComparisonConfig = ComparisonConfig()
    evaluation: EvaluationConfig | None = EvaluationConfig()
    """null: accuracy is not measured."""
    tuned: Tuned | None = None
    """null: no setting was tuned."""
    search: SearchConfig | None = None
    """What `latentlab search` searches. Experiments do not use it."""
    execution: ExecutionConfig = ExecutionConfig()
    tracking: TrackingConfig = TrackingConfig()
    _written_queries: QueriesConfig | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _expand_sweeps(cls, value: Any) -> Any:
        # Parameters of a flow arrive here without having passed load_config.
        if isinstance(value, dict) and isinstance(value.get("models"), dict):
            expanded, problems = expand_models(value["models"])
            if problems:
                raise ValueError("; ".join(f"models.{name}: {message}" for name, message in problems))
            value = {**value, "models": {name: model.settings for name, model in expanded.items()}}
            kinds = model_kinds(value)
            if kinds != {"als"}:
                value = {"evaluation": None, **value}  # held-out accuracy of such a model needs a published split
            if "als" not in kinds:
                value = {"dataset": {"name": NO_DATA_SET}, **value}
        return value

    @model_validator(mode="after")
    def _refuse_disagreements(self) -> "ExperimentConfig":
        # only what was given: some checks are about keys that are left out
        given = self.model_dump(exclude_unset=True)
        problems = [f"{'.'.join(map(str, path))}: {message}" for path, message in find_disagreements(given)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def trained(self) -> dict[str, AlsConfig]:
        """The models that are trained, by name."""
        return {name: model for name, model in self.models.items() if isinstance(model, AlsConfig)}

    @property
    def from_files(self) -> dict[str, ListFiles | FactorFiles]:
        """The models that are read from files, by name."""
        return {name: model for name, model in self.models.items() if not isinstance(model, AlsConfig)}

    @property
    def targets(self) -> tuple[str, ...]:
        """Which lists are compared: `users`, `items`, `recommendations`, or some of them."""
        if self.of is not None:
            return (self.of,)
        # without interactions, nothing says what a user has already
        return ("users", "items") if self.dataset.name == NO_DATA_SET else ("users", "items", "recommendations")

    @property
    def mlflow_experiment(self) -> str:
        """Name of the MLflow experiment."""
        return self.tracking.experiment or self.name

    @property
    def baseline(self) -> str:
        """Name of the model that the other models are compared with."""
        return self.comparison.baseline or next(iter(self.models))

    @property
    def most_replicates(self) -> int:
        """Number of seeds for each model; with planned looks, that of the last one."""
        return self.replicates if isinstance(self.replicates, int) else self.replicates.looks[-1]

    def with_queries(self, queries: QueriesConfig) -> "ExperimentConfig":
        """Return the config with indexes in place of raw ids. Its digest stays that of the queries as written.

        Parameters
        ----------
        queries : QueriesConfig
            The queries, of indexes only.

        Returns
        -------
        ExperimentConfig
        """
        resolved = self.model_copy(update={"queries": queries})
        resolved._written_queries = self._written_queries or self.queries
        return resolved

    def digest(self) -> str:
        """Return the sha256 of what the experiment is, in hex.

        Configs have the same digest if they differ only in `execution`, in `tracking`, in `search`, or in the path of a
        local copy of a data set in the catalogue. A run of a config is found again by this digest. Hence the rule: a
        key that is added later must be left out of the digest while it has the value that means the former behaviour.
        """
        settings = self.model_dump(mode="json", exclude={"execution", "tracking", "search"})
        settings["models"] = {name: without_engine(model) for name, model in settings["models"].items()}
        settings["preprocess"] = self.preprocess.identity()
        if self._written_queries is not None:
            settings["queries"] = self._written_queries.model_dump(mode="json")
        if self.dataset.name != "file":
            settings["dataset"].pop("path")
        settings["dataset"] = without_later_settings(settings["dataset"])
        if settings["evaluation"]:
            settings["evaluation"] = without_later_keys(settings["evaluation"], EVALUATION_ADDED_LATER)
            settings["evaluation"]["split"] = without_later_settings(settings["evaluation"]["split"])
        return hashlib.sha256(json.dumps(without_later_keys(settings, _ADDED_LATER)).encode()).hexdigest()

    def digests(self) -> list[str]:
        """Return the digest, then that of the same experiment written otherwise, under which it may be stored.

        The first model as baseline is the same experiment whether it is written or left out. Their digests differ, and
        stay: comparisons are stored under both.
        """
        first = next(iter(self.models))
        other = {None: first, first: None}.get(self.comparison.baseline, self.comparison.baseline)
        comparison = self.comparison.model_copy(update={"baseline": other})
        return list(dict.fromkeys([self.digest(), self.model_copy(update={"comparison": comparison}).digest()]))

    def to_yaml(self) -> str:
        """Return the resolved config as YAML: every key, including those with default values."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)
