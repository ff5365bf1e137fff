"""YAML text as plain values, each with its position.

Configs are written in a strict subset of YAML 1.2: one document without tags, anchors, aliases and duplicate keys.
Size, depth and number of values are limited. The values are built from the events of PyYAML's parser, so that harmful
input is refused before any object is made of it. Scalars follow YAML 1.2, not PyYAML: `1e-2` is a number, and `no` is
text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

MAX_BYTES = 1_000_000
"""Size of the longest text that is read."""
_MAX_DEPTH = 20
_MAX_VALUES = 10_000
KeyPath = tuple[str | int, ...]
"""Keys and list positions that lead to a value, such as ("queries", "users", 0)."""
_DIGITS = r"[0-9]+(_[0-9]+)*"
_INTEGER = r"(0|[1-9][0-9]*(_[0-9]+)*)"  # 017 is text: it may mean 15 (octal) or 17
_EXPONENT = r"[eE][-+]?[0-9]+"
_INT = re.compile(f"[-+]?{_INTEGER}")
_FLOAT = re.compile(rf"[-+]?({_INTEGER}(\.({_DIGITS})?)?|\.{_DIGITS})({_EXPONENT})?")
_MAX_INT_LENGTH = 100
"""Longer integers are read as floats: int() raises ValueError for more than 4,300 digits."""
_CONSTANTS = {
    "null": None, "~": None, "": None, "true": True, "false": False,
    ".inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """A fault of a config.

    Attributes
    ----------
    position : str
        `FILE:LINE`, or the override that has the fault.
    path : KeyPath
        Key at fault; empty if it is the file as a whole.
    message : str
        What was found, what was expected, and what to do.
    """

    position: str
    path: KeyPath
    message: str

    def __str__(self) -> str:
        """Return `position: key.path: message`."""
        keys = ".".join(str(key) for key in self.path)
        return f"{self.position}: {keys}: {self.message}" if keys else f"{self.position}: {self.message}"


@dataclass
class Source:
    """Values that were read from YAML text.

    Attributes
    ----------
    name : str
        What messages call the text, usually a file name.
    value : Any
        Contents of the document; None if it is empty or was refused.
    positions : dict of KeyPath to str
        `NAME:LINE` of each key and list entry.
    problems : list of Problem
        Faults found so far.
    """

    name: str
    value: Any = None
    positions: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def position_of(self, path: KeyPath) -> str:
        """Return the position of `path`, or of the nearest key above it that has a position."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, self.name)

    place = position_of


def parse(text: str, name: str) -> Source:
    """Read one YAML document.

    Parameters
    ----------
    text : str
        At most 1 MB.
    name : str
        What messages call the text, usually a file name.

    Returns
    -------
    Source
        Faults are in its `problems`; nothing is raised for them.
    """
    source = Source(name)
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        message = f"larger than {MAX_BYTES:,} bytes; expected a few kilobytes, so check that it is the right file"
        source.problems.append(Problem(name, (), message))
        return source
    try:
        _Builder(source, yaml.parse(text, Loader=yaml.SafeLoader)).build()
    except _Refused:
        pass
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        source.problems.append(Problem(f"{name}:{line}", (), f"not YAML: {error.problem}"))
    except yaml.YAMLError as error:
        source.problems.append(Problem(name, (), f"not YAML: {str(error).splitlines()[0]}"))
    return source


def scalar(text: str) -> Any:
    """Return the value of an unquoted scalar: None, bool, int, float or str."""
    lowered = text.lower()
    if lowered in _CONSTANTS:
        return _CONSTANTS[lowered]
    if _INT.fullmatch(text) and len(text) < _MAX_INT_LENGTH:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _Refused(Exception):
    """Reading ends; the reason is among the problems of the source."""


class _Builder:
    """Builds the value of a document from the events of the parser."""

    def __init__(self, source: Source, events: Iterator[Any]) -> None:
        self.source = source
        self.events = events
        self.n_values = 0

    def build(self) -> None:
        """Set value, positions and problems of the source."""
        next(self.events)  # start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return
        self.source.value = self._node(next(self.events), ())
        next(self.events)  # end of the document
        if isinstance(event := next(self.events), yaml.DocumentStartEvent):
            self._refuse(event, (), "a second document starts here; expected only one")

    def _node(self, event: Any, path: KeyPath) -> Any:
        self.source.positions.setdefault(path, self._position(event))
        self._refuse_indirection(event, path)
        self.n_values += 1
        if self.n_values > _MAX_VALUES:
            self._refuse(event, path[:1], f"more than {_MAX_VALUES:,} values; a config has a few hundred at most")
        if len(path) > _MAX_DEPTH:
            self._refuse(event, path[:3], f"nested deeper than {_MAX_DEPTH} levels")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        plain = event.style is None
        return scalar(event.value) if plain else event.value

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            self._refuse_indirection(event, path)
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, path, "a key must be a plain name")
            key = event.value
            key_path = (*path, key)
            if key in mapping:
                first_line = self.source.positions[key_path].rpartition(":")[2]
                self._report(event, key_path, f"the key stands twice, first on line {first_line}; keep one")
                # The value has to be read too. Under another path it does not overwrite the positions of the first.
                self._node(next(self.events), (*path, key + " (again)"))
                continue
            self.source.positions[key_path] = self._position(event)
            mapping[key] = self._node(next(self.events), key_path)
        return mapping

    def _sequence(self, path: KeyPath) -> list[Any]:
        entries: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            entries.append(self._node(event, (*path, len(entries))))
        return entries

    def _refuse_indirection(self, event: Any, path: KeyPath) -> None:
        """Refuse what can make a short text expensive or run code: aliases (exponential size) and tags (objects)."""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, path, "anchors and aliases are not allowed; write the value out")
        if getattr(event, "tag", None):
            self._refuse(event, path, f"the tag {event.tag} is not allowed; write a plain value")

    def _position(self, event: Any) -> str:
        return f"{self.source.name}:{event.start_mark.line + 1}"

    def _report(self, event: Any, path: KeyPath, message: str) -> None:
        self.source.problems.append(Problem(self._position(event), path, message))

    def _refuse(self, event: Any, path: KeyPath, message: str) -> NoReturn:
        """Report a fault and end the reading."""
        self._report(event, path, message)
        raise _Refused
