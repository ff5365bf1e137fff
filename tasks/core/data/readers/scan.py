"""What is found in the bytes of a text while a parser reads them: digest, separators, and quotes in unusual places."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.core.errors import DataError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE = b"\n"
_QUOTE = ord('"')


@dataclass
class Scan:
    """What the bytes that were read so far contain.

    Attributes
    ----------
    hasher : hashlib hash object
        Of the file's bytes as they lie on the disk.
    separators : int
        Number of separators, within quotes too.
    has_unusual_quotes : bool
        Whether a quote neither opens a field after a separator or a line break, nor closes one before them, nor is
        doubled within a field. Text may be lost or merged then, and a slower check decides.
    """

    hasher: Any = field(default_factory=hashlib.sha256)
    separators: int = 0
    has_unusual_quotes: bool = False
    _n_quotes: int = 0
    _last_byte: bytes = b"\n"

    def hash_blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the same blocks, adding each to the digest."""
        for block in blocks:
            self.hasher.update(block)
            yield block

    def examine(self, blocks: Iterable[bytes], separator: bytes, name: str) -> Iterator[bytes]:
        """Yield the same blocks, counting the separators of each and looking at its quotes.

        Parameters
        ----------
        blocks : iterable of bytes
            May end anywhere.
        separator : bytes
            Of length 1.
        name : str
            The file's, for messages.

        Yields
        ------
        bytes

        Raises
        ------
        DataError
            If there is a NUL byte: a text has none, and parsers end a field there.
        """
        line = 1
        for block in blocks:
            if (at := block.find(b"\0")) >= 0:
                line += block.count(_NEWLINE, 0, at)
                raise DataError(
                    f"{name}:{line}: a NUL byte; expected UTF-8 text: save the file as UTF-8 (UTF-16 has NUL bytes), "
                    "or as CSV if it is binary"
                )
            text = np.frombuffer(block, dtype=np.uint8)
            line += int(np.count_nonzero(text == _NEWLINE[0]))
            self.separators += int(np.count_nonzero(text == separator[0]))
            self._look_at_quotes(block, separator)
            yield block
        self.has_unusual_quotes |= self._n_quotes % 2 == 1  # a quoted field that does not end

    def _look_at_quotes(self, block: bytes, separator: bytes) -> None:
        """Compare the bytes beside the quotes.

        As long as no quote is unusual, every second one closes a field. Of a doubled quote, the first counts as closing
        and the second as opening.
        """
        if b'"' not in block and self._last_byte != b'"':
            self._last_byte = block[-1:] or self._last_byte
            return
        if self._n_quotes == 0:
            block = block.removeprefix(_BYTE_ORDER_MARK) if self._last_byte == b"\n" else block
        text = np.frombuffer(self._last_byte + block, dtype=np.uint8)
        quotes = np.flatnonzero(text[1:] == _QUOTE) + 1
        opened = self._n_quotes % 2
        closing = quotes[1 - opened :: 2]
        if self._n_quotes and not opened and self._last_byte == b'"':
            closing = np.append(0, closing)  # the last byte of the block before
        before, after = text[quotes[opened::2] - 1], text[closing[closing < len(text) - 1] + 1]
        usual = np.frombuffer(b'"\r\n' + separator, dtype=np.uint8)
        self.has_unusual_quotes |= not (np.isin(before, usual).all() and np.isin(after, usual).all())
        self._n_quotes += len(quotes)
        self._last_byte = block[-1:] or self._last_byte
