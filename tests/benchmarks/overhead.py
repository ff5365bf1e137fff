"""What `latentlab run` costs beside its fits: python tests/benchmarks/overhead.py [CONFIG]

Each line is a fresh process: a bare Prefect flow of as many empty tasks on the embedded server, the run from nothing,
and the same run again, which finds everything complete.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
BARE = """
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


def seconds(command: list[str], env: dict[str, str], cwd: str) -> tuple[float, str]:
    """Wall time of a command, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, env=env, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - start, done.stdout


def main() -> None:
    """Print the three times, and what is left of each beside the fits and the bare flow."""
    config = str(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "configs/quickstart.yaml").absolute())
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "PREFECT_HOME": f"{folder}/prefect"}
        env = {key: value for key, value in env.items() if key not in {"PREFECT_API_URL", "MLFLOW_TRACKING_URI"}}
        run = [sys.executable, "-m", "flows", "run", config, "--json"]
        seconds([sys.executable, "-c", BARE.format(tasks=1)], env, folder)  # makes the server's database
        cold, printed = seconds(run, env, folder)
        warm, again = seconds(run, env, folder)
        fits = json.loads(printed)["trained"]
        assert json.loads(again)["trained"] == 0, "the second run trains nothing"
        bare, _ = seconds([sys.executable, "-c", BARE.format(tasks=3 * fits + 3)], env, folder)
        sys.path.insert(0, str(ROOT))
        from tasks import runs, tracking

        client = tracking.open_store(f"sqlite:///{folder}/mlflow.db")
        training = sum(run.data.metrics.get("fit_seconds", 0.0) for run in runs.our_runs(client))
    rest = cold - training - bare
    print(f"bare flow of {3 * fits + 3} tasks  {bare:6.1f} s")
    print(f"run from nothing        {cold:6.1f} s: {training:.1f} s of fits, {rest:+.1f} s over the bare flow")
    print(f"run again               {warm:6.1f} s: {warm - bare:+.1f} s over the bare flow")


if __name__ == "__main__":
    main()
