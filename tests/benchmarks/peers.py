"""Our train step beside other ALS libraries: python tests/benchmarks/peers.py --data DIR --python PYTHON

PYTHON is an interpreter of an environment of its own with `irspack`, `lenskit` and `pyspark` (which needs Java); those
that it lacks are left out. Without --data, the embedded data set. Each turn of each library is a process of its own
with a thread a core; the order turns round from turn to turn, and the least time counts. Starting up (a JVM, a pool of
threads, a first compilation) is not counted: a small fit goes first.

All minimise one objective, `als.objective`: the sum of c (p - x.y)^2, plus regularization times the squared norms of
all factors. Libraries that make c = 1 + value are given confidences less 1. Spark alone cannot: it weights a row's
regularization by the row's interactions, and is given the one whose mean over all rows is ours. The objective is
computed here, from the factors after each iteration, which the process writes down while its clock stands still. The
target is 1.05 times what a bare `implicit` fit reaches in 15 iterations; each library has its own random start.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, csr_matrix, load_npz, save_npz

REGULARIZATION = 0.01
REPORTED = 15
"""The iteration whose objective is shown and, of a bare fit, sets the target."""
MOST = {50: 60, 500: 30}
"""Iterations of a fit, unless it runs out of time."""
LEAST = 3
SPARK_FITS = {50: (1, 2, 3, 4, 5, 15), 500: (1, 1, 3)}
"""Iterations of one Spark fit after the other: the seconds an iteration are what the last has over the one before."""
GOALS = {"LensKit": 5.0, "Spark MLlib": 100.0, "irspack, CG": 1.2}
"""How many times faster an iteration of ours is meant to be at k=500."""

OWN = ("latentlab", "implicit")
"""What the environment has that this script runs in."""

Factors = tuple[np.ndarray, np.ndarray]


class EnoughError(Exception):
    """Ends a fit that has run as long as it should."""


class Recorder:
    """Called at the end of each iteration: keeps its seconds, and writes the factors while the clock stands still."""

    def __init__(self, path: str, most: int, limit: float) -> None:
        self.path = Path(path)
        self.path.write_bytes(b"")
        self.most, self.limit = most, limit
        self.seconds: list[float] = []
        self.resumed = time.perf_counter()

    def start(self) -> None:
        """From here on, with the data in the library's own form, it is timed."""
        self.resumed = time.perf_counter()

    def write(self, factors: Factors) -> None:
        """Append users and items to the file."""
        with self.path.open("ab") as file:
            for side in factors:
                np.ascontiguousarray(side, dtype=np.float32).tofile(file)

    def __call__(self, factors: Callable[[], Factors]) -> None:
        self.seconds.append(time.perf_counter() - self.resumed)
        self.write(factors())
        done = len(self.seconds)
        if done >= self.most or (done >= LEAST and sum(self.seconds) > self.limit):
            raise EnoughError
        self.resumed = time.perf_counter()


# In the child: what each library does with confidences (users x items), k and a recorder. Only `ours` imports ours.


def ours(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, solver: str) -> None:
    """`tasks.core.models.als.fit`."""
    from tasks.core.config.als import AlsConfig
    from tasks.core.models import als

    config = AlsConfig(factors=k, iterations=recorder.most, regularization=REGULARIZATION, solver=solver)
    array = csr_array(matrix)
    after = lambda now: recorder(lambda: (now.factors.users, now.factors.items))  # noqa: E731
    recorder.start()
    als.fit(array, config, seed=1, on_iteration=after, threads=threads)


def bare(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, blas_threads: int | None) -> None:
    """What a notebook writes with `implicit`."""
    import threadpoolctl
    from implicit.cpu.als import AlternatingLeastSquares

    with threadpoolctl.threadpool_limits(blas_threads, "blas"):
        recorder.start()
        settings = {"iterations": recorder.most, "num_threads": threads, "random_state": 1}
        model = AlternatingLeastSquares(k, REGULARIZATION, **settings)
        after = lambda *_: recorder(lambda: (model.user_factors, model.item_factors))  # noqa: E731
        model.fit(matrix, show_progress=False, callback=after)


