"""A config for a ratings file: what the file says, and comments where somebody has to decide."""

import re
from pathlib import Path
from typing import get_args

import yaml

from tasks.core.config.dataset import LISTS, PreprocessConfig
from tasks.core.data.inspection.inspect_file import Inspection, quotes_can_be_text
from tasks.core.data.inspection.scale import CONSTANT, COUNTS, STARS, TEN_POINTS, Scale, number
from tasks.core.formatting import counted, enumerated, escaped, percent, shown

_FEW_ROWS = 20
_LARGE = 5_000_000
"""Number of ratings from which on k=200 takes long on a usual machine."""
_MANY_LISTS = 50_000
"""Number of users or items from which on lists of a sample are proposed."""
_LISTED = 10
"""Number of columns that are not used and are named."""
_SEPARATORS = {"\t": "a tab", ",": "a comma", " ": "a space"}


def starter_config(inspection: Inspection) -> str:
    """Return a config as YAML with comments.

    Parameters
    ----------
    inspection : Inspection
        What the file contains.

    Returns
    -------
    str
        A config that is valid as it is. What `open_questions` lists is to be decided first.
    """
    lines = [
        f"# {shown(Path(inspection.path).name)}: {inspection.rows:,} rows, {inspection.users:,} users, "
        f"{inspection.items:,} items",
        *(f"# to decide: {question}" for question in open_questions(inspection)),
        "",
        f"name: {_name(inspection.path)}",
        *_dataset(inspection),
        *_preprocess(inspection),
        *_models(inspection),
        "replicates: 6                  # seeds per model; with fewer than 5 no test can reach p = .01",
        "seed: 20250101",
        "queries: {users: [0], items: [0], recommend_for: [0]}   # by first appearance in the filtered data",
    ]
    if max(inspection.users, inspection.items) >= _MANY_LISTS:
        lines.append("# neighbours: {sample: 10000}   # lists of a sample only, which takes less time and memory")
    return escaped("\n".join([*lines, _evaluation(inspection), ""]))


def open_questions(inspection: Inspection) -> list[str]:
    """Return what the file does not say, one line each."""
    questions = []
    if inspection.format not in LISTS and not inspection.columns_by_name:
        columns = inspection.columns
        questions.append(
            f"columns: users are taken to be in column {_quoted(columns['user'])} and items in "
            f"{_quoted(columns['item'])}, as their content and order suggest"
        )
    if inspection.header is None:
        questions.append("header: all columns are text; true if the first line names them")
    if inspection.quoting == "stray":
        remedy = "" if quotes_can_be_text() else "; remove them from the file, or write each twice in a quoted field"
        questions.append(f"quotes: they are part of the text, for they do not enclose fields{remedy}")
    if inspection.time_problem:
        questions.append(
            f"timestamp: the times cannot be read ({shown(inspection.time_problem, 200)}); write all as "
            "numbers, such as seconds since 1970, or as ISO 8601"
        )
    if inspection.repeated_pairs:
        questions.append(f"duplicates: {_repeats(inspection)}, which `duplicates: error` refuses")
    scale = inspection.scale
    if scale and scale.kind not in (STARS, CONSTANT):
        questions.append("min_rating: which ratings count as liked")
    return questions


def _name(path: str) -> str:
    """Return the name of the experiment: that of the file, of the letters that a name may have."""
    stem = Path(path).name.partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:64] or "ratings"


def _quoted(value: object) -> str:
    """Return a value as YAML on one line; text in double quotes, in which every character can be escaped."""
    style = '"' if isinstance(value, str) else None
    text = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=float("inf"))
    return text.removesuffix("...\n").strip()


def _dataset(inspection: Inspection) -> list[str]:
    lines = ["dataset:", "  name: file", f"  path: {_quoted(inspection.path)}"]
    if inspection.format in LISTS:
        return [*lines, *_layout(inspection.format)]
    if inspection.format == "pairs":
        separator = str(inspection.separator)
        lines.append(
            f"  separator: {_quoted(separator)}{_comment(_SEPARATORS.get(separator, ''), inspection.encoding)}"
        )
        lines.append(f"  header: {'true' if inspection.header else 'false'}")
        if inspection.quoting == "stray" and quotes_can_be_text():
            lines.append("  quote: none                  # quotes are part of the text")
    columns = {"rating": None, **inspection.columns}
    lines.append("  columns:" + ("" if inspection.columns_by_name else "                     # check them"))
    for role in ("user", "item", "rating", "timestamp"):
        if role in columns:
            comment = "   # there are no ratings" if columns[role] is None else ""
            lines.append(f"    {role}: {_quoted(columns[role])}{comment}")
    if inspection.times:
        lines.append(f"  # {inspection.times.text}")
    if inspection.other_columns:
        shortened = [shown(name, 30) for name in inspection.other_columns[:_LISTED]]
        more = ", …" if len(inspection.other_columns) > _LISTED else ""
        lines.append(f"  # not used: {', '.join(shortened)}{more}")
    return lines


