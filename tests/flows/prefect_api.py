"""Questions to Prefect's API about flow runs and what belongs to them."""

import time
from typing import Any

import httpx


class Api:
    """Prefect's API at an address."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=60)

    def post(self, path: str, **content: Any) -> Any:
        answer = self.client.post(path, json=content)
        assert answer.is_success, answer.text
        return answer.json()

    def flow_runs(self, name: str) -> list[dict[str, Any]]:
        """The latest first."""
        found = self.post("/flow_runs/filter", flow_runs={"name": {"any_": [name]}}, sort="EXPECTED_START_TIME_DESC")
        return list(found)

    def of_flow_run(self, what: str, flow_run: dict[str, Any]) -> list[dict[str, Any]]:
        """Its `artifacts` or `task_runs`."""
        key = {"artifacts": {"artifacts": {"flow_run_id": {"any_": [flow_run["id"]]}}}}.get(
            what, {"flow_runs": {"id": {"any_": [flow_run["id"]]}}}
        )
        return list(self.post(f"/{what}/filter", **key))

    def verdicts(self, experiment_name: str, count: int) -> list[dict[str, Any]]:
        """The events of an experiment, the earliest first; they come a moment after the flow run."""
        resource = {"id": [f"latentlab.experiment.{experiment_name}"]}
        for _ in range(300):
            found = self.post("/events/filter", filter={"resource": resource, "order": "ASC"})["events"]
            if len(found) >= count:
                return list(found)
            time.sleep(0.1)
        raise AssertionError(f"{len(found)} events of {experiment_name}, expected {count}")
