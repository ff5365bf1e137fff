"""Our train step and other ALS libraries: python tests/benchmarks/peers.py [--data DIR_OR_ZIP] --python PYTHON

PYTHON is an interpreter in an environment of its own with `irspack`, `lenskit` and `pyspark` (which needs Java).
Libraries that it lacks are left out. --data names MovieLens 100K; without it, the synthetic data set is used. Each fit
is a process of its own with one thread for each core. The order of the libraries is reversed from turn to turn, and the
shortest time counts. Start-up (a JVM, a thread pool, compilation) is not timed: a small fit precedes the timed one.

All libraries minimise one objective, `als.objective`: the sum of c (p - x.y)^2, plus regularization times the squared
norms of all factors. Libraries that define c = 1 + value get confidences minus 1. Spark is the exception: it weights
the regularization of a row by the row's interactions, and gets the value whose mean over all rows equals ours. The
objective is computed here, from the factors after each iteration, which the process writes while its clock is stopped.
The target is 1.05 times the objective of a bare `implicit` fit after 15 iterations. Each library has its own random
start.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measuring import argument_parser, load_interactions, memory_bytes, size_text
from scipy.sparse import csr_array, csr_matrix, load_npz, save_npz

REGULARIZATION = 0.01
REPORTED = 15
"""Iteration whose objective is in the table. That of a bare `implicit` fit sets the target."""
TARGET_FACTOR = 1.05
MAX_ITERATIONS = {50: 60, 500: 30}
"""k -> iterations of a fit, unless its time is up earlier."""
MIN_ITERATIONS = 3
"""Iterations of a fit, even if its time is up."""
FIT_SECONDS, SHORT_FIT_SECONDS = 45.0, 5.0
"""Time for the iterations of a fit: enough to reach the target, or only to time some of them."""
SLOW_SECONDS = 20.0
"""A library whose process takes longer has two turns, of which the second is short."""
TIMEOUT_SECONDS = 300
SPARK_FITS = {50: (1, 2, 3, 4, 5, 15), 500: (1, 1, 3)}
"""k -> iterations of successive Spark fits. The time per iteration is the difference of the last two fits' times,
divided by the difference of their iterations."""
GOALS = {"LensKit": 5.0, "Spark MLlib": 100.0, "irspack, CG": 1.2}
"""How many times faster an iteration of ours should be at k=500."""
OWN_PACKAGES = ("latentlab", "implicit")
"""Packages of the environment in which this script runs."""

Factors = tuple[np.ndarray, np.ndarray]


class FitOverError(Exception):
    """Ends a fit whose iterations or whose time are up."""


class Recorder:
    """Records the seconds of each iteration, and writes the factors after it while the clock is stopped."""

    def __init__(self, path: str, max_iterations: int, max_seconds: float) -> None:
        self.path = Path(path)
        self.path.write_bytes(b"")
        self.max_iterations, self.max_seconds = max_iterations, max_seconds
        self.seconds: list[float] = []
        self.resumed = time.perf_counter()

    def start(self) -> None:
        """Start the clock, once the data are in the library's own form."""
        self.resumed = time.perf_counter()

    def write(self, factors: Factors) -> None:
        """Append the factors of users and of items to the file."""
        with self.path.open("ab") as file:
            for side in factors:
                np.ascontiguousarray(side, dtype=np.float32).tofile(file)

    def end_iteration(self, factors: Callable[[], Factors]) -> None:
        """Record an iteration. `factors` is called with the clock stopped."""
        self.seconds.append(time.perf_counter() - self.resumed)
        self.write(factors())
        iterations = len(self.seconds)
        time_is_up = iterations >= MIN_ITERATIONS and sum(self.seconds) > self.max_seconds
        if iterations >= self.max_iterations or time_is_up:
            raise FitOverError
        self.resumed = time.perf_counter()


# In the child: each library's fit of confidences (users x items) with k factors. Only `ours` may import the project.


def ours(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, solver: str) -> None:
    """`tasks.core.models.als.fit`."""
    from tasks.core.config.als import AlsConfig
    from tasks.core.models import als

    config = AlsConfig(factors=k, iterations=recorder.max_iterations, regularization=REGULARIZATION, solver=solver)
    array = csr_array(matrix)

    def on_iteration(iteration: als.Iteration) -> None:
        recorder.end_iteration(lambda: (iteration.factors.users, iteration.factors.items))

    recorder.start()
    als.fit(array, config, seed=1, on_iteration=on_iteration, threads=threads)


