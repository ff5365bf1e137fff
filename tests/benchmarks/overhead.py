"""Overhead of `latentlab run`: python tests/benchmarks/overhead.py [CONFIG] [--data DIR_OR_ZIP] [--set ...] [--server]

Each line is measured in a new process, best of two: a bare loop of the same fits with implicit, on all cores and with
BLAS limited to one thread (the time of the fits alone); a bare Prefect flow of as many empty tasks on the embedded
server; the first run, in an empty folder; and the same run again, which finds every fit complete.

--server: the first run is measured with a Prefect server that is already running, against the bare loop alone, and
with both ways to share the machine: as many fits at a time as there are cores, and one.
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

from measuring import ROOT, argument_parser, environment, latentlab, run_command

# In the child.


def bare_flow(number: int) -> None:
    """Run a Prefect flow of empty tasks on the embedded server."""
    from flows.environment import prepare

    prepare()
    from prefect import flow, task

    @task
    def empty_task() -> None:
        pass

    @flow
    def empty_flow() -> None:
        for _ in range(number):
            empty_task()

    empty_flow()


def bare_loop(config_path: str, overrides: list[str]) -> None:
    """Run the fits of an experiment one after the other with implicit; print their number and their seconds."""
    import threadpoolctl
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    from tasks.core.config.load import load_config
    from tasks.core.data.locate import locate
    from tasks.core.planning.runs import planned_runs
    from tasks.preprocess import preprocess

    config = load_config(config_path, overrides)
    data = preprocess.fn(config, locate(config.dataset))
    matrix = csr_matrix(data.load().matrix)
    train_part = csr_matrix(data.splits[0].load().train) if data.splits else None
    runs, seconds = planned_runs(config, ""), 0.0
    with threadpoolctl.threadpool_limits(1, "blas"):
        for run in runs:
            settings = run.settings
            model = AlternatingLeastSquares(
                factors=settings.factors,
                regularization=settings.regularization,
                alpha=settings.alpha,
                iterations=settings.iterations,
                use_cg=settings.solver == "cg",
                random_state=run.seed,
            )
            start = time.perf_counter()
            model.fit(train_part if run.is_evaluation else matrix, show_progress=False)
            seconds += time.perf_counter() - start
    print(json.dumps([len(runs), seconds]))


# In the parent.


@contextmanager
def prefect_server(env: dict[str, str], cwd: Path) -> Iterator[str]:
    """Run a Prefect server during the block, which begins once it answers. Yields the URL of its API."""
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


class Bench:
    """The commands that are measured, for one config, in folders of their own below `folder`."""

    def __init__(self, config: str, overrides: list[str], folder: Path) -> None:
        self.config, self.overrides, self.folder = config, overrides, folder
        self.env = environment(folder / "prefect")

    def loop(self) -> tuple[int, float]:
        """Return the number of fits, and the seconds that the bare loop takes for them."""
        env = self.env | {"LATENTLAB_HOME": str(self.folder / "loop")}
        sets = [word for override in self.overrides for word in ("--set", override)]
        number, seconds = json.loads(self._run_self("--bare-loop", self.config, *sets, env=env)[1])
        return number, seconds

    def flow(self, number: int) -> float:
        """Return the seconds of a bare flow of that many tasks."""
        return self._run_self("--bare-flow", str(number), env=self.env)[0]

    def run(self, name: str, *overrides: str, **variables: str) -> tuple[float, int]:
        """Return the seconds of `latentlab run` in the folder of that name, and how many fits it trained."""
        cwd = self.folder / name
        cwd.mkdir(exist_ok=True)
        command = latentlab("run", self.config, "--json", overrides=[*self.overrides, *overrides])
        seconds, stdout = run_command(command, env=self.env | variables, cwd=cwd)
        return seconds, json.loads(stdout)["trained"]

    def _run_self(self, *arguments: str, env: dict[str, str]) -> tuple[float, str]:
        return run_command([sys.executable, str(Path(__file__).resolve()), *arguments], env=env, cwd=self.folder)


def print_overhead(bench: Bench) -> None:
    """Print the times with the embedded server, and by how much a run exceeds the fits and the bare flow."""
    fits, _ = bench.loop()
    tasks = 3 * fits + 3  # train, evaluate, upload for each fit; download, preprocess, compare
    bench.flow(1)  # makes the server's database
    rounds = []
    for name in ("first", "second"):
        first_run, _ = bench.run(name)
        second_run, trained = bench.run(name)
        assert trained == 0, "the second run trains nothing"
        rounds.append((bench.loop()[1], bench.flow(tasks), first_run, second_run))
    loop, flow, first_run, second_run = (min(times) for times in zip(*rounds, strict=True))
    print_line(f"bare loop of {fits} fits", loop)
    print_line(f"bare flow of {tasks} tasks", flow)
    print_line("first run", first_run, f"{first_run - loop - flow:+.1f} s relative to both")
    print_line("second run", second_run, f"{second_run - flow:+.1f} s relative to the bare flow")


def print_overhead_with_server(bench: Bench) -> None:
    """Print the times with a Prefect server that is already running."""
    fits, loop = bench.loop()
    print_line(f"bare loop of {fits} fits", loop)
    with prefect_server(bench.env, bench.folder) as api:
        for workers in ("auto", "1"):
            seconds, _ = bench.run(workers, f"execution.workers={workers}", PREFECT_API_URL=api)
            print_line(f"run, execution.workers: {workers}", seconds, f"{seconds / loop:.3f} times the bare loop")


def print_line(label: str, seconds: float, comparison: str = "") -> None:
    """Print one time."""
    print(f"{label:30} {seconds:6.1f} s   {comparison}".rstrip())


def main() -> None:
    """Print the times of one config."""
    parser = argument_parser(__doc__)
    parser.add_argument("config", nargs="?", type=Path, default=ROOT / "configs/quickstart.yaml")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--bare-flow", type=int, metavar="TASKS", help=argparse.SUPPRESS)
    parser.add_argument("--bare-loop", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    config = str(arguments.config.absolute())
    if arguments.bare_flow:
        bare_flow(arguments.bare_flow)
        return
    if arguments.bare_loop:
        bare_loop(config, arguments.set)
        return
    overrides = arguments.set + ([f"dataset.path={arguments.data.absolute()}"] if arguments.data else [])
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(config, overrides, Path(folder))
        (print_overhead_with_server if arguments.server else print_overhead)(bench)


if __name__ == "__main__":
    main()
