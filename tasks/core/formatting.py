"""Numbers, p-values, labels and settings as text.

Sentences, terminal tables, figures and the report format their values here, so that a value reads the same everywhere.
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from tasks.core.errors import without_logins

SIMILARITY_LABELS = {"factors": "factors", "scores": "predicted scores"}
"""What neighbours are nearest by, in words."""
SUMMARY_LABELS = {
    "users": "users",
    "items": "items",
    "interactions": "interactions",
    "mean_per_user": "mean per user",
    "mean_per_item": "mean per item",
    "max_per_user": "max per user",
    "max_per_item": "max per item",
    "min_per_user": "min per user",
    "min_per_item": "min per item",
}
"""The label of each field of `Summary`, in the order of the tables."""
_NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_NOT_FOR_TERMINALS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they change the direction of the text around them
    "\u2028\u2029\ufeff\ud800-\udfff]"  # separators of lines, byte order mark, halves of surrogate pairs
)


def p_value(p: float) -> str:
    """Format a p-value for a table: `<0.001`, otherwise three decimals such as `0.009`."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def p_statement(p: float) -> str:
    """Format a p-value for a sentence: `p < 0.001`, otherwise three decimals such as `p = 0.009`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def level_text(level: float) -> str:
    """Format a significance level with three significant digits and never with an exponent, such as `0.0164`."""
    digits = max(2 - math.floor(math.log10(level)), 0)
    return f"{level:.{digits}f}".rstrip("0")


def decimals(value: float | None, digits: int = 3) -> str:
    """Format a number with a fixed number of decimals.

    Parameters
    ----------
    value : float or None
        None for a number that does not exist.
    digits : int
        Number of decimals.

    Returns
    -------
    str
        `-` for None.
    """
    return "-" if value is None else f"{value:z.{digits}f}"


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """Format an interval, such as `0.396 to 0.568`.

    Parameters
    ----------
    low, high : float or None
        The limits; None if there is no interval.
    digits : int
        Number of decimals.

    Returns
    -------
    str
        `-` if a limit is None. A limit that is rounded to 0 has no sign.
    """
    return "-" if low is None or high is None else f"{low:z.{digits}f} to {high:z.{digits}f}"


def summary_value(value: float) -> str:
    """Format a figure of the data summary: counts as `55,375`, means as `58.784501`."""
    return f"{value:.6f}" if isinstance(value, float) else f"{value:,}"


def summary_text(summary: Any) -> str:
    """Return the size of the data in words: interactions are left out where there are none, as for files of lists.

    Parameters
    ----------
    summary : Summary
        See `tasks.core.data.interactions.Summary`.

    Returns
    -------
    str
        Such as `942 users, 1,447 items, 55,375 interactions`.
    """
    names = [name for name in ("users", "items", "interactions") if getattr(summary, name)]
    return ", ".join(f"{getattr(summary, name):,} {name}" for name in names)


def by_similarity(target: str, similarity: str) -> str:
    """Return what lists are nearest by, where it has to be said: ` by predicted scores`, else nothing.

    Parameters
    ----------
    target : str
        `users`, `items` or `recommendations`. Recommendations do not depend on the similarity.
    similarity : str
        `factors` or `scores`.

    Returns
    -------
    str
    """
    return f" by {SIMILARITY_LABELS[similarity]}" if target != "recommendations" and similarity == "scores" else ""


def percent(fraction: float) -> str:
    """Format a fraction as a percentage without needless zeros, such as `1%` or `0.25%`."""
    return f"{100 * fraction:g}%"


def noise_source(dropped_fraction: float | None) -> str:
    """Return what the runs of one model differ by.

    Parameters
    ----------
    dropped_fraction : float or None
        Fraction of the interactions that each run was fitted without; None for runs on all interactions.

    Returns
    -------
    str
        `the seed`, or such as `the seed and a random 1% of the interactions`.
    """
    return "the seed" + (f" and a random {percent(dropped_fraction)} of the interactions" if dropped_fraction else "")


def beyond_noise(dropped_fraction: float | None) -> str:
    """Return what Δ is more than: `beyond seed variance`, or beyond what `noise_source` changes."""
    if not dropped_fraction:
        return "beyond seed variance"
    return f"beyond what {noise_source(dropped_fraction)} change"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 fit`, `2,000 fits`.

    Parameters
    ----------
    number : int
        How many there are.
    noun : str
        In the singular, with a regular plural.

    Returns
    -------
    str
    """
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def split_answer(sentence: str) -> tuple[str, str]:
    """Return the first sentence of an answer, and the rest of it, which names the tests."""
    first = re.match(r".*?\.(?=\s+\S|$)", sentence, re.DOTALL)
    answer = first[0] if first else sentence
    return answer, sentence[len(answer) :].strip()


