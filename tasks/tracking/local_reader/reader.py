"""Reads runs and experiments of a store that is a sqlite file, without MLflow, whose import takes seconds.

The tables are those of MLflow's `mlflow/store/tracking/dbmodels/models.py` at the schemas in `SCHEMAS`. The database is
opened for reading only. A test holds what is returned equal to what MLflow's client returns.
"""

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from tasks.core.errors import TrackingError
from tasks.tracking.local_reader import queries
from tasks.tracking.local_reader.records import Experiment, Page, Run, RunData, RunInfo
from tasks.tracking.local_store import moved_experiments, sqlite_path

SCHEMAS = frozenset({"dc11669786a5", "f4a9b2c7d1e6"})
"""Revisions of MLflow's database (its table `alembic_version`) for which this module was tested: of 3.17 and 3.18."""
_OPENING_SECONDS, _LOCK_SECONDS = 1, 20
"""How long a locked database is waited for: until MLflow's client takes over, and as long as that client waits."""
_PAGE = 1_000
_EMPTY_TABLES = """
    CREATE TABLE experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time);
    CREATE TABLE runs (
        run_uuid, name, experiment_id, status, start_time, end_time, lifecycle_stage, artifact_uri
    );
    CREATE TABLE latest_metrics (run_uuid, key, value, is_nan);
    CREATE TABLE params (run_uuid, key, value);
    CREATE TABLE tags (run_uuid, key, value);
"""
"""What the reader selects from, of a store that does not exist yet."""
Row: TypeAlias = tuple[Any, ...]


class MissingRunError(Exception):
    """There is no such run. It has the code of MLflow's own error, which `tasks.tracking.store.is_missing` knows."""

    error_code = "RESOURCE_DOES_NOT_EXIST"


