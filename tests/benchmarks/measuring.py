"""Helpers of the benchmarks: time, memory, data, and the `latentlab` command in a folder of its own.

Only the standard library is imported at the top: `peers.py` also runs in environments that have nothing else of ours.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from scipy.sparse import csr_array

    from tasks.core.data.interactions import Interactions

ROOT = Path(__file__).parents[2]
STORE_VARIABLES = {"LATENTLAB_HOME", "MLFLOW_TRACKING_URI", "PREFECT_API_URL"}
"""Variables that would make a command use the stores and servers of the person who runs the benchmark."""


def seconds(step: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def best_of_three(step: Callable[[], object]) -> float:
    """Return the shortest duration of three calls."""
    return min(seconds(step) for _ in range(3))


def memory_bytes(process: int | str = "self", *, peak: bool = False) -> float:
    """Return the resident memory of a process, or its peak. Without /proc it is always the peak of this process."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    values = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(values["VmHWM" if peak else "VmRSS"].split()[0]) * 1024


def disk_bytes(folder: Path) -> int:
    """Return the size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def latentlab(*arguments: str, overrides: list[str]) -> list[str]:
    """Return the command line of this checkout's `latentlab`, with a `--set` for each override."""
    sets = [word for override in overrides for word in ("--set", override)]
    return [sys.executable, "-m", "flows", *arguments, *sets]


def environment(prefect: Path) -> dict[str, str]:
    """Return an environment in which `latentlab` writes only to its working directory and to Prefect's home."""
    inherited = {name: value for name, value in os.environ.items() if name not in STORE_VARIABLES}
    return inherited | {"PREFECT_HOME": str(prefect), "PYTHONPATH": str(ROOT)}


def run_command(command: list[str], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> tuple[float, str]:
    """Run a command to its end and return its wall time and standard output."""
    start = time.perf_counter()
    finished = subprocess.run(command, env=env, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - start, finished.stdout


def load_interactions(data: Path | None) -> "tuple[str, Interactions]":
    """Return name and interactions of MovieLens 100K, in a folder or zip file, or of the synthetic data set."""
    from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
    from tasks.core.data.locate import locate
    from tasks.core.data.preprocessing import build
    from tasks.core.data.readers.ratings import read_ratings

    dataset = DatasetConfig(name="synthetic-100k")
    if data:
        dataset = DatasetConfig(name="movielens-100k", path=str(data))
    return dataset.name, build(read_ratings(dataset, locate(dataset)), PreprocessConfig())


def size_text(matrix: "csr_array") -> str:
    """Return the size of a matrix in words."""
    return f"{matrix.shape[0]} users, {matrix.shape[1]} items, {matrix.nnz} interactions"


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help shows the docstring of a script as it is written."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def table_row(*cells: object) -> str:
    """Return one row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def table_head(*headings: str) -> str:
    """Return the first two rows of a Markdown table."""
    return f"{table_row(*headings)}\n{table_row(*['---'] * len(headings))}"


def save_svg(figure: "Figure", path: Path) -> None:
    """Write a figure whose bytes depend on nothing but its content."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "latentlab"
    figure.savefig(path, metadata={"Date": None})
