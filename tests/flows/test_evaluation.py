"""Evaluation as an experiment's part: splits, references, sweeps and what is said of them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.tracking import artifacts, search, store

pytestmark = pytest.mark.usefixtures("api_url")

SWEEP: dict[str, Any] = {
    "name": "sweep",
    "dataset": {"name": "file", "path": "ratings.csv", "columns": {"user": 0, "item": 1, "rating": 2, "timestamp": 3}},
    "models": {"als": {"factors": [1, 2, 4], "iterations": 3}},
    "replicates": 2,
    "snapshots": [2],
    "queries": {"users": [3]},
    "comparison": {"depths": [3]},
    "evaluation": {"split": {"strategy": "leave_last"}, "replicates": 2, "cutoffs": [3, 5]},
    "execution": {"system_metrics": False},
}


def write(folder: Path, config: dict[str, Any]) -> None:
    """Two blocks of users that like two blocks of items, dated; the config beside them."""
    rng = np.random.default_rng(7)
    pairs = [(u, i) for u in range(40) for i in range(30) if u % 2 == i % 2 and rng.random() < 0.6]
    users, items = zip(*pairs, strict=True)
    frame = pd.DataFrame({"user": users, "item": items, "rating": 5, "time": rng.permutation(len(pairs))})
    frame.to_csv(folder / "ratings.csv", index=False)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def command(env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "flows", *args], env=env, capture_output=True, text=True, timeout=250)


class TestSweep:
    @pytest.fixture(scope="class")
    def done(
        self, tmp_path_factory: pytest.TempPathFactory, api_url: str
    ) -> tuple[dict[str, Any], Path, dict[str, str]]:
        import os

        folder = tmp_path_factory.mktemp("sweep")
        write(folder, SWEEP)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LATENTLAB", "MLFLOW"))}
        env = {
            **kept,
            "PREFECT_API_URL": api_url,
            "LATENTLAB_HOME": str(folder / "home"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            "COLUMNS": "80",
        }
        found = subprocess.run(
            [sys.executable, "-m", "flows", "run", "config.yaml", "--json"],
            env=env,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout), folder, env

    def test_a_model_an_entry_along_what_varies(self, done: Any) -> None:
        result, _, _ = done
        assert list(result["models"]) == ["als-factors1", "als-factors2", "als-factors4"]
        assert result["sweep"]["settings"] == ["factors"]
        for point, factors in zip(result["sweep"]["points"], (1, 2, 4), strict=True):
            assert point["varied"] == {"factors": factors}
            assert point["megabytes"] == pytest.approx(4 * factors * (40 + 30) / 1e6)
            assert 0 <= point["steadiness"]["mean"] <= 1
            within = [row for row in result["comparison"] if (row["target"], row["depth"]) == ("users", 3)]
            of = {row["a"]: row["overlap"] for row in within if row["a"] == row["b"]}
            assert point["accuracy"]["mean"] == pytest.approx(self.mean(result, point["model"], "ndcg_at_3"))
            assert set(of) == set(result["models"])

    def mean(self, result: dict[str, Any], model: str, metric: str) -> float:
        (found,) = [row["mean"] for row in result["accuracy"] if (row["model"], row["metric"]) == (model, metric)]
        return float(found)

    def test_accuracy_is_what_was_measured_on_the_split_alone(self, done: Any) -> None:
        result, _, _ = done
        assert {row["metric"] for row in result["accuracy"]} == {row["metric"] for row in result["reference_accuracy"]}

    def test_the_split_is_the_last_of_each_user(self, done: Any) -> None:
        held = done[0]["held_out"]
        assert held["test_interactions"] == held["evaluated_users"] == 40
        assert held["users_without_train"] == 0

    def test_references_stand_beside_it(self, done: Any) -> None:
        result, _, _ = done
        names = {row["model"] for row in result["reference_accuracy"]}
        assert names == {"popularity", "item-knn", "ease", "random"}
        of = {(row["model"], row["metric"]): row["mean"] for row in result["reference_accuracy"]}
        assert of["ease", "auc"] > of["random", "auc"]
        assert {test["b"] for test in result["beside_popularity"]} == set(result["models"])

    def test_differences_in_accuracy_are_adjusted_together(self, done: Any) -> None:
        tests = done[0]["accuracy_tests"]
        assert {(test["metric"], test["b"]) for test in tests} == {
            (f"{metric}_at_3", model)
            for metric in ("ndcg", "recall", "precision", "map")
            for model in ("als-factors2", "als-factors4")
        }
        for model in ("als-factors2", "als-factors4"):
            of = [test for test in tests if test["b"] == model]
            largest = [max(test["p_users_t"], test["p_users_flip"]) for test in of]
            assert all(test["p_holm"] >= p for test, p in zip(of, largest, strict=True))
            assert min(test["p_holm"] for test in of) == pytest.approx(min(4 * min(largest), 1))

    def test_mlflow_holds_it(self, done: Any) -> None:
        result, folder, _ = done
        client = store.open_store(f"sqlite:///{folder}/mlflow.db")
        parent = search.find_run(client, result["parent_id"])
        assert {"auc.ease", "coverage_at_5.random", "ndcg_at_3.als-factors4", "fit_seconds.als-factors1"} <= set(
            parent.data.metrics
        )
        table = json.loads(artifacts.read_artifact(client, result["parent_id"], "sweep.json").read_text())
        assert table["columns"][:3] == ["model", "factors", "accuracy"]
        assert len(table["data"]) == 3
        drawn = artifacts.read_artifact(client, result["parent_id"], "figures/sweep.svg").read_text()
        assert "seconds a fit" in drawn

    def test_the_report_says_what_was_tuned_and_shows_the_sweep(self, done: Any) -> None:
        result, folder, _ = done
        client = store.open_store(f"sqlite:///{folder}/mlflow.db")
        page = artifacts.read_artifact(client, result["parent_id"], "report.html").read_text()
        assert "No setting was tuned" in page
        assert 'id="sweep"' in page
        assert "popularity" in page

    def test_a_person_sees_tables_that_fit(self, done: Any) -> None:
        _, folder, env = done
        shown = subprocess.run(
            [sys.executable, "-m", "flows", "show", "latest"], env=env, cwd=folder, capture_output=True, text=True
        )
        assert shown.returncode == 0, shown.stderr
        assert "Along factors" in shown.stdout
        assert "Held out: 40 interactions of 40 users" in shown.stdout
        assert "The lists at 5" in shown.stdout
        assert "…" not in shown.stdout.partition("Held-out accuracy")[2]
        assert max(map(len, shown.stdout.splitlines())) <= 80


def test_a_published_split_in_lists(workdir: Path, command_env: dict[str, str]) -> None:
    """Users and items of both parts; one user without a train part, one line without items."""
    (workdir / "train.txt").write_text("".join(f"{u} {' '.join(map(str, range(u % 3, 12, 2)))}\n" for u in range(20)))
    (workdir / "test.txt").write_text("0 13 1\n1 2\n2\n99 4\n")
    config = {
        **SWEEP,
        "name": "published",
        "dataset": {"name": "file", "path": "train.txt", "layout": "lists"},
        "preprocess": {"confidence": {"transform": "linear", "alpha": 40}},
        "models": {"k2": {"factors": 2, "iterations": 3}},
        "evaluation": {
            "split": {"strategy": "files", "test": "test.txt", "layout": "lists"},
            "replicates": 1,
            "cutoffs": [20],
        },
    }
    (workdir / "config.yaml").write_text(yaml.safe_dump(config))
    found = command(command_env, "run", "config.yaml", "--json")
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    assert result["held_out"] == {
        "train_interactions": sum(len(range(u % 3, 12, 2)) for u in range(20)),
        "test_interactions": 4,
        "evaluated_users": 3,
        "users_without_train": 1,
        "items_without_train": 1,
    }
    of = {row["metric"]: row["mean"] for row in result["accuracy"]}
    # everything that was trained on and is left is recommended: item 1 to user 0, item 2 to user 1, nothing to user 99
    assert of["recall_at_20"] == pytest.approx((1 / 2 + 1 + 0) / 3)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"evaluation.split": {"strategy": "leave_last"}, "dataset.columns": {"user": 0, "item": 1}}, 3, "timestamps"),
        ({"evaluation.split": {"strategy": "time"}, "dataset.columns": {"user": 0, "item": 1}}, 3, "timestamps"),
        ({"preprocess.k_core": 1000}, 3, "k_core 1000 leaves nothing"),
        ({"evaluation.split": {"strategy": "files", "test": "none.csv"}}, 3, "evaluation.split.test: "),
        ({"evaluation.split": {"strategy": "files", "test": "ratings.csv"}}, 3, "are in the train part too"),
        ({"evaluation.split": {"strategy": "files", "test": "empty.csv"}}, 3, "empty.csv: empty"),
        ({"evaluation.split": {"strategy": "files", "test": "low.csv"}}, 3, "no interaction that counts"),
        ({"evaluation.split": {"strategy": "random", "test_fraction": 1e-9}}, 3, "one part is empty"),
        ({"evaluation.split": {"strategy": "leavelast"}}, 2, "did you mean 'leave_last'"),
        ({"evaluation.cutoffs": [0]}, 2, "evaluation.cutoffs.0: found 0"),
        ({"models.popularity": {"factors": 2, "iterations": 2}}, 2, "is the name of a reference"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_evaluated_is_told_before_anything_is_trained(
    workdir: Path, command_env: dict[str, str], changes: dict[str, Any], code: int, words: str
) -> None:
    write(workdir, SWEEP)
    (workdir / "empty.csv").write_text("")
    (workdir / "low.csv").write_text("user,item,rating\n1,2,1\n")
    sets = [f"--set={key}={json.dumps(value)}" for key, value in changes.items()]
    found = command(command_env, "run", "config.yaml", "--json", *sets)
    assert found.returncode == code, found.stderr
    assert words in found.stderr
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    if (workdir / "mlflow.db").exists():
        assert search.our_runs(store.open_store(f"sqlite:///{workdir}/mlflow.db")) == []


def test_a_cutoff_above_the_catalogue_is_a_list_that_ends_early(workdir: Path, command_env: dict[str, str]) -> None:
    write(workdir, {**SWEEP, "models": {"k2": {"factors": 2, "iterations": 3}}})
    found = command(command_env, "run", "config.yaml", "--json", "--set", "evaluation.cutoffs=[5, 500]")
    assert found.returncode == 0, found.stderr
    of = {row["metric"]: row["mean"] for row in json.loads(found.stdout)["accuracy"]}
    assert of["recall_at_500"] == 1
    assert of["precision_at_500"] == pytest.approx(1 / 500)
