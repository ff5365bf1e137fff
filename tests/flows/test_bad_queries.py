"""Users and items that the data do not have: exit code 2, and how many there are."""

import pytest

from tests.command_line import CommandLine


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["similar", "latest", "--user", "4"], "there is no user '4'; the users are 0 to 3 by first appearance"),
        (["similar", "latest", "--item", "-1"], "there is no item '-1'; the items are 0 to 6"),
        (["similar", "latest", "--user", "Ann", "--raw"], "there is no user id 'Ann' among"),
        (["recommend", "latest", "--user", "0", "-n", "101"], "found -n 101; expected 1 to 100"),
        pytest.param(
            ["similar", "latest", "--user", "²"],
            "there is no user '²'",
        ),
    ],
)
def test_an_unknown_user_or_item_is_reported_with_the_number_of_known_ones(
    small_finished: CommandLine, arguments: list[str], message: str
) -> None:
    assert message in small_finished.failure(2, *arguments)
