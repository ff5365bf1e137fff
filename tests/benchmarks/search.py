"""The search of configs/ml-100k-search.yaml against the grid of configs/ml-100k-tune.yaml, in time of fits.

    .venv/bin/python tests/benchmarks/search.py --data DIR_OR_ZIP --models k50 k500

For each model it fits the grid, then runs searches that differ in their seed. It prints how long each took to reach the
value that the grid found, as a share of the grid's time, and what it found after half of the grid's time and after all
trials. The settings that were found are fitted again with seeds that neither has used: the best of many means is too
high. Both run their seeds at a time, in the same process and on the same split.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from unittest import mock

from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.data.prepared import prepare
from tasks.core.data.splits.split import Split
from tasks.core.data.splits.store import with_splits
from tasks.core.models.seeds import run_seed
from tasks.core.planning.runs import planned_runs, split_seeds
from tasks.core.search.fits import accuracy_along_iterations
from tasks.core.search.plan import ModelSearch, on_validation_part, planned_searches
from tasks.core.search.study import Trial, finished_trials, open_study, run_trial
from tasks.download import fetch_dataset
from tests.paths import CONFIGS

FRESH_SEEDS = 10


def fitted(split: Split, settings: AlsConfig, seeds: list[int], metric: str) -> float:
    """Return the mean of the metric over fits with these seeds."""
    along = accuracy_along_iterations(split, settings, seeds, metric=metric, snapshots=(), check_stop=lambda: None)
    ((_, values),) = along
    return mean(values)


def grid(config: ExperimentConfig, model: str, split: Split, metric: str) -> tuple[float, AlsConfig, float]:
    """Return the best value of a grid, its settings, and the seconds of all fits."""
    begun = time.perf_counter()
    members: dict[str, list[int]] = {}
    for run in planned_runs(config, "", ""):
        if run.is_evaluation and run.model.startswith(f"{model}-"):
            members.setdefault(run.model, []).append(run.seed)
    found = [(fitted(split, config.trained[name], seeds, metric), name) for name, seeds in members.items()]
    value, best = max(found)
    return value, config.trained[best], time.perf_counter() - begun


def searched(search: ModelSearch, split: Split) -> list[Trial]:
    with open_study(search) as study:
        while len(trials := finished_trials(study)) < search.trials:
            run_trial(study, search, split)
    return trials


def seconds_to(trials: list[Trial], value: float) -> float:
    """Return the seconds until a trial reached a value; infinite if none did."""
    seconds = 0.0
    for trial in trials:
        seconds += trial.seconds
        if trial.value is not None and trial.value >= value:
            return seconds
    return float("inf")


def best_within(trials: list[Trial], seconds: float) -> Trial:
    """Return the best of the trials that were finished within some seconds."""
    used, within = 0.0, []
    for trial in trials:
        used += trial.seconds
        if trial.value is not None and (used <= seconds or not within):
            within.append(trial)
    return max(within, key=lambda trial: trial.value or 0.0)


def compare(model: str, search: ModelSearch, grid_config: ExperimentConfig, split: Split, searches: int) -> None:
    """Print the grid and the searches of one model."""
    metric = search.metric
    fresh = [run_seed(0, "fresh", seed, "benchmark") for seed in range(FRESH_SEEDS)]

    def again(settings: AlsConfig) -> float:
        return fitted(split, settings, fresh, metric)

    value, settings, grid_seconds = grid(grid_config, model, split, metric)
    print(
        f"{model}: the grid found {value:.4f} (regularization {settings.regularization:g}, alpha {settings.alpha:g}) "
        f"in {grid_seconds:.1f} s; {again(settings):.4f} with {FRESH_SEEDS} fresh seeds",
        flush=True,
    )
    shares, halves, ends = [], [], []
    for number in range(searches):
        seeds = tuple(run_seed(number, model, seed, "search") for seed in range(len(search.seeds)))
        trials = searched(replace(search, root_seed=number, seeds=seeds, identity=f"{model}-{number}"), split)
        all_seconds = sum(trial.seconds for trial in trials)
        shares.append(seconds_to(trials, value) / grid_seconds)
        after_half, after_all = best_within(trials, grid_seconds / 2), best_within(trials, float("inf"))
        halves.append(again(search.settings.model_copy(update=after_half.settings)))
        ends.append(again(search.settings.model_copy(update=after_all.settings)))
        states = [trial.state for trial in trials]
        print(
            f"  search {number}: reached it after {shares[-1]:.2f} of the grid's time; after half of it "
            f"{after_half.value:.4f} (fresh {halves[-1]:.4f}) {after_half.settings}; after {len(trials)} trials in "
            f"{all_seconds / grid_seconds:.2f} of it {after_all.value:.4f} (fresh {ends[-1]:.4f}) {after_all.settings}"
            f"; {states.count('pruned')} pruned, {states.count('failed')} failed",
            flush=True,
        )
    print(
        f"{model}: median of {searches} searches: reached after {median(shares):.2f} of the grid's time; fresh seeds "
        f"{median(halves):.4f} after half of it, {median(ends):.4f} after {search.trials} trials",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="MovieLens 100K, a directory or a zip")
    parser.add_argument("--models", nargs="+", default=["k50", "k500"])
    parser.add_argument("--searches", type=int, default=5)
    parser.add_argument("--trials", type=int, default=60)
    options = parser.parse_args()
    path = f"dataset.path={options.data}"
    grid_config = load_config(CONFIGS / "ml-100k-tune.yaml", [path])
    config = on_validation_part(load_config(CONFIGS / "ml-100k-search.yaml", [path]))
    assert config.evaluation is not None
    with tempfile.TemporaryDirectory() as home, mock.patch.dict("os.environ", LATENTLAB_HOME=str(Path(home))):
        ratings = fetch_dataset(config.dataset)
        data = with_splits(
            prepare(config.dataset, config.preprocess, ratings),
            config.evaluation,
            dataset=config.dataset,
            settings=config.preprocess,
            ratings=ratings,
            seeds=split_seeds(config),
        )
        split = data.splits[0].load()
        for search in planned_searches(config, data):
            if search.model in options.models:
                compare(search.model, replace(search, trials=options.trials), grid_config, split, options.searches)


if __name__ == "__main__":
    main()
