"""Which fits an experiment consists of, and what each of them is called for ever."""

from dataclasses import dataclass

from tasks.core import als, metrics, neighbours
from tasks.core.config import AlsConfig, ExperimentConfig
from tasks.core.recommenders import MOST_ITEMS
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


@dataclass(frozen=True)
class Estimate:
    """What an experiment costs, to leading order.

    gflop : of all fits, see `als.gflop`
    memory_bytes : at the peak: the matrix and its transpose, the largest model's factors three times (themselves,
        the previous sweep's, the lists' unit vectors), and the blocks of scores; or EASE, where that is more
    """

    fits: int
    iterations: int
    gflop: float
    memory_bytes: int


def fit_bytes(users: int, items: int, n_interactions: int, factors: int) -> int:
    """Memory of one fit: the matrix and its transpose, and the factors three times (themselves, the previous sweep's,
    and what they are computed from)."""
    return 2 * 8 * n_interactions + 3 * 4 * (users + items) * factors


def estimate(config: ExperimentConfig, users: int, items: int, n_interactions: int) -> Estimate:
    """Work and memory of a config on data of a given size."""
    runs = planned_runs(config, "")
    factors = max(settings.factors for settings in config.models.values())
    memory = 4 * (2 * 2 * n_interactions + 3 * (users + items) * factors) + 4 * neighbours.BLOCK_BYTES
    if config.evaluation and items <= MOST_ITEMS:
        memory = max(memory, 32 * items**2)  # EASE: four I x I arrays of float64
    work = sum(als.gflop((users, items), n_interactions, run.settings) for run in runs)
    return Estimate(len(runs), sum(run.settings.iterations for run in runs), work, memory)


def _planned(
    config: ExperimentConfig,
    name: str,
    settings: AlsConfig,
    replicate: int,
    role: str,
    data: tuple[str, str | None],
) -> PlannedRun:
    seed = als.run_seed(config.seed, name, replicate, role)
    measured = (config.evaluation.cutoffs, metrics.ALGORITHM) if config.evaluation and role == EVALUATION else None
    identity = combined_sha256(*data, settings.identity(), seed, als.ALGORITHM, measured)
    return PlannedRun(name, replicate, role, settings, seed, identity)