def number_word(number: int) -> str:
    """Return a small number as a word for a sentence, such as `three`; from 13 on in digits."""
    return _NUMBER_WORDS[number] if number < len(_NUMBER_WORDS) else f"{number:,}"


def enumerated(entries: Sequence[object], conjunction: str = "and") -> str:
    """Put entries into a sentence.

    Parameters
    ----------
    entries : sequence
        At least one.
    conjunction : str
        Before the last entry.

    Returns
    -------
    str
        Such as `4, 6 and 8`.
    """
    *former, last = map(str, entries)
    return f"{', '.join(former)} {conjunction} {last}" if former else last


def run_label(model: str, replicate: int) -> str:
    """Name a run for people: its model and its replicate.

    Parameters
    ----------
    model : str
        Name of the model.
    replicate : int
        Counted from 0.

    Returns
    -------
    str
        Such as `k500 #3`.
    """
    return f"{model} #{replicate}"


def settings_text(values: Mapping[str, Any]) -> str:
    """Format settings by name, such as `factors 16, alpha 1`."""
    return ", ".join(f"{name} {setting_text(value)}" for name, value in values.items())


def setting_text(value: object) -> str:
    """Format a setting's value: `30` for 30.0, `none` for None, a nested section in parentheses."""
    if isinstance(value, dict):
        return f"({settings_text(value)})"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def examples(entries: Iterable[object]) -> str:
    """Return the first three entries for a message, such as `'1', '2' and '3'`; their texts are cut if they are long.

    Parameters
    ----------
    entries : iterable
        At least one.

    Returns
    -------
    str
    """
    return enumerated([shortened(str(entry)) for entry in islice(entries, 3)])


def did_you_mean(name: str, candidates: Iterable[Any]) -> str:
    """Suggest the candidate that is spelled most like an unknown name.

    Parameters
    ----------
    name : str
        The name that does not exist.
    candidates : iterable
        The names that exist; each is compared as text.

    Returns
    -------
    str
        A clause to append to a message, such as `; did you mean 'k500'?`. Empty if no candidate is similar.
    """
    matches = difflib.get_close_matches(name, [str(candidate) for candidate in candidates], n=1) if name else []
    return f"; did you mean {matches[0]!r}?" if matches else ""


def shortened(value: Any) -> str:
    """Return the representation of a value without logins, cut to at most 80 characters."""
    text = without_logins(repr(value))
    return text if len(text) <= 80 else text[:77] + "..."


def escaped(text: str) -> str:
    r"""Return a text without the characters that a terminal or a browser acts on.

    Parameters
    ----------
    text : str
        Of one or more lines, perhaps with text that a file or a server sent.

    Returns
    -------
    str
        Control characters, and those that change the direction of text, are escaped as Python writes them, such as
        `\x1b`. Line feeds and tabs stay. A text that is escaped already stays the same.
    """
    return _NOT_FOR_TERMINALS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shown(text: str, width: int = 60) -> str:
    """Return a text that was found in a file, so that it can stand in a message or a table.

    Parameters
    ----------
    text : str
        Of any length, with any characters.
    width : int
        Number of characters of the longest form that is not cut.

    Returns
    -------
    str
        On one line: escaped as by `escaped`, line feeds and tabs too. An ellipsis is the last of a text that was cut.
    """
    line = escaped(text[: width + 1]).replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= width else line[: width - 1] + "…"
