"""Estimated and measured: python tests/benchmarks/estimated.py [CONFIG] [--set KEY=VALUE ...] [--large]

Compares the estimates of `latentlab check` with what `latentlab run` takes in an empty folder: time, memory and disk.
The memory is the peak of all processes of the command together (each with its private memory and its share of shared
memory; Linux only), less the peak of a trivial experiment, which is that of the libraries.

--large takes no config: ratings of MovieLens 32M's size are generated and go through the whole pipeline, with two
models, two seeds each, lists and recommendations of all users, and held-out accuracy. --users, --items and --ratings
choose another size.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from large_ratings import write_large
from measuring import ROOT, argument_parser, disk_bytes, environment, latentlab, run_command

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
TRIVIAL = """
name: trivial
models: {k2: {factors: 2, iterations: 1}}
replicates: 1
evaluation: null
"""
POLL_SECONDS = 0.25
"""Shortest time between two readings of the memory. A reading takes longer the more memory there is: a twentieth of the
time at most goes to readings."""


def estimate(config: Path, overrides: list[str], folder: Path) -> dict[str, Any]:
    """Return what `latentlab check` prints. It reads the ratings of a file, but not in the folder of the run."""
    env = environment(folder / "prefect") | {"LATENTLAB_HOME": str(folder / "check")}
    command = latentlab("check", str(config), "--json", overrides=overrides)
    estimates: dict[str, Any] = json.loads(run_command(command, env=env)[1])
    return estimates


def measure(config: Path, overrides: list[str], folder: Path) -> tuple[float, float, float]:
    """Return the seconds, the peak of memory in bytes, and the bytes written, of `latentlab run` in a new folder."""
    folder.mkdir()
    command, env = latentlab("run", str(config), overrides=overrides), environment(folder.parent / "prefect")
    start, peak = time.perf_counter(), 0.0
    with subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.DEVNULL) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            begun = time.perf_counter()
            peak = max(peak, memory_of_all(root))
            time.sleep(max(POLL_SECONDS, 20 * (time.perf_counter() - begun)))
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return time.perf_counter() - start, peak, disk_bytes(folder)


def memory_of_all(root: psutil.Process) -> float:
    """Return the bytes of a process and of its descendants together, without Prefect's embedded server."""
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            if "prefect.server.api.server:create_app" not in process.cmdline():
                total += process.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total


def main() -> None:
    """Print the estimate, the measurement and their ratio for time, memory and disk."""
    parser = argument_parser(__doc__)
    parser.add_argument("config", nargs="?", type=Path, default=ROOT / "configs/quickstart.yaml")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=85_000)
    parser.add_argument("--ratings", type=int, default=32_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, config = Path(name), arguments.config.absolute()
        if arguments.large:
            ratings, config = folder / "ratings.csv", folder / "large.yaml"
            write_large(ratings, users=arguments.users, items=arguments.items, ratings=arguments.ratings)
            config.write_text(LARGE.format(path=ratings))
        trivial = folder / "trivial.yaml"
        trivial.write_text(TRIVIAL)
        estimates = estimate(config, arguments.set, folder)
        size = ", ".join(f"{value:,} {name}" for name, value in estimates["data"].items())
        print(f"{config.name}: {size}", flush=True)
        _, libraries, disk_of_trivial = measure(trivial, [], folder / "trivial")
        seconds, memory, disk = measure(config, arguments.set, folder / "run")
    rows = (
        ("seconds", estimates["seconds"], seconds, 1),
        ("MB of memory", estimates["memory_bytes"], memory - libraries, 1e6),
        ("MB written", estimates["disk_bytes"], disk - disk_of_trivial, 1e6),
    )
    for label, estimated, measured, unit in rows:
        numbers = f"estimated {estimated / unit:10,.0f}   measured {measured / unit:10,.0f}"
        print(f"{label:14} {numbers}   ratio {measured / estimated:.2f}")
    print(f"the libraries use another {libraries / 1e6:,.0f} MB, in all processes but Prefect's server")


if __name__ == "__main__":
    main()
