"""The section `search`: settings of models that are tuned on the validation part."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Discriminator, Field, Tag

from tasks.core.config.als import Alpha, NumberOfFactors, NumberOfIterations, Regularization, Solver
from tasks.core.config.base import Name, Section


class IntegerRange(Section):
    """Whole numbers from `low` to `high`, both included."""

    low: int
    """Smallest value."""
    high: int
    """Largest value."""
    log: bool = False
    """Draw from the logarithms, so that each order of magnitude is as likely as another."""


class NumberRange(Section):
    """Numbers from `low` to `high`. Values are rounded to four significant digits."""

    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    log: bool = False
    """Draw from the logarithms, so that each order of magnitude is as likely as another."""


def _range_tag(value: object) -> str:
    return "choices" if isinstance(value, list | tuple) else "range"


T = TypeVar("T")
Choices = Annotated[tuple[T, ...], Field(strict=False, min_length=1), Tag("choices")]
WholeNumbers = Annotated[IntegerRange, Tag("range")]
Numbers = Annotated[NumberRange, Tag("range")]
_BY_TYPE = Discriminator(_range_tag)


class SearchSpace(Section):
    """What is searched for one model: for each free setting a range, or a list of values to choose from.

    Settings that are left out stay those of the model.
    """

    factors: Annotated[WholeNumbers | Choices[NumberOfFactors], _BY_TYPE] | None = None
    """Values of `factors`."""
    iterations: Annotated[WholeNumbers | Choices[NumberOfIterations], _BY_TYPE] | None = None
    """Values of `iterations`."""
    regularization: Annotated[Numbers | Choices[Regularization], _BY_TYPE] | None = None
    """Values of `regularization`."""
    alpha: Annotated[Numbers | Choices[Alpha], _BY_TYPE] | None = None
    """Values of `alpha`."""
    solver: Annotated[tuple[Solver, ...], Field(strict=False, min_length=1)] | None = None
    """Values of `solver`."""

    @property
    def free(self) -> dict[str, Any]:
        """The settings that are searched, each with its range or its values."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class SearchConfig(Section):
    """Settings of models that `latentlab search` chooses by their accuracy on the validation part."""

    models: Annotated[dict[Name, SearchSpace], Field(min_length=1)]
    """What is searched, by the name of a model, such as `{"k50": {"regularization": {"low": 1, "high": 200}}}`."""
    metric: str = "ndcg_at_10"
    """Accuracy metric that is maximised, at one of `evaluation.cutoffs`."""
    trials: Annotated[int, Field(ge=1, le=10_000)] = 60
    """Number of settings that are tried for each model."""
    seeds: Annotated[int, Field(ge=1, le=1000)] = 2
    """Number of fits for each trial. Its value is the mean of the metric over them."""
    pruner: Literal["median", "halving"] = "median"
    """Which trials end early, by the metric at `snapshots` from a third of the iterations on. median: those below the
    median of earlier trials at the same iteration. halving: all but the best quarter at increasing numbers of
    iterations (successive halving)."""
