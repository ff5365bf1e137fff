"""Types of what reads a store, MLflow's client or our reader, and of the records that they return."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import mlflow.entities
    from mlflow import MlflowClient

    from tasks.tracking.local_reader import records
    from tasks.tracking.local_reader.reader import LocalReader

StoreReader: TypeAlias = "MlflowClient | LocalReader"
StoredRun: TypeAlias = "mlflow.entities.Run | records.Run"
StoredExperiment: TypeAlias = "mlflow.entities.Experiment | records.Experiment"
