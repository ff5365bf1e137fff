"""The configs in `configs/`."""

from pathlib import Path

import pytest

from tasks.core.config.load import load_config
from tests.paths import CONFIGS

SHIPPED = sorted(CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_config_loads(path: Path) -> None:
    assert load_config(path).models


def test_documented_configs_are_shipped() -> None:
    assert {"quickstart.yaml", "ml-100k.yaml", "notebook.yaml"} <= {path.name for path in SHIPPED}


def test_tuned_config_has_settings_that_its_sweep_contains() -> None:
    """Each tuned model is one of the sweep's for its k, chosen on the validation part and measured on the test part."""
    tuned, sweep = (load_config(CONFIGS / name) for name in ("ml-100k-tuned.yaml", "ml-100k-tune.yaml"))
    assert tuned.tuned is not None
    assert (CONFIGS.parent / tuned.tuned.by).samefile(CONFIGS / "ml-100k-tune.yaml")
    assert tuned.tuned.settings == ("regularization", "alpha")
    for name, model in tuned.models.items():
        assert model in [swept for member, swept in sweep.models.items() if member.startswith(f"{name}-")]
    assert sweep.evaluation is not None
    assert tuned.evaluation is not None
    assert (sweep.evaluation.part, tuned.evaluation.part) == ("validation", "test")
    assert (sweep.evaluation.split, sweep.seed) == (tuned.evaluation.split, tuned.seed)
