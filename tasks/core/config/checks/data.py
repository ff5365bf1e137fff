"""Checks that involve several keys about data: `dataset`, `preprocess`, and the files of `evaluation.split`."""

import re
from typing import Any

from tasks.core.config.checks.values import Config, Disagreements, model_kinds, value_at
from tasks.core.config.dataset import LISTS, DatasetConfig, scheme_of
from tasks.core.config.yaml_source import KeyPath
from tasks.core.errors import without_logins
from tasks.core.formatting import shortened


def check_data(config: Config) -> Disagreements:
    """Find keys about data that are valid by themselves but not together.

    Parameters
    ----------
    config : dict of str to Any
        See `tasks.core.config.checks.cross_checks.find_disagreements`.

    Yields
    ------
    path : KeyPath
        The key to change.
    message : str
        What was found and what was expected.
    """
    yield from _check_dataset(config)
    yield from _check_min_rating(config)
    yield from _check_confidence(config)
    yield from _check_layouts(config)
    yield from _check_order(config)
    yield from _check_visible(config)


def _check_dataset(config: Config) -> Disagreements:
    dataset = config.get("dataset")
    if not isinstance(dataset, dict):
        return
    name = dataset.get("name", DatasetConfig.model_fields["name"].default)
    if name == "file":
        yield from _check_own_file(dataset)
        return
    if isinstance(path := dataset.get("path"), str) and scheme_of(path):
        yield ("dataset", "path"), f"is an address, which is for `name: file` only, and the data set is {name!r}"
    for key in ("layout", "separator", "header", "columns", "quote", "url", "sha256", "order"):
        if dataset.get(key) is not None:
            yield ("dataset", key), f"is for `name: file` only, and the data set is {name!r}"


def _check_min_rating(config: Config) -> Disagreements:
    """Refuse the default minimum for ratings whose scale latentlab does not know."""
    if isinstance(preprocess := config.get("preprocess"), dict) and "min_rating" in preprocess:
        return
    duplicates = value_at(config, ("preprocess", "duplicates"))
    own_files: list[KeyPath] = [("dataset",)] if value_at(config, ("dataset", "name")) == "file" else []
    if own_files and value_at(config, ("evaluation", "split", "strategy")) == "files":
        own_files.append(("evaluation", "split"))
    if duplicates in ("sum", "count"):
        reason = f"`duplicates: {duplicates}` makes ratings of a scale of their own"
        without = ""
    elif any(_has_ratings(value_at(config, path)) for path in own_files):
        reason = "the scale of the ratings in a file of your own is not known"
        without = "; for a file without ratings write `columns: {rating: null}`"
    else:
        return
    yield (
        ("preprocess", "min_rating"),
        f"is missing: {reason}; `preprocess.min_rating: null` keeps all ratings; 4 keeps 4 and 5 of a five-point "
        f"scale{without}",
    )


def _has_ratings(file: Any) -> bool:
    """Return whether a section that describes a file says that it has a column of ratings."""
    if not isinstance(file, dict) or file.get("layout") in LISTS:
        return False
    columns = file.get("columns")
    return not isinstance(columns, dict) or columns.get("rating", "") is not None


def _check_own_file(dataset: Config) -> Disagreements:
    path, url, sha256 = (dataset.get(key) for key in ("path", "url", "sha256"))
    if path is None and url is None:
        yield ("dataset",), "`name: file` needs a `path` or a `url`"
    elif path is not None and url is not None:
        yield ("dataset",), "has both path and url; keep one of them: path for a file on this machine"
    if isinstance(path, str) and (scheme := scheme_of(path)):
        if scheme in ("http", "https"):
            yield ("dataset", "path"), f"found {shortened(path)}; for an http(s) address use `url`, with `sha256`"
        elif scheme == "file":
            yield ("dataset", "path"), f"found {shortened(path)}; expected the path alone, without file://"
        elif without_logins(path) != path:
            message = "contains a login, but configs are printed and logged; put it into the environment instead"
            yield ("dataset", "path"), message
    if url is None:
        if sha256 is not None:
            yield ("dataset", "sha256"), "is for a `url` only"
        return
    if sha256 is None:
        yield ("dataset",), "a `url` needs the `sha256` of its file, which `sha256sum FILE` prints"
    if isinstance(url, str) and not re.match(r"https?://[^/?#]+/([^?#]*/)?[^/?#]+(\?|#|$)", url):
        yield ("dataset", "url"), f"found {shortened(url)}; expected http(s)://HOST/.../FILE"
    elif isinstance(url, str) and without_logins(url) != url:
        message = "contains a login, but configs are printed and logged; put it into ~/.netrc instead"
        yield ("dataset", "url"), message


def _check_confidence(config: Config) -> Disagreements:
    transform, epsilon = (value_at(config, ("preprocess", "confidence", key)) for key in ("transform", "epsilon"))
    if transform == "log" and epsilon is None:
        yield ("preprocess", "confidence"), "`transform: log` needs an `epsilon`, such as 1"
    elif transform == "linear" and epsilon is not None:
        yield ("preprocess", "confidence", "epsilon"), "is for `transform: log` only"


def _check_layouts(config: Config) -> Disagreements:
    for path in (("dataset",), ("evaluation", "split")):
        node = value_at(config, path)
        if isinstance(node, dict) and node.get("layout") in LISTS:
            for key in ("header", "columns", "quote"):
                if node.get(key) is not None:
                    yield (*path, key), "is for `layout: pairs` only"


def _check_order(config: Config) -> Disagreements:
    """Refuse an order of time beside timestamps, and one that is within users for a split across them."""
    dataset = value_at(config, ("dataset",))
    if not isinstance(dataset, dict) or dataset.get("order") is None or dataset.get("name") != "file":
        return
    column = value_at(dataset, ("columns", "timestamp"))
    if column is not None:
        message = f"the file has timestamps in column {column!r}, which say the order; keep one of the two keys"
        yield ("dataset", "order"), message
    if dataset.get("layout") in LISTS and value_at(config, ("evaluation", "split", "strategy")) == "time":
        message = (
            f"`time` compares the times of different users, and the order of `layout: {dataset['layout']}` is that of "
            "the items of one user; expected leave_last, or timestamps"
        )
        yield ("evaluation", "split", "strategy"), message


def _check_visible(config: Config) -> Disagreements:
    """Refuse a visible part beside models that are read from files: nobody can be folded into lists."""
    path = ("evaluation", "split", "visible")
    if isinstance(value_at(config, path), str) and model_kinds(config) - {"als"}:
        yield path, "is for models that are trained, into which users are folded, and some are read from files"
