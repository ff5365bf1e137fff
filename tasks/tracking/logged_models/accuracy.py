"""Accuracy of logged models, by which MLflow ranks them."""

import time
from typing import TYPE_CHECKING

from tasks.core.comparison.accuracy_tests import tested_metrics
from tasks.core.planning.runs import MODEL
from tasks.reporting.result import Result
from tasks.tracking.logged_models.files import output_models

if TYPE_CHECKING:
    from mlflow import MlflowClient


def log_accuracy(client: "MlflowClient", result: Result) -> None:
    """Log the held-out accuracy of each model of a comparison with the logged models of its fits.

    A logged model is of a fit to all interactions, which has no accuracy of its own. It gets the mean of the
    evaluation fits with the same settings, as `accuracy/METRIC`, for the metrics whose differences are tested. MLflow
    stores a metric of a logged model with a run, too: that of the fit, where the name tells it from the metrics of
    evaluation fits. A fit that an earlier comparison logged is not trained again, and has the accuracy that was
    measured last. Fits without a logged model are passed over.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    result : Result
        Result of the comparison.
    """
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    tested = tested_metrics(result.cutoffs)  # a column each in MLflow, which cannot show thirty
    for ref in result.runs:
        metrics = {
            f"accuracy/{row.metric}": row.mean
            for row in result.accuracy
            if row.model == ref.model and row.metric in tested
        }
        if ref.role != MODEL or not metrics:
            continue
        run = client.get_run(ref.run_id)
        batch = [
            Metric(
                key,
                value,
                now,
                0,
                model_id=model_id,
                # as `tasks.tracking.runs.log_dataset` names them
                dataset_name=result.dataset,
                dataset_digest=result.data_sha256[:12],
            )
            for model_id in output_models(run)
            for key, value in metrics.items()
            if run.data.metrics.get(key) != value
        ]
        if batch:
            client.log_batch(ref.run_id, metrics=batch, synchronous=True)
