"""Which user or item a word on the command line means."""

from collections.abc import Sequence

from tasks.core.comparison.query_lists import Names
from tasks.core.errors import ConfigError
from tasks.core.formatting import did_you_mean, shortened
from tasks.core.types import RawId

_MOST_LISTED = 10
"""Matches in one message."""
_MOST_COMPARED = 100_000
"""Names among which a similar one is looked for; each takes microseconds."""


def find_index(names: Names, target: str, text: str, *, raw: bool) -> int:
    """Return the index of the user or item that a text means.

    Parameters
    ----------
    names : Names
        Ids and titles of a run.
    target : str
        `users`, `items` or `recommendations`, which are for a user.
    text : str
        An index. Else a part of a title or, where there are no titles, of an id that is text; letters may be small or
        capital. A whole title or id is preferred to a part of others. With `raw` a whole id.
    raw : bool
        Whether the text is an id.

    Returns
    -------
    int

    Raises
    ------
    ConfigError
        If the text means none, or several, which are listed.
    """
    kind, ids = ("item", names.item_ids) if target == "items" else ("user", names.user_ids)
    raw_ids: list[RawId] = ids.tolist()
    if raw:
        for index, raw_id in enumerate(raw_ids):
            if str(raw_id) == text:
                return index
        raise ConfigError(f"there is no {kind} id {shortened(text)} among the data set's {len(ids)} {kind}s")
    if text.isdecimal() and int(text) < len(raw_ids):
        return int(text)
    titles = names.item_titles if kind == "item" else None
    what = "id" if titles is None else "title"
    texts: list[str] = list(map(str, raw_ids)) if titles is None else titles.tolist()
    searched = what == "title" or ids.dtype.kind != "i"  # a part of a number means nothing
    matching = _matching(texts, text) if searched and text.strip() and not text.isdecimal() else []
    if len(matching) == 1:
        return matching[0]
    if matching:
        lines = [
            f"  {index}  {shortened(texts[index])}" + (f" (id {shortened(raw_ids[index])})" if what == "title" else "")
            for index in matching[:_MOST_LISTED]
        ]
        more = [f"  and {len(matching) - _MOST_LISTED:,} more"] if len(matching) > _MOST_LISTED else []
        head = f"found {kind} {shortened(text)}, which is a part of the {what}s of {len(matching):,} {kind}s; name one"
        raise ConfigError("\n".join([f"{head} by its index, or by more of its {what}:", *lines, *more]))
    by_name = f", or named by a unique part of their {what}" if searched else ""
    hint = did_you_mean(text, filter(None, texts[:_MOST_COMPARED])) if searched else ""
    raise ConfigError(
        f"there is no {kind} {shortened(text)}; the {kind}s are 0 to {len(ids) - 1} by first appearance{by_name} "
        f"(--raw for the data set's own ids){hint}"
    )


def _matching(texts: Sequence[str], part: str) -> list[int]:
    """Return the indexes of the texts that equal a text or, if none does, contain it, whatever the case of letters."""
    folded = part.casefold()
    containing = [index for index, text in enumerate(texts) if folded in text.casefold()]
    return [index for index in containing if texts[index].casefold() == folded] or containing
