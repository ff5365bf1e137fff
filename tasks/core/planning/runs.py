"""The fits of an experiment, and the identity of each."""

from dataclasses import dataclass

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.files import combined_sha256
from tasks.core.formatting import run_label
from tasks.core.models import als
from tasks.core.models.seeds import run_seed
from tasks.core.ranking import metrics
from tasks.core.ranking.entities import Entities

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
    """

    model: str
    replicate: int
    role: str
    settings: AlsConfig
    seed: int
    identity: str

    @property
    def is_evaluation(self) -> bool:
        """Whether the fit is for held-out accuracy, and not for the lists."""
        return self.role == EVALUATION

    @property
    def label(self) -> str:
        """The name that people see, such as `k500 #3` or `k500 #3 held-out`."""
        return run_label(self.model, self.replicate) + (" held-out" if self.is_evaluation else "")

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
    """

    run_id: str
    model: str
    replicate: int
    role: str
    identity: str


def split_seed(config: ExperimentConfig) -> int:
    """Return the seed of the held-out split, which is the same for all models."""
    return run_seed(config.seed, "", 0, "split")


def listed_entities(config: ExperimentConfig, users: int, items: int) -> dict[str, Entities]:
    """Return the `users` and the `items` whose lists every run makes.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    users, items : int
        Numbers of users and items.

    Returns
    -------
    dict of str to Entities
    """
    queries, size = config.queries, config.neighbours.sample
    return {
        "users": Entities.draw(
            users, size, queries={*queries.users, *queries.recommend_for}, seed=config.seed, side="users"
        ),
        "items": Entities.draw(items, size, queries=queries.items, seed=config.seed, side="items"),
    }


def planned_runs(config: ExperimentConfig, data_sha256: str, split_sha256: str | None = None) -> list[PlannedRun]:
    """Return all fits of an experiment; with planned looks, those up to the last look.

    Parameters
    ----------
    config : ExperimentConfig
        The experiment.
    data_sha256 : str
        Digest of the interactions.
    split_sha256 : str, optional
        Digest of the held-out split, for a config with evaluation.

    Returns
    -------
    list of PlannedRun
        The fits for the lists, then those for the evaluation; in each, the models in the config's order.
    """
    kinds: list[tuple[str, int, str | None, object]] = [(MODEL, config.most_replicates, None, None)]
    if evaluation := config.evaluation:
        measured = evaluation.cutoffs, metrics.ALGORITHM
        kinds.append((EVALUATION, evaluation.replicates, split_sha256, measured))
    runs = []
    for role, replicates, split, measurement in kinds:
        for model, settings in config.models.items():
            for replicate in range(replicates):
                seed = run_seed(config.seed, model, replicate, role)
                # what changes no factors and no metrics is left out, so that other configs find the same fits again
                identity = combined_sha256(data_sha256, split, settings.identity(), seed, als.ALGORITHM, measurement)
                runs.append(PlannedRun(model, replicate, role, settings, seed, identity))
    return runs