def irspack(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, solver: str) -> None:
    """Half of our objective: c = alpha0 + value, alpha0 elsewhere; nu=0, no weighting of the regularization."""
    from irspack import IALSRecommender

    settings = {"alpha0": 1.0, "reg": REGULARIZATION, "nu": 0.0, "loss_type": "ORIGINAL", "random_seed": 1}
    settings |= {"solver_type": solver, "max_cg_steps": 3, "n_threads": threads}
    model = IALSRecommender(less_one(matrix).astype(np.float64), n_components=k, **settings)
    recorder.start()
    model.start_learning()
    while True:
        model.run_epoch()
        recorder(lambda: (model.get_user_embedding(), model.get_item_embedding()))


def lenskit(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, _: None) -> None:
    """Its implicit ALS, always exact: c = 1 + weight times rating, the regularization as ours."""
    os.environ["LK_NUM_THREADS"] = str(threads)
    import pandas as pd
    from lenskit.als import ImplicitMFScorer
    from lenskit.data import from_interactions_df
    from lenskit.training import TrainingOptions

    cells = less_one(matrix).tocoo()
    data = from_interactions_df(pd.DataFrame({"user_id": cells.row, "item_id": cells.col, "rating": cells.data}))
    users, items = (np.argsort(side.ids()) for side in (data.users, data.items))
    settings = {"regularization": REGULARIZATION, "weight": 1.0, "use_ratings": True}
    model = ImplicitMFScorer(embedding_size=k, epochs=recorder.most, **settings)
    recorder.start()
    trainer = model.create_trainer(data, TrainingOptions(rng=1))
    while True:
        trainer.train_epoch()
        recorder(lambda: (model.user_embeddings[users], model.item_embeddings[items]))


def spark(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, _: None) -> dict[str, Any]:
    """Its implicit ALS, exact: c = 1 + alpha times rating. A fit shows nothing before it ends: several fits."""
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import SparkSession

    options = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    session = SparkSession.builder.master(f"local[{threads}]").config(map=options).getOrCreate()
    cells = less_one(matrix).tocoo()
    rows = list(zip(cells.row.tolist(), cells.col.tolist(), cells.data.tolist(), strict=True))
    data = session.createDataFrame(rows, "user int, item int, rating float").cache()
    data.count()
    regularization = REGULARIZATION * sum(matrix.shape) / (2 * matrix.nnz)
    seconds, models = [], []
    for iterations in SPARK_FITS[k]:
        method = ALS(rank=k, maxIter=iterations, regParam=regularization, implicitPrefs=True, alpha=1.0, seed=1)
        method = method.setUserCol("user").setItemCol("item").setRatingCol("rating")
        recorder.start()
        models.append(method.fit(data))
        seconds.append(time.perf_counter() - recorder.resumed)
    peak = peak_mib() + peak_mib(session.sparkContext._gateway.proc.pid)
    for model in models:
        sides = [sorted(side.collect()) for side in (model.userFactors, model.itemFactors)]
        recorder.write(tuple(np.array([row.features for row in side]) for side in sides))
    session.stop()
    one = (seconds[-1] - seconds[-2]) / (SPARK_FITS[k][-1] - SPARK_FITS[k][-2])
    until = [iterations * one for iterations in SPARK_FITS[k]]
    return {"iterations": SPARK_FITS[k], "until": until, "an_iteration": one, "peak": peak}


def less_one(matrix: csr_matrix) -> csr_matrix:
    """For libraries that add 1."""
    return csr_matrix((matrix.data - 1, matrix.indices, matrix.indptr), shape=matrix.shape)


