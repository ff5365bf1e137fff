"""The search of configs/ml-100k-search.yaml against the grid of configs/ml-100k-tune.yaml, in CPU time of fits.

    nice .venv/bin/python -m tests.benchmarks.search --data DIR_OR_ZIP --models k50 k500

For each model it fits the grid, then runs searches that differ in their seed. It prints how long each took to reach the
value that the grid found, as a share of the grid's time, and what it found after half of the grid's time and after all
trials. The settings that were found are fitted again with seeds that neither has used: the best of many means is too
high. Times are CPU times of this process, which other load on the machine does not change much.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate
from statistics import mean, median
from unittest import mock

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.data.splits.split import Split
from tasks.core.models.seeds import run_seed
from tasks.core.planning.runs import planned_runs
from tasks.core.search.fits import accuracy_along_iterations
from tasks.core.search.plan import ModelSearch, on_validation_part, planned_searches
from tasks.core.search.study import Trial, finished_trials, open_study, run_trial
from tasks.download import fetch_dataset
from tasks.preprocess import preprocess
from tests.paths import CONFIGS

FRESH_SEEDS = 10
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait must not count; read when implicit is imported


Timed = list[tuple[float, Trial]]
"""Trials, each with the CPU seconds up to its end."""


def fitted(split: Split, settings: AlsConfig, seeds: list[int], metric: str) -> float:
    """Return the mean of the metric over fits with these seeds."""
    along = accuracy_along_iterations(split, settings, seeds, metric=metric, snapshots=(), check_stop=lambda: None)
    (measured,) = along
    return mean(measured.of_seeds)


def grid(config: ExperimentConfig, model: str, split: Split, metric: str) -> tuple[float, AlsConfig, float]:
    """Return the best value of a grid, its settings, and the CPU seconds of all fits."""
    members: dict[str, list[int]] = {}
    for run in planned_runs(config, "", [""]):
        if run.is_evaluation and run.model.startswith(f"{model}-"):
            members.setdefault(run.model, []).append(run.seed)
    begun = time.process_time()
    found = [(fitted(split, config.trained[name], seeds, metric), name) for name, seeds in members.items()]
    value, best = max(found)
    return value, config.trained[best], time.process_time() - begun


def searched(search: ModelSearch, split: Split) -> Timed:
    """Run a search, and return its trials."""
    with open_study(search) as study:
        for _ in range(search.trials):
            run_trial(study, search, split)
        trials = finished_trials(study)
    return list(zip(accumulate(trial.seconds for trial in trials), trials, strict=True))


def seconds_to(trials: Timed, value: float) -> float:
    """Return the seconds until a trial reached a value; infinite if none did."""
    reached = (end for end, trial in trials if trial.value is not None and trial.value >= value)
    return next(reached, float("inf"))


def best_within(trials: Timed, seconds: float) -> Trial:
    """Return the best of the trials that were finished within some seconds, or the first complete one."""
    complete = [(end, trial) for end, trial in trials if trial.value is not None]
    within = [trial for end, trial in complete if end <= seconds] or [complete[0][1]]
    return max(within, key=lambda trial: trial.value or 0.0)


def compare(model: str, search: ModelSearch, grid_config: ExperimentConfig, split: Split, searches: int) -> None:
    """Print the grid and the searches of one model."""
    metric = search.metric
    fresh = [run_seed(0, "fresh", seed, "benchmark") for seed in range(FRESH_SEEDS)]

    def again(settings: AlsConfig) -> float:
        return fitted(split, settings, fresh, metric)

    value, settings, grid_seconds = grid(grid_config, model, split, metric)
    print(f"{model}: the grid found {value:.4f} ({shown(settings)}) in {grid_seconds:.1f} s", end="; ")
    print(f"{again(settings):.4f} with {FRESH_SEEDS} fresh seeds", flush=True)
    shares, halves, ends = [], [], []
    for number in range(searches):
        seeds = tuple(run_seed(number, model, seed, "search") for seed in range(len(search.seeds)))
        trials = searched(replace(search, root_seed=number, seeds=seeds, identity=f"{model}-{number}"), split)
        shares.append(seconds_to(trials, value) / grid_seconds)
        print(f"  search {number}: reached it after {shares[-1]:.2f} of the grid's time", end="")
        for share, fresh_values in ((0.5, halves), (trials[-1][0] / grid_seconds, ends)):
            best = best_within(trials, share * grid_seconds)
            found = search.settings.model_copy(update=best.settings)
            fresh_values.append(again(found))
            print(f"; after {share:.2f} of it {best.value:.4f} (fresh {fresh_values[-1]:.4f}; {shown(found)})", end="")
        states = [trial.state for _, trial in trials]
        print(f"; {states.count('pruned')} of {len(states)} trials pruned", flush=True)
    print(
        f"{model}: median of {searches} searches: reached after {median(shares):.2f} of the grid's time; fresh seeds "
        f"{median(halves):.4f} after half of it, {median(ends):.4f} after {search.trials} trials",
        flush=True,
    )


def shown(settings: AlsConfig) -> str:
    return f"regularization {settings.regularization:g}, alpha {settings.alpha:g}"


@contextmanager
def patched(home: str) -> Iterator[None]:
    """Use a home of the benchmark's own, and let trials count CPU seconds."""
    with (
        mock.patch.dict("os.environ", LATENTLAB_HOME=home),
        mock.patch("tasks.core.search.fits.perf_counter", time.process_time),
    ):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="MovieLens 100K, a directory or a zip")
    parser.add_argument("--models", nargs="+", default=["k50", "k500"])
    parser.add_argument("--searches", type=int, default=5)
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B.C=VALUE", help="replaces a key of the config"
    )
    options = parser.parse_args()
    path = f"dataset.path={options.data}"
    grid_config = load_config(CONFIGS / "ml-100k-tune.yaml", [path])
    config = on_validation_part(load_config(CONFIGS / "ml-100k-search.yaml", [path, *options.set]))
    assert config.evaluation is not None
    with tempfile.TemporaryDirectory() as home, patched(home):
        data = preprocess.fn(config, fetch_dataset(config.dataset))
        split = data.splits[0].load()
        for search in planned_searches(config, data):
            if search.model in options.models:
                compare(search.model, search, grid_config, split, options.searches)


if __name__ == "__main__":
    main()
