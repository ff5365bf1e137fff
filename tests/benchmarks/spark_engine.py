"""`engine: spark` beside `engine: implicit`: python tests/benchmarks/spark_engine.py [--millions 1 10 32]

python tests/benchmarks/spark_engine.py --growth
python tests/benchmarks/spark_engine.py --large

For each size, ratings are generated as a folder of Parquet files, and one model is trained by implicit's exact solver,
by implicit's CG, and by Spark MLlib with local[2]: k=16, alpha 4. Each is trained in a process of its own. The seconds
of an iteration are the difference of fits of 6 iterations and of 1, divided by 5; with Spark a short fit comes first,
during which Java compiles. What a fit of 1 takes beside its iteration is the preparation: reading, sorting, blocks.
The memory is the peak of the process, less that before it reads the matrix; with Spark, that of Python (the driver's
matrix and factors) and that of Java (the driver and, with a local master, its executors).

--growth measures Spark alone at k=16 and k=64, with 10 and 32 million ratings, and estimates sizes beyond: the seconds
are a power of the number of ratings, through the two that were measured with as many factors. The memory that it
estimates is that of `latentlab check`, for lists of 10,000 users and 10,000 items: of Python, without Spark's.

--large runs `latentlab run` on 100 million ratings in its place: a model of Spark with three seeds, and lists of 10,000
users and 10,000 items. It prints the seconds and the peak of memory of all processes, beside the estimates of
`latentlab check`.
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from estimated import estimate, measure
from large_ratings import write_large_folder
from measuring import argument_parser, environment, memory_bytes, run_command, table_head, table_row

SIZES = {1: (6_000, 4_000), 10: (70_000, 11_000), 32: (200_000, 85_000), 100: (600_000, 150_000)}
"""Millions of ratings -> users and items."""
ENGINES = ("implicit, cholesky", "implicit, cg", "spark")
HEAP = "8g"
FACTORS = 16
SETTINGS = {"regularization": 0.05, "alpha": 4.0}
LONG = 6
GROWTH_FACTORS, GROWTH_SIZES = (16, 64), (10, 32)
"""Numbers of factors, and the two sizes in millions of ratings, that --growth measures."""
ESTIMATED = {100: SIZES[100], 1_000: (6_000_000, 500_000), 10_000: (60_000_000, 1_000_000)}
"""Millions of ratings that --growth estimates -> users and items."""
LARGE = """
name: large
dataset: {{name: file, path: {path}, columns: {{user: userId, item: movieId, rating: rating, timestamp: timestamp}}}}
preprocess: {{min_rating: null}}
models:
  k16: {{factors: 16, iterations: 5, regularization: 0.05, alpha: 4, engine: spark}}
replicates: 3
neighbours: {{sample: 10000}}
evaluation: null
execution:
  spark: {{master: "local[2]", config: {{spark.driver.memory: 8g}}}}
"""


def fit(engine: str, folder: Path, factors: int) -> dict[str, float]:
    """Train with one engine in this process; seconds of an iteration, and memory."""
    from tasks.core.config.als import AlsConfig
    from tasks.core.data.interactions import load_matrix

    model, before = {**SETTINGS, "factors": factors}, memory_bytes()
    matrix = load_matrix(folder / "matrix.npz")
    if engine != "spark":
        from tasks.core.models.als import fit as fit_here

        settings = AlsConfig.model_validate({**model, "iterations": LONG, "solver": engine.split()[-1]})
        ends: list[float] = []
        fit_here(matrix, settings, seed=1, on_iteration=lambda _: ends.append(time.perf_counter()))
        return {"seconds": (ends[-1] - ends[0]) / (LONG - 1), "python": memory_bytes(peak=True) - before, "java": 0.0}
    from tasks.core.config.experiment import SparkConfig
    from tasks.core.models.spark.als import Table, write_table
    from tasks.core.models.spark.als import fit as fit_there
    from tasks.core.models.spark.start import start_session

    table = Table(folder / "table.parquet", matrix.shape)
    write_table(matrix, table.path)
    del matrix
    config = SparkConfig(master="local[2]", config={"spark.driver.memory": HEAP})
    session = start_session(config, folder / "spark.log", lambda: None)
    assert session.java is not None
    seconds = {}
    for iterations in (2, 1, LONG):  # Java compiles during the first
        settings = AlsConfig.model_validate({**model, "iterations": iterations, "engine": "spark"})
        begun = time.perf_counter()
        fit_there(session, table, settings, seed=1, checkpoints=folder / "checkpoints", on_iteration=lambda _: None)
        seconds[iterations] = time.perf_counter() - begun
    peaks = {"python": memory_bytes(peak=True) - before, "java": memory_bytes(session.java.pid, peak=True)}
    session.java.kill()
    iteration = (seconds[LONG] - seconds[1]) / (LONG - 1)
    return {"seconds": iteration, "preparation": seconds[1] - iteration, **peaks}


def prepare(folder: Path, millions: int) -> None:
    """Write the matrix of so many ratings."""
    from tasks.core.config.experiment import ExperimentConfig
    from tasks.core.data.interactions import save_matrix
    from tasks.core.data.locate import locate
    from tasks.preprocess import preprocess

    users, items = SIZES[millions]
    write_large_folder(folder / "ratings", users=users, items=items, ratings=millions * 1_000_000)
    config = ExperimentConfig.model_validate(
        {
            "name": "prepared",
            "dataset": {
                "name": "file",
                "path": str(folder / "ratings"),
                "columns": {"user": "userId", "item": "movieId", "rating": "rating", "timestamp": "timestamp"},
            },
            "preprocess": {"min_rating": None},
            "models": {"k2": {"factors": 2, "iterations": 1}},
            "evaluation": None,
        }
    )
    save_matrix(preprocess.fn(config, locate(config.dataset)).load().matrix, folder / "matrix.npz")


def run_large(millions: int) -> None:
    """Run the whole pipeline, and print what it takes beside its estimate."""
    users, items = SIZES[millions]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_large_folder(folder / "ratings", users=users, items=items, ratings=millions * 1_000_000)
        config = folder / "large.yaml"
        config.write_text(LARGE.format(path=folder / "ratings"))
        estimated = estimate(config, [], folder)
        print(f"estimated: {estimated['seconds']:,.0f} s, {estimated['memory_bytes'] / 1e6:,.0f} MB", flush=True)
        seconds, memory, disk = measure(config, [], folder / "run")
        print(f"measured:  {seconds:,.0f} s, {memory / 1e6:,.0f} MB, {disk / 1e6:,.0f} MB written", flush=True)


def fits(millions: int, engines: Sequence[tuple[str, int]]) -> Iterator[dict[str, float]]:
    """Yield what each engine, with so many factors, takes on so many ratings: one process after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = environment(folder / "prefect") | {"LATENTLAB_HOME": str(folder / "home")}
        run_command([sys.executable, __file__, "--prepare", str(millions), name], env=env)
        for engine, factors in engines:
            command = [sys.executable, __file__, "--fit", engine, name, str(factors)]
            yield json.loads(run_command(command, env=env)[1].splitlines()[-1])