def peak_mib(process: int | str = "self") -> float:
    """Most memory that a process has had; ru_maxrss, where there is no /proc, may be that of whoever started it."""
    status = Path(f"/proc/{process}/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


@dataclass(frozen=True)
class Peer:
    """A library with a solver: its name in the table, its distribution, what fits it and with what, and a note."""

    name: str
    package: str
    fit: Callable[..., dict[str, Any] | None]
    option: str | int | None
    note: str


PEERS = (
    Peer("ours, CG", "latentlab", ours, "cg", "3 CG steps a row"),
    Peer("implicit, BLAS capped", "implicit", bare, 1, "3 CG steps a row"),
    Peer("implicit, uncapped", "implicit", bare, None, "3 CG steps a row; as a plain notebook"),
    Peer("irspack, CG", "irspack", irspack, "CG", "3 CG steps a row"),
    Peer("ours, Cholesky", "latentlab", ours, "cholesky", "exact"),
    Peer("irspack, Cholesky", "irspack", irspack, "CHOLESKY", "exact"),
    Peer("LensKit", "lenskit", lenskit, None, "exact"),
    Peer("Spark MLlib", "pyspark", spark, None, "exact; * its own weighting of the regularization"),
)


def child(given: dict[str, Any]) -> dict[str, Any]:
    """Run one peer once and say what it took."""
    peer = next(peer for peer in PEERS if peer.name == given["peer"])
    try:
        version = importlib.metadata.version(peer.package)
    except importlib.metadata.PackageNotFoundError:
        return {"missing": True}
    matrix = csr_matrix(load_npz(given["matrix.npz"]))
    recorder = Recorder(given["factors"], given["most"], given["limit"])
    rest = given["threads"], peer.option
    if peer.fit is spark:
        return {"version": version, **spark(matrix, given["k"], recorder, *rest)}
    for k, book in ((8, Recorder(os.devnull, 1, 0.0)), (given["k"], recorder)):
        with contextlib.suppress(EnoughError):
            peer.fit(matrix, k, book, *rest)
    iterations, until = list(range(1, len(recorder.seconds) + 1)), np.cumsum(recorder.seconds).tolist()
    one = (until[-1] - until[0]) / (len(until) - 1)
    return {"version": version, "iterations": iterations, "until": until, "an_iteration": one, "peak": peak_mib()}


# In the parent.


def take_turn(peer: Peer, k: int, matrix: csr_array, python: str, limit: float, folder: Path) -> dict[str, Any] | str:
    """What a peer said in a process of its own, and the objectives; a text is why there is nothing."""
    from tasks.core.config.als import AlsConfig
    from tasks.core.models import als
    from tasks.core.models.factors import Factors
    from tasks.core.models.threads import cores

    given = {"peer": peer.name, "k": k, "most": MOST[k], "limit": limit, "threads": cores()}
    given |= {name: str(folder / name) for name in ("matrix.npz", "factors")}
    interpreter = sys.executable if peer.package in OWN else python
    command = [interpreter, str(Path(__file__).resolve()), "--child", json.dumps(given)]
    environment = {**({"OMP_WAIT_POLICY": "passive"} if peer.fit is ours else {}), **os.environ}  # as a run does it
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    except subprocess.TimeoutExpired:
        return "more than 300 s"
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or [f'exit {done.returncode}'])[-1][:100]}"
    wall, said = time.perf_counter() - start, json.loads(done.stdout.splitlines()[-1])
    if "missing" in said:
        return "not installed: pip install irspack lenskit pyspark"
    if "libblas.so" in done.stderr:
        said["remark"] = "no native BLAS found"
    kept = np.fromfile(given["factors"], dtype=np.float32).reshape(len(said["iterations"]), -1, k)
    users, config = matrix.shape[0], AlsConfig(factors=k, iterations=1, regularization=REGULARIZATION)
    values = [als.objective(matrix, Factors(both[:users], both[users:]), config) for both in kept]
    return said | {"objectives": values, "wall": wall}


