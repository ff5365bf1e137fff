"""Expectations of a result: refused before anything is trained if the config cannot give it, later met or not."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from tasks.core.comparison.answers import Answer
from tasks.core.comparison.verdict import Verdict
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.errors import ConfigError, UnmetExpectation
from tasks.core.formatting import did_you_mean, shortened

_NOT = "not:"
_ACCURACY = re.compile(r"(?P<model>[^:]+):(?P<metric>\w+)>=(?P<least>.+)")


@dataclass(frozen=True)
class ExpectedAccuracy:
    """The least held-out accuracy of one model.

    Attributes
    ----------
    model, metric : str
    least : float
        What the mean over the seeds has to reach.
    """

    model: str
    metric: str
    least: float


@dataclass(frozen=True)
class Expectations:
    """What is expected of an experiment.

    Attributes
    ----------
    verdict : Verdict or None
        The verdict on the primary endpoint; None if any will do.
    negated : bool
        Whether every other verdict is expected instead.
    accuracy : tuple of ExpectedAccuracy
    """

    verdict: Verdict | None = None
    negated: bool = False
    accuracy: tuple[ExpectedAccuracy, ...] = ()

    @classmethod
    def of(cls, config: ExperimentConfig, verdict: str | None, accuracy: Sequence[str]) -> "Expectations":
        """Return the expectations that options name.

        Parameters
        ----------
        config : ExperimentConfig
            The experiment.
        verdict : str or None
            A verdict's slug, or `not:` and a slug.
        accuracy : sequence of str
            Of the form `MODEL:METRIC>=VALUE`.

        Returns
        -------
        Expectations

        Raises
        ------
        ConfigError
            If a verdict, model or metric is unknown, or if the experiment does not give what is expected.
        """
        expected = tuple(_expected_accuracy(config, text) for text in accuracy)
        if verdict is None:
            return cls(accuracy=expected)
        return cls(_verdict(config, verdict), verdict.startswith(_NOT), expected)

    def check(self, primary: Answer | None, accuracy: Mapping[tuple[str, str], float]) -> None:
        """Refuse a result that is not the expected one.

        Parameters
        ----------
        primary : Answer or None
            The answer on the primary endpoint; None if nothing was tested.
        accuracy : mapping of (model, metric) to float
            Mean held-out accuracy.

        Raises
        ------
        UnmetExpectation
            Naming every expectation that is not met, what was found, and the answer.
        """
        unmet = []
        if self.verdict is not None:
            found = primary.verdict if primary else None
            if found is None or (found == self.verdict) == self.negated:
                wanted = f"any verdict but {self.verdict}" if self.negated else f"the verdict {self.verdict}"
                answer = f": {primary.sentence}" if primary else ": nothing was tested"
                unmet.append(f"expected {wanted}, found {found or 'none'}{answer}")
        for each in self.accuracy:
            mean = accuracy.get((each.model, each.metric))  # files of neighbours have none
            if mean is None or mean < each.least:
                found = "none" if mean is None else _below(mean, each.least)
                unmet.append(f"expected {each.metric} of {each.model} to be at least {each.least:g}, found {found}")
        if unmet:
            raise UnmetExpectation("\n".join(unmet))


def _below(mean: float, least: float) -> str:
    """Return a mean with four digits, or with all if it is below `least` only by what rounding removes."""
    rounded = f"{mean:.4g}"
    return rounded if float(rounded) < least else repr(mean)


def _verdict(config: ExperimentConfig, text: str) -> Verdict:
    slug, slugs = text.removeprefix(_NOT), [verdict.value for verdict in Verdict]
    if slug not in slugs:
        raise ConfigError(
            f"--expect: found {text!r}; expected one of {', '.join(slugs)}, or {_NOT} and one of them"
            f"{did_you_mean(slug, slugs)}"
        )
    few_models, few_seeds = len(config.models) < 2, bool(config.trained) and config.most_replicates < 2
    if few_models or few_seeds:
        found = "one model" if few_models else "one seed for each model"
        needed = "a second model" if few_models else "replicates of 2 or more"
        raise ConfigError(
            f"--expect: {config.name} gives no verdict with {found}; expected {needed}, or no option --expect"
        )
    return Verdict(slug)


def _expected_accuracy(config: ExperimentConfig, text: str) -> ExpectedAccuracy:
    option = f"--expect-accuracy {shortened(text)}"
    match = _ACCURACY.fullmatch(text)
    try:
        least = float(match["least"]) if match else float("nan")
    except ValueError:
        least = float("nan")
    if match is None or not isfinite(least):
        raise ConfigError(f"{option}: expected MODEL:METRIC>=NUMBER, such as 'k50:ndcg_at_10>=0.3'")
    if config.evaluation is None:
        raise ConfigError(
            f"{option}: {config.name} measures no accuracy, because its evaluation is null; add a section evaluation "
            "to the config, or leave the option out"
        )
    model, metric = match["model"], match["metric"]
    names = {"models": (model, tuple(config.models)), "metrics": (metric, config.evaluation.accuracy_metrics)}
    for kind, (name, known) in names.items():
        if name not in known:
            raise ConfigError(f"{option}: found {name!r}; the {kind} are {', '.join(known)}{did_you_mean(name, known)}")
    return ExpectedAccuracy(model, metric, least)
