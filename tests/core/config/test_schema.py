"""The JSON Schema of configs."""

import json
from pathlib import Path

import jsonschema
import pytest

from tasks.core.config.schema import config_schema
from tasks.core.config.yaml_source import parse
from tests.paths import CONFIGS


def test_shipped_schema_is_current() -> None:
    """`configs/schema.json` is `json.dumps(config_schema(), indent=1)` and a newline."""
    assert json.loads((CONFIGS / "schema.json").read_text()) == config_schema()


def test_schema_is_valid_and_refuses_an_unknown_key() -> None:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError, match="factrs"):
        jsonschema.validate({"name": "x", "models": {"k": {"factrs": 1, "iterations": 1}}}, schema)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_config_satisfies_the_schema(path: Path) -> None:
    jsonschema.validate(parse(path.read_text(), path.name).value, config_schema())
