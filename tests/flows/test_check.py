"""`latentlab check`: the resolved config, the work that it implies, and the smallest p that it can reach."""

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
