"""What `latentlab check` foretells against what the run takes: python tests/benchmarks/foretold.py [CONFIG] [--set ...]

Runs the command from nothing in a folder of its own and prints time, memory and disk: foretold, found, and the ratio.
Memory is the most that all of the command's processes held at once (Linux: what each has for itself, and its part of
what they share), less what they hold when an experiment of next to nothing is run: the libraries.
With --large, in place of a config, ratings of MovieLens 32M's shape are made and go through the whole pipeline: two
models, two seeds each, lists and recommendations of everybody, held-out accuracy; --users, --items and --ratings give
another shape.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from measuring import ROOT, environment, latentlab

from tasks.core.data.synthetic_large import write_large

LARGE = """
name: large
dataset: {{name: file, path: {path}, columns: {{user: userId, item: movieId, rating: rating, timestamp: timestamp}}}}
preprocess: {{min_rating: null}}
models:
  k32: {{factors: 32, iterations: 5}}
  k64: {{factors: 64, iterations: 5}}
replicates: 2
evaluation: {{replicates: 1, cutoffs: [10]}}
"""
NOTHING = """
name: nothing
models: {k2: {factors: 2, iterations: 1}}
replicates: 1
evaluation: null
"""


def held(process: psutil.Process) -> float:
    """Bytes that a process and all that it started hold together; a Prefect server is none of ours."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            if "uvicorn" not in " ".join(each.cmdline()):
                total += each.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def run(config: Path, overrides: list[str], folder: Path) -> tuple[float, float, float]:
    """Seconds, the most bytes held, and the bytes written, of a run from nothing."""
    folder.mkdir()
    command, env = latentlab("run", str(config), overrides=overrides), environment(folder.parent / "prefect")
    begun, most = time.perf_counter(), 0.0
    with subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            most = max(most, held(watched))
            time.sleep(0.25)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    seconds = time.perf_counter() - begun
    return seconds, most, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def foretold(config: Path, overrides: list[str], folder: Path) -> dict[str, Any]:
    """What `check` says; a file's ratings are read for it, elsewhere than in the run's folder."""
    env = environment(folder.parent / "prefect") | {"LATENTLAB_HOME": str(folder / "check")}
    command = latentlab("check", str(config), "--json", overrides=overrides)
    found: dict[str, Any] = json.loads(subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE).stdout)
    return found


def main() -> None:
    """Print the three comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", type=Path, default=ROOT / "configs/quickstart.yaml")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=85_000)
    parser.add_argument("--ratings", type=int, default=32_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, config = Path(name), asked.config.absolute()
        if asked.large:
            write_large(folder / "ratings.csv", users=asked.users, items=asked.items, ratings=asked.ratings)
            config = folder / "large.yaml"
            config.write_text(LARGE.format(path=folder / "ratings.csv"))
        (folder / "nothing.yaml").write_text(NOTHING)
        said = foretold(config, asked.set, folder)
        print(f"{config.name}: {', '.join(f'{value:,} {key}' for key, value in said['data'].items())}", flush=True)
        _, libraries, empty = run(folder / "nothing.yaml", [], folder / "nothing")
        seconds, memory, disk = run(config, asked.set, folder / "run")
    rows = (
        ("seconds", said["seconds"], seconds, 1),
        ("MB of memory", said["memory_bytes"], memory - libraries, 1e6),
        ("MB written", said["disk_bytes"], disk - empty, 1e6),
    )
    for what, before, after, unit in rows:
        print(f"{what:14} foretold {before / unit:10,.0f}   found {after / unit:10,.0f}   {after / before:.2f} times")
    print(f"the libraries hold {libraries / 1e6:,.0f} MB more, in all processes but the server's")


if __name__ == "__main__":
    main()
