"""`latentlab ui`: the address that it prints before it becomes MLflow's server."""

import json

from tests.command_line import CommandLine
from tests.serving import refused_port


def test_the_address_is_that_of_the_training_runs_of_the_last_used_comparison(small_finished: CommandLine) -> None:
    port = refused_port()
    with small_finished.start("ui", "--port", str(port), "--json") as process:
        assert process.stdout
        printed = json.loads(process.stdout.readline())
        process.kill()
    runs = "#/experiments/1/runs?workflowType=machine_learning"
    assert printed == {"store": small_finished.store, "url": f"http://127.0.0.1:{port}/{runs}"}
