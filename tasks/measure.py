"""What evaluations say, side by side: means over seeds, tests, reference recommenders, and sweeps."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.comparison.accuracy_tests import TESTED, AccuracyTest, compare_accuracy, holm_by_pair
from tasks.core.comparison.sweep import FEWEST_POINTS, Point, Sweep, estimated, steadiness, varying
from tasks.core.comparison.verdict import Matrix
from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.data.splits import Split
from tasks.core.errors import DataError
from tasks.core.models.reference_recommenders import Recommender, references_for
from tasks.core.models.threads import cores
from tasks.core.planning.runs import EVALUATION, MODEL, RunRef, split_seed
from tasks.core.ranking.evaluation import Evaluation, evaluate
from tasks.core.types import Values
from tasks.recovery import interrupts
from tasks.reporting import progress
from tasks.reporting.result import Accuracy, usual_cutoff
from tasks.tracking import artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient

MetricsOf = Callable[[str], dict[str, float]]
"""A run's id -> its metrics."""


def means(metrics_of: MetricsOf, runs: Sequence[RunRef]) -> list[Accuracy]:
    """Each model's held-out metrics over its seeds."""
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run.role == EVALUATION:
            for metric, value in metrics_of(run.run_id).items():
                # what follows the fit along its iterations has a dot: overlap_final.users_at_5
                if metric == "auc" or ("_at_" in metric and "." not in metric):
                    found.setdefault((run.model, metric), []).append(value)
    return [
        Accuracy(model, metric, float(np.mean(values)), _sd(values), len(values))
        for (model, metric), values in found.items()
    ]


def references(config: ExperimentConfig, split: Split) -> dict[str, Evaluation]:
    """The reference recommenders on the split, those that fit its catalogue."""
    assert config.evaluation is not None, "a split comes with evaluation"
    seed = split_seed(config)
    cutoffs, chosen = config.evaluation.cutoffs, references_for(split.train.shape[1])

    def measured(name: str, make: Recommender) -> Evaluation:
        def told(done: int, total: int) -> None:
            progress.step(f"lists of {name}", done, total, "lists")

        return evaluate(make(split.train, seed), split, cutoffs, told)

    with interrupts.stoppable() as stop, ThreadPoolExecutor(cores()) as pool:
        started = {name: pool.submit(copy_context().run, measured, name, make) for name, make in chosen.items()}
        try:
            return {name: each.result() for name, each in started.items()}
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def tested_metrics(config: ExperimentConfig) -> list[str]:
    """The metrics whose differences are tested: at cutoff 10, or the first where there is no 10."""
    cutoffs = config.evaluation.cutoffs if config.evaluation else ()
    at = usual_cutoff(cutoffs) if cutoffs else 0
    return [f"{name}_at_{at}" for name in TESTED]


def measured(client: "MlflowClient", config: ExperimentConfig, runs: Sequence[RunRef]) -> dict[str, dict[str, Values]]:
    """Model -> metric -> (S, T) values of its S seeds and the T users of the split, of the metrics that are tested.

    Raises
    ------
    DataError
        The evaluations are of different users.
    """
    import pandas as pd

    names = tested_metrics(config)
    frames: dict[str, list[pd.DataFrame]] = {}
    users = None
    for run in runs:
        if run.role == EVALUATION:
            path = artifacts.read_artifact(client, run.run_id, "accuracy.parquet")
            frame = pd.read_parquet(path, columns=["index", *names])
            index = frame["index"].to_numpy()
            users = index if users is None else users
            if not np.array_equal(index, users):
                raise DataError(f"{run.model}: evaluated on other users than the first model; run its config again")
            frames.setdefault(run.model, []).append(frame)
    return {
        model: {name: np.stack([frame[name].to_numpy(np.float64) for frame in found]) for name in names}
        for model, found in frames.items()
    }


def tests(config: ExperimentConfig, measured: Mapping[str, Mapping[str, Values]]) -> list[AccuracyTest]:
    """The baseline against each other model, on the metrics that a paper would name."""
    base = config.baseline
    return holm_by_pair(
        [
            compare_accuracy(metric, base, other, measured[base][metric], values, seed=config.seed)
            for other, metrics in measured.items()
            if other != base
            for metric, values in metrics.items()
            if values.shape[1] > 1  # users
        ]
    )


def beside_popularity(
    config: ExperimentConfig, measured: Mapping[str, Mapping[str, Values]], beside: Mapping[str, Evaluation]
) -> list[AccuracyTest]:
    """Every model against popularity, on the first of the tested metrics."""
    metric = tested_metrics(config)[0]
    return [
        compare_accuracy(
            metric,
            "popularity",
            model,
            beside["popularity"].per_user[metric][None, :],
            found[metric],
            seed=config.seed,
        )
        for model, found in measured.items()
        if found[metric].shape[1] > 1  # users
    ]


def tuning(config: ExperimentConfig) -> str:
    """Which settings of the models were chosen by measuring."""
    if config.evaluation and config.evaluation.part == "validation":
        return "Accuracy is measured on the validation part, for choosing settings; the test part was not looked at."
    if config.tuned is None:
        return "No setting was tuned: the models are as the config gives them."
    others = [key for key in AlsConfig.model_fields if key not in config.tuned.settings]
    return f"Tuned by {config.tuned.by}: {', '.join(config.tuned.settings)}. Not tuned: {', '.join(others)}."


def along(
    metrics_of: MetricsOf, config: ExperimentConfig, runs: Sequence[RunRef], matrices: Sequence[Matrix]
) -> Sweep | None:
    """How the models do along what varies between them, where there are three at least."""
    models = {name: settings.model_dump() for name, settings in config.models.items()}
    if len(models) < FEWEST_POINTS or not (keys := varying(models)):
        return None
    metric = tested_metrics(config)[0]
    users = next(matrix for matrix in matrices if matrix.target == "users")
    overlap, owners = np.array(users.overlap), [name.rpartition(" #")[0] for name in users.runs]
    metrics: dict[tuple[str, str], list[dict[str, float]]] = {}
    for run in runs:
        metrics.setdefault((run.model, run.role), []).append(metrics_of(run.run_id))
    points = []
    for name, settings in models.items():
        chosen = [place for place, owner in enumerate(owners) if owner == name]
        found = [each[metric] for each in metrics.get((name, EVALUATION), []) if metric in each]
        points.append(
            Point(
                model=name,
                varied={key: settings[key] for key in keys},
                accuracy=estimated(found) if found else None,
                steadiness=steadiness(overlap[np.ix_(chosen, chosen)]),
                seconds=estimated([each["fit_seconds"] for each in metrics[name, MODEL]]),
                megabytes=4 * settings["factors"] * sum(_sides(metrics[name, MODEL][0])) / 1e6,
            )
        )
    return Sweep(keys, metric, users.n, points)


def _sides(metrics: dict[str, float]) -> tuple[float, float]:
    return metrics["summary_users"], metrics["summary_items"]


def sweep_row(point: Point) -> dict[str, Any]:
    """A point as a row of plain values."""
    row: dict[str, Any] = {"model": point.model, **point.varied}
    for name in ("accuracy", "steadiness", "seconds"):
        found = getattr(point, name)
        row |= {name: found and found.mean, f"{name}_low_95": found and found.low_95}
        row |= {f"{name}_high_95": found and found.high_95}
    return {**row, "megabytes": point.megabytes}


def _sd(values: list[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
