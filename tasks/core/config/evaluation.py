"""The sections `evaluation` and `tuned`."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from tasks.core.config.base import Count, Cutoffs, Fraction, Section
from tasks.core.config.dataset import Columns, Layout, Separator

REFERENCES = ("popularity", "item-knn", "ease", "random")
"""The reference recommenders, whose metrics stand beside the models' under these names."""


class RandomSplit(Section):
    """Every interaction is held out with the same probability."""

    strategy: Literal["random"] = "random"
    test_fraction: Fraction = 0.2


class RandomUserSplit(Section):
    """Some of every user's interactions are held out, drawn at random; one at least is left to train on."""

    strategy: Literal["random_user"]
    test_fraction: Fraction | None = None
    """Of each user's interactions, rounded; 0.2 by default."""
    test_count: Count | None = None
    """As many of each user's interactions, instead of a fraction."""


class LeaveLastSplit(Section):
    """Every user's last interactions are held out; one at least is left to train on. Needs timestamps."""

    strategy: Literal["leave_last"]
    test_count: Count = 1


class TimeSplit(Section):
    """The latest interactions of all are held out, whoever's they are. Needs timestamps."""

    strategy: Literal["time"]
    test_fraction: Fraction = 0.2
    """Of all interactions; those of one moment stay together."""


class FilesSplit(Section):
    """A published split: the data set is the train part, and a file of one's own the test part."""

    strategy: Literal["files"]
    test: str
    """The file of the test part."""
    layout: Layout | None = None
    """pairs (default): a line an interaction. lists: a line a user, `user item item ...`."""
    separator: Separator | None = None
    header: bool | None = None
    columns: Columns | None = None


SPLITS: dict[str, type[Section]] = {
    "random": RandomSplit,
    "random_user": RandomUserSplit,
    "leave_last": LeaveLastSplit,
    "time": TimeSplit,
    "files": FilesSplit,
}


def _strategy(value: Any) -> str:
    return str(value.get("strategy", "random") if isinstance(value, dict) else getattr(value, "strategy", "random"))


SplitConfig = Annotated[
    Annotated[RandomSplit, Tag("random")]
    | Annotated[RandomUserSplit, Tag("random_user")]
    | Annotated[LeaveLastSplit, Tag("leave_last")]
    | Annotated[TimeSplit, Tag("time")]
    | Annotated[FilesSplit, Tag("files")],
    Discriminator(_strategy),
]


class EvaluationConfig(Section):
    """Held-out accuracy, from fits of its own on the train part of one split."""

    split: SplitConfig = RandomSplit()
    part: Literal["test", "validation"] = "test"
    """What accuracy is measured on. validation: the train part is split once more in the same way, so that settings
    can be chosen without a look at the test part."""
    replicates: Annotated[int, Field(ge=1, le=1000)] = 5
    """Independent seeds a model."""
    cutoffs: Cutoffs = (10, 20)


class Tuned(Section):
    """Which settings of the models were chosen by measuring, for the report to say."""

    settings: Annotated[
        tuple[Literal["factors", "iterations", "regularization", "alpha", "solver"], ...], Field(strict=False)
    ]
    by: str
    """The config of the sweep that chose them."""
