"""`latentlab check`: the resolved config, the work that it implies, and the smallest p that it can reach."""

import pytest

from flows.cli.check import reference_lines
from tasks.core.planning.references import ReferencePlan
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
    assert "smallest p      <0.001 after Holm over 4 tests, with 10 replicates\n" in text


def test_reference_recommenders_are_printed_with_memory_and_choice(offline: CommandLine) -> None:
    """16 bytes for each of 1,682² pairs of items."""
    text = offline.call("check", CONFIG).stdout
    assert [line for line in text.splitlines() if line.startswith("references")] == [
        "references      popularity",
        "references      item-knn: settings are chosen on a validation part",
        "references      ease: about 43 MiB, settings are chosen on a validation part",
        "references      random",
    ]
    assert "references" not in offline.call("check", CONFIG, "--set", "evaluation=null").stdout
    planned = offline.answer("check", CONFIG)["references"]
    assert (planned["left_out"], planned["not_chosen"], planned["ease_bytes"]) == ({}, {}, 16 * 1682**2)


def test_a_reference_that_will_not_be_run_is_printed_with_its_reason() -> None:
    plan = ReferencePlan({"ease": "too large"}, {"item-knn": "too much work"}, 0, 0, 0.0)
    assert list(reference_lines(plan)) == [
        "popularity",
        "item-knn: the usual settings: too much work",
        "ease will not be run: too large",
        "random",
    ]


def test_too_few_replicates_for_significance_are_reported_with_the_number_that_suffices(offline: CommandLine) -> None:
    text = offline.call("check", CONFIG, "--set", "replicates=4").stdout
    assert "smallest p      0.114 after Holm over 4 tests, with 4 replicates: nothing can be significant; 5 can" in text


def test_one_replicate_allows_no_test(offline: CommandLine) -> None:
    text = offline.call("check", CONFIG, "--set", "replicates=1").stdout
    assert "smallest p      none: a test needs two models with two replicates each" in text


def test_planned_looks_are_printed_with_their_levels_and_fits(offline: CommandLine) -> None:
    """Four tests of two models, and ten fits for the evaluation."""
    lines = offline.call("check", CONFIG, "--set", "replicates={looks: [6, 8, 12]}").stdout.splitlines()
    assert any(line.startswith("work            at most 34 fits, ") for line in lines)
    assert [line for line in lines if line.startswith("look ")] == [
        "look 1 of 3     6 seeds per model, 22 fits: skipped (smallest p 0.009, level 0.00557)",
        "look 2 of 3     8 seeds per model, 26 fits: level 0.0164, smallest p <0.001",
        "look 3 of 3     12 seeds per model, 34 fits: level 0.0336, smallest p <0.001",
    ]


def test_looks_that_can_show_nothing_are_reported(offline: CommandLine) -> None:
    text = offline.call("check", CONFIG, "--set", "replicates={looks: [2, 4]}").stdout
    assert (
        "look 2 of 2     4 seeds per model, 18 fits: level 0.05, smallest p 0.114: nothing can be significant\n" in text
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
        (2, "queries={users: [{id: 9}]}", "queries.users: found the id '9', which is that of no user after filtering"),
        (2, "queries={users: [4]}", "queries.users: found 4; the data have users 0 to 3"),
    ],
)
def test_what_a_run_refuses_after_reading_the_ratings_is_refused(
    offline: CommandLine, code: int, override: str, message: str
) -> None:
    assert message in offline.failure(code, "check", "config.yaml", "--set", override)


def test_ids_in_queries_are_looked_up_in_a_file_of_ones_own(offline: CommandLine) -> None:
    (offline.folder / "ratings.csv").write_text("user,item,rating\nu1,a,5\nu2,a,5\nu1,b,5\n")
    by_id = ("check", "config.yaml", "--set", "queries={users: [{id: u2}], items: [{id: b}, 0]}")
    work = offline.answer(*by_id)
    assert (work["config"]["queries"]["users"], work["config"]["queries"]["items"]) == ([1], [1, 0])
    by_index = offline.answer("check", "config.yaml", "--set", "queries={users: [1], items: [1, 0]}")
    assert work["config_sha256"] != by_index["config_sha256"]


def test_ids_in_queries_of_data_that_are_not_read_are_kept_and_reported(offline: CommandLine) -> None:
    by_id = offline.call("check", CONFIG, "--set", "queries.users=[{id: 196}]").stdout
    assert "  users:\n  - {id: 196}\n" in by_id
    assert "precision       unknown: queries name users or items by their ids, which are looked up when `run`" in by_id
    by_index = offline.call("check", CONFIG, "--set", "queries.users=[10]").stdout
    line = next(line for line in by_index.splitlines() if line.startswith("smallest p"))
    assert line in by_id


def test_what_is_dropped_is_counted(offline: CommandLine) -> None:
    (offline.folder / "test.csv").write_text("user,item,rating\n0,6,5\n9,9,5\n1,0,2\n0,4,5\n")
    override = (
        *("--set", "preprocess={min_rating: 4, k_core: 2}"),
        *("--set", "evaluation={split: {strategy: files, test: test.csv}}"),
    )
    text = offline.call("check", "config.yaml", *override).stdout
    assert "ratings         16 ratings read; 2 dropped by preprocess.k_core 2\n" in text
    assert (
        "test file       4 ratings read; 1 dropped by preprocess.min_rating 4; 1 user and 2 items of it are not in the "
        "train part\n" in text
    )
    work = offline.answer("check", "config.yaml", *override)
    assert work["ratings"] == {"read": 16, "duplicates": 0, "min_rating": 0, "negative": 0, "k_core": 2}
    assert (work["test_file"]["ratings"]["min_rating"], work["test_file"]["users"]) == (1, 1)
    assert offline.answer("check", CONFIG)["ratings"] is None


def test_a_copy_of_a_data_set_of_the_catalogue_that_does_not_exist_is_refused(offline: CommandLine) -> None:
    config = str(ROOT / "configs/ml-100k-fast.yaml")
    message = offline.failure(3, "check", config, "--set", "dataset.path=no-such-folder")
    assert "no-such-folder does not exist; remove the key to have the data set downloaded" in message


def test_data_of_the_catalogue_have_their_size_and_what_was_dropped_once_they_are_prepared(
    offline: CommandLine,
) -> None:
    quickstart = str(ROOT / "configs/quickstart.yaml")
    sets = ("--set", "preprocess.min_rating=5", "--set", "preprocess.k_core=3")
    before = offline.call("check", quickstart, *sets).stdout
    assert "data            at most 943 users, 1,682 items, 103,404 interactions\n" in before
    command = f"latentlab data describe {quickstart} {' '.join(sets)}"
    assert f"ratings         not prepared here yet; what is dropped is printed by: {command}\n" in before
    described = offline.answer("data", "describe", quickstart, *sets)
    counts = described["ratings"]
    dropped = f"{counts['min_rating']:,} dropped by preprocess.min_rating 5"
    text = offline.call("check", quickstart, *sets).stdout
    assert f"{described['users']:,} users, {described['items']:,} items, {described['interactions']:,} inter" in text
    assert f"ratings         103,404 ratings read; {dropped} and {counts['k_core']:,} dropped by preprocess.k_" in text
    assert "at most" not in text
    assert offline.answer("check", quickstart, *sets)["ratings"] == counts
