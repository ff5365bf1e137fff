"""The settings of one model."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, SerializerFunctionWrapHandler, Tag, model_serializer

from tasks.core.config.base import Depth, Section, without_later_keys

BALANCE_EVERY = 5
"""Iterations between two balancing steps of `acceleration: balanced`."""
_MAX_FACTORS = 10_000
NumberOfFactors = Annotated[int, Field(ge=1, le=_MAX_FACTORS)]
NumberOfIterations = Annotated[int, Field(ge=1, le=1_000_000)]
Regularization = Annotated[float, Field(ge=0)]
Alpha = Annotated[float, Field(gt=0, le=1e12)]
Solver = Literal["cg", "cholesky"]
DEFAULT_BLOCKS = 10
"""Spark's own."""
DEFAULT_SNAPSHOTS = (1, 2, 5, 15, 50, 150, 500, 1500)
"""Iterations at which the factors of a fit are measured, if a config does not say."""
OF_IMPLICIT = ("solver", "orientation", "acceleration", "stop")
"""Settings that a model of Spark does not have."""
_ADDED_LATER = {"acceleration": ("none",), "stop": (None,)}
"""Settings that were added after fits had been stored, each with the value that means the former behaviour."""


class SteadyStop(Section):
    """Stop a fit early, once its objective and its neighbour lists are steady.

    At regular intervals the objective and the neighbour lists of 100 users and 100 items are compared with those of the
    previous check. A steady fit has not necessarily converged; see docs/convergence.md.
    """

    when: Literal["steady"]
    """Name of the rule: steady."""
    every: Annotated[int, Field(ge=1)] = 50
    """Number of iterations between two checks."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Number of consecutive steady checks after which the fit stops."""
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """A check is steady if the relative change of the objective is below this value, and 1 - overlap@n is below it for
    the lists of the users and for the lists of the items."""
    n: Depth = 5
    """Length of the neighbour lists that are compared."""


class MetricStop(Section):
    """Stop a fit early, once its accuracy on a part that it is not trained on no longer rises.

    The fit holds out a part of its interactions, as `evaluation.split` does. Its factors are those of the check with
    the highest accuracy. See docs/search.md.
    """

    when: Literal["metric"]
    """Name of the rule: metric."""
    metric: str = "ndcg_at_10"
    """Accuracy metric, at one of `evaluation.cutoffs`."""
    every: Annotated[int, Field(ge=1)] = 5
    """Number of iterations between two checks. The last iteration is checked too."""
    patience: Annotated[int, Field(ge=1)] = 3
    """Number of consecutive checks without a new highest accuracy after which the fit stops."""


def _rule(value: object) -> str:
    """Return the tag of a stopping rule. Faulty ones count as `steady`, whose errors are then reported."""
    when = value.get("when") if isinstance(value, dict) else getattr(value, "when", None)
    return "metric" if when == "metric" else "steady"


Stop = Annotated[Annotated[SteadyStop, Tag("steady")] | Annotated[MetricStop, Tag("metric")], Discriminator(_rule)]


class AlsConfig(Section):
    """One ALS model for implicit feedback (Hu, Koren and Volinsky 2008)."""

    factors: NumberOfFactors
    """Number of latent factors, k."""
    iterations: NumberOfIterations
    """Number of iterations. Each iteration solves for all users and for all items."""
    regularization: Regularization = 0.01
    """Weight of the L2 penalty on the factors."""
    alpha: Alpha = 1.0
    """Factor that multiplies every confidence in the matrix."""
    solver: Solver = "cg"
    """cg: three conjugate gradient steps for each user and item, starting from the previous factors.
    cholesky: the exact solution."""
    orientation: Literal["user_item", "item_user"] = "user_item"
    """Which side is solved first. user_item: users. item_user: items, as when the transposed matrix is passed to
    implicit. Users and items keep their meaning in all results."""
    acceleration: Literal["none", "balanced"] = "none"
    """balanced: after every fifth iteration, and after the last, the factors are replaced by factors with the same
    scores and the smallest penalty. A fit then comes close to the optimum in tens of iterations instead of thousands,
    and so do its neighbour lists; see docs/convergence.md."""
    stop: Stop | None = None
    """Rule that stops a fit early; `iterations` is then the maximum. null: all iterations are run."""
    engine: Literal["implicit", "spark"] = "implicit"
    """implicit: the model above, trained on one machine. spark: another model, trained by Spark MLlib (needs the extra
    `spark`). It multiplies `regularization` by the number of interactions of each user and item, always solves exactly,
    items first, and has no `solver`, `orientation`, `acceleration` and `stop`; see docs/spark.md."""
    blocks: Annotated[int, Field(ge=1, le=10_000)] = DEFAULT_BLOCKS
    """For `engine: spark`: number of blocks that users, items and interactions are each divided into, and thus of tasks
    that run at a time at most. The random start depends on it."""

    @property
    def is_of_spark(self) -> bool:
        """Whether Spark trains the model."""
        return self.engine == "spark"

    @model_serializer(mode="wrap")
    def _applicable(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the settings that a model of the other engine has."""
        absent = OF_IMPLICIT if self.is_of_spark else ("blocks",)
        return {key: value for key, value in handler(self).items() if key not in absent}

    def identity(self) -> dict[str, Any]:
        """Return the settings that decide the result of a fit.

        Stored fits are found again by a digest of these settings. Hence the rule: a setting that is added later is left
        out while it has the value that means the former behaviour, so that the identity of earlier fits stays the same.
        `_ADDED_LATER` and `without_engine` name these settings.

        Returns
        -------
        dict of str to Any
            Setting to value, in the order of the fields.
        """
        return without_later_keys(without_engine(self.model_dump()), _ADDED_LATER)


def without_engine(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a model without `engine: implicit`, which was added after fits had been stored.

    Parameters
    ----------
    settings : dict of str to Any
        Of a trained model, or of one that is read from files.

    Returns
    -------
    dict of str to Any
        In the same order.
    """
    return without_later_keys(settings, {"engine": ("implicit",)})
