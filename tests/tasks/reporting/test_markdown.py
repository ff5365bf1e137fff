"""What the MLflow and Prefect UIs say of an experiment."""

from types import SimpleNamespace
from typing import Any

from tasks.core.data.interactions import Summary
from tasks.reporting.markdown import describe_experiment
from tests.tasks.reporting.explore.small_lists import config

DATA: Any = SimpleNamespace(summary=Summary(3, 4, 9, 3.0, 2.25, 4, 3, 1, 2), ratings=None)


def test_one_model_with_one_seed_is_in_the_singular() -> None:
    one = config(models={"a": {"factors": 2, "iterations": 1}}, replicates=1)
    assert describe_experiment(one, DATA).startswith("Neighbour lists of 1 ALS model on **synthetic-100k** (")
    assert "), 1 seed per model." in describe_experiment(one, DATA)
    assert "Neighbour lists of 2 ALS models on" in describe_experiment(config(), DATA)
    assert "), 3 seeds per model." in describe_experiment(config(), DATA)
