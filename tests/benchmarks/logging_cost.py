"""What logging to MLflow costs a fit: python tests/benchmarks/logging_cost.py

Trains and evaluates on the data set that the project makes itself, turn by turn with logging (a new sqlite store,
system metrics, the model) and with every call to MLflow left out; both compute the same factors, metrics and lists.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from unittest import mock
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[2]))


def nothing(*_: object, **__: object) -> nullcontext[None]:
    """A context that does nothing."""
    return nullcontext()


@contextmanager
def without_logging() -> Iterator[None]:
    """Leave out every call to MLflow that a fit and its lists make; what they compute and stage stays."""
    from tasks import train
    from tasks.tracking.metrics import StepMetrics

    calls = ("open_store", "log_dataset", "send_metrics", "log_metrics")
    with (
        mock.patch.multiple(tracking, **{name: mock.Mock() for name in calls}),
        mock.patch.object(tracking, "start_fit", side_effect=lambda *_: f"none{uuid4().hex}"),
        mock.patch.object(tracking, "system_metrics", side_effect=nothing),
        mock.patch.object(StepMetrics, "_send"),
        mock.patch.object(train, "alive", nothing),
        mock.patch.object(evaluate, "alive", nothing),
    ):
        yield


def main() -> None:
    """Print the median of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--factors", type=int, default=500)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        from flows import environment

        environment.prepare()
        from tasks.core.config.experiment import ExperimentConfig
        from tasks.core.planning.runs import planned_runs
        from tasks.download import fetch_dataset
        from tasks.evaluate import evaluate
        from tasks.preprocess import prepare
        from tasks.recovery.reconcile import discard
        from tasks.recovery.worker_process import isolated
        from tasks.tracking import experiments, search, store
        from tasks.train import Home, train
        from tasks.upload import upload

        config = ExperimentConfig.model_validate(
            {
                "name": "cost",
                "models": {"k": {"factors": asked.factors, "iterations": asked.iterations}},
                "replicates": asked.repeats,
                "queries": {"users": [10], "items": [100], "recommend_for": [0]},
                "evaluation": None,
            }
        )
        data = prepare(config.dataset, config.preprocess, fetch_dataset(config.dataset))
        uri = store.resolve_uri()
        client = store.open_store(uri)
        where = Home(uri, experiments.open_experiment(client, uri, config.name), "", {"prefect.flow_run_id": "none"})
        times: dict[bool, list[float]] = {False: [], True: []}
        with isolated(1):
            for run in planned_runs(config, data.sha256):
                for logged in (True, False):
                    with nullcontext() if logged else without_logging():
                        start = time.perf_counter()
                        staged = evaluate.fn(config, data, run, train.fn(config, data, run, where), where)
                        if logged:
                            upload.fn(run, staged, where)
                        times[logged].append(time.perf_counter() - start)
                    discard(run.identity)
        assert len(search.resolve_duplicates(client, where.experiment_id)) == asked.repeats
    ratios = [a / b for a, b in zip(times[True], times[False], strict=True)]
    print(f"k={asked.factors}, {asked.iterations} iterations, {asked.repeats} pairs")
    print(f"with logging     {median(times[True]):6.2f} s")
    print(f"without          {median(times[False]):6.2f} s")
    print(f"ratio            {median(ratios):.4f} ({', '.join(f'{ratio:.4f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()
