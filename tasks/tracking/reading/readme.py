"""The page that explains a folder of exported files."""

import shlex
from collections.abc import Mapping, Sequence

from tasks.core.formatting import shown

_LISTS = {
    "users": "the users nearest to each user",
    "items": "the items nearest to each item",
    "recommendations": "the items recommended to each user",
}


def readme(
    origin: Mapping[str, str],
    models: Sequence[str],
    with_factors: Sequence[str],
    columns: Mapping[str, tuple[str, str]],
    metrics: Sequence[str],
    left_out: Sequence[str],
) -> str:
    """Return the page, in Markdown.

    Parameters
    ----------
    origin : mapping of str to str
        `run_id`, `run_name`, `similarity` and `latentlab`, the version.
    models : sequence of str
        Names of the models.
    with_factors : sequence of str
        Those whose factors are in the folder.
    columns : mapping of str to tuple of str
        Kind of lists -> columns of the ids.
    metrics : sequence of str
        Columns of the accuracy by user; empty if there is none.
    left_out : sequence of str
        What the run does not have, as sentences.

    Returns
    -------
    str
    """
    rows = [
        f"| `lists/{target}/MODEL/REPLICATE.parquet` | {_LISTS[target]} | `{own}`, `{listed}`, `score`, `rank` |"
        for target, (own, listed) in columns.items()
    ]
    if with_factors:
        arrays = "arrays `user_factors` (U, k), `item_factors` (I, k), `user_ids`, `item_ids`"
        rows.append(f"| `factors/MODEL/REPLICATE.npz` | the factors of a fit | {arrays} |")
    if metrics:
        names = ", ".join(f"`{name}`" for name in ("model", "replicate", "split", "index", "id", *metrics))
        rows.append(f"| `accuracy_by_user.parquet` | held-out accuracy of each user | {names} |")
    rows += [
        "| `users.parquet`, `items.parquet` | ids by index, the number by first appearance | `index`, `user_id` or "
        "`item_id`, `title` if there are titles |",
        "| `manifest.json` | the run, and each file with its size and sha256; it was written last | |",
    ]
    commands = [
        _command("lists", models, f"lists/{target}/{{}}/*.parquet", f"--of {target} --name exported-{target}")
        for target in columns
    ]
    if with_factors:
        commands.append(_command("factors", with_factors, "factors/{}/*.npz", "--name exported-factors"))
    lines = [
        f"# {shown(origin['run_name'], 200)}",
        "",
        f"Written by latentlab {origin['latentlab']} from the MLflow run `{origin['run_id']}`. Ids are those of the "
        "data set. Ranks begin with 1, the best. Replicates are the seeds of a model, from 0. Neighbours are by the "
        f"cosine of {'predicted scores' if origin['similarity'] == 'scores' else 'factors'}.",
        "",
        "| file | content | columns |",
        "| --- | --- | --- |",
        *rows,
        "",
        *left_out,
        *([""] if left_out else []),
        "These commands, in this folder, compare the models again by their files:",
        "",
        "```",
        *commands,
        "```",
        "",
    ]
    return "\n".join(lines)


def _command(option: str, models: Sequence[str], pattern: str, end: str) -> str:
    """Return a command that compares the files."""
    patterns = [f"--{option} {shlex.quote(f'{model}={pattern.format(model)}')}" for model in models]
    return " ".join(["latentlab compare", *patterns, end])
