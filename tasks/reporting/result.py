"""The result of a comparison, as one record: `result.json` of the parent run."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.core.comparison.accuracy_tests import AccuracyTest
from tasks.core.comparison.agreement import Curve, Row
from tasks.core.comparison.factorial import Factorial
from tasks.core.comparison.per_user import PerUser
from tasks.core.comparison.query_lists import QueryLists
from tasks.core.comparison.references import Reference
from tasks.core.comparison.sweep import Sweep
from tasks.core.comparison.verdict import Answer, Matrix
from tasks.core.data.interactions import Summary
from tasks.core.planning.runs import RunRef
from tasks.reporting.convergence import Convergence

RESULT = "result.json"


def usual_cutoff(cutoffs: Sequence[int]) -> int:
    """The one that sentences and first tables are at: 10, or the first where there is no 10."""
    return 10 if 10 in cutoffs else cutoffs[0]


@dataclass(frozen=True)
class Accuracy:
    """One held-out metric of one model: mean and standard deviation over its seeds (None for one seed)."""

    model: str
    metric: str
    mean: float
    sd: float | None
    replicates: int


@dataclass(frozen=True)
class Result:
    """Everything that the terminal, MLflow and the report show of an experiment.

    answers : the first is the primary endpoint's, baseline against the first other model; empty for single runs
    accuracy_tests : of the baseline against each other model, the first of the metric that is named in sentences
    held_out : what the split is like, see `Split.counts`; empty without evaluation
    reference_accuracy : of the reference recommenders, by their names in place of a model's
    left_out : references that were not run, and why
    beside_popularity : each model (b) against popularity (a), on the first metric
    tuning : which settings were chosen by measuring, in words
    sweep : of three models or more that differ in a setting
    smallest_p : the least p after Holm that so many replicates can reach, and how many would do for .05
    """

    experiment: str
    parent_id: str
    config_sha256: str
    data_sha256: str
    dataset: str
    summary: Summary
    models: dict[str, dict[str, Any]]
    replicates: int
    answers: list[Answer]
    smallest_p: float
    replicates_needed: int
    factorial: Factorial | None
    matrices: list[Matrix]
    references: list[Reference]
    per_user: list[PerUser]
    comparison: list[Row]
    curves: list[Curve]
    queries: list[QueryLists]
    accuracy: list[Accuracy]
    accuracy_tests: list[AccuracyTest]
    held_out: dict[str, int]
    reference_accuracy: list[Accuracy]
    left_out: dict[str, str]
    beside_popularity: list[AccuracyTest]
    tuning: str
    sweep: Sweep | None
    convergence: list[Convergence]
    runs: list[RunRef]

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """The inverse of `to_json`."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_json(text)

    def to_json(self) -> str:
        """All of it, as JSON."""
        return json.dumps(asdict(self), indent=1)

    @property
    def sentence(self) -> str:
        """The answer to the question, and whether the better model can be told."""
        if len(self.models) < 2:
            return "One model: its lists are described. A comparison needs two; add another under models."
        told = ["One run a model: described, not tested. What differs may be the seed; set replicates to 2 or more."]
        if self.answers:
            told = [self.answers[0].sentence]
        told += [test.sentence for test in self.accuracy_tests[:1]]
        more = [each.sentence for each in (self.factorial, self.sweep) if each]
        return " ".join([*told, *more])

    @property
    def accuracy_cells(self) -> dict[tuple[str, str], Accuracy]:
        """(model, metric) -> its accuracy, models in their order and references after them."""
        return {(row.model, row.metric): row for row in (*self.accuracy, *self.reference_accuracy)}

    @property
    def cutoffs(self) -> list[int]:
        """At which accuracy was measured."""
        return sorted({int(row.metric.rpartition("_at_")[2]) for row in self.accuracy if "_at_" in row.metric})

    @property
    def warnings(self) -> list[str]:
        """What a reader should know before trusting the answer: no dot at the end of each."""
        losing = [
            f"{test.b} recommends {'worse than' if test.p <= 0.05 else 'no better than'} popularity "
            f"({test.metric} {test.mean_b:.4f} against {test.mean_a:.4f})"
            for test in self.beside_popularity
            if test.mean_b < test.mean_a
        ]
        unsettled = [each for each in self.convergence if each.warning]
        settled = [each.warning for each in unsettled]
        if len(unsettled) > 2:
            others = ", ".join(each.model for each in unsettled[1:])
            settled = [f"{settled[0]}; nor have the fits of {others} settled"]
        stopped = [each.stopped for each in self.convergence]
        return [text for text in (self.cannot_reject, *losing, *settled, *stopped) if text]

    @property
    def cannot_reject(self) -> str:
        """What to do where no result could be significant; empty where one can."""
        if not self.answers or self.smallest_p <= 0.05:
            return ""
        return (
            f"{self.replicates} replicates cannot show a difference: the smallest p after Holm is "
            f"{self.smallest_p:.3f}; {self.replicates_needed} would suffice"
        )
