"""The columns of a text, parsed by pyarrow with the result that pandas has."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tasks.core.data.readers.columns import CHUNK_ROWS, ID_ROLES, ColumnBuilder, IdColumnBuilder, Rows
from tasks.core.data.readers.scan import Scan
from tasks.core.data.readers.text import DelimitedText
from tasks.core.data.timestamps import iso_seconds
from tasks.core.types import Values

_BLOCK_BYTES = 1 << 21  # bytes that are parsed at a time; larger blocks are faster by a fifth, and need 100 MB more
_PENDING_ROWS = 1 << 19  # rows whose ids are looked up at a time
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse_with_arrow(
    text: DelimitedText,
    positions: dict[str, int],
    n_skipped: int,
    n_columns: int,
    scan: Scan,
    *,
    iso_times: bool = False,
) -> Rows:
    """Return the columns of a text, as `parse_with_pandas` does.

    Parameters
    ----------
    text, positions, scan, iso_times
        As for `parse_with_pandas`.
    n_skipped : int
        Number of lines before the first rating.
    n_columns : int
        Of every row.

    Returns
    -------
    dict
        Equal to that of `parse_with_pandas`, the order of categories included.

    Raises
    ------
    DataError
        See `DelimitedText.blocks`.
    ValueError, OSError
        If the text has to be read by pandas: it has a row of another length, a blank that is not an empty line, bytes
        that are not UTF-8, a number that pyarrow does not understand, or a very long row.
    """
    import pyarrow as pa
    import pyarrow.csv as pc

    names = [f"column {at}" for at in range(n_columns)]
    id_type = pa.dictionary(pa.int32(), pa.string())
    types = {names[at]: id_type if role in ID_ROLES else pa.string() for role, at in positions.items()}
    builders: dict[str, _ArrowIds | _ArrowNumbers | _ArrowTimes] = {
        role: _ArrowIds() if role in ID_ROLES else _ArrowNumbers() for role in positions
    }
    if iso_times:
        builders["timestamp"] = _ArrowTimes()
    convert = pc.ConvertOptions(include_columns=list(types), column_types=types, null_values=[])
    pool = pa.system_memory_pool()  # the default one keeps freed memory that later steps need
    is_first = True
    with text.blocks(scan) as blocks:
        for rows in _whole_rows(_checked_utf8(blocks), has_quotes=text.has_quotes):
            if not re.search(rb"[^\r\n]", rows):  # pyarrow refuses a file without a row
                continue
            if text.has_quotes and scan.has_unusual_quotes:
                raise ValueError("rows may not end where they seem to")
            if rows.removeprefix(_BYTE_ORDER_MARK if is_first else b"").startswith(_BYTE_ORDER_MARK):
                raise ValueError("pyarrow leaves out a mark at the start of each block, pandas two at the first")
            is_first = False
            table = pc.read_csv(
                pa.BufferReader(rows),
                read_options=pc.ReadOptions(skip_rows=n_skipped, column_names=names),
                parse_options=pc.ParseOptions(
                    delimiter=text.parsed_separator,
                    quote_char='"' if text.has_quotes else False,
                    newlines_in_values=text.has_quotes and b'"' in rows,
                ),
                convert_options=convert,
                memory_pool=pool,
            )
            n_skipped = 0
            columns = table.unify_dictionaries(pool).combine_chunks(pool).columns
            for builder, column in zip(builders.values(), columns, strict=True):
                builder.append_arrow(column.chunk(0))
    result = {role: builder.finish() for role, builder in builders.items()}
    pa.default_memory_pool().release_unused()  # that of conversions
    return result


def _whole_rows(blocks: Iterable[bytes], *, has_quotes: bool) -> Iterator[bytes]:
    """Yield the same bytes in blocks of about `_BLOCK_BYTES` that end where a row ends."""
    parts: list[bytes] = []
    for block in blocks:
        parts.append(block)
        if sum(map(len, parts)) < _BLOCK_BYTES:
            continue
        rows = b"".join(parts)
        end = _end_of_last_row(rows, has_quotes=has_quotes)
        if not end:  # to collect more blocks would take quadratic time
            raise ValueError("a row is longer than a block")
        parts = [rows[end:]]
        yield rows[:end]
    yield b"".join(parts)


def _end_of_last_row(rows: bytes, *, has_quotes: bool) -> int:
    """Return the position after the last line break that is not within quotes; 0 if there is none."""
    line_break = b"\n" if b"\n" in rows else b"\r"
    end = rows.rfind(line_break, 0, len(rows) - 1) + 1  # a carriage return at the end may be half of a line break
    while has_quotes and end and rows.count(b'"', 0, end) % 2:
        end = rows.rfind(line_break, 0, rows.rfind(b'"', 0, end)) + 1
    return end


class _ArrowIds(IdColumnBuilder):
    """A categorical column of ids whose categories are in the order in which `parse_with_pandas` has them.

    That order is, for each chunk of pandas, the sorted ids that no earlier chunk has. Indexes of users that only a
    published test file has follow from it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._chunk_of_code: list[int] = []
        self._pending: list[Any] = []

    def append_arrow(self, column: Any) -> None:
        """Append the rows of a dictionary column."""
        self._pending.append(column)
        if sum(map(len, self._pending)) >= _PENDING_ROWS:
            self._append_pending()

    def _append_pending(self) -> None:
        """Append the columns of several blocks at once: most of their ids are the same."""
        import pyarrow as pa

        if not self._pending:
            return
        column = pa.chunked_array(self._pending).unify_dictionaries().combine_chunks()
        self._pending = []
        codes, texts = column.indices.to_numpy(), column.dictionary.to_pylist()
        first_rows = np.empty(len(texts), dtype=np.int64)
        first_rows[codes[::-1]] = np.arange(len(codes))[::-1]  # of several rows, the last that is assigned is the first
        n_before, n_rows_before = len(self._code_of), self._n
        self.append_coded(codes, texts)
        if len(self._code_of) > n_before:
            chunks = (first_rows + n_rows_before) // CHUNK_ROWS
            is_new = [code >= n_before for code in map(self._code_of.__getitem__, texts)]
            self._chunk_of_code += chunks[is_new].tolist()

    def finish(self) -> Any:
        """Return all rows as a pandas Categorical. Nothing can be appended afterwards."""
        self._append_pending()
        texts = list(self._code_of)
        order = sorted(range(len(texts)), key=lambda code: (self._chunk_of_code[code], texts[code]))
        self._code_of = {texts[code]: position for position, code in enumerate(order)}
        position_of = np.empty(len(order), dtype=np.int32)
        position_of[order] = np.arange(len(order), dtype=np.int32)
        for start in range(0, self._n, CHUNK_ROWS):  # in parts, to save memory
            rows = self._rows[start : start + CHUNK_ROWS]
            rows[:] = position_of[rows]
        return super().finish()


