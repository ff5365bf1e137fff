"""A held-out split in the store."""

from dataclasses import dataclass

from tasks.core.config.dataset import PreprocessConfig
from tasks.core.data.filters import RatingCounts
from tasks.core.data.interactions import load_matrix
from tasks.core.data.splits.split import Split
from tasks.core.files import StoredFile
from tasks.core.formatting import counted

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
        How many of its users and items are not in the train part.
    by_numbers : bool
        See `tasks.core.data.published_split.PublishedSplit`.
    """

    ratings: RatingCounts
    users: int
    items: int
    by_numbers: bool

    def text(self, settings: PreprocessConfig) -> str:
        """Return the counts in words, with the values of the keys of `preprocess`."""
        users, items = counted(self.users, "user"), counted(self.items, "item")
        return f"{self.ratings.text(settings)}; {users} and {items} of it are not in the train part"


@dataclass(frozen=True)
class HeldOut:
    """A split in the store.

    Attributes
    ----------
    train, test : StoredFile
        Matrices, see `tasks.core.data.splits.Split`.
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
        return Split(load_matrix(self.train.check()), load_matrix(self.test.check()), visible)