def bare(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, blas_threads: int | None) -> None:
    """`implicit` alone, as in a notebook."""
    import threadpoolctl
    from implicit.cpu.als import AlternatingLeastSquares

    with threadpoolctl.threadpool_limits(blas_threads, "blas"):
        recorder.start()
        settings = {"iterations": recorder.max_iterations, "num_threads": threads, "random_state": 1}
        model = AlternatingLeastSquares(k, REGULARIZATION, **settings)

        def on_iteration(*_: object) -> None:
            recorder.end_iteration(lambda: (model.user_factors, model.item_factors))

        model.fit(matrix, show_progress=False, callback=on_iteration)


def irspack(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, solver: str) -> None:
    """irspack minimises half of our objective, with c = alpha0 + value. nu=0 leaves the regularization unweighted."""
    from irspack import IALSRecommender

    settings = {"alpha0": 1.0, "reg": REGULARIZATION, "nu": 0.0, "loss_type": "ORIGINAL", "random_seed": 1}
    settings |= {"solver_type": solver, "max_cg_steps": 3, "n_threads": threads}
    model = IALSRecommender(minus_one(matrix).astype(np.float64), n_components=k, **settings)
    recorder.start()
    model.start_learning()
    while True:
        model.run_epoch()
        recorder.end_iteration(lambda: (model.get_user_embedding(), model.get_item_embedding()))


def lenskit(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, _: None) -> None:
    """LensKit's implicit ALS solves exactly, with c = 1 + weight times rating and our regularization."""
    os.environ["LK_NUM_THREADS"] = str(threads)
    import pandas as pd
    from lenskit.als import ImplicitMFScorer
    from lenskit.data import from_interactions_df
    from lenskit.training import TrainingOptions

    cells = minus_one(matrix).tocoo()
    data = from_interactions_df(pd.DataFrame({"user_id": cells.row, "item_id": cells.col, "rating": cells.data}))
    users, items = (np.argsort(side.ids()) for side in (data.users, data.items))
    settings = {"regularization": REGULARIZATION, "weight": 1.0, "use_ratings": True}
    model = ImplicitMFScorer(embedding_size=k, epochs=recorder.max_iterations, **settings)
    recorder.start()
    trainer = model.create_trainer(data, TrainingOptions(rng=1))
    while True:
        trainer.train_epoch()
        recorder.end_iteration(lambda: (model.user_embeddings[users], model.item_embeddings[items]))


def spark(matrix: csr_matrix, k: int, recorder: Recorder, threads: int, _: None) -> dict[str, Any]:
    """Spark's implicit ALS solves exactly, with c = 1 + alpha times rating.

    It reports nothing during a fit, so several fits of different length are run.
    """
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import SparkSession

    options = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    session = SparkSession.builder.master(f"local[{threads}]").config(map=options).getOrCreate()
    cells = minus_one(matrix).tocoo()
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
    peak = memory_bytes(peak=True) + memory_bytes(session.sparkContext._gateway.proc.pid, peak=True)
    for model in models:
        sides = [sorted(side.collect()) for side in (model.userFactors, model.itemFactors)]
        recorder.write(tuple(np.array([row.features for row in side]) for side in sides))
    session.stop()
    per_iteration = (seconds[-1] - seconds[-2]) / (SPARK_FITS[k][-1] - SPARK_FITS[k][-2])
    elapsed = [iterations * per_iteration for iterations in SPARK_FITS[k]]
    return {"iterations": SPARK_FITS[k], "elapsed": elapsed, "per_iteration": per_iteration, "peak": peak}


def minus_one(matrix: csr_matrix) -> csr_matrix:
    """Return the confidences minus 1, for libraries that add 1."""
    return csr_matrix((matrix.data - 1, matrix.indices, matrix.indptr), shape=matrix.shape)


@dataclass(frozen=True)
class Peer:
    """A library with one of its solvers.

    `name` and `note` are for the table, `package` is its distribution, and `fit` takes `option` as its last argument.
    """

    name: str
    package: str
    fit: Callable[..., dict[str, Any] | None]
    option: str | int | None
    note: str


