"""An experiment on a ratings file at an address: `check`, `run`, and what MLflow records."""

import hashlib
import json

from mlflow import MlflowClient

from tests.command_line import CommandLine
from tests.flows.small_experiment import RATINGS
from tests.serving import Server, reply, serving, status

OTHER = "0" * 64


def sets(url: str, sha256: str) -> list[str]:
    settings = ("dataset.path=null", f"dataset.url={url}", f"dataset.sha256={sha256}")
    return [text for setting in settings for text in ("--set", setting)]


def test_a_run_downloads_the_file_once_and_records_its_address(online: CommandLine) -> None:
    sha256 = hashlib.sha256(RATINGS.encode()).hexdigest()
    with serving(Server()) as server:
        url = server.at("/ratings.csv", reply(RATINGS.encode()))
        checked = online.call("check", "config.yaml", *sets(url, sha256))
        assert checked.returncode == 0, checked.stderr
        answer = online.answer("run", "config.yaml", *sets(url, sha256))
        assert server.requests == ["/ratings.csv"]
    local = online.answer("run", "config.yaml")
    assert (local["trained"], local["data_sha256"]) == (0, answer["data_sha256"])
    (run,) = answer["runs"]
    (recorded,) = MlflowClient(online.store).get_run(run["run_id"]).inputs.dataset_inputs
    assert json.loads(recorded.dataset.source) == {"url": url}
    assert online.call("verify").returncode == 0


def test_a_file_with_another_digest_is_refused(online: CommandLine) -> None:
    with serving(Server()) as server:
        url = server.at("/ratings.csv", reply(RATINGS.encode()))
        message = online.failure(3, "check", "config.yaml", *sets(url, OTHER))
        missing = online.failure(3, "check", "config.yaml", *sets(server.at("/no.csv", status(404)), OTHER))
    assert f"  {url}: SHA256 hash of downloaded file (ratings.csv) does not match the known hash" in message
    assert "HTTP 404" in missing
