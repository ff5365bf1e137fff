"""Time and memory of ratings of MovieLens 32M's size, up to the split: python tests/benchmarks/size.py

Each step runs in a process of its own. Its memory is the peak of that process (VmHWM; ru_maxrss where there is no
/proc), less its memory after all imports. For comparison, the same file is read with pandas.read_csv and with pyarrow's
read_csv: four columns, with the types that the project reads them as, so that ids are categories of text. Files are
written to a temporary folder.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import argument_parser, disk_bytes, memory_bytes, run_command

if TYPE_CHECKING:
    from tasks.core.config.experiment import ExperimentConfig

RATINGS = "ratings.csv"
COLUMNS = {"user": "userId", "item": "movieId", "rating": "rating", "timestamp": "timestamp"}

Figures = dict[str, float]
Step = Callable[[], Figures]
"""What is measured. It returns figures of its own: seconds of its parts, and sizes in MB."""


def experiment(folder: Path) -> "ExperimentConfig":
    """Return the config of an experiment on all ratings of the file."""
    from tasks.core.config.experiment import ExperimentConfig

    return ExperimentConfig.model_validate(
        {
            "name": "size",
            "dataset": {"name": "file", "path": str(folder / RATINGS), "columns": COLUMNS},
            "preprocess": {"min_rating": None},
            "models": {"k2": {"factors": 2, "iterations": 1}},
            "evaluation": {"split": {"strategy": "random"}},
        }
    )


# One function for each step. It imports and prepares what the step needs, which is not measured, and returns the step.


def generate(folder: Path, shape: list[int]) -> Step:
    import pyarrow.csv  # noqa: F401

    from tests.benchmarks.large_ratings import write_large

    def step() -> Figures:
        users, items, ratings = shape
        write_large(folder / RATINGS, users=users, items=items, ratings=ratings)
        return {"file": (folder / RATINGS).stat().st_size / 1e6}

    return step


def read_with_pandas(folder: Path, shape: list[int]) -> Step:
    import pandas as pd

    types = {"userId": "category", "movieId": "category", "rating": "float64", "timestamp": "float64"}

    def step() -> Figures:
        frame = pd.read_csv(folder / RATINGS, dtype=types, keep_default_na=False)
        return {"frame": sum(column.nbytes for _, column in frame.items()) / 1e6}

    return step


def read_with_pyarrow(folder: Path, shape: list[int]) -> Step:
    import pyarrow as pa
    import pyarrow.csv as pc

    text = pa.dictionary(pa.int32(), pa.string())
    types = {"userId": text, "movieId": text, "rating": pa.float64(), "timestamp": pa.float64()}

    def step() -> Figures:
        table = pc.read_csv(folder / RATINGS, convert_options=pc.ConvertOptions(column_types=types))
        return {"table": table.nbytes / 1e6}

    return step


def make_matrix(folder: Path, shape: list[int]) -> Step:
    import pandas  # noqa: F401
    import pyarrow.csv  # noqa: F401
    import scipy.sparse  # noqa: F401

    from tasks.core.data.locate import locate
    from tasks.core.data.preprocessing import build
    from tasks.core.data.readers.ratings import read_ratings

    config = experiment(folder)

    def step() -> Figures:
        times = [time.perf_counter()]
        located = locate(config.dataset)
        times.append(time.perf_counter())
        ratings = read_ratings(config.dataset, located)
        times.append(time.perf_counter())
        peak_of_read = memory_bytes(peak=True) / 1e6
        matrix = build(ratings, config.preprocess).matrix
        times.append(time.perf_counter())
        assert (*matrix.shape, matrix.nnz) == tuple(shape)
        return {
            "matrix": (matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes) / 1e6,
            "hash": times[1] - times[0],
            "read": times[2] - times[1],
            "build": times[3] - times[2],
            "peak_of_read": peak_of_read,
        }

    return step


def prepare(folder: Path, shape: list[int]) -> Step:
    import pandas  # noqa: F401
    import pyarrow.csv  # noqa: F401
    import scipy.sparse  # noqa: F401

    from tasks.core.data import prepared
    from tasks.core.data.locate import locate

    config = experiment(folder)

    def step() -> Figures:
        prepared.prepare(config.dataset, config.preprocess, locate(config.dataset))
        return {}

    return step


def split(folder: Path, shape: list[int]) -> Step:
    import scipy.sparse  # noqa: F401

    from tasks.core.data.interactions import Interactions
    from tasks.core.data.splits.strategies import hold_out
    from tasks.core.files import StoredFile

    config = experiment(folder)
    path = next((folder / "home" / "interactions").glob("*.npz"))
    stored = StoredFile(str(path), path.stem)

    def step() -> Figures:
        times = [time.perf_counter()]
        interactions = Interactions.load(stored.check())
        times.append(time.perf_counter())
        parts = hold_out(interactions, config.evaluation.split, seed=1)
        times.append(time.perf_counter())
        assert parts.train.nnz + parts.test.nnz == shape[2]
        return {"load": times[1] - times[0], "hold_out": times[2] - times[1]}

    return step


STEPS = {
    "generate": (generate, "generation"),
    "pandas": (read_with_pandas, "pandas.read_csv alone"),
    "pyarrow": (read_with_pyarrow, "pyarrow's read_csv alone"),
    "matrix": (make_matrix, "reading, indexing, matrix"),
    "prepare": (prepare, "the same with the store"),
    "split": (split, "loading and random split"),
}
"""Name -> function and label, in the order in which they run: later steps need the files of earlier ones."""


def run_step(name: str, folder: Path, shape: list[int]) -> Figures:
    """Run a step in this process; return its seconds and its memory in MB, and its own figures."""
    step = STEPS[name][0](folder, shape)
    before, start = memory_bytes(), time.perf_counter()
    figures = step()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "mb": (memory_bytes(peak=True) - before) / 1e6, **figures}


def run_in_child(name: str, folder: Path, shape: list[int]) -> Figures:
    """Run a step in a process of its own; see `run_step`."""
    command = [sys.executable, __file__, "--step", name, "--folder", str(folder)]
    for option, value in zip(("--users", "--items", "--ratings"), shape, strict=True):
        command += [option, str(value)]
    _, stdout = run_command(command, env=os.environ | {"LATENTLAB_HOME": str(folder / "home")})
    figures: Figures = json.loads(stdout)
    return figures


def main() -> None:
    """Print time and memory of each step."""
    parser = argument_parser(__doc__)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=85_000)
    parser.add_argument("--ratings", type=int, default=32_000_000)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    shape = [arguments.users, arguments.items, arguments.ratings]
    if arguments.step:
        print(json.dumps(run_step(arguments.step, arguments.folder, shape)))
        return
    print("{:,} users, {:,} items, {:,} ratings".format(*shape))
    figures: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for step, (_, label) in STEPS.items():
            figures[step] = run_in_child(step, folder, shape)
            own = (f"{key} {value:.1f}" for key, value in figures[step].items() if key not in {"seconds", "mb"})
            numbers = f"{figures[step]['seconds']:7.1f} s {figures[step]['mb']:7,.0f} MB"
            print(f"{label:26} {numbers}   {', '.join(own)}".rstrip(), flush=True)
        disk = disk_bytes(folder) / 1e6
    matrix, ours = figures["matrix"]["matrix"], figures["matrix"]["mb"]
    baselines = {
        "pandas": figures["pandas"]["mb"],
        "pyarrow": figures["pyarrow"]["mb"],
        "the frame alone": figures["pandas"]["frame"],
    }
    print(f"the matrix has {matrix:,.0f} MB; reading, indexing and matrix need, as multiples of it,")
    for name, baseline in baselines.items():
        print(f"  {(ours - baseline) / matrix:5.2f} more than {name}")
    print(f"disk: {disk:,.0f} MB")


if __name__ == "__main__":
    main()
