"""A model's settings."""

from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.core.config.base import Depth, Section

MAX_FACTORS = 10_000
BALANCE_EVERY = 5
"""Sweeps between two balancing steps."""


class SteadyStop(Section):
    """End a fit early, once it is steady: a rule for stopping, and no proof that it has converged.

    Every so many iterations the objective and the neighbour lists of a hundred users and a hundred items are compared
    with those of the check before.
    """

    when: Literal["steady"]
    every: Annotated[int, Field(ge=1)] = 50
    """Iterations between two checks."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Checks in a row that must be steady."""
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """A check is steady where the relative change of the objective is below this, and so is 1 - overlap@n of the users'
    lists and of the items'."""
    n: Depth = 5
    """Neighbours in the lists."""


class AlsConfig(Section):
    """One implicit-feedback ALS model (Hu, Koren, Volinsky 2008)."""

    factors: Annotated[int, Field(ge=1, le=MAX_FACTORS)]
    """k, the dimension of the latent space."""
    iterations: Annotated[int, Field(ge=1, le=1_000_000)]
    """Sweeps over both sides."""
    regularization: Annotated[float, Field(ge=0)] = 0.01
    alpha: Annotated[float, Field(gt=0, le=1e12)] = 1.0
    """The factor on every stored confidence."""
    solver: Literal["cg", "cholesky"] = "cg"
    """cg: three conjugate-gradient steps a row, warm-started. cholesky: exact."""
    orientation: Literal["user_item", "item_user"] = "user_item"
    """Which side is solved first. item_user is what passing the transposed matrix to implicit does;
    users stay users in whatever is reported."""
    acceleration: Literal["none", "balanced"] = "none"
    """balanced: after every fifth sweep the factors are replaced by those of the same scores and the least penalty, so
    that the optimum is near after tens of sweeps instead of thousands; the lists follow, see docs/convergence.md."""
    stop: SteadyStop | None = None
    """null: all iterations are run. Else they are the most that are run."""

    def identity(self) -> dict[str, Any]:
        """What decides a fit's result. Settings that came later are named only where they are used, so that fits of
        before are still found."""
        settings = self.model_dump()
        unused = {"acceleration": "none", "stop": None}
        return {key: value for key, value in settings.items() if key not in unused or value != unused[key]}
