"""`latentlab check`: the resolved config, the work that it implies, and the smallest p that it can reach."""

import pytest

from tests.command_line import CommandLine, answer_of
from tests.paths import ROOT

CONFIG = str(ROOT / "configs/ml-100k.yaml")


def test_config_and_work_are_printed_as_json(offline: CommandLine) -> None:
    work = answer_of(offline.run("check", CONFIG, "--json"))
    assert (work["fits"], work["iterations"]) == (30, 15 * (15 + 1500))
    assert work["config"]["models"]["k500"]["alpha"] == 1.0
    assert work["gflop"] > 1000


def test_work_and_smallest_p_are_printed_as_text(offline: CommandLine) -> None:
    text = offline.call("check", CONFIG).stdout
    assert "22,725 iterations" in text
    assert "smallest p      4.3e-05 after Holm over 4 tests, with 10 replicates\n" in text


def test_too_few_replicates_for_significance_are_reported_with_the_number_that_suffices(offline: CommandLine) -> None:
    text = offline.call("check", CONFIG, "--set", "replicates=4").stdout
    assert (
        "smallest p      0.11 after Holm over 4 tests, with 4 replicates: nothing can be significant; 5 would" in text
    )


def test_one_replicate_allows_no_test(offline: CommandLine) -> None:
    text = offline.call("check", CONFIG, "--set", "replicates=1").stdout
    assert "smallest p      none: a test needs two models with two replicates each" in text


def test_planned_looks_are_printed_with_their_levels_and_fits(offline: CommandLine) -> None:
    """Four tests of two models, and ten fits for the evaluation."""
    lines = offline.call("check", CONFIG, "--set", "replicates={looks: [6, 8, 12]}").stdout.splitlines()
    assert any(line.startswith("work            at most 34 fits, ") for line in lines)
    assert [line for line in lines if line.startswith("look ")] == [
        "look 1 of 3     6 seeds per model, 22 fits: skipped (smallest p 0.0087, level 0.0056)",
        "look 2 of 3     8 seeds per model, 26 fits: level 0.016, smallest p 0.00062",
        "look 3 of 3     12 seeds per model, 34 fits: level 0.034, smallest p 4e-05",
    ]


def test_looks_that_can_show_nothing_are_reported(offline: CommandLine) -> None:
    text = offline.call("check", CONFIG, "--set", "replicates={looks: [2, 4]}").stdout
    assert (
        "look 2 of 2     4 seeds per model, 18 fits: level 0.05, smallest p 0.11: nothing can be significant\n" in text
    )


def test_planned_looks_are_printed_as_json(offline: CommandLine) -> None:
    work = offline.answer("check", CONFIG, "--set", "replicates={looks: [6, 8, 12]}")
    assert (work["fits"], [look["fits"] for look in work["looks"]]) == (34, [22, 26, 34])
    assert [look["skipped"] for look in work["looks"]] == [True, False, False]
    assert sum(look["levels"]["meaningful"] for look in work["looks"] if not look["skipped"]) == pytest.approx(0.025)
    assert offline.answer("check", CONFIG)["looks"] == []


@pytest.mark.parametrize(
    ("code", "override", "message"),
    [
        (3, "evaluation={split: {strategy: leave_last}}", "leave_last needs timestamps, and the data have none"),
        (3, "evaluation={split: {strategy: time}}", "time needs timestamps, and the data have none"),
        (3, "evaluation={split: {strategy: random, test_fraction: 0.001}}", "split holds out 0 of"),
        (3, "evaluation={split: {strategy: files, test: none.csv}}", "none.csv is not a file"),
        (2, "queries={users: [4]}", "queries.users: found 4; the data have users 0 to 3"),
    ],
)
def test_what_a_run_refuses_after_reading_the_ratings_is_refused(
    offline: CommandLine, code: int, override: str, message: str
) -> None:
    assert message in offline.failure(code, "check", "config.yaml", "--set", override)