PEERS = (
    Peer("ours, CG", "latentlab", ours, "cg", "3 CG steps per row"),
    Peer("implicit, BLAS capped", "implicit", bare, 1, "3 CG steps per row"),
    Peer("implicit, uncapped", "implicit", bare, None, "3 CG steps per row; as in a plain notebook"),
    Peer("irspack, CG", "irspack", irspack, "CG", "3 CG steps per row"),
    Peer("ours, Cholesky", "latentlab", ours, "cholesky", "exact"),
    Peer("irspack, Cholesky", "irspack", irspack, "CHOLESKY", "exact"),
    Peer("LensKit", "lenskit", lenskit, None, "exact"),
    Peer("Spark MLlib", "pyspark", spark, None, "exact; * weights the regularization differently"),
)


def run_peer(request: dict[str, Any]) -> dict[str, Any]:
    """Run one fit of a peer in this process.

    Returns the iterations after which factors were written, the seconds elapsed at each of them, the seconds per
    iteration, the peak of memory in bytes, and the library's version; only `missing` if it is not installed.
    """
    peer = next(peer for peer in PEERS if peer.name == request["peer"])
    try:
        version = importlib.metadata.version(peer.package)
    except importlib.metadata.PackageNotFoundError:
        return {"missing": True}
    matrix = csr_matrix(load_npz(request["matrix.npz"]))
    k, options = request["k"], (request["threads"], peer.option)
    recorder = Recorder(request["factors"], MAX_ITERATIONS[k], request["max_seconds"])
    if peer.fit is spark:
        return {"version": version, **spark(matrix, k, recorder, *options)}
    warm_up = Recorder(os.devnull, 1, 0.0)
    for factors, of_fit in ((8, warm_up), (k, recorder)):
        with contextlib.suppress(FitOverError):
            peer.fit(matrix, factors, of_fit, *options)
    iterations, elapsed = list(range(1, len(recorder.seconds) + 1)), np.cumsum(recorder.seconds).tolist()
    return {
        "version": version,
        "iterations": iterations,
        "elapsed": elapsed,
        "per_iteration": (elapsed[-1] - elapsed[0]) / (len(elapsed) - 1),
        "peak": memory_bytes(peak=True),
    }


# In the parent.


def run_in_child(
    peer: Peer, k: int, matrix: csr_array, python: str, max_seconds: float, folder: Path
) -> dict[str, Any] | str:
    """Run one fit of a peer in a process of its own.

    Returns what `run_peer` returns, with the objective at each of the iterations and the wall time; or a text that says
    why there is no result.
    """
    from tasks.core.config.als import AlsConfig
    from tasks.core.models import als
    from tasks.core.models.factors import Factors
    from tasks.core.models.threads import cores

    request = {"peer": peer.name, "k": k, "max_seconds": max_seconds, "threads": cores()}
    request |= {name: str(folder / name) for name in ("matrix.npz", "factors")}
    interpreter = sys.executable if peer.package in OWN_PACKAGES else python
    command = [interpreter, str(Path(__file__).resolve()), "--child", json.dumps(request)]
    # as `latentlab run` sets it for the processes that train
    environment = {**({"OMP_WAIT_POLICY": "passive"} if peer.fit is ours else {}), **os.environ}
    start = time.perf_counter()
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, env=environment)
    except subprocess.TimeoutExpired:
        return f"more than {TIMEOUT_SECONDS} s"
    if child.returncode:
        return f"failed: {(child.stderr.strip().splitlines() or [f'exit code {child.returncode}'])[-1][:100]}"
    wall, result = time.perf_counter() - start, json.loads(child.stdout.splitlines()[-1])
    if "missing" in result:
        return "not installed: pip install irspack lenskit pyspark"
    if "libblas.so" in child.stderr:
        result["remark"] = "no native BLAS found"
    factors = np.fromfile(request["factors"], dtype=np.float32).reshape(len(result["iterations"]), -1, k)
    users, config = matrix.shape[0], AlsConfig(factors=k, iterations=1, regularization=REGULARIZATION)
    objectives = [als.objective(matrix, Factors(both[:users], both[users:]), config) for both in factors]
    return result | {"objectives": objectives, "wall": wall}


