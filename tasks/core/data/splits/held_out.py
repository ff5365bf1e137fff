"""A held-out split in the store."""

from dataclasses import dataclass

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.data.filters import RatingCounts
from tasks.core.data.interactions import load_matrix
from tasks.core.data.splits.published import PublishedSplit
from tasks.core.data.splits.split import Split
from tasks.core.files import StoredFile
from tasks.core.formatting import counted, enumerated

SPLITS = "splits"
"""Folder of the store."""


@dataclass(frozen=True)
class PublishedTest:
    """What is known of a published test file.

    Attributes
    ----------
    ratings : RatingCounts
        Its ratings, and those of them that were dropped.
    users, items : int
        How many of its users and items are not in the train part, nor in the visible part if there is one.
    by_numbers : bool
        See `tasks.core.data.splits.published.PublishedSplit`.
    in_train, repeated : int
        With `overlap: drop`, how many of its interactions are in the train or the visible part too, and how many of its
        lines repeat an earlier one. Both are left out.
    visible : RatingCounts or None
        Of the file of the visible part, if there is one.
    """

    ratings: RatingCounts
    users: int
    items: int
    by_numbers: bool
    in_train: int = 0
    repeated: int = 0
    visible: RatingCounts | None = None

    @property
    def left_out(self) -> str:
        """What was left out because of `overlap: drop`, in words; empty if nothing was."""
        parts = []
        if self.in_train:
            parts.append(f"{counted(self.in_train, 'interaction')} of {self._others}")
        if self.repeated:
            parts.append(counted(self.repeated, "repeated line"))
        return f"{enumerated(parts)} left out by evaluation.split.overlap drop" if parts else ""

    def counts(self) -> dict[str, int]:
        """Return the numbers that `overlap: drop` left out, for the counts of the split; empty if there are none."""
        return {"test_in_train": self.in_train, "test_repeated": self.repeated} if self.left_out else {}

    def text(self, settings: PreprocessConfig) -> str:
        """Return the counts in words, with the values of the keys of `preprocess`."""
        users, items = counted(self.users, "user"), counted(self.items, "item")
        ratings = self.ratings.text(settings)
        if self.left_out:
            ratings = f"{ratings.removesuffix('; none dropped')}; {self.left_out}"
        text = f"{ratings}; {users} and {items} of it are not in {self._others}"
        return f"{text}; visible file: {self.visible.text(settings)}" if self.visible else text

    @property
    def _others(self) -> str:
        return "the train or the visible part" if self.visible else "the train part"


@dataclass(frozen=True)
class HeldOut:
    """A split in the store.

    Attributes
    ----------
    train, test : StoredFile
        Matrices, see `tasks.core.data.splits.split.Split`.
    sha256 : str
        Digest of everything that decides the split.
    published : PublishedTest or None
        Only where the test part is a published file.
    visible : StoredFile or None
        Only where users are held out as a whole: the matrix of what is known of them.
    """

    train: StoredFile
    test: StoredFile
    sha256: str
    published: PublishedTest | None = None
    visible: StoredFile | None = None

    def load(self) -> Split:
        """Return the split.

        Raises
        ------
        DataError
            If a file is missing or differs from its digest.
        """
        visible = load_matrix(self.visible.check()) if self.visible else None
        kind = PublishedSplit if self.published else Split
        return kind(load_matrix(self.train.check()), load_matrix(self.test.check()), visible)
