"""What ratings of the size of MovieLens 32M cost until a model is trained: python tests/benchmarks/size.py

Each step in a process of its own. Its memory is the most that the process held (VmHWM; ru_maxrss off Linux) less what
it held when all was imported. What a reader needs is measured with pandas.read_csv and with pyarrow's read_csv, of the
four columns as the types that the project reads them as, ids as categories of text, for an id is kept as it is
written. Files go to a temporary folder, which is removed.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

FILE, STORED = "ratings.csv", "interactions.npz"
COLUMNS = {"user": "userId", "item": "movieId", "rating": "rating", "timestamp": "timestamp"}


def held(peak: bool = False) -> float:
    """MB that this process holds, or the most that it ever held."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    values = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(values["VmHWM" if peak else "VmRSS"].split()[0]) * 1024 / 1e6


def settings(folder: Path) -> Any:
    """The config of an experiment on the file; every rating counts."""
    from tasks.core.config.experiment import ExperimentConfig

    return ExperimentConfig.model_validate(
        {
            "name": "size",
            "dataset": {"name": "file", "path": str(folder / FILE), "columns": COLUMNS},
            "preprocess": {"min_rating": None},
            "models": {"k2": {"factors": 2, "iterations": 1}},
            "evaluation": {"split": {"strategy": "random"}},
        }
    )


def generate(folder: Path, shape: list[int]) -> Callable[[], dict[str, float]]:
    """generation"""
    import pyarrow.csv  # noqa: F401

    from tasks.core.data.synthetic_large import write_large

    def step() -> dict[str, float]:
        users, items, ratings = shape
        write_large(folder / FILE, users=users, items=items, ratings=ratings)
        return {"file": (folder / FILE).stat().st_size / 1e6}

    return step


def bare(folder: Path, shape: list[int]) -> Callable[[], dict[str, float]]:
    """pandas.read_csv alone"""
    import pandas as pd

    types = {"userId": "category", "movieId": "category", "rating": "float64", "timestamp": "float64"}

    def step() -> dict[str, float]:
        frame = pd.read_csv(folder / FILE, dtype=types, keep_default_na=False)  # type: ignore[call-overload]
        return {"frame": sum(column.nbytes for _, column in frame.items()) / 1e6}

    return step


def arrow(folder: Path, shape: list[int]) -> Callable[[], dict[str, float]]:
    """pyarrow's read_csv alone"""
    import pyarrow as pa
    import pyarrow.csv as pc

    text = pa.dictionary(pa.int32(), pa.string())
    types = {"userId": text, "movieId": text, "rating": pa.float64(), "timestamp": pa.float64()}

    def step() -> dict[str, float]:
        table = pc.read_csv(folder / FILE, convert_options=pc.ConvertOptions(column_types=types))
        return {"table": table.nbytes / 1e6}

    return step


def read(folder: Path, shape: list[int]) -> Callable[[], dict[str, float]]:
    """reading, mapping, matrix"""
    import pandas  # noqa: F401
    import scipy.sparse  # noqa: F401

    from tasks.core.data import preprocessing
    from tasks.core.data.locate import locate
    from tasks.core.data.readers.ratings import read_ratings

    config = settings(folder)

    def step() -> dict[str, float]:
        times = [time.perf_counter()]
        located = locate(config.dataset)
        times.append(time.perf_counter())
        ratings = read_ratings(config.dataset, located)
        times.append(time.perf_counter())
        after_reading = held(peak=True)
        made = preprocessing.build(ratings, config.preprocess)
        times.append(time.perf_counter())
        found = made.matrix
        assert found.shape == tuple(shape[:2])
        assert found.nnz == shape[2]
        return {
            "matrix": (found.data.nbytes + found.indices.nbytes + found.indptr.nbytes) / 1e6,
            "hash": times[1] - times[0],
            "read": times[2] - times[1],
            "build": times[3] - times[2],
            "peak_of_read": after_reading,
        }

    return step


def store(folder: Path, shape: list[int]) -> Callable[[], dict[str, float]]:
    """the same as a task, with the store"""
    import pandas  # noqa: F401
    import scipy.sparse  # noqa: F401

    from tasks import preprocess
    from tasks.core.data.locate import locate

    config = settings(folder)

    def step() -> dict[str, float]:
        preprocess.prepare(config.dataset, config.preprocess, locate(config.dataset))
        return {}

    return step


def split(folder: Path, shape: list[int]) -> Callable[[], dict[str, float]]:
    """loading, and a random split"""
    import scipy.sparse  # noqa: F401

    from tasks import preprocess
    from tasks.core.data import splits
    from tasks.core.files import StoredFile

    config = settings(folder)
    path = next((folder / "home" / "interactions").glob("*.npz"))
    stored = StoredFile(str(path), path.stem)

    def step() -> dict[str, float]:
        times = [time.perf_counter()]
        loaded = preprocess.load(stored)
        times.append(time.perf_counter())
        made = splits.hold_out(loaded, config.evaluation.split, seed=1)
        times.append(time.perf_counter())
        assert made.train.nnz + made.test.nnz == shape[2]
        return {"load": times[1] - times[0], "hold_out": times[2] - times[1]}

    return step


STEPS = {each.__name__: each for each in (generate, bare, arrow, read, store, split)}


def run(name: str, folder: Path, shape: list[int]) -> dict[str, float]:
    """A step's seconds, MB and whatever else it tells."""
    command = [sys.executable, __file__, "--step", name, "--folder", str(folder)]
    for option, value in zip(("--users", "--items", "--ratings"), shape, strict=True):
        command += [option, str(value)]
    env = os.environ | {"LATENTLAB_HOME": str(folder / "home")}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print what each step takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=85_000)
    parser.add_argument("--ratings", type=int, default=32_000_000)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    shape = [asked.users, asked.items, asked.ratings]
    if asked.step:
        step = STEPS[asked.step](asked.folder, shape)
        before, start = held(), time.perf_counter()
        told = step()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "mb": held(peak=True) - before, "before": before, **told}))
        return
    print(f"{asked.users:,} users, {asked.items:,} items, {asked.ratings:,} ratings")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {}
        for step_name, step in STEPS.items():
            found[step_name] = told = run(step_name, folder, shape)
            rest = ", ".join(
                f"{key} {value:.1f}" for key, value in told.items() if key not in {"seconds", "mb", "before"}
            )
            print(f"{step.__doc__:36} {told['seconds']:7.1f} s {told['mb']:7,.0f} MB   {rest}", flush=True)
        used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    matrix, ours = found["read"]["matrix"], found["read"]["mb"]
    below = {
        "pandas": found["bare"]["mb"],
        "pyarrow": found["arrow"]["mb"],
        "the frame's bytes": found["bare"]["frame"],
    }
    print(f"the matrix has {matrix:,.0f} MB; reading, mapping and matrix need, in times of that,")
    for name, base in below.items():
        print(f"  {(ours - base) / matrix:5.2f} above {name}")
    print(f"disk used: {used:,.0f} MB")


if __name__ == "__main__":
    main()
