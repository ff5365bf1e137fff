"""Fixtures that write a config to a file and load it."""

from pathlib import Path

import pytest

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import load_config
from tasks.core.errors import ConfigError
from tests.core.config.small_config import Faults, Load


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)

    def load(text: str, *overrides: str) -> ExperimentConfig:
        Path("c.yaml").write_text(text, encoding="utf-8")
        return load_config("c.yaml", overrides)

    return load


@pytest.fixture
def faults(load: Load) -> Faults:
    def faults(text: str, *overrides: str) -> list[str]:
        with pytest.raises(ConfigError) as error:
            load(text, *overrides)
        return str(error.value).splitlines()

    return faults
