"""The JSON Schema of a config, which editors use to complete and check configs."""

from typing import Any

from tasks.core.config.experiment import ExperimentConfig


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of a config; `configs/schema.json` is a copy of it.

    Each setting of a model may also be a list of values, see `tasks.core.config.sweeps`.
    """
    schema = ExperimentConfig.model_json_schema()
    settings = schema["$defs"]["AlsConfig"]["properties"]
    for name, of_value in settings.items():
        # The texts belong to the setting. What remains describes one value, alone or as an entry of a list.
        texts = {key: of_value.pop(key) for key in ("title", "description", "default") if key in of_value}
        settings[name] = {**texts, "anyOf": [of_value, {"type": "array", "items": of_value, "minItems": 1}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
