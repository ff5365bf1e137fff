"""What `latentlab run` costs beside its fits: python tests/benchmarks/overhead.py [CONFIG] [--server] [--set ...]

Each line is a fresh process: a bare loop of the same fits with implicit on all cores and BLAS capped to one thread
(the time of the fits alone), a bare Prefect flow of as many empty tasks on the embedded server, the run from nothing,
and the same run again, which finds everything complete; of two turns the least. --server: with a Prefect server that
is up already, the run from nothing against the bare loop alone, with each way to share the machine: as many fits at a
time as cores, and one.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import ROOT, environment, latentlab

FLOW = """
from flows import environment
environment.prepare()
from prefect import flow, task
@task
def nothing(): pass
@flow
def bare():
    for _ in range({tasks}): nothing()
bare()
"""
LOOP = """
import json, sys, time
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from tasks.core import datasets
from tasks.core.config import load_config
from tasks.core.plan import MODEL, planned_runs
from tasks.preprocess import hold_out, load, load_split, prepare
config = load_config(sys.argv[1], sys.argv[2:])
ratings = datasets.locate(config.dataset)
data = hold_out(config, prepare(config.dataset, config.preprocess, ratings), ratings)
whole = csr_matrix(load(data.file).matrix)
part = csr_matrix(load_split(data.held_out).train) if data.held_out else None
runs, seconds = planned_runs(config, ""), 0.0
with threadpoolctl.threadpool_limits(1, "blas"):
    for run in runs:
        als = run.settings
        model = AlternatingLeastSquares(factors=als.factors, regularization=als.regularization, alpha=als.alpha,
            iterations=als.iterations, use_cg=als.solver == "cg", random_state=run.seed)
        start = time.perf_counter()
        model.fit(whole if run.role == MODEL else part, show_progress=False)
        seconds += time.perf_counter() - start
print(json.dumps([len(runs), seconds]))
"""


def seconds(command: list[str], env: dict[str, str], cwd: str) -> tuple[float, str]:
    """Wall time of a command, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, env=env, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - start, done.stdout


@contextmanager
def server(env: dict[str, str], cwd: str) -> Iterator[str]:
    """A Prefect server that answers; its API's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=env, cwd=cwd, stdout=quiet, stderr=quiet) as process:
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health").close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/api"
        finally:
            process.terminate()


def main() -> None:
    """Print the times, and what is left of each beside the fits and the bare flow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", type=Path, default=ROOT / "configs/quickstart.yaml")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--server", action="store_true")
    arguments = parser.parse_args()
    config = str(arguments.config.absolute())
    overrides = arguments.set + ([f"dataset.path={arguments.data.absolute()}"] if arguments.data else [])
    with tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder, "prefect"))
        run = latentlab("run", config, "--json", overrides=overrides)
        loop = [sys.executable, "-c", LOOP, config, *overrides]

        def looped() -> tuple[int, float]:
            number, spent = json.loads(seconds(loop, env | {"LATENTLAB_HOME": f"{folder}/loop"}, folder)[1])
            return number, spent

        def new(name: str) -> str:
            Path(folder, name).mkdir()
            return str(Path(folder, name))

        fits, training = looped()
        if arguments.server:
            print(f"bare loop of {fits} fits          {training:6.1f} s")
            with server(env, folder) as api:
                for workers in ("auto", "1"):
                    sharing = [*run, "--set", f"execution.workers={workers}"]
                    cold, _ = seconds(sharing, env | {"PREFECT_API_URL": api}, new(workers))
                    print(
                        f"run, execution.workers: {workers:6} {cold:6.1f} s: {cold / training:.3f} times the bare loop"
                    )
            return
        tasks = 3 * fits + 3
        flow = [sys.executable, "-c", FLOW.format(tasks=tasks)]
        seconds([sys.executable, "-c", FLOW.format(tasks=1)], env, folder)  # makes the server's database
        turns = []
        for turn in ("first", "second"):
            place = new(turn)
            cold, _ = seconds(run, env, place)
            warm, again = seconds(run, env, place)
            assert json.loads(again)["trained"] == 0, "the second run trains nothing"
            turns.append((looped()[1], seconds(flow, env, folder)[0], cold, warm))
    training, bare, cold, warm = (min(found) for found in zip(*turns, strict=True))
    print(f"bare loop of {fits} fits          {training:6.1f} s")
    print(f"bare flow of {tasks} tasks          {bare:6.1f} s")
    print(f"run from nothing               {cold:6.1f} s: {cold - training - bare:+.1f} s over both")
    print(f"run again                      {warm:6.1f} s: {warm - bare:+.1f} s over the bare flow")


if __name__ == "__main__":
    main()
