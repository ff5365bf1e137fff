"""The config of an experiment whose models have the settings that a search found."""

from collections.abc import Sequence

import yaml

from tasks.core.config.experiment import ExperimentConfig
from tasks.core.search.result import Tuning


def tuned_config(config: ExperimentConfig, tunings: Sequence[Tuning], metric: str, by: str) -> str:
    """Return the config as YAML, ready to be run: with what was found, `tuned`, and accuracy on the test part.

    Parameters
    ----------
    config : ExperimentConfig
        The config that was searched.
    tunings : sequence of Tuning
        What was found.
    metric : str
        By which it was chosen.
    by : str
        Path of the config.

    Returns
    -------
    str
        The keys that the config sets, without `search`.
    """
    content = config.model_dump(mode="json", exclude_unset=True, exclude={"search", "tuned"})
    for tuning in tunings:
        content["models"][tuning.model].update(tuning.settings)
    if content.get("evaluation"):
        content["evaluation"].pop("part", None)  # the default is the test part
    content["tuned"] = {"settings": list(dict.fromkeys(name for each in tunings for name in each.settings)), "by": by}
    values = ", ".join(f"{tuning.model} {tuning.value:.4f}" for tuning in tunings)
    header = f"# Written by latentlab search. {metric} of the tuned models on the validation part: {values}.\n\n"
    return header + yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
