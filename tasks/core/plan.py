"""Which fits an experiment consists of, and what each of them is called for ever."""

from dataclasses import dataclass

from tasks.core import als, interactions
from tasks.core.config import AlsConfig, ExperimentConfig
from tasks.core.store import combined_sha256

MODEL, EVALUATION, PARENT = "model", "evaluation", "parent"


@dataclass(frozen=True)
class PlannedRun:
    """One fit.

    role : `model` (on all interactions, for the lists) or `evaluation` (on the train part of the split)
    seed : of the random start
    identity : sha256 over everything that decides its result; equal identity, equal factors
    """

    model: str
    replicate: int
    role: str
    settings: AlsConfig
    seed: int
    identity: str

    @property
    def label(self) -> str:
        """How people see it: `k500 #3`, `k500 #3 held-out`."""
        return f"{self.model} #{self.replicate}" + (" held-out" if self.role == EVALUATION else "")


def split_seed(config: ExperimentConfig) -> int:
    """The seed of the held-out split: one split an experiment, whatever its models."""
    return als.run_seed(config.seed, "", 0, "split")


def planned_runs(config: ExperimentConfig, data_sha256: str) -> list[PlannedRun]:
    """Every fit of the experiment, models in the config's order, replicates counted from 0.

    Parameters
    ----------
    data_sha256 : the interactions' digest
    """
    split = config.evaluation and combined_sha256(
        data_sha256, config.evaluation.split.model_dump(), split_seed(config), interactions.ALGORITHM
    )
    counts = {MODEL: config.replicates, EVALUATION: config.evaluation.replicates if config.evaluation else 0}
    return [
        _planned(config, name, settings, replicate, role, (data_sha256, split if role == EVALUATION else None))
        for role, count in counts.items()
        for name, settings in config.models.items()
        for replicate in range(count)
    ]


def _planned(
    config: ExperimentConfig,
    name: str,
    settings: AlsConfig,
    replicate: int,
    role: str,
    data: tuple[str, str | None],
) -> PlannedRun:
    seed = als.run_seed(config.seed, name, replicate, role)
    cutoffs = config.evaluation.cutoffs if config.evaluation and role == EVALUATION else None
    identity = combined_sha256(*data, settings.model_dump(), seed, als.ALGORITHM, cutoffs)
    return PlannedRun(name, replicate, role, settings, seed, identity)