def compare(k: int, matrix: csr_array, python: str, turns: int, folder: Path) -> None:
    """Run all peers, print the table of a k and the ratios."""
    found: dict[str, list[dict[str, Any]]] = {peer.name: [] for peer in PEERS}
    absent: dict[str, str] = {}
    for turn in range(turns):
        for peer in PEERS[:: -1 if turn % 2 else 1]:
            slow = any(said["wall"] > 20 for said in found[peer.name])
            if peer.name in absent or (slow and turn > 1):
                continue
            # long enough, once, to come down to the target; a slow one's second turn is for its seconds only
            said = take_turn(peer, k, matrix, python, limit=5.0 if slow else 45.0, folder=folder)
            if isinstance(said, str):
                absent[peer.name] = said
            else:
                found[peer.name].append(said)
    if not (found["ours, CG"] and found["implicit, BLAS capped"]):
        sys.exit(f"no figures of our own at k={k}: {absent}")
    target = 1.05 * found["implicit, BLAS capped"][0]["objectives"][REPORTED - 1]
    least = {name: min(said["an_iteration"] for said in all_) for name, all_ in found.items() if all_}
    print(f"\nk={k}; the target is an objective of {target:,.0f}\n")
    rows = [["", "version", "s an iteration", "to ours", "s to target", "objective", "peak MiB", "note"]]
    for peer in PEERS:
        if peer.name not in least:
            rows.append([peer.name, *[""] * 6, absent[peer.name]])
            continue
        all_, first, one = found[peer.name], found[peer.name][0], least[peer.name]
        shown = max(at for at, iteration in enumerate(first["iterations"]) if iteration <= REPORTED)
        pairs = [pair for said in all_ for pair in zip(said["until"], said["objectives"], strict=True)]
        reached = [seconds for seconds, objective in pairs if objective <= target]
        figures = [
            f"{one:.4f}",
            f"{one / least['ours, CG']:.2f}",
            f"{min(reached):.2f}" if reached else f"not in {first['until'][-1]:.0f}",
            f"{first['objectives'][shown]:,.0f} after {first['iterations'][shown]}" + "*" * (peer.fit is spark),
            f"{max(said['peak'] for said in all_):.0f}",
        ]
        note = "; ".join(filter(None, [peer.note, first.get("remark"), absent.get(peer.name)]))
        rows.append([peer.name, first["version"], *figures, note])
    print_table(rows)
    for name, one in least.items():
        if not name.startswith("ours"):
            ratio = one / least["ours, CG"]
            words = f"{ratio:.2f} times faster" if ratio >= 1 else f"{1 / ratio:.2f} times slower"
            goal = f" (meant: {GOALS[name]:g} times faster)" if k == 500 and name in GOALS else ""
            print(f"ours is {words} than {name} per iteration at k={k}{goal}")


def print_table(rows: list[list[str]]) -> None:
    """As Markdown, its columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        print("|", " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), "|")
    print()


def main() -> None:
    """Print a table for each k."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="MovieLens 100K, a directory or zip")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment with the peers")
    parser.add_argument("--turns", type=int, default=3, help="of each peer; two of one that takes more than 20 s")
    parser.add_argument("--k", type=int, nargs="+", choices=sorted(MOST), default=sorted(MOST))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(json.loads(arguments.child))))
        return

    from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
    from tasks.core.data import preprocessing
    from tasks.core.data.locate import locate
    from tasks.core.data.readers.ratings import read_ratings
    from tasks.core.models.threads import cores

    dataset = DatasetConfig(name="synthetic-100k")
    if arguments.data:
        dataset = DatasetConfig(name="movielens-100k", path=str(arguments.data))
    matrix = preprocessing.build(read_ratings(dataset, locate(dataset)), PreprocessConfig()).matrix
    start = time.perf_counter()
    print(f"{dataset.name}: {matrix.shape[0]} users, {matrix.shape[1]} items, {matrix.nnz} interactions", end="; ")
    print(f"{cores()} cores; regularization {REGULARIZATION}, alpha 1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_npz(folder / "matrix.npz", csr_matrix(matrix))
        for k in arguments.k:
            compare(k, matrix, arguments.python, arguments.turns, folder)
    print(f"\nall of it took {(time.perf_counter() - start) / 60:.1f} min")


if __name__ == "__main__":
    main()
