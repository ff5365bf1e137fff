"""A look-up takes less time than the import of MLflow alone, with a bound far above docs/benchmarks.md."""

import sys
from pathlib import Path

from tasks.tracking.store import open_store
from tests.benchmarks.measuring import environment, latentlab, run_command


def test_runs_are_listed_in_less_time_than_mlflow_is_imported(tmp_path: Path) -> None:
    env = environment(tmp_path / "prefect")
    open_store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    rounds = []
    for _ in range(3):
        ours, answer = run_command(latentlab("runs", overrides=[]), env=env, cwd=tmp_path)
        imported, _ = run_command([sys.executable, "-c", "import mlflow"], env=env, cwd=tmp_path)
        assert "No runs yet" in answer
        rounds.append((ours, imported))
    of_ours, of_import = (min(times) for times in zip(*rounds, strict=True))
    assert of_ours < 0.8 * of_import
