"""A whole config: the parameter of the flow."""

import hashlib
import json
from typing import Annotated, Any, Literal

import yaml
from pydantic import Discriminator, Field, Tag, model_validator

from tasks.core.config.als import AlsConfig
from tasks.core.config.base import Depth, Depths, Indexes, Iterations, Margin, Name, Section
from tasks.core.config.cross_checks import cross_checks
from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.config.evaluation import EvaluationConfig, Tuned
from tasks.core.config.sweeps import expanded_models


class QueriesConfig(Section):
    """Whose lists are shown and compared by themselves. Indexes are by first appearance."""

    users: Indexes = ()
    items: Indexes = ()
    recommend_for: Indexes = ()
    """Users whose recommendations are shown."""
    n: Depth = 5
    """Neighbours shown."""
    recommend_n: Depth = 10
    """Recommendations shown."""


class ComparisonConfig(Section):
    """Against what, and at which list lengths, the models are compared."""

    baseline: Name | None = None
    """The model that the others are compared with; the first by default."""
    depths: Depths = (5, 10, 20, 50, 100)
    margin_query: Margin = 0.2
    """Excess disagreement that matters in one query's list, as a share of it: 0.2 is one of five."""
    margin: Margin = 0.1
    """The same in the lists of all users or items."""


def _number_or_name(value: object) -> str:
    return "name" if isinstance(value, str) else "number"


Workers = Annotated[
    Annotated[Literal["auto"], Tag("name")] | Annotated[int, Field(ge=1, le=1024), Tag("number")],
    Discriminator(_number_or_name),
]


class ExecutionConfig(Section):
    """Where fits run and how many at a time. Changes no result."""

    runner: Literal["threads", "dask"] = "threads"
    """threads: in this process. dask: on a Dask cluster that exists already (needs the extra `dask`)."""
    workers: Workers = "auto"
    """Fits at a time with `threads`, which share the cores. auto: one a core, and fewer where there are fewer fits or
    too little memory. A Dask cluster has workers of its own."""
    address: str | None = None
    """For `dask`: the scheduler's address, such as tcp://scheduler:8786."""
    isolate: bool = True
    """Fit in a process of its own, so that a crash there is a failed fit and no more. A Dask cluster's workers are
    such processes anyway."""
    checkpoint_seconds: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """Time between two checkpoints of a fit, from which it goes on after a crash."""
    system_metrics: bool = True
    """Log the machine's CPU, memory, disk and network use while a fit runs (every 10 s)."""


class TrackingConfig(Section):
    """Where MLflow keeps the runs."""

    uri: str | None = None
    """MLFLOW_TRACKING_URI goes before it; without either, mlflow.db in the current directory."""


class ExperimentConfig(Section):
    """One experiment, whole: what `latentlab run` is given and what the flow takes as its parameter."""

    name: Name
    """The MLflow experiment. Configs of one name share their runs."""
    dataset: DatasetConfig = DatasetConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    models: Annotated[dict[Name, AlsConfig], Field(min_length=1)]
    """The models that are compared, by name, such as `{"k50": {"factors": 50, "iterations": 15}}`."""
    replicates: Annotated[int, Field(ge=1, le=1000)] = 6
    """Independent seeds a model: what tells the model's effect from the seed's."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 20250101
    """The root of every run's seed."""
    snapshots: Iterations = (1, 2, 5, 15, 50, 150, 500, 1500)
    """Iterations at which objective and imbalance are logged; the last iteration always is."""
    queries: QueriesConfig = QueriesConfig()
    comparison: ComparisonConfig = ComparisonConfig()
    evaluation: EvaluationConfig | None = EvaluationConfig()
    tuned: Tuned | None = None
    """null: no setting was tuned."""
    execution: ExecutionConfig = ExecutionConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="before")
    @classmethod
    def _sweeps_stand_for_their_models(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("models"), dict):
            models, problems = expanded_models(value["models"])
            if problems:
                raise ValueError("; ".join(f"models.{name}: {told}" for name, told in problems))
            return {**value, "models": {name: settings for name, (settings, _, _) in models.items()}}
        return value

    @model_validator(mode="after")
    def _sections_agree(self) -> "ExperimentConfig":
        problems = [f"{'.'.join(map(str, path))}: {text}" for path, text in cross_checks(self.model_dump())]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def baseline(self) -> str:
        """The model that the others are compared with."""
        return self.comparison.baseline or next(iter(self.models))

    def digest(self) -> str:
        """sha256 of what the experiment is, without where it runs and where its data and its results are kept.

        Equal for configs that differ only in `execution` and `tracking`, or in the local copy of a catalogued data set.
        """
        settings = self.model_dump(mode="json", exclude={"execution", "tracking"})
        if self.dataset.name != "file":
            settings["dataset"].pop("path")
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def to_yaml(self) -> str:
        """The resolved config: every key, defaults included."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)