def run_all(
    k: int, matrix: csr_array, python: str, turns: int, folder: Path
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Return the results of each peer that has any, and for each peer that failed once the reason."""
    results: dict[str, list[dict[str, Any]]] = {}
    reasons: dict[str, str] = {}
    for turn in range(turns):
        for peer in PEERS[:: -1 if turn % 2 else 1]:
            earlier = results.get(peer.name, [])
            slow = any(result["wall"] > SLOW_SECONDS for result in earlier)
            if peer.name in reasons or (slow and turn > 1):
                continue
            max_seconds = SHORT_FIT_SECONDS if slow else FIT_SECONDS
            result = run_in_child(peer, k, matrix, python, max_seconds, folder)
            if isinstance(result, str):
                reasons[peer.name] = result
            else:
                results[peer.name] = [*earlier, result]
    return results, reasons


def print_comparison(k: int, results: dict[str, list[dict[str, Any]]], reasons: dict[str, str]) -> None:
    """Print the table of one k, and how many times faster ours is."""
    target = TARGET_FACTOR * results["implicit, BLAS capped"][0]["objectives"][REPORTED - 1]
    per_iteration = {
        name: min(result["per_iteration"] for result in of_peer) for name, of_peer in results.items() if of_peer
    }
    of_ours = per_iteration["ours, CG"]
    print(f"\nk={k}; the target is an objective of {target:,.0f}\n")
    headings = ["", "version", "s per iteration", "relative to ours", "s to target", "objective", "peak MiB", "note"]
    rows = []
    for peer in PEERS:
        if peer.name not in results:
            rows.append([peer.name, *[""] * 6, reasons[peer.name]])
            continue
        of_peer = results[peer.name]
        first, seconds = of_peer[0], per_iteration[peer.name]
        last = max(row for row, iteration in enumerate(first["iterations"]) if iteration <= REPORTED)
        points = [point for result in of_peer for point in zip(result["elapsed"], result["objectives"], strict=True)]
        reached = [elapsed for elapsed, objective in points if objective <= target]
        figures = [
            f"{seconds:.4f}",
            f"{seconds / of_ours:.2f}",
            f"{min(reached):.2f}" if reached else f"not in {first['elapsed'][-1]:.0f}",
            f"{first['objectives'][last]:,.0f} after {first['iterations'][last]}" + "*" * (peer.fit is spark),
            f"{max(result['peak'] for result in of_peer) / 2**20:.0f}",
        ]
        note = "; ".join(filter(None, [peer.note, first.get("remark"), reasons.get(peer.name)]))
        rows.append([peer.name, first["version"], *figures, note])
    print_table(headings, rows)
    for name, seconds in per_iteration.items():
        if not name.startswith("ours"):
            ratio = seconds / of_ours
            comparison = f"{ratio:.2f} times faster" if ratio >= 1 else f"{1 / ratio:.2f} times slower"
            goal = f" (goal: {GOALS[name]:g} times faster)" if k == 500 and name in GOALS else ""
            print(f"at k={k}, an iteration of ours is {comparison} than that of {name}{goal}")


def print_table(headings: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, ["-" * width for width in widths], *rows):
        print("|", " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), "|")
    print()


def main() -> None:
    """Print a table for each k."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, help="MovieLens 100K, a directory or zip file")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment with the libraries")
    parser.add_argument("--turns", type=int, default=3, help="fits of each library (default 3; of a slow one 2)")
    parser.add_argument("--k", type=int, nargs="+", choices=sorted(MAX_ITERATIONS), default=sorted(MAX_ITERATIONS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(run_peer(json.loads(arguments.child))))
        return

    from tasks.core.models.threads import cores

    name, interactions = load_interactions(arguments.data)
    matrix = interactions.matrix
    start = time.perf_counter()
    print(f"{name}: {size_text(matrix)}; {cores()} cores; regularization {REGULARIZATION}, alpha 1")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        save_npz(folder / "matrix.npz", csr_matrix(matrix))
        for k in arguments.k:
            results, reasons = run_all(k, matrix, arguments.python, arguments.turns, folder)
            if not {"ours, CG", "implicit, BLAS capped"} <= results.keys():
                sys.exit(f"k={k}: our own fits failed: {reasons}")
            print_comparison(k, results, reasons)
    print(f"\ntotal time: {(time.perf_counter() - start) / 60:.1f} min")


if __name__ == "__main__":
    main()
