"""How settled a model's fits were when they stopped."""

from dataclasses import dataclass, field

SETTLED_CHANGE = 1e-3
SETTLED_IMBALANCE = 0.1


@dataclass(frozen=True)
class Convergence:
    """How settled a model's fits were when they stopped: means over its replicates, of the imbalance the largest.

    since : the iteration from which the change counts, at most nine tenths of all
    objective_change : by how much the objective fell from there to the end, relative to its end
    imbalance : norm(UᵀU - VᵀV) / norm(UᵀU) at the end; 0 at a stationary point
    objective : (iteration, mean objective over the replicates) at the snapshots
    settled : (iteration, mean overlap of some users' lists with the final ones); empty for runs that have not noted it
    ran : iterations that each replicate ran, fewer than `iterations` where it was stopped as steady
    final : mean objective over the replicates, each at its end
    """

    model: str
    iterations: int
    since: int
    objective_change: float
    imbalance: float
    objective: list[tuple[int, float]]
    settled: list[tuple[int, float]]
    ran: list[int] = field(default_factory=list)
    final: float | None = None

    @property
    def iterations_run(self) -> str:
        """How many, over the replicates: `1500`, or `375 to 425 of 1500`."""
        low, high = min(self.ran, default=self.iterations), max(self.ran, default=self.iterations)
        if low == self.iterations:
            return str(self.iterations)
        return f"{low if low == high else f'{low} to {high}'} of {self.iterations}"

    @property
    def stopped(self) -> str:
        """What the stopping rule did; empty where all iterations were run."""
        if min(self.ran, default=self.iterations) == self.iterations:
            return ""
        return (
            f"{self.model} was stopped after {self.iterations_run} iterations, as steady by the rule of its config: "
            "that is no proof of convergence"
        )

    @property
    def warning(self) -> str:
        """Why the lists depend on when one stopped; empty where they hardly do."""
        reasons = []
        if self.objective_change > SETTLED_CHANGE:
            reasons.append(f"the objective still fell by {self.objective_change:.2%} from iteration {self.since} on")
        if self.imbalance > SETTLED_IMBALANCE:
            reasons.append(f"users' and items' factors are out of balance ({self.imbalance:.2f}; 0 when settled)")
        if not reasons:
            return ""
        found = " and ".join(reasons)
        return f"{self.model}: after {self.iterations_run} iterations {found}; its lists depend on when one stops"
