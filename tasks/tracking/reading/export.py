"""Lists, factors and accuracy by user of a run, as files that other programs read."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.comparison.agreement import SIDES
from tasks.core.config.base import LIST_LENGTH
from tasks.core.errors import ConfigError
from tasks.core.files import listing
from tasks.core.new_files import creating
from tasks.core.planning.runs import PARENT
from tasks.tracking.lists import FACTORS_FILE, read_factors
from tasks.tracking.reading.fits import OpenedFits, open_fits
from tasks.tracking.reading.frames import accuracy_frame, lists_frame
from tasks.tracking.reading.readme import readme
from tasks.tracking.runs import run_ref

if TYPE_CHECKING:
    import pandas as pd

    from tasks.tracking.local_reader.types import StoredRun, StoreReader

COLUMNS = {
    "users": ("user_id", "similar_user_id"),
    "items": ("target_item_id", "item_id"),
    "recommendations": ("user_id", "item_id"),
}
"""Kind of lists -> columns of the ids in the files of a folder: those of RecTools, where it has such tables."""
FILE_TYPES = (".csv", ".parquet")


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes
    ----------
    run_id : str
    path : str
        The file or folder.
    files : list of str
        Relative to the folder; the name of a single file.
    left_out : list of str
        What the run does not have, as sentences.
    """

    run_id: str
    path: str
    files: list[str]
    left_out: list[str]


def export(client: "StoreReader", run: "StoredRun", target: Path) -> Export:
    """Write the lists of a fit or of all fits of a comparison; into a folder, with factors and accuracy by user.

    Parameters
    ----------
    client : StoreReader
        Reader of the store.
    run : Run
        A fit or a comparison.
    target : Path
        A folder, or one file of all lists whose name ends in `.csv` or `.parquet`. It does not exist.

    Returns
    -------
    Export

    Raises
    ------
    ConfigError
        If the target exists, its name has another ending, or the run has no lists.
    DataError
        If it cannot be written.
    TrackingError
        If a file of the run is missing or damaged.
    """
    if target.suffix and target.suffix not in FILE_TYPES:
        raise ConfigError(
            f"found {target.name}; expected the name of a new file that ends in {' or '.join(FILE_TYPES)}, or of a new "
            "folder, without a dot"
        )
    fits = open_fits(client, run, n=LIST_LENGTH, consensus=False)
    with creating(target) as made:
        if target.suffix:
            _write_lists(made, fits)
            return Export(run.info.run_id, str(target), [target.name], [])
        left_out = _write_folder(made, client, run, fits)
        files = [str(entry["path"]) for entry in listing(made)]
    return Export(run.info.run_id, str(target), files, left_out)


def _write_lists(path: Path, fits: OpenedFits) -> None:
    """Write all lists in long form into one file, those of one fit after those of another: they may be large."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # users and items are in the same columns
    as_text = {ids.dtype.kind for ids in (fits.names.user_ids, fits.names.item_ids)} != {"i"}
    frames = (lists_frame(fits, fit, target, by=fits.similarity) for fit in fits.files for target in fits.targets)
    writer = None
    for number, frame in enumerate(frames):
        if as_text:
            frame = frame.assign(**{name: frame[name].astype(str) for name in ("id", "listed_id")})
        if path.suffix == ".csv":
            frame.to_csv(path, index=False, mode="a", header=not number)
            continue
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _write_folder(folder: Path, client: "StoreReader", run: "StoredRun", fits: OpenedFits) -> list[str]:
    """Write a folder, its manifest last. Return what the run does not have, as sentences."""
    left_out = []
    for fit, files in fits.files.items():
        for target in fits.targets:
            frame = lists_frame(fits, fit, target, by=fits.similarity)
            columns = dict(zip(("id", "listed_id"), COLUMNS[target], strict=True))
            frame = frame.rename(columns=columns)[[*columns.values(), "score", "rank"]]
            _write(frame, folder / "lists" / target / fit.model / f"{fit.replicate}.parquet")
        if FACTORS_FILE in files.entries:
            path = folder / "factors" / fit.model / f"{fit.replicate}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            factors = read_factors(files)
            np.savez(
                path,
                allow_pickle=False,
                user_factors=factors.users,
                item_factors=factors.items,
                user_ids=_without_objects(fits.names.ids("users")),
                item_ids=_without_objects(fits.names.ids("items")),
            )
        else:
            left_out.append(f"{fit.model} #{fit.replicate} has no factors: it was read from a file of lists.")
    left_out += [f"Not all of the fits have lists of {target}." for target in SIDES if target not in fits.targets]
    metrics = []
    if run_ref(run).role != PARENT:
        left_out.append("A single fit has no accuracy by user: models are evaluated with fits of their own.")
    elif (accuracy := accuracy_frame(client, run, fits.names)).empty:
        left_out.append("The comparison measured no accuracy.")
    else:
        _write(accuracy, folder / "accuracy_by_user.parquet")
        metrics = list(accuracy.columns[5:])
    _write_names(folder, fits)
    origin = {
        "run_id": run.info.run_id,
        "run_name": run.info.run_name,
        "similarity": fits.similarity,
        "latentlab": version("latentlab"),
    }
    models = list(dict.fromkeys(fit.model for fit in fits.files))
    with_factors = [model for model in models if (folder / "factors" / model).is_dir()]
    text = readme(origin, models, with_factors, {target: COLUMNS[target] for target in fits.targets}, metrics, left_out)
    (folder / "README.md").write_text(text, encoding="utf-8")
    manifest = json.dumps({**origin, "files": listing(folder)}, indent=1)
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")
    return left_out


def _write_names(folder: Path, fits: OpenedFits) -> None:
    """Write the tables of users and items: index, id and, where items have titles, title."""
    import pandas as pd

    for side, column in (("users", "user_id"), ("items", "item_id")):
        ids = fits.names.ids(side)
        names: dict[str, Any] = {"index": np.arange(len(ids), dtype=np.int32), column: ids}
        if side == "items" and fits.names.item_titles is not None:
            names["title"] = fits.names.item_titles
        _write(pd.DataFrame(names), folder / f"{side}.parquet")


def _write(frame: "pd.DataFrame", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)


def _without_objects(ids: Any) -> Any:
    """Return ids as an array that npz holds without pickles."""
    return ids if ids.dtype.kind == "i" else np.array(ids.tolist(), dtype=np.str_)
