"""YAML text -> plain values, each with the line it came from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_VALUES = 10_000
KeyPath = tuple[str | int, ...]
_DIGITS = r"[0-9]+(_[0-9]+)*"
_WHOLE = r"(0|[1-9][0-9]*(_[0-9]+)*)"  # 017 is text, not 15 and not 17
_EXPONENT = r"[eE][-+]?[0-9]+"
_INT = re.compile(f"[-+]?{_WHOLE}")
_FLOAT = re.compile(rf"[-+]?({_WHOLE}(\.({_DIGITS})?)?|\.{_DIGITS})({_EXPONENT})?")
_SPECIAL = {
    "null": None, "~": None, "": None, "true": True, "false": False,
    ".inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a config: where (`place`, `path`), and what to do about it."""

    place: str
    path: KeyPath
    message: str

    def __str__(self) -> str:
        where = ".".join(str(key) for key in self.path)
        return f"{self.place}: {where}: {self.message}" if where else f"{self.place}: {self.message}"


@dataclass
class Source:
    """Values read from YAML text; `places` says for each key path where it stands."""

    name: str
    value: Any = None
    places: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: KeyPath) -> str:
        """Where `path` stands, or else the nearest enclosing key that stands somewhere."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)


def parse(text: str, name: str) -> Source:
    """Read one YAML document; whatever is wrong with it is in the result's `problems`.

    Parameters
    ----------
    text : str
        At most 1 MB.
    name : str
        How the text is called in messages, usually its file name.
    """
    source = Source(name)
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        source.problems.append(
            Problem(name, (), f"larger than {MAX_BYTES:,} bytes; a config is a few kilobytes at most")
        )
        return source
    try:
        _Builder(source, yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except _Refused:
        pass
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        source.problems.append(Problem(f"{name}:{line}", (), f"not YAML: {error.problem}"))
    except yaml.YAMLError as error:
        source.problems.append(Problem(name, (), f"not YAML: {str(error).splitlines()[0]}"))
    return source


def scalar(text: str) -> Any:
    """The value of a plain (unquoted) scalar: null, bool, int, float or str."""
    lowered = text.lower()
    if lowered in _SPECIAL:
        return _SPECIAL[lowered]
    if _INT.fullmatch(text) and len(text) < 100:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _Refused(Exception):
    """Reading stops here; the reason is in the source's problems."""


class _Builder:
    def __init__(self, source: Source, events: Iterator[Any]) -> None:
        self.source = source
        self.events = events
        self.values = 0

    def document(self) -> None:
        event = next(self.events)  # the stream's start
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return
        self.source.value = self._node(next(self.events), ())
        next(self.events)  # the document's end
        if isinstance(event := next(self.events), yaml.DocumentStartEvent):
            self._refuse(event, (), "a second document starts here; a config is one document")

    def _node(self, event: Any, path: KeyPath) -> Any:
        self.source.places.setdefault(path, self._place(event))
        self._refuse_indirection(event, path)
        self.values += 1
        if self.values > MAX_VALUES:
            self._refuse(event, path[:1], f"more than {MAX_VALUES:,} values; a config holds a few hundred at most")
        if len(path) > MAX_DEPTH:
            self._refuse(event, path[:3], f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        plain = event.style is None
        return scalar(event.value) if plain else event.value

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            self._refuse_indirection(event, path)
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, path, "a key must be a plain name")
            key = event.value
            inner = (*path, key)
            if key in result:
                first = self.source.places[inner].rpartition(":")[2]
                self._note(event, inner, f"the key stands twice, first on line {first}; keep one")
                self._node(next(self.events), (*path, key + " (again)"))
                continue
            self.source.places[inner] = self._place(event)
            result[key] = self._node(next(self.events), inner)
        return result

    def _sequence(self, path: KeyPath) -> list[Any]:
        result: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            result.append(self._node(event, (*path, len(result))))
        return result

    def _refuse_indirection(self, event: Any, path: KeyPath) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, path, "anchors and aliases are not allowed; write the value out")
        if getattr(event, "tag", None):
            self._refuse(event, path, f"the tag {event.tag} is not allowed; write a plain value")

    def _place(self, event: Any) -> str:
        return f"{self.source.name}:{event.start_mark.line + 1}"

    def _note(self, event: Any, path: KeyPath, message: str) -> None:
        self.source.problems.append(Problem(self._place(event), path, message))

    def _refuse(self, event: Any, path: KeyPath, message: str) -> NoReturn:
        self._note(event, path, message)
        raise _Refused
