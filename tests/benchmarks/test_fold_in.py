"""Users are folded in within the time that docs/benchmarks.md states as the goal."""

from tests.benchmarks.fold_in import fold_in_seconds


def test_ten_thousand_users_are_folded_in_within_two_seconds() -> None:
    assert fold_in_seconds(64) < 2
