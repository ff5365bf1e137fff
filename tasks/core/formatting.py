"""Numbers, p-values and settings as text."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


def settings_text(values: Mapping[str, Any]) -> str:
    """Settings in words: `factors 16, alpha 1`."""
    return ", ".join(f"{key} {setting_text(value)}" for key, value in values.items())


def setting_text(value: object) -> str:
    """A setting's value as people write it: 30, not 30.0."""
    if isinstance(value, dict):
        return f"({settings_text(value)})"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def did_you_mean(found: str, known: Iterable[Any]) -> str:
    close = difflib.get_close_matches(found, [str(name) for name in known], n=1) if found else []
    return f"; did you mean {close[0]!r}?" if close else ""


def shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
