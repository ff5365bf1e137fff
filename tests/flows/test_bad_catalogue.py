"""Catalogues with faults, names that no catalogue has, and an archive that cannot be downloaded."""

from types import SimpleNamespace

import pytest
import tenacity
import yaml

from tests.command_line import CommandLine


def catalogue_of(url: str) -> str:
    known = {
        "title": "Our own",
        "licence": "ours",
        "users": 1,
        "items": 1,
        "rows": 1,
        "archive": {"urls": [url], "bytes": 1, "sha256": "0" * 64},
        "ratings": {"member": "u.data", "separator": ",", "columns": {"user": 0, "item": 1, "rating": 2}},
    }
    return yaml.safe_dump({"our-own": known})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "LATENTLAB_CATALOGUE"),
        ("", "expected a mapping of names to data sets"),
        (catalogue_of("http://host/a.zip").replace("Our own", "5"), "our-own.title: Input should be a valid string"),
        (catalogue_of("http://host/a.zip").replace("'000", "'x00"), "our-own.archive.sha256"),
    ],
)
def test_a_fault_in_a_catalogue_is_reported(offline: CommandLine, content: str | None, message: str) -> None:
    catalogue = offline.folder / "catalogue.yaml"
    if content is not None:
        catalogue.write_text(content)
    assert message in offline.with_env(LATENTLAB_CATALOGUE=str(catalogue)).failure(2, "data", "list")


@pytest.mark.parametrize("command", [["data", "fetch", "movielens"], ["data", "fetch", "synthetic-10k"]])
def test_an_unknown_data_set_is_reported_with_the_known_ones(offline: CommandLine, command: list[str]) -> None:
    assert f"found {command[-1]!r}; known are movielens-100k" in offline.failure(2, *command)


def test_a_download_that_cannot_be_reached_is_reported_with_its_address(
    online: CommandLine, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=lambda _: None))  # no pauses between attempts
    url = f"{closed}/own.zip"
    catalogue = online.folder / "catalogue.yaml"
    catalogue.write_text(catalogue_of(url))
    commands = online.with_env(LATENTLAB_CATALOGUE=str(catalogue))
    message = commands.failure(3, "run", "config.yaml", "--set", "dataset={name: our-own}")
    assert f"  {url}: " in message
    assert "Connection refused" in message
    assert "Try again later, or set dataset.path to a copy that you have" in message
    assert online.finished_runs() == 0