def memory_cells(found: dict[str, float]) -> list[str]:
    """Return the memory of Python and of Java."""
    return [f"{found[of] / 1e6:,.0f} MB" if found[of] else "" for of in ("python", "java")]


def compare_engines(sizes: Sequence[int]) -> None:
    """Print a row for each size and engine."""
    print(table_head("million ratings", "engine", "seconds an iteration", "ratio", "Python", "Java"))
    for millions in sizes:
        first = 0.0
        for engine, found in zip(ENGINES, fits(millions, [(each, FACTORS) for each in ENGINES]), strict=True):
            first = first or found["seconds"]
            ratio = f"{found['seconds'] / first:.1f}"
            print(table_row(millions, engine, f"{found['seconds']:.2f}", ratio, *memory_cells(found)), flush=True)


def measure_growth() -> None:
    """Print a row for each number of factors and size that is measured, and one for each that is estimated."""
    seconds: dict[int, list[float]] = {factors: [] for factors in GROWTH_FACTORS}  # of each size
    print(table_head("million ratings", "k", "seconds an iteration", "", "preparation", "Python", "Java"))
    for millions in GROWTH_SIZES:
        engines = [("spark", factors) for factors in GROWTH_FACTORS]
        for factors, found in zip(GROWTH_FACTORS, fits(millions, engines), strict=True):
            seconds[factors].append(found["seconds"])
            cells = f"{found['seconds']:.2f}", "measured", f"{found['preparation']:.1f} s", *memory_cells(found)
            print(table_row(millions, factors, *cells), flush=True)
    smaller, larger = GROWTH_SIZES
    for factors, (of_smaller, of_larger) in seconds.items():
        exponent = math.log(of_larger / of_smaller) / math.log(larger / smaller)
        for millions in ESTIMATED:
            estimate_of_size = of_larger * (millions / larger) ** exponent
            note = f"estimated, exponent {exponent:.2f}"
            memory = f"{estimated_bytes(factors, millions) / 1e6:,.0f} MB"
            print(table_row(f"{millions:,}", factors, f"{estimate_of_size:,.0f}", note, "", memory, ""))


def estimated_bytes(factors: int, millions: int) -> int:
    """Return the memory that `latentlab check` estimates where Spark is another process or machine."""
    from tasks.core.config.load import config_from
    from tasks.core.planning.estimate import memory_bytes as memory_of_experiment

    content = yaml.safe_load(LARGE.format(path="ratings"))
    content["models"] = {"model": {**content["models"]["k16"], "factors": factors}}
    del content["execution"]
    return memory_of_experiment(config_from(content, "large"), (*ESTIMATED[millions], millions * 1_000_000))


def main() -> None:
    """Print a table, or the large run."""
    parser = argument_parser(__doc__)
    parser.add_argument("--millions", type=int, nargs="+", choices=list(SIZES))
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--fit", nargs=3, help="an engine, a folder, and a number of factors: one fit in this process")
    parser.add_argument("--prepare", nargs=2, help="millions of ratings and a folder: the matrix in this process")
    arguments = parser.parse_args()
    if arguments.fit:
        engine, folder, factors = arguments.fit
        print(json.dumps(fit(engine, Path(folder), int(factors))))
    elif arguments.prepare:
        prepare(Path(arguments.prepare[1]), int(arguments.prepare[0]))
    elif arguments.large:
        for millions in arguments.millions or [100]:
            run_large(millions)
    elif arguments.growth:
        measure_growth()
    else:
        compare_engines(arguments.millions or [1, 10, 32])


if __name__ == "__main__":
    main()