def _layout(layout: str) -> list[str]:
    first = "a user, then the items" if layout == "lists" else "the number of items, then the items"
    without_users = ["  # layout: item_lists         # if the first number is an item too: the line is the user"]
    return [
        f"  layout: {layout:20} # {first}, in each line",
        *(without_users if layout == "lists" else []),
        "  # order: time                # if the items of a line are in the order of time: for leave_last",
    ]


def _preprocess(inspection: Inspection) -> list[str]:
    scale = inspection.scale
    lines = ["preprocess:", *_min_rating(scale)]
    choices = [
        choice for choice in get_args(PreprocessConfig.model_fields["duplicates"].annotation) if choice != "error"
    ]
    if inspection.repeated_pairs:
        proposed = "sum" if "sum" in choices and scale and scale.kind == COUNTS else choices[0]
        if "count" in choices and scale is None:
            proposed = "count"
        lines += [
            f"  # {_repeats(inspection)}: choose {enumerated(choices, 'or')}",
            f"  # duplicates: {proposed}",
            "  duplicates: error",
        ]
    else:
        lines.append("  duplicates: error            # no pair of user and item occurs twice")
    if scale and scale.kind == COUNTS:
        lines.append(
            "  # confidence: {transform: log, alpha: 1, epsilon: 1}   # 1 + alpha·log(1 + r/epsilon): less weight"
        )
        lines.append("  #   for the tail than r itself")
    lines.append(
        "  confidence: rating           # the weight of an interaction" + ("" if scale else ": 1 without ratings")
    )
    return lines


def _min_rating(scale: Scale | None) -> list[str]:
    """Return the key `min_rating` with what it keeps."""
    if scale is None:
        return ["  min_rating: null             # there are no ratings: every row counts"]
    seen = ", ".join(f"{float(value):g} ({count:,})" for value, count in scale.counts.items())
    between = f"ratings from {number(scale.low)} to {number(scale.high)}, median {number(scale.median)}"
    lines = [f"  # ratings: {seen}" if seen else f"  # {between}, {scale.different:,} different values"]
    if scale.kind == STARS and scale.share_from(4) > 0:
        share = percent(round(scale.share_from(4), 3))
        return [*lines, f"  min_rating: 4                # keeps {share} of the ratings; null keeps all"]
    lines += [f"  # min_rating: {value}   # keeps {share}" for value, share in _proposals(scale)]
    least = scale.least_positive
    if scale.zeros or scale.negatives:
        found = " and ".join(
            text
            for text, count in (
                (f"{counted(scale.zeros, 'rating')} of 0", scale.zeros),
                (f"{counted(scale.negatives, 'rating')} below 0", scale.negatives),
            )
            if count
        )
        lines.append(f"  # {found}: to ALS every interaction is liked, so that they have to be left out")
    if least is None:
        return [*lines, "  min_rating: null             # no rating is above 0: it is not known what they mean"]
    if scale.zeros or scale.negatives:
        return [*lines, f"  min_rating: {number(least)}   # the smallest above 0"]
    return [*lines, "  min_rating: null             # all ratings count"]


def _proposals(scale: Scale) -> list[tuple[str, str]]:
    thresholds = (7, 8) if scale.kind == TEN_POINTS else ()
    return [(str(at), percent(round(scale.share_from(at), 3))) for at in thresholds if scale.share_from(at) > 0]


def _models(inspection: Inspection) -> list[str]:
    """Return two models that differ in the number of factors, and are not larger than the data."""
    smaller_side = min(inspection.users, inspection.items)
    if smaller_side < 200:
        small, large = max(smaller_side // 8, 1), max(smaller_side // 2, 2)
    else:
        small, large = 50, 100 if inspection.rows >= _LARGE or smaller_side < 400 else 200
    return ["models:"] + [f"  k{k}: {{factors: {k}, iterations: 15, regularization: 0.01}}" for k in (small, large)]


def _evaluation(inspection: Inspection) -> str:
    if inspection.rows < _FEW_ROWS:
        return "evaluation: null               # too few rows to hold some out"
    by_time = "   # or by time: {split: {strategy: time}, replicates: 5}" if "timestamp" in inspection.columns else ""
    return f"evaluation: {{replicates: 5}}{by_time}"


def _repeats(inspection: Inspection) -> str:
    pairs = inspection.repeated_pairs
    subject = "1 pair of user and item occurs" if pairs == 1 else f"{pairs:,} pairs of user and item occur"
    return f"{subject} more than once, in {inspection.repeated_rows:,} rows"


def _comment(*parts: str | None) -> str:
    text = "; ".join(part for part in parts if part)
    return f"   # {text}" if text else ""
