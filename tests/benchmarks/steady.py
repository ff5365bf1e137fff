"""Savings and effects of `stop: steady`: python tests/benchmarks/steady.py [CONFIG] [--data DIR_OR_ZIP] [--keep FOLDER]

Runs a config twice, each time in an empty folder: as it is, and with `stop: {when: steady}` for every model. Seeds and
everything else are equal. Printed are the time of both, the iterations at which fits were stopped, the verdict and the
effect of each endpoint, and the overlap of each fit's lists with those of the same fit in full. --keep names the folder
for both runs; a run that is already there is not repeated.
"""

import json
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from measuring import ROOT, argument_parser, environment, latentlab, run_command

from tasks.core.comparison.overlap import Pair
from tasks.core.planning.runs import MODEL
from tasks.core.ranking.similarity import FACTORS
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import read_stored
from tasks.tracking.runs import is_complete, run_ref
from tasks.tracking.search import our_runs
from tasks.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DEPTHS = {"users": 5, "items": 5, "recommendations": 10}


class Experiment:
    """A run of `latentlab run` in a folder of its own: its result, its store, and its complete fits.

    `fits` maps (role, model, replicate) to an MLflow run. `result` is what `latentlab run --json` prints, and the
    duration of the command as `wall`.
    """

    def __init__(self, config: Path, overrides: list[str], folder: Path) -> None:
        self.result = _run(config, overrides, folder)
        self.client: MlflowClient = open_store(f"sqlite:///{folder / 'mlflow.db'}")
        self.fits: dict[tuple[str, str, int], Run] = {}
        for run in our_runs(self.client):
            ref = run_ref(run)
            if ref.model and is_complete(run):
                self.fits[ref.role, ref.model, ref.replicate] = run

    def metrics(self, model: str, name: str) -> list[float]:
        """Return a metric of all fits of a model."""
        return [run.data.metrics[name] for (_, of_model, _), run in self.fits.items() if of_model == model]

    def lists(self, model: str, replicate: int, target: str) -> np.ndarray:
        """Return the lists of one fit, as deep as they are compared."""
        files = RunFiles(self.client, self.fits[MODEL, model, replicate].info.run_id)
        summary = self.result["summary"]
        n_entities = summary["items" if target == "items" else "users"]
        lists = read_stored(files, target, FACTORS, np.arange(n_entities, dtype=np.int32))
        assert lists is not None, "a run has the lists of all users and items"
        return lists.ids[:, : DEPTHS[target]]


def _run(config: Path, overrides: list[str], folder: Path) -> dict[str, Any]:
    """Return the result of a run, unless an earlier call has left it in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "result.json"
    if not file.exists():
        command = latentlab("run", str(config.absolute()), "--json", overrides=overrides)
        wall, stdout = run_command(command, env=environment(folder / "prefect"), cwd=folder)
        file.write_text(json.dumps({**json.loads(stdout), "wall": wall}))
    result: dict[str, Any] = json.loads(file.read_text())
    return result


def print_times(full: Experiment, steady: Experiment) -> None:
    """Print the time of both runs, and of each model's fits."""
    walls = full.result["wall"], steady.result["wall"]
    print(f"wall time: {walls[0]:.0f} s in full, {walls[1]:.0f} s stopped, ratio {walls[1] / walls[0]:.3f}")
    for model, settings in full.result["models"].items():
        seconds = [sum(experiment.metrics(model, "fit_seconds")) for experiment in (full, steady)]
        iterations = [int(number) for number in steady.metrics(model, "iterations_run")]
        print(
            f"{model}: {seconds[0]:.0f} s in full, {seconds[1]:.0f} s stopped, ratio {seconds[1] / seconds[0]:.3f}; "
            f"stopped after {min(iterations)} to {max(iterations)} of {settings['iterations']} iterations"
        )


def print_verdicts(full: Experiment, steady: Experiment) -> None:
    """Print verdict and effect of each endpoint that has a verdict."""
    print("endpoint                 verdict in full           verdict stopped           Δ in full, stopped, difference")
    same = []
    for answer, stopped in zip(full.result["answers"], steady.result["answers"], strict=True):
        if answer["verdict"] is None:
            continue
        same.append(answer["verdict"] == stopped["verdict"])
        difference = stopped["delta"] - answer["delta"]
        print(
            f"{answer['target']:>16} at {answer['n']:<4} {answer['verdict']:25} {stopped['verdict']:25} "
            f"{answer['delta']:6.3f} {stopped['delta']:6.3f} {difference:+6.3f}"
        )
    print(f"the same verdict for {sum(same)} of {len(same)} endpoints")


def print_overlaps(full: Experiment, steady: Experiment) -> None:
    """Print the overlap of stopped fits with the same fits in full, mean and minimum over the replicates."""
    for model in full.result["models"]:
        replicates = [number for role, name, number in full.fits if (role, name) == (MODEL, model)]
        texts = []
        for target, depth in DEPTHS.items():
            overlaps = [
                Pair.of(*(experiment.lists(model, number, target) for experiment in (full, steady))).at(depth).overlap
                for number in replicates
            ]
            texts.append(f"{target} {np.mean(overlaps):.3f} (minimum {min(overlaps):.3f})")
        print(f"{model}: overlap of stopped fits' lists with those in full: {', '.join(texts)}")


def main() -> None:
    """Print the tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("config", nargs="?", type=Path, default=ROOT / "configs/ml-100k.yaml")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    data = [f"dataset.path={arguments.data.absolute()}"] if arguments.data else []
    models = yaml.safe_load(arguments.config.read_text())["models"]
    stops = [f"models.{model}.stop={{when: steady}}" for model in models]
    with nullcontext(arguments.keep) if arguments.keep else tempfile.TemporaryDirectory() as name:
        folder = Path(name).absolute()
        full = Experiment(arguments.config, data, folder / "full")
        steady = Experiment(arguments.config, [*data, *stops], folder / "steady")
        print_times(full, steady)
        print_verdicts(full, steady)
        print_overlaps(full, steady)


if __name__ == "__main__":
    main()
