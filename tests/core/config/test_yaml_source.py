"""The subset of YAML that configs are written in."""

import math
from typing import Any

import pytest

from tasks.core.config.yaml_source import MAX_BYTES, parse

ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def values(text: str) -> Any:
    source = parse(text, "c.yaml")
    assert source.problems == []
    return source.value


def faults(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "c.yaml").problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-2", 0.01),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.25", -0.25),
        ("15", 15),
        ("+15", 15),
        ("-3", -3),
        ("0", 0),
        ("1_000", 1000),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("12:30:45", "12:30:45"),
        ("2025-01-01", "2025-01-01"),
        ("1.2.3", "1.2.3"),
        ("k50", "k50"),
        ("e5", "e5"),
        ("٣", "٣"),
        ('"50"', "50"),
        ("'true'", "true"),
        ('""', ""),
        ('"\\t"', "\t"),
        ("017", "017"),
    ],
)
def test_scalar_has_the_value_and_the_type_that_yaml_1_2_gives_it(text: str, expected: object) -> None:
    value = values(f"key: {text}")["key"]
    assert value == expected
    assert type(value) is type(expected)


def test_nan_is_a_float() -> None:
    assert math.isnan(values("key: .nan")["key"])


@pytest.mark.parametrize("text", ["1_", "1__0", "1_.5"])
def test_number_with_misplaced_underscores_is_text(text: str) -> None:
    assert values(f"key: {text}") == {"key": text}


def test_mappings_and_lists_can_be_nested() -> None:
    assert values("a:\n  b: [1, {c: 2}]\n  d:\n  - e\n") == {"a": {"b": [1, {"c": 2}], "d": ["e"]}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_value_of_an_empty_document_is_none(text: str) -> None:
    assert values(text) is None


def test_every_key_and_entry_has_its_line() -> None:
    source = parse("a: 1\nb:\n  c: [2,\n      3]\n", "c.yaml")
    paths = [("a",), ("b",), ("b", "c"), ("b", "c", 0), ("b", "c", 1)]
    lines = [source.position_of(path).removeprefix("c.yaml:") for path in paths]
    assert lines == ["1", "2", "3", "3", "4"]


def test_position_of_an_unknown_path_is_that_of_its_nearest_parent() -> None:
    source = parse("a: 1\nb: {c: 2}\n", "c.yaml")
    assert source.position_of(("b", "nowhere", "at-all")) == "c.yaml:2"


def test_message_about_a_duplicate_key_names_both_lines() -> None:
    (fault,) = faults("seed: 1\nname: x\nseed: 2\n")
    assert fault.startswith("c.yaml:3: seed: ")
    assert "line 1" in fault


def test_every_duplicate_key_is_reported() -> None:
    lines = faults("a: 1\nb: {c: 1, d: 2, c: 3}\na: 4\n")
    assert [line.split(": the key")[0] for line in lines] == ["c.yaml:2: b.c", "c.yaml:3: a"]


def test_same_key_in_two_mappings_is_not_a_duplicate() -> None:
    assert values("a: {k: 1}\nb: {k: 2}\n") == {"a": {"k": 1}, "b": {"k": 2}}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: *x\n", 2, "anchors and aliases"),
        ("a: 1\nb: &x 2\n", 2, "anchors and aliases"),
        ("a:\n  &x\n  b: 1\n", 2, "anchors and aliases"),
        ("a: {b: 1}\nc: {<<: *a}\n", 2, "anchors and aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "the tag"),
        ("a: 1\nb: !!int 5\n", 2, "the tag"),
        ("a: !own {b: 1}\n", 1, "the tag"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a: 1\n? [b]\n: 2\n", 2, "a key must be a plain name"),
        ("a: 1\nb: [1, 2\n", 3, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("a: 1\nb: @c\n", 2, "not YAML"),
        ("a: 1\n&x b: 2\n", 2, "anchors and aliases"),
    ],
)
def test_yaml_outside_the_subset_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    (fault,) = faults(text)
    assert fault.startswith(f"c.yaml:{line}: ")
    assert words in fault


def test_control_characters_are_refused() -> None:
    (fault,) = faults("a: \x01\n")
    assert "not YAML" in fault


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(ALIAS_BOMB, "anchors and aliases", id="alias bomb"),
        pytest.param("[" * 500_000, "nested deeper than 20 levels", id="flow"),
        pytest.param("".join("  " * depth + f"a{depth}:\n" for depth in range(500)), "nested deeper", id="block"),
        pytest.param("- " * 400_000, "nested deeper", id="dashes"),
        pytest.param("a: " + "x" * MAX_BYTES, "larger than 1,000,000 bytes", id="large"),
        pytest.param("a: " + "ü" * (MAX_BYTES // 2), "larger than 1,000,000 bytes", id="large in bytes"),
        pytest.param("[" * MAX_BYTES * 2, "larger than 1,000,000 bytes", id="large and deep"),
    ],
)
def test_expensive_yaml_is_refused_at_once(text: str, words: str) -> None:
    (fault,) = faults(text)
    assert words in fault
    assert len(fault) < 300


def test_twenty_levels_are_allowed() -> None:
    nested = values("[" * 20 + "]" * 20)
    for _ in range(19):
        (nested,) = nested
    assert nested == []
