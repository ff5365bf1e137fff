"""Cost of logging a fit to MLflow: python tests/benchmarks/logging_cost.py

Trains, evaluates and uploads fits on the synthetic data set, by turns with logging (a new sqlite store, system metrics,
files, the model) and without any call to MLflow. Both compute and write the same factors, metrics and lists.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from unittest.mock import Mock, patch
from uuid import uuid4

from measuring import argument_parser, seconds


@contextmanager
def without_logging() -> Iterator[None]:
    """Leave out every call to MLflow in the steps `train` and `evaluate`."""

    def no_context(*_: object, **__: object) -> nullcontext[None]:
        return nullcontext()

    def new_run_id(*_: object) -> str:
        return uuid4().hex

    # each name is replaced in the module that calls it
    with (
        patch.multiple("tasks.train", open_store=Mock(), log_dataset=Mock(), send_metrics=Mock(), start_fit=new_run_id),
        patch.multiple("tasks.train", heartbeat=no_context, system_metrics=no_context),
        patch("tasks.tracking.metrics.StepMetrics._send"),
        patch("tasks.tracking.metrics.send_metrics"),
    ):
        yield


def main() -> None:
    """Print the median of both, and of their ratios."""
    parser = argument_parser(__doc__)
    parser.add_argument("--factors", type=int, default=500)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LATENTLAB_HOME"] = str(Path(folder, "home"))
        logged, unlogged = measure(arguments.factors, arguments.iterations, arguments.repeats, folder)
    ratios = [with_logging / without for with_logging, without in zip(logged, unlogged, strict=True)]
    print(f"k={arguments.factors}, {arguments.iterations} iterations, {arguments.repeats} pairs")
    print(f"with logging     {median(logged):6.2f} s")
    print(f"without          {median(unlogged):6.2f} s")
    print(f"ratio            {median(ratios):.4f} ({', '.join(f'{ratio:.4f}' for ratio in ratios)})")


def measure(factors: int, iterations: int, repeats: int, folder: str) -> tuple[list[float], list[float]]:
    """Return the seconds of each fit with logging, and of the same fits without."""
    from flows import environment

    environment.prepare()  # before Prefect and MLflow are imported
    from tasks.core.config.experiment import ExperimentConfig
    from tasks.core.data.prepared import prepare
    from tasks.core.planning.runs import planned_runs
    from tasks.download import fetch_dataset
    from tasks.evaluate import evaluate
    from tasks.recovery.worker_process import worker_processes
    from tasks.recovery.working_directory import WorkingDirectory
    from tasks.tracking.experiments import open_experiment
    from tasks.tracking.runs import ParentRun
    from tasks.tracking.search import complete_runs
    from tasks.tracking.store import open_store
    from tasks.train import train
    from tasks.upload import upload

    config = ExperimentConfig.model_validate(
        {
            "name": "cost",
            "models": {"k": {"factors": factors, "iterations": iterations}},
            "replicates": repeats,
            "queries": {"users": [10], "items": [100], "recommend_for": [0]},
            "evaluation": None,
        }
    )
    data = prepare(config.dataset, config.preprocess, fetch_dataset(config.dataset))
    uri = f"sqlite:///{folder}/mlflow.db"
    client = open_store(uri)
    parent = ParentRun(uri, open_experiment(client, uri, config.name), "", {"prefect.flow_run_id": "none"})
    times: dict[bool, list[float]] = {True: [], False: []}
    with worker_processes(1):
        for run in planned_runs(config, data.sha256):
            for logged in times:

                def fit(run=run, logged=logged):
                    open_fit = evaluate.fn(config, data, run, train.fn(config, data, run, parent))
                    if logged:
                        upload.fn(run, open_fit, parent)

                with nullcontext() if logged else without_logging():
                    times[logged].append(seconds(fit))
                WorkingDirectory(run.identity).remove()  # or the second fit would find the first
    assert len(complete_runs(client, parent.experiment_id)) == repeats, "only the logged fits are in the store"
    return times[True], times[False]


if __name__ == "__main__":
    main()