class _ArrowNumbers(ColumnBuilder):
    """A column of numbers, which are converted as pandas' parser converts them."""

    def __init__(self) -> None:
        super().__init__(np.float64)

    def append_arrow(self, column: Any) -> None:
        """Append the rows of a text column."""
        self._append(_numbers(column))


class _ArrowTimes(ColumnBuilder):
    """A column of dates and times of ISO 8601, as seconds since 1970."""

    def __init__(self) -> None:
        super().__init__(np.float64)

    def append_arrow(self, column: Any) -> None:
        """Append the rows of a text column. Each different text of a block is converted once."""
        encoded = column.dictionary_encode()
        self._append(iso_seconds(encoded.dictionary.to_pylist())[encoded.indices.to_numpy()])


def _numbers(texts: Any) -> Values:
    """Return the numbers that an Arrow array of texts contains.

    pandas' parser rounds numbers of many digits differently. In up to 15 characters, the digits are an integer below
    2**53. It is divided by a power of ten, which up to 10**22 is exact too, so that the one rounding is the same.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(texts) and pc.max(pc.binary_length(texts)).as_py() <= 15:
        try:
            numbers: Values = texts.cast(pa.float64()).to_numpy()
        except pa.ArrowInvalid:  # blanks around a number, a plus sign; or no number, which pandas refuses
            return _numbers_of_pandas(texts)
        sizes = np.abs(numbers)
        if (((sizes >= 1e-7) & (sizes < 1e15)) | (sizes == 0)).all():  # few places even if written with an exponent
            return numbers
    return _numbers_of_pandas(texts)


def _numbers_of_pandas(texts: Any) -> Values:
    import pandas as pd

    encoded = texts.dictionary_encode()
    different = encoded.dictionary.to_pylist()
    # a quoted field may contain a line break; a column of one blank line would have no row
    if any("\n" in text or "\r" in text or '"' in text or not text.strip() for text in different):
        raise ValueError("not a number")
    lines = io.StringIO("\n".join(different))
    column = pd.read_csv(lines, header=None, dtype="float64", keep_default_na=False, sep="\x1f", quoting=3)
    return np.asarray(column[0].to_numpy()[encoded.indices.to_numpy()])


def _checked_utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same blocks. pandas decodes all columns, pyarrow only those that are read."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for block in blocks:
        if not block.isascii() or decoder.getstate()[0]:
            decoder.decode(block)
        yield block
    decoder.decode(b"", final=True)
