"""Which fits an experiment consists of, and what each of them is called for ever."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.core import als, metrics
from tasks.core.config import AlsConfig, ExperimentConfig
from tasks.core.neighbours import BLOCK_BYTES
from tasks.core.store import combined_sha256

LIBRARY_BYTES = 150 << 20
"""Of a process that fits."""
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


def fit_bytes(users: int, items: int, n_interactions: int, settings: AlsConfig) -> int:
    """Memory of one fit and its lists, beside the libraries.

    The matrix and its transpose, and both again where alpha is not 1; the factors three times (themselves, the previous
    sweep's, and what they are computed from), and six times more where they are balanced, in float64; blocks of scores.
    """
    matrices = 2 if settings.alpha == 1 else 4
    copies = 9 if settings.acceleration == "balanced" else 3
    block = min(BLOCK_BYTES, 8 * max(users, items) ** 2)
    return matrices * 8 * n_interactions + copies * 4 * (users + items) * settings.factors + 4 * block


def at_a_time(workers: int | str, runs: Sequence[PlannedRun], size: tuple[int, int, int]) -> int:
    """How many fits share this machine, by `execution.workers`.

    `auto` is one a core: threads of one fit wait for each other in every sweep, fits do not, and one's lists and
    uploads are made while another trains. Never more than there are fits, nor than half of the free memory holds.

    Parameters
    ----------
    size : users, items and interactions
    """
    most = workers
    if isinstance(most, str):
        each = LIBRARY_BYTES + max((fit_bytes(*size, run.settings) for run in runs), default=0)
        most = int(free_memory() / 2 / each)
    return max(min(most, als.cores(), len(runs)), 1)


def free_memory() -> int:
    """Bytes that are free on this machine, or within the container's limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # there is none, or it is `max`
        limit, used = (int(Path("/sys/fs/cgroup", f"memory.{name}").read_text()) for name in ("max", "current"))
        free = min(free, limit - used)
    return max(free, 0)


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
