"""Tables that others wrote: CSV, TSV, JSON lines, and Parquet files or folders."""

import json
from collections import Counter
from csv import Error as CsvError
from csv import reader as csv_reader
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError

_PARQUET = b"PAR1"
_JSON_SUFFIXES = {".jsonl", ".ndjson", ".json"}


def read_table(path: Path) -> Any:
    """Read a table.

    Parameters
    ----------
    path : Path
        A Parquet file or a folder of Parquet files; JSON lines (.jsonl, .ndjson, .json); else text with a header, with
        tabs between columns in a .tsv or .tab file, and commas in others. Compressed with gzip if it ends in .gz.

    Returns
    -------
    pyarrow.Table
        Text columns of CSV and TSV stay text.

    Raises
    ------
    DataError
        If it cannot be read, or has no rows.
    """
    import pyarrow as pa

    try:
        table = _read(path)
    except (pa.ArrowException, OSError, ValueError, OverflowError, EOFError, CsvError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
        raise DataError(
            f"{path}: cannot be read: {reason}; expected CSV or TSV with a header, JSON lines, or Parquet (folders "
            "hold Parquet only)"
        ) from error
    if not table.num_rows:
        raise DataError(f"{path}: no rows; expected a row for each entry of a list, or for each list")
    repeated = [name for name, count in Counter(table.column_names).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: the column {repeated[0]!r} is there twice; expected each name once")
    return table


def _read(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.is_dir():
        return pq.read_table(path)
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == _PARQUET:
        return pq.ParquetFile(path).read()
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix in _JSON_SUFFIXES:
        with pa.input_stream(path, compression="detect") as stream:
            lines = stream.read().decode("utf-8-sig").split("\n")
        return _table_of_json([json.loads(line) for line in lines if line.strip()])
    return _read_text(path, "\t" if suffix in {".tsv", ".tab"} else ",")


def _table_of_json(values: list[Any]) -> Any:
    """Return the table of JSON lines, or of a JSON array of objects on one line."""
    import pyarrow as pa

    rows = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is no JSON object")
    names = dict.fromkeys(name for row in rows for name in row)  # a row may lack some
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def _read_text(path: Path, separator: str) -> Any:
    """Read text with a header. All columns stay text: `007` and `7` are two ids."""
    import pyarrow as pa
    from pyarrow import csv

    with pa.input_stream(path, compression="detect") as stream:
        data = stream.read()
    header = data.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
    names = next(csv_reader([header], delimiter=separator), [])
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    parse = csv.ParseOptions(delimiter=separator, newlines_in_values=False)
    return csv.read_csv(pa.BufferReader(data), parse_options=parse, convert_options=convert)
