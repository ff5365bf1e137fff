"""The sections `evaluation` and `tuned`."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from tasks.core.config.base import Count, Cutoffs, Fraction, Section
from tasks.core.config.dataset import Columns, Layout, Quote, Separator

REFERENCES = POPULARITY, ITEM_KNN, EASE, RANDOM = ("popularity", "item-knn", "ease", "random")
"""Names of the reference recommenders. Their metrics are reported together with those of the models, so no model can
have one of these names."""

ACCURACY = ("precision", "recall", "recall_capped", "ndcg", "ndcg_all", "map", "map_all", "mrr", "hit_rate")
"""Names of the accuracy metrics that are computed at each cutoff; `auc` needs no cutoff. Higher is better in all."""


VISIBLE = 0.8
"""Fraction of the interactions of a held-out user that is visible, unless the config says another one."""


class RandomSplit(Section):
    """Hold out interactions at random, all with the same probability."""

    strategy: Literal["random"] = "random"
    test_fraction: Fraction = 0.2
    """Fraction of all interactions that is held out."""


class RandomUserSplit(Section):
    """Hold out some interactions of every user at random. At least one interaction of each user stays in training."""

    strategy: Literal["random_user"]
    test_fraction: Fraction | None = None
    """Fraction of the interactions of each user that is held out, rounded to whole interactions (default 0.2)."""
    test_count: Count | None = None
    """Number of interactions of each user that are held out, instead of a fraction."""


class LeaveLastSplit(Section):
    """Hold out the last interactions of every user. At least one interaction of each user stays in training.

    Requires timestamps, or `dataset.order: time`.
    """

    strategy: Literal["leave_last"]
    test_count: Count = 1
    """Number of interactions of each user that are held out."""


class TimeSplit(Section):
    """Hold out the latest interactions of the data set, regardless of the user.

    Requires timestamps, or `dataset.order: time` and lines in the order of time, whoever their user is.
    """

    strategy: Literal["time"]
    test_fraction: Fraction = 0.2
    """Fraction of all interactions that is held out. Interactions with the same timestamp stay together."""


class StrongSplit(Section):
    """Hold out users as a whole.

    The models are trained on the other users. A part of what the held-out users have is then folded in, and
    recommendations are measured on the remainder.
    """

    strategy: Literal["strong"]
    users: Fraction = 0.2
    """Fraction of the users who are held out, drawn among those with two interactions or more."""
    visible: Fraction = VISIBLE
    """Fraction of the interactions of each held-out user that is folded in, rounded to whole interactions. At least one
    interaction is folded in, and at least one is measured on."""


class FilesSplit(Section):
    """Use a published split: the data set is the train part, and other files are the test part and the visible part."""

    strategy: Literal["files"]
    test: str
    """File of the test part."""
    visible: str | None = None
    """File of what is known of users who are held out as a whole, in the form of the test file. The models are trained
    on the data set, and fold these interactions in. null: no users are held out."""
    layout: Layout | None = None
    """pairs (default): one interaction per line. lists, counted_lists, item_lists: one user per line, see
    `dataset.layout`."""
    separator: Separator | None = None
    """Text between two columns; the default is that of `dataset.separator`."""
    header: bool | None = None
    """For `layout: pairs`: whether the first line names the columns (default true)."""
    columns: Columns | None = None
    """For `layout: pairs`: the columns of the file. Default: user, item, rating."""
    quote: Quote | None = None
    """For `layout: pairs`: what a double quote means, see `dataset.quote`."""
    overlap: Literal["error", "drop"] = "error"
    """What to do with interactions of the test file that are in the train or the visible part too, and with repeated
    lines of the test file. error: refuse the file. drop: leave such interactions out, because they are never
    recommended, and count repeated lines once, with the rating of the last. Their numbers are logged."""


class FoldsSplit(Section):
    """Divide the data into folds at random, and hold out each of them in turn (k-fold cross-validation)."""

    strategy: Literal["folds"]
    by: Literal["interactions", "users"] = "interactions"
    """What is divided. interactions: every interaction is held out once. users: every user is held out once as a whole,
    and a part of what the user has is visible when recommendations are made."""
    folds: Annotated[int, Field(ge=2, le=1000)] = 5
    """Number of folds, and of splits."""
    visible: Fraction | None = None
    """For `by: users`: fraction of a held-out user's interactions that is visible (default 0.8)."""


SPLITS: dict[str, type[Section]] = {
    "random": RandomSplit,
    "random_user": RandomUserSplit,
    "leave_last": LeaveLastSplit,
    "time": TimeSplit,
    "strong": StrongSplit,
    "files": FilesSplit,
    "folds": FoldsSplit,
}
"""Strategy to the section that holds its settings."""
REPEATABLE = ("random", "random_user", "strong")
"""Strategies that draw at random: another seed gives another split."""


def _strategy_tag(value: Any) -> str:
    """Return the strategy of a split; unlike a field discriminator, it allows `strategy` to be left out."""
    return str(value.get("strategy", "random") if isinstance(value, dict) else getattr(value, "strategy", "random"))


SplitConfig = Annotated[
    Annotated[RandomSplit, Tag("random")]
    | Annotated[RandomUserSplit, Tag("random_user")]
    | Annotated[LeaveLastSplit, Tag("leave_last")]
    | Annotated[TimeSplit, Tag("time")]
    | Annotated[StrongSplit, Tag("strong")]
    | Annotated[FilesSplit, Tag("files")]
    | Annotated[FoldsSplit, Tag("folds")],
    Discriminator(_strategy_tag),
]


class EvaluationConfig(Section):
    """Accuracy on held-out interactions, measured on separate fits that use only the train part of a split."""

    split: SplitConfig = RandomSplit()
    """How interactions are held out."""
    part: Literal["test", "validation"] = "test"
    """Part of the data that accuracy is measured on. validation: the train part is split again in the same way, so that
    settings can be tuned without using the test part."""
    replicates: Annotated[int, Field(ge=1, le=1000)] = 5
    """Number of independent seeds for each model, on each split."""
    cutoffs: Cutoffs = (10, 20)
    """Lengths of the recommendation lists that the metrics are computed for, in increasing order."""
    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    """Number of splits that are drawn at random, each with its own seed. Every model is fitted on each of them with
    seeds of its own. For the strategies random, random_user and strong."""

    @property
    def n_splits(self) -> int:
        """How many splits there are: the folds, or the repeats."""
        return self.split.folds if isinstance(self.split, FoldsSplit) else self.repeats

    @property
    def accuracy_metrics(self) -> tuple[str, ...]:
        """Names of the accuracy metrics that are computed, such as `ndcg_at_10`."""
        return (*(f"{name}_at_{cutoff}" for cutoff in self.cutoffs for name in ACCURACY), "auc")


ADDED_LATER: dict[str, tuple[Any, ...]] = {"repeats": (1,)}
"""Keys of `evaluation` that were added after comparisons had been stored, each with the value that means the former
behaviour."""


class Tuned(Section):
    """Which settings of the models were tuned. The report states them."""

    settings: Annotated[
        tuple[Literal["factors", "iterations", "regularization", "alpha", "solver"], ...], Field(strict=False)
    ]
    """Settings that were tuned."""
    by: str
    """Config of the sweep that the values were chosen from."""
