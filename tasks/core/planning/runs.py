"""The fits of an experiment, and the identity of each."""

from dataclasses import dataclass

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.files import combined_sha256
from tasks.core.models import als
from tasks.core.models.seeds import run_seed
from tasks.core.ranking import metrics

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
    return run_seed(config.seed, "", 0, "split")


def planned_runs(config: ExperimentConfig, data_sha256: str, split_sha256: str | None = None) -> list[PlannedRun]:
    """Every fit of the experiment, models in the config's order, replicates counted from 0.

    Parameters
    ----------
    data_sha256 : the interactions' digest
    split_sha256 : the held-out split's, where there is evaluation
    """
    counts = {MODEL: config.replicates, EVALUATION: config.evaluation.replicates if config.evaluation else 0}
    return [
        _planned(config, name, settings, replicate, role, (data_sha256, split_sha256 if role == EVALUATION else None))
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
    seed = run_seed(config.seed, name, replicate, role)
    measured = (config.evaluation.cutoffs, metrics.ALGORITHM) if config.evaluation and role == EVALUATION else None
    identity = combined_sha256(*data, settings.identity(), seed, als.ALGORITHM, measured)
    return PlannedRun(name, replicate, role, settings, seed, identity)


@dataclass(frozen=True)
class RunRef:
    """A run that can be read: where it is, and which fit of which experiment it holds."""

    run_id: str
    model: str
    replicate: int
    role: str
    identity: str
