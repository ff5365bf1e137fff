"""Ids of several files that mean the same user or item.

Raw ids are compared as text. The ids of a file are integers only if all of them are, so the same id may be an integer
in one of the files and text in the other. Where all ids of a file are numbers, `1.0` meets `1`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.core.types import Ids

_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]{0,17}))(?:\.([0-9]+))?")
"""A number whose integer part is written as Python writes integers, as `is_canonical_integer` has it: not `007`."""


@dataclass(frozen=True)
class Matched:
    """Ids of a file among those that are known from others.

    Attributes
    ----------
    indexes : (n,) int32
        The index of each id. Those that were not known are numbered after the known ones.
    ids : list of str
        The known ids, then the new ones.
    by_numbers : bool
        Whether spellings such as `1.0` and `1` had to be matched.
    """

    indexes: Ids
    ids: list[str]
    by_numbers: bool


def match_ids(known: Sequence[str], ids: Sequence[str]) -> Matched:
    """Return the index of each id among the known ones.

    Parameters
    ----------
    known, ids : sequence of str
        Without repeats.

    Returns
    -------
    Matched
    """
    as_text, by_number = _indexes(known, ids), _indexes(_as_numbers(known), _as_numbers(ids))
    new = [text for text, index in zip(ids, by_number, strict=True) if index >= len(known)]
    return Matched(np.array(by_number, dtype=np.int32), [*known, *new], by_number != as_text)


def _indexes(known: Sequence[str], ids: Sequence[str]) -> list[int]:
    """Return the index of each id among the known ones; new ids are numbered after these."""
    index_of = {name: index for index, name in enumerate(known)}
    return [index_of.setdefault(name, len(index_of)) for name in ids]


def _as_numbers(texts: Sequence[str]) -> Sequence[str]:
    """Return ids so that equal numbers are equal texts: `1.0` and `1` as `1`, `1.50` as `1.5`.

    As they are, if one of them is no number, or two of them are the same number: then spelling tells them apart.
    """
    numbers = []
    for text in texts:
        match = _NUMBER.fullmatch(text)
        if match is None:
            return texts
        fraction = (match[2] or "").rstrip("0")
        numbers.append(f"{match[1]}.{fraction}" if fraction else match[1])
    return numbers if len(set(numbers)) == len(texts) else texts
