"""What `stop: steady` saves and changes: python tests/benchmarks/steady.py [CONFIG] [--data DIR] [--keep FOLDER]

Runs a config twice from nothing, as it is and with `stop: {when: steady}` for every model, seeds and all else equal;
then prints the time of both, where fits were stopped, each endpoint's verdict and effect, and how far the lists of each
fit overlap with those of its full run. --keep: where the two runs are kept, and found again.
"""

import argparse
import json
import subprocess
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from measuring import ROOT, environment, latentlab

from tasks.core.comparison.overlap import Pair
from tasks.core.planning.runs import MODEL
from tasks.tracking import runs, search, store
from tasks.tracking.lists import read_target

DEPTHS = {"users": 5, "items": 5, "recommendations": 10}


def run(config: Path, overrides: list[str], folder: Path) -> dict[str, Any]:
    """The result of a run in a folder of its own, and the seconds that it took."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "result.json"
    if not kept.exists():
        command = latentlab("run", str(config.absolute()), "--json", overrides=overrides)
        begun = time.perf_counter()
        done = subprocess.run(
            command, env=environment(folder / "prefect"), cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        )
        kept.write_text(json.dumps({**json.loads(done.stdout), "wall": time.perf_counter() - begun}))
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def fits(folder: Path) -> dict[tuple[str, str, int], Any]:
    """(role, model, replicate) -> MLflow run, of the complete fits."""
    found = {}
    for each in search.our_runs(store.open_store(f"sqlite:///{folder / 'mlflow.db'}")):
        ref = runs.run_ref(each)
        if ref.model and runs.is_complete(each):
            found[ref.role, ref.model, ref.replicate] = each
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", type=Path, default=ROOT / "configs/ml-100k.yaml")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    models = yaml.safe_load(arguments.config.read_text())["models"]
    data = [f"dataset.path={arguments.data.absolute()}"] if arguments.data else []
    with nullcontext(arguments.keep) if arguments.keep else tempfile.TemporaryDirectory() as name:
        folder = Path(name).absolute()
        full = run(arguments.config, data, folder / "full")
        stops = [f"models.{model}.stop={{when: steady}}" for model in models]
        steady = run(arguments.config, [*data, *stops], folder / "steady")
        show(full, steady, folder)


def show(full: dict[str, Any], steady: dict[str, Any], folder: Path) -> None:
    """Time, verdicts and lists of two results whose stores are in a folder."""
    of_full, of_steady = fits(folder / "full"), fits(folder / "steady")
    print(
        f"wall time: {full['wall']:.0f} s in full, {steady['wall']:.0f} s stopped, {steady['wall'] / full['wall']:.3f}"
    )
    for model in full["models"]:
        seconds = [
            sum(each.data.metrics["fit_seconds"] for (_, name, _), each in found.items() if name == model)
            for found in (of_full, of_steady)
        ]
        ran = [int(each.data.metrics["iterations_run"]) for key, each in of_steady.items() if key[1] == model]
        print(
            f"{model}: {seconds[0]:.0f} s in full, {seconds[1]:.0f} s ({seconds[1] / seconds[0]:.3f}) stopped "
            f"after {min(ran)} to {max(ran)} of {full['models'][model]['iterations']} iterations"
        )
    print("endpoint                 verdict in full           stopped                    Δ in full, stopped, gap")
    same = []
    for one, other in zip(full["answers"], steady["answers"], strict=True):
        if one["verdict"] is None:
            continue
        same.append(one["verdict"] == other["verdict"])
        gap = other["delta"] - one["delta"]
        print(
            f"{one['target']:>16} at {one['n']:<4} {one['verdict']:25} {other['verdict']:25} "
            f"{one['delta']:6.3f} {other['delta']:6.3f} {gap:+6.3f}"
        )
    print(f"the same verdict on {sum(same)} of {len(same)} endpoints")
    shape = (full["summary"]["users"], full["summary"]["items"])
    stores = [store.open_store(f"sqlite:///{folder / name / 'mlflow.db'}") for name in ("full", "steady")]
    for model in full["models"]:
        told = []
        for target, depth in DEPTHS.items():
            size = shape[target == "items"]
            overlaps = []
            for (role, name, replicate), each in of_full.items():
                if (role, name) == (MODEL, model):
                    ids = (each.info.run_id, of_steady[role, name, replicate].info.run_id)
                    lists = [read_target(store, id_, target, size) for store, id_ in zip(stores, ids, strict=True)]
                    overlaps.append(Pair.of(*(found.ids[:, :depth] for found in lists)).at(depth).overlap)
            told.append(f"{target} {np.mean(overlaps):.3f} (least {min(overlaps):.3f})")
        print(f"{model}: overlap of a fit's lists with those of its full run: {', '.join(told)}")


if __name__ == "__main__":
    main()
