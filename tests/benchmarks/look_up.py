"""Time of the commands that answer from a store: python tests/benchmarks/look_up.py [--folder FOLDER] [--rounds N]

Runs the quickstart once, in an empty folder or in FOLDER, where a finished one is used again. Then, in each round one
after the other and each in a new process: `python -c "import mlflow"`, which a command cannot do without if it uses
MLflow's client, and every look-up; the start of Prefect's embedded server alone, and a run that finds every fit
complete; the comparison of the same fits, beside that of the run that trained them. Medians over the rounds, and
medians of the ratios or differences within a round, so that both sides of a ratio have met the same load. Of look-ups
the processor time is printed as well, which other processes of the machine hardly change.
"""

import resource
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median

from measuring import ROOT, argument_parser, environment, latentlab, run_command, seconds, table_head, table_row

LOOK_UPS = (
    "runs",
    "show latest",
    "show quickstart/k50/0",
    "similar latest --user 10",
    "recommend latest --user 0",
    "recommend latest --items 12,50",
    "report --json",
)
START = "from flows import environment; environment.prepare(); from flows.embedded_server import start_embedded_server"
SERVER = [sys.executable, "-c", f"{START}; start_embedded_server()"]
IMPORT = [sys.executable, "-c", "import mlflow"]


def compare_again() -> None:
    """Compare the fits of the latest comparison again, and print the seconds."""
    from flows.environment import prepare

    prepare()
    from tasks.compare import compare_models
    from tasks.core.data.locate import locate
    from tasks.held_out import references_beside
    from tasks.preprocess import preprocess
    from tasks.tracking.reading.named_run import find_run
    from tasks.tracking.results import config_of, result_of
    from tasks.tracking.runs import ParentRun, start_run
    from tasks.tracking.store import open_store, resolve_uri

    uri = resolve_uri()
    client = open_store(uri)
    latest = find_run(client, "latest")
    runs, config = result_of(client, latest).runs, config_of(client, latest)
    data = preprocess.fn(config, locate(config.dataset))
    run_id = start_run(client, latest.info.experiment_id, "compared again", tags={})
    parent = ParentRun(uri, latest.info.experiment_id, run_id, {})

    def compare() -> None:
        with references_beside(config, data) as references:
            compare_models.fn(config, data, runs, parent, references)

    print(seconds(compare))


class Bench:
    """The folder of a finished quickstart, and how often each command is measured in it."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self.folder, self.rounds = folder, rounds
        self.env = environment(folder / "prefect")
        self.run = latentlab("run", str(ROOT / "configs" / "quickstart.yaml"), "--json", overrides=[])

    def times(self, command: list[str]) -> tuple[float, float]:
        """Return the seconds of a command, and its seconds of processor time."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall, _ = run_command(command, env=self.env, cwd=self.folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def look_ups(self) -> None:
        """Print the table of look-ups."""
        measured: dict[str, list[tuple[float, ...]]] = {name: [] for name in LOOK_UPS}
        for _ in range(self.rounds):
            for name, rows in measured.items():
                rows.append((*self.times(latentlab(*name.split(), overrides=[])), *self.times(IMPORT)))
        print(table_head("command", "s", "processor, s", "relative to `import mlflow`", "processor, relative"))
        for name, rows in measured.items():
            wall, processor, _, _ = (median(column) for column in zip(*rows, strict=True))
            walls = median(ours / imports for ours, _, imports, _ in rows)
            processors = median(ours / imports for _, ours, _, imports in rows)
            print(table_row(f"`{name}`", *(f"{value:.2f}" for value in (wall, processor, walls, processors))))

    def runs(self) -> None:
        """Print the table of a cached run and of the comparison."""
        cached, compared = list[tuple[float, float]](), list[float]()
        for _ in range(self.rounds):
            cached.append((self.times(self.run)[0], self.times(SERVER)[0]))
            again = [sys.executable, __file__, "--compare"]
            compared.append(float(run_command(again, env=self.env, cwd=self.folder)[1].splitlines()[-1]))
        runs, servers = zip(*cached, strict=True)
        print(table_head("", "s"))
        print(table_row("embedded Prefect server, started and stopped", f"{median(servers):.1f}"))
        print(table_row("`latentlab run`, every fit complete", f"{median(runs):.1f}"))
        print(table_row("the run, beyond the server", f"{median(one - other for one, other in cached):.1f}"))
        print(table_row("the comparison of stored fits alone", f"{median(compared):.1f}"))
        print(table_row("the comparison in the first run", f"{self.first_comparison():.1f}"))

    def first_comparison(self) -> float:
        """Return the seconds of the task that compared the models when they were trained, from Prefect's database."""
        query = (
            "SELECT (julianday(end_time) - julianday(start_time)) * 86400 FROM task_run "
            "WHERE name LIKE 'compare %' ORDER BY start_time LIMIT 1"
        )
        with closing(sqlite3.connect(self.folder / "prefect" / "prefect.db")) as database:
            return float(database.execute(query).fetchone()[0])


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--folder", type=Path, help="where the quickstart was run, or is to be")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compare", action="store_true", help="used by the script itself")
    arguments = parser.parse_args()
    if arguments.compare:
        compare_again()
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, arguments.rounds)
        bench.times(bench.run)
        bench.look_ups()
        print()
        bench.runs()


if __name__ == "__main__":
    main()
