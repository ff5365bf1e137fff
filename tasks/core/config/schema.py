"""The JSON Schema of a config, for editors."""

from typing import Any

from tasks.core.config.experiment import ExperimentConfig


def config_schema() -> dict[str, Any]:
    """The JSON Schema of a config, for editors: `configs/schema.json` is this."""
    schema = ExperimentConfig.model_json_schema()
    settings = schema["$defs"]["AlsConfig"]["properties"]
    for name, known in settings.items():  # a list is a sweep
        told = {key: known.pop(key) for key in ("title", "description", "default") if key in known}
        settings[name] = {**told, "anyOf": [known, {"type": "array", "items": known, "minItems": 1}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