class LocalReader:
    """Answers as MLflow's client does, with what readers use of its records.

    Parameters
    ----------
    uri : str
        Of the store.
    database : Connection
        For reading only.
    """

    def __init__(self, uri: str, database: sqlite3.Connection) -> None:
        self._uri, self._database = uri, database

    def get_run(self, run_id: str) -> Run:
        """Return a run, even one that was deleted.

        Parameters
        ----------
        run_id : str
            Its id.

        Returns
        -------
        Run

        Raises
        ------
        MissingRunError
            If there is none.
        """
        for run in self._runs("runs.run_uuid = ?", (run_id,)):
            return run
        raise MissingRunError(f"Run with id={run_id} not found")

    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str = "",
        max_results: int = _PAGE,
        order_by: Sequence[str] = (),
        page_token: str | None = None,
    ) -> Page[Run]:
        """Return the runs of some experiments that are not deleted.

        Parameters
        ----------
        experiment_ids : sequence of str
            Ids of the experiments.
        filter_string : str
            See `tasks.tracking.local_reader.queries.where`.
        max_results : int
            Length of a page.
        order_by : sequence of str
            See `tasks.tracking.local_reader.queries.order`.
        page_token : str, optional
            `token` of the page before.

        Returns
        -------
        Page of Run
        """
        condition, values = queries.where(filter_string)
        ids = ", ".join(str(int(experiment_id)) for experiment_id in experiment_ids)
        order, keys = queries.order(order_by)
        start = int(page_token or 0)
        runs = list(
            self._runs(
                f"runs.lifecycle_stage = 'active' AND runs.experiment_id IN ({ids}) AND {condition} "
                f"ORDER BY {order} LIMIT {max_results + 1} OFFSET {start}",
                (*values, *keys),
            )
        )
        return Page(runs[:max_results], str(start + max_results) if len(runs) > max_results else None)

    def search_experiments(self, page_token: str | None = None) -> Page[Experiment]:
        """Return the experiments that are not deleted, all on one page.

        Parameters
        ----------
        page_token : str, optional
            For the signature of MLflow's client; there is no second page.

        Returns
        -------
        Page of Experiment
            The latest first.
        """
        return Page(self._experiments("lifecycle_stage = 'active' ORDER BY creation_time DESC, experiment_id"), None)

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Return an experiment, even one that was deleted; None if there is none.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Experiment or None
        """
        return next(iter(self._experiments("name = ?", (name,))), None)

    def download_artifacts(self, run_id: str, path: str, dst_path: str) -> str:
        """Download a file that is not on this machine, which MLflow's client can.

        Parameters
        ----------
        run_id, path : str
            The run, and the path among its files.
        dst_path : str
            Folder of the copy.

        Returns
        -------
        str
            Path of the copy.
        """
        from mlflow import MlflowClient

        return str(MlflowClient(self._uri, self._uri).download_artifacts(run_id, path, dst_path))

    def _experiments(self, condition: str, values: Sequence[str] = ()) -> list[Experiment]:
        rows = self._rows(
            f"SELECT experiment_id, name, artifact_location, lifecycle_stage FROM experiments WHERE {condition}", values
        )
        return [Experiment(str(experiment_id), *texts) for experiment_id, *texts in rows]

    def _runs(self, condition: str, values: Sequence[str]) -> Iterator[Run]:
        """Yield runs with what was logged on them."""
        rows = self._rows(
            "SELECT run_uuid, name, experiment_id, status, start_time, end_time, lifecycle_stage, artifact_uri "
            f"FROM runs WHERE {condition}",
            values,
        )
        logged: dict[str, dict[str, dict[str, Any]]] = {}
        for table in ("latest_metrics", "params", "tags"):
            logged[table] = {row[0]: {} for row in rows}
            is_nan = "is_nan" if table == "latest_metrics" else "0"
            for start in range(0, len(rows), _PAGE):
                run_ids = [row[0] for row in rows[start : start + _PAGE]]
                marks = ", ".join("?" * len(run_ids))
                select = f"SELECT run_uuid, key, value, {is_nan} FROM {table} WHERE run_uuid IN ({marks})"
                for run_id, key, value, nan in self._rows(select, run_ids):
                    logged[table][run_id][key] = float("nan") if nan else value
        for run_id, name, experiment_id, *others in rows:
            tags = logged["tags"][run_id]
            info = RunInfo(run_id, name or tags.get("mlflow.runName", ""), str(experiment_id), *others)
            yield Run(info, RunData(logged["latest_metrics"][run_id], logged["params"][run_id], tags))

    def _rows(self, select: str, values: Sequence[str] = ()) -> list[Row]:
        try:
            return self._database.execute(select, values).fetchall()
        except sqlite3.Error as error:
            raise TrackingError(
                f"MLflow's store failed: (sqlite3.{type(error).__name__}) {error}; run the same command again: "
                "what is trained is kept"
            ) from error


def open_reader(uri: str) -> LocalReader | None:
    """Return a reader of a store; None for every store that MLflow's client has to open.

    These are the stores that are no sqlite file, are damaged or locked, have an address with options, have MLflow's
    workspaces, were moved, so that their locations have to be corrected, or have a schema that is not in `SCHEMAS` or
    is not that of the MLflow that is installed, which refuses it or asks for an upgrade. A file that does not exist yet
    is read as an empty store, and not made; where its folder does not exist either, MLflow's client reports it.

    Parameters
    ----------
    uri : str
        Of the store.

    Returns
    -------
    LocalReader or None
    """
    path = sqlite_path(uri)
    if path is None or "?" in uri or "MLFLOW_ENABLE_WORKSPACES" in os.environ:
        return None
    if not path.exists() and path.parent.is_dir():
        database = sqlite3.connect(":memory:")
        database.executescript(_EMPTY_TABLES)
        return LocalReader(uri, database)
    if not path.is_file():
        return None
    try:
        database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_OPENING_SECONDS, isolation_level=None
        )
        schema = [revision for (revision,) in database.execute("SELECT version_num FROM alembic_version")]
        if len(schema) != 1 or schema[0] not in SCHEMAS or schema[0] != _installed_schema():
            return None
        if database.execute("SELECT 1 FROM experiments WHERE workspace != 'default'").fetchone():
            return None
        if moved_experiments(database, path):
            return None
        database.execute(f"PRAGMA busy_timeout = {1000 * _LOCK_SECONDS}")
    except sqlite3.Error:
        return None  # MLflow's client reports it
    return LocalReader(uri, database)


def _installed_schema() -> str | None:
    """Return the last revision of the database that the installed MLflow knows, from its files; None if unclear."""
    package = find_spec("mlflow")
    if package is None or not package.submodule_search_locations:
        return None
    folder = Path(package.submodule_search_locations[0]) / "store" / "db_migrations" / "versions"
    revisions, earlier = set[str](), set[str]()
    for file in folder.glob("*.py"):
        for name, revision in re.findall(r"^(\w*revision) = [\"'](\w+)[\"']", file.read_text("utf-8"), re.MULTILINE):
            (revisions if name == "revision" else earlier).add(revision)
    latest = revisions - earlier
    return latest.pop() if len(latest) == 1 else None
