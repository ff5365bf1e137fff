"""The result of a comparison, as one record: `result.json` of the parent run."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.core.comparison.accuracy_tests import AccuracyTest
from tasks.core.comparison.agreement import Curve, OtherSimilarity, Row
from tasks.core.comparison.answers import Answer
from tasks.core.comparison.factorial import Factorial
from tasks.core.comparison.per_user import PerUser
from tasks.core.comparison.query_lists import QueryLists
from tasks.core.comparison.references import Reference
from tasks.core.comparison.run_matrix import Matrix
from tasks.core.comparison.sweep import Sweep
from tasks.core.comparison.verdict import Verdict
from tasks.core.data.filters import RatingCounts
from tasks.core.data.interactions import Summary
from tasks.core.external.runs import FileRun
from tasks.core.formatting import counted, enumerated, level_text, noise_source, number_word, p_value
from tasks.core.inference.data_noise import DataNoise
from tasks.core.inference.multiplicity import LEVEL
from tasks.core.inference.repeated_looks import EarlierLook, level_of_looks
from tasks.core.inference.sequential import Look
from tasks.core.planning.runs import RunRef
from tasks.core.ranking.accuracy import cutoff_of
from tasks.core.ranking.reference_choice import ReferenceSettings
from tasks.core.ranking.similarity import FACTORS
from tasks.reporting.accuracy import Accuracy
from tasks.reporting.convergence import Convergence

RESULT = "result.json"
"""Name of the result among the artifacts of the parent run."""


@dataclass(frozen=True)
class Result:
    """Everything that the terminal, MLflow and the report show of a comparison.

    Attributes
    ----------
    experiment, parent_id : str
        Name of the config, and id of the parent run.
    config_sha256, data_sha256 : str
        Digests of the config and of the interactions.
    dataset : str
    summary : Summary
        Of the interactions.
    models : dict of str to dict
        Model -> its settings.
    replicates : int
        Of each model; with planned looks, those trained until the answer was decided.
    answers : list of Answer
        The primary endpoint comes first, with the baseline against the first other model. Empty for single runs.
    smallest_p : float
        The smallest p after Holm's adjustment that this number of replicates can reach.
    replicates_needed : int
        How many replicates can reach a p that is at most the level, .05 or that of the look.
    factorial : Factorial or None
        For four models that cross two settings.
    matrices : list of Matrix
    references : list of Reference
    per_user : list of PerUser
    comparison : list of Row
        Overlaps within and between the models at every depth.
    curves : list of Curve
        Overlaps of all lists at depths 1, 2, ...
    queries : list of QueryLists
    accuracy : list of Accuracy
        Held-out accuracy of the models; empty without evaluation.
    accuracy_tests : list of AccuracyTest
        The baseline (a) against each other model (b). The first is on the metric that sentences quote.
    held_out : dict of str to int
        Counts of the first split, see `tasks.core.data.splits.split.Split.counts`; empty without evaluation.
    reference_accuracy : list of Accuracy
        Of the reference recommenders, with their names in place of a model's.
    left_out : dict of str to str
        Reference recommender that was not run -> reason.
    beside_popularity : list of AccuracyTest
        Those of `beside_references` with popularity. In results of earlier versions they are adjusted by themselves.
    tuning : str
        Which settings were tuned, in words.
    sweep : Sweep or None
        For three or more models that differ in their settings.
    convergence : list of Convergence
    runs : list of RunRef
        The runs that were compared.
    look : Look or None
        With planned looks, the one at which training stopped; its levels are those of the verdicts.
    earlier_looks : list of EarlierLook
        Comparisons of the same models that had been made before, with fewer of these runs.
    similarity : str
        What the judged neighbours are nearest by: `factors` or `scores`.
    other_similarity : list of OtherSimilarity
        Agreement of neighbours by the other similarity, which is described and not judged.
    sample : dict of str to int
        `users` and `items` -> how many were drawn, whose lists were compared; empty if all were.
    dropped_fraction : float or None
        Fraction of the interactions that each of the runs was fitted without; None for runs on all interactions.
    lost : dict of str to int
        `users` and `items` -> how many have no interaction in one of the runs, and were left out of all; empty for runs
        on all interactions.
    data_noise : list of DataNoise
        How much of the disagreement within each model is the data's; for models whose fits to all interactions, with
        the same seeds, are in the store.
    files : list of FileRun
        The runs of models that were read from files.
    remarks : list of str
        What of these files is compared and what was left out, and why accuracy is not compared, as sentences.
    ratings : RatingCounts or None
        Ratings that were read, and how many of them each rule dropped; None in results of earlier versions.
    beside_references : list of AccuracyTest
        Each reference recommender (a) against each model (b), on the first metric; empty in results of earlier
        versions.
    reference_settings : list of ReferenceSettings
        Of the reference recommenders that have settings, all that were used on some split; empty in results of earlier
        versions.
    compared_on : str
        Date of the comparison, such as `2026-11-28`; empty in results of earlier versions.
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
    look: Look | None = None
    earlier_looks: list[EarlierLook] = field(default_factory=list)
    similarity: str = FACTORS
    other_similarity: list[OtherSimilarity] = field(default_factory=list)
    sample: dict[str, int] = field(default_factory=dict)
    dropped_fraction: float | None = None
    lost: dict[str, int] = field(default_factory=dict)
    data_noise: list[DataNoise] = field(default_factory=list)
    files: list[FileRun] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    ratings: RatingCounts | None = None
    beside_references: list[AccuracyTest] = field(default_factory=list)
    reference_settings: list[ReferenceSettings] = field(default_factory=list)
    compared_on: str = ""

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """Return the result that `to_json` wrote.

        Raises
        ------
        ValidationError
            If the text is not JSON of this form.
        """
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_json(text)

    def to_json(self) -> str:
        """Return the result as JSON."""
        return json.dumps(asdict(self), indent=1)

    def __repr__(self) -> str:
        """Return the answer. All fields would fill many pages of a notebook."""
        return f"<Result of {self.experiment}, parent run {self.parent_id}: {self.sentence}>"

    @property
    def sentence(self) -> str:
        """The answer in one to four sentences: the primary endpoint, accuracy, factorial design, sweep."""
        if len(self.models) < 2:
            return (
                "There is only one model, so its lists are described and not compared. "
                "To compare, add a second model under models."
            )
        # two runs of each model make a test that can reject nothing
        needed = self.replicates_needed
        more = f"give {needed} files of each model" if self.files else f"set replicates to {needed}"
        sentences = [
            "There is one run of each model, so the differences are described and not tested: they may come from "
            f"{noise_source(self.dropped_fraction)} alone. To test them, {more} or more: "
            "with fewer, no difference can be significant."
        ]
        if self.answers:
            sentences = [self.answers[0].sentence]
        records = (*self.accuracy_tests[:1], self.factorial, self.sweep)
        return " ".join([*sentences, *(record.sentence for record in records if record)])

    @property
    def accuracy_cells(self) -> dict[tuple[str, str], Accuracy]:
        """(model, metric) -> accuracy: the models in their order, then the reference recommenders."""
        return {(row.model, row.metric): row for row in (*self.accuracy, *self.reference_accuracy)}

    @property
    def usual_depths(self) -> dict[str, int]:
        """Target -> the depth shown first: the length of the query lists if it was compared."""
        lengths = {query.name: query.n for query in self.queries}
        depths: dict[str, list[int]] = {}
        for row in self.comparison:
            depths.setdefault(row.target, []).append(row.depth)
        wanted = {target: lengths.get(target, 10 if target == "recommendations" else 5) for target in depths}
        return {
            target: wanted[target] if wanted[target] in compared else compared[0] for target, compared in depths.items()
        }

    @property
    def n_splits(self) -> int:
        """Number of splits that accuracy was measured on; 0 without evaluation."""
        return max((row.splits for row in self.accuracy), default=0)

    @property
    def cutoffs(self) -> list[int]:
        """The cutoffs at which accuracy was measured, in ascending order."""
        return sorted({cutoff_of(row.metric) for row in self.accuracy if "_at_" in row.metric})

    @property
    def warnings(self) -> list[str]:
        """What a reader should know before trusting the answer: sentences without their full stops."""
        below_popularity = [
            test.sentence.removesuffix(".") for test in self.beside_popularity if test.mean_b < test.mean_a
        ]
        unconverged = [record for record in self.convergence if record.warning]
        convergence = [record.warning for record in unconverged]
        if len(unconverged) > 2:  # the models of a sweep would fill the screen
            models = enumerated([record.model for record in unconverged[1:]])
            convergence = [f"{convergence[0]}; the fits of {models} have not converged either"]
        stopped = [record.stopped for record in self.convergence]
        texts = (
            self.stopped_at,
            self.cannot_reject,
            self.looked_before,
            self.sampled,
            self.without_lost,
            self.unequal_replicates,
            *below_popularity,
            *convergence,
            *stopped,
        )
        return [text for text in texts if text]

    @property
    def stopped_at(self) -> str:
        """A clause that names the planned look whose answer this is, and its level; empty without planned looks."""
        look = self.look
        if look is None:
            return ""
        return (
            f"Training stopped at planned {look.title} ({enumerated(look.planned)} seeds per model), with "
            f"{look.replicates} seeds per model; at this look a difference is significant if its p after Holm is at "
            f"most {level_text(look.levels.difference)}, so that all looks together have the level {LEVEL:g}"
        )

    @property
    def cannot_reject(self) -> str:
        """A clause that says why no difference can be significant; empty if one can, or if the answer says so."""
        level = self.look.levels.difference if self.look else LEVEL
        if not self.answers or self.smallest_p <= level or self.answers[0].verdict == Verdict.TOO_FEW:
            return ""
        return (
            f"With {number_word(self.replicates)} seeds per model no difference of lists can be significant, however "
            f"large: the smallest p after Holm is {p_value(self.smallest_p)} (level {level_text(level)}); "
            f"{number_word(self.replicates_needed)} seeds can reach the level"
        )

    @property
    def sampled(self) -> str:
        """A clause that says whose lists were compared; empty if all users and items have lists."""
        if not self.sample:
            return ""
        of_all = {"users": self.summary.users, "items": self.summary.items}
        parts = [f"{drawn:,} of {of_all[side]:,} {side}" for side, drawn in self.sample.items()]
        return f"Lists were made for a random sample of {enumerated(parts)}; the intervals include its variance"

    @property
    def without_lost(self) -> str:
        """A clause that counts the users and items that were left out of all runs; empty if there are none."""
        if not any(self.lost.values()):
            return ""
        counts = enumerated([counted(count, side[:-1]) for side, count in self.lost.items() if count])
        return f"Left out of all lists, because one of the runs has none of their interactions: {counts}"

    @property
    def unequal_replicates(self) -> str:
        """A clause about the pairs of models with unequal numbers of runs; empty if there are none."""
        pairs = {(row.a, row.b): row for row in self.answers if row.runs_a != row.runs_b}
        if not pairs:
            return ""
        numbers = ", ".join(f"{row.a} has {row.runs_a} seeds and {row.b} {row.runs_b}" for row in pairs.values())
        return (
            f"{numbers}; equal numbers make the test robust against models whose runs vary in different ways; train "
            "the missing seeds"
        )

    @property
    def looked_before(self) -> str:
        """A clause that names the earlier looks that could be significant, and what they do to the level; else empty.

        A look that could not be significant gave nobody a reason to stop.
        """
        seeds = [look.replicates for look in self.earlier_looks if look.smallest_p <= LEVEL]
        if not seeds:
            return ""
        looks, before = len(seeds) + 1, enumerated(seeds)
        if self.look:
            return (
                f"The same models were compared before with {before} seeds, outside the planned looks; all looks "
                f"together therefore have a level above {LEVEL:g} (docs/verdict.md, Looking more than once)"
            )
        return (
            f"The same models were compared before with {before} seeds. Adding seeds until an answer is significant "
            f"calls a model different from itself in up to {level_of_looks(looks):.0%} of cases with {looks} looks, "
            f"instead of {LEVEL:.0%} (docs/verdict.md, Looking more than once)"
        )
