"""`stop: {when: metric}` in an experiment: child processes, MLflow, and the comparison."""

import pytest
from mlflow import MlflowClient

from flows.experiment import experiment
from tasks.core.config.experiment import ExperimentConfig
from tasks.tracking.search import our_runs


@pytest.mark.usefixtures("api_url")
def test_every_fit_of_a_model_stops_by_its_metric(config: ExperimentConfig, client: MlflowClient) -> None:
    rule = {"when": "metric", "metric": "ndcg_at_5", "every": 2, "patience": 2}
    content = config.model_dump(exclude_unset=True)
    content["models"]["k8"] |= {"iterations": 60, "stop": rule}
    outcome = experiment(ExperimentConfig.model_validate(content))
    assert outcome.trained == 6
    fits = [run for run in our_runs(client) if run.data.tags.get("latentlab.model") == "k8"]
    assert len(fits) == 3
    for run in fits:
        checks = client.get_metric_history(run.info.run_id, "stop_accuracy")
        best = max(checks, key=lambda check: (check.value, -check.step))
        assert run.data.metrics["kept_iteration"] == best.step
        assert run.data.metrics["iterations_run"] == checks[-1].step == best.step + 4 < 60
        assert run.data.params["stop"]
    assert experiment(ExperimentConfig.model_validate(content)).trained == 0
