"""The report: which figures there are, and what the page says."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from tasks.core.comparison.query_lists import Entry
from tasks.core.data.filters import RatingCounts
from tasks.core.inference.data_noise import DataNoise
from tasks.core.inference.sequential import plan_looks
from tasks.reporting.accuracy import Accuracy
from tasks.reporting.drawing import Drawing
from tasks.reporting.report import draw, draw_held_out, render
from tasks.reporting.result import Result
from tests.tasks.reporting.small_result import OWNERS, accuracy_test, small_result

FIGURES = [
    "candidates-user_1",
    "intervals",
    "runs-users",
    "depths-users",
    "depths-items",
    "users",
    "accuracy",
    "trajectory",
    "objective",
]


@pytest.fixture(scope="module")
def page() -> str:
    result = small_result()
    return render(result, drawings_of(result), "name: <small>\n")


def drawings_of(result: Result) -> list[Drawing]:
    return [*draw(result, OWNERS), *draw_held_out(result)]


def without_labels(page: str) -> str:
    """Return a page without the names of columns that its cells carry for narrow windows."""
    return re.sub(' data-label="[^"]*"', "", page)


def cells(page: str, row: str) -> list[str]:
    """Return the cells that follow the given ones in the first such row."""
    match = re.search(rf"<tr>{row}(.*?)</tr>", without_labels(page), re.DOTALL)
    assert match is not None
    return re.findall(r"<td[^>]*>(.*?)</td>", match[1])


def test_figures_of_a_comparison() -> None:
    assert {drawing.name for drawing in drawings_of(small_result())} == set(FIGURES)


def test_figures_of_a_single_model_compare_nothing() -> None:
    result = small_result(
        models={"a": {}}, answers=[], per_user=[], accuracy=[], convergence=small_result().convergence[:1]
    )
    assert [drawing.name for drawing in drawings_of(result)] == ["runs-users", "trajectory", "objective"]


def test_the_page_holds_every_figure_and_loads_nothing(page: str) -> None:
    assert re.findall(r'<figure id="(.*?)">', page) == FIGURES
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []


def test_the_data_say_how_many_ratings_each_rule_dropped(page: str) -> None:
    result = small_result(ratings=RatingCounts(9, min_rating=2, k_core=1))
    words = "9 ratings read; 2 dropped by preprocess.min_rating and 1 dropped by preprocess.k_core."
    assert words in render(result, drawings_of(result), "")
    assert "ratings read" not in page  # a result of an earlier version


def test_control_characters_of_titles_are_escaped() -> None:
    result = small_result()
    entries = [Entry(1, "u1", "\u202etitle\x1b[31m\x00", 1.0, 1.0, 0.9)]
    queries = [replace(query, title="\x07", models=dict.fromkeys(query.models, entries)) for query in result.queries]
    result = replace(result, queries=queries)
    page = render(result, drawings_of(result), "name: small\n")
    assert r"1 \u202etitle\x1b[31m\x00" in page
    assert re.findall("[\x00-\x08\x0b-\x1f\u202e]", page) == []


def test_the_section_explore_follows_the_query_lists() -> None:
    page = render(small_result(), [], "", '<section id="explore">&amp;</section>')
    assert page.index(">Query lists</h2>") < page.index('<section id="explore">&amp;</section>')


def test_ids_titles_and_config_are_text(page: str) -> None:
    assert "<i>" not in page
    assert "1 (id &lt;i&gt;)" in page
    assert "name: &lt;small&gt;" in page


def test_the_page_says_that_fits_leave_out_interactions(page: str) -> None:
    result = small_result(dropped_fraction=0.01)
    resampled = " ".join(render(result, drawings_of(result), "").split())
    beyond = "beyond what the seed and a random 1% of the interactions change"
    assert "the loss of another random 1% of the interactions change them?" in resampled
    assert "1,234 interactions, of which each fit leaves out its own random 1%, which makes 4 fits" in resampled
    assert f"Disagreement Δ of a and b {beyond}" in resampled
    assert f"5 neighbours replaced {beyond}." in resampled
    assert f"neighbours of each user are replaced {beyond}" in resampled
    assert "seed variance" not in resampled
    assert "another random seed changes them?" in " ".join(page.split())
    assert "interactions, which makes 4 fits" in " ".join(page.split())
    assert resampled.count(beyond) == page.count("beyond seed variance")


def test_numbers_of_the_disagreement_of_the_data(page: str) -> None:
    rows = [DataNoise("a", "users", 5, 2, 0.75, 0.5), DataNoise("b", "users", 5, 2, 1.0, 1.0)]
    result = small_result(dropped_fraction=0.01, data_noise=rows)
    shown = render(result, drawings_of(result), "")
    of_a, of_b = (cells(shown, f'<td>{model}</td><td class="text">users</td>') for model in "ab")
    assert of_a == ["5", "0.750", "0.500", "0.250", "0.500", "0.250", "50%"]
    assert of_b == ["5", "1.000", "1.000", "0.000", "0.000", "0.000", "-"]
    assert "data-noise" not in page


def test_the_rule_names_the_level_of_a_planned_look(page: str) -> None:
    look = plan_looks([6, 8, 12], tests=4)[1]
    assert "At planned look 2 of 3 the level of a difference is 0.0164 in place of" in render(
        small_result(look=look), [], "name: small\n"
    )
    assert "At planned look" not in page


def test_the_sentence_and_the_warnings_come_first(page: str) -> None:
    assert page.index("The answer.") < page.index("no difference of lists can be significant") < page.index("<h2")


def test_the_page_goes_from_what_was_compared_to_the_answer_a_list_and_the_verdicts() -> None:
    result = small_result(compared_on="2026-11-28")
    page = render(result, drawings_of(result), "")
    order = ("<h1>small</h1>", "Compared on 2026-11-28", "file: 3 users, 4 items, 1,234 interactions", "The answer.")
    order += (
        '<h2 id="list">Who is on the list of user 1</h2>',
        '<figure id="candidates-user_1">',
        '<h2 id="verdicts">',
    )
    positions = [page.index(text) for text in order]
    assert positions == sorted(positions)
    columns = re.findall("<th(?: [^>]*)?>(.*?)</th>", page[positions[-1] :])
    assert columns[:2] == ["lists", "verdict"]


def test_a_result_of_an_earlier_version_has_no_date(page: str) -> None:
    assert "Compared on" not in page


def test_the_contents_link_every_section(page: str) -> None:
    headings = re.findall('<h2 id="(.*?)">', page)
    contents = page.partition('<nav aria-label="Contents">')[2].partition("</nav>")[0]
    assert re.findall('href="#(.*?)"', contents) == headings
    assert len(set(headings)) == len(headings)


def test_every_cell_of_a_wide_table_names_its_column(page: str) -> None:
    row = page.partition('<td data-label="lists">users</td>')[2].partition("</tr>")[0]
    named = dict(re.findall('data-label="(.*?)">(.*?)</td>', row))
    assert named["verdict"] == "inconclusive"
    assert named["within A"] == "0.900"


def test_without_a_queried_user_the_first_query_is_drawn() -> None:
    (query,) = small_result().queries
    result = small_result(queries=[replace(query, name="item_2", target="items", index=2)])
    drawing = drawings_of(result)[0]
    assert drawing.title.startswith("What is on the list of item 2: the share of the seeds of a and of b that list")


def test_numbers_of_an_answer(page: str) -> None:
    row = cells(page, '<td>users</td><td class="text">inconclusive</td>')
    assert row[:5] == ["2.00", "5", "0.400", "too few runs", "1.000"]
    assert row[5:] == ["0.900", "0.400", "0.250"]
    assert cells(page, "<td>users</td><td>-</td><td>0.1") == ["1.000", "-", "-", "0.333", "0.417"]


def test_remarks_on_an_answer() -> None:
    """A rejected margin within the simultaneous interval is explained, and a calibrated range is labelled as such."""
    answer = replace(
        small_result().answers[0],
        margin=0.2,
        verdict="different-meaningfully",
        simultaneous_low=0.19,
        simultaneous_high=0.4,
        calibrated_low=0.2,
        calibrated_high=0.31,
    )
    page = render(replace(small_result(), answers=[answer]), [], "")
    assert "Δ would be 0.200 to 0.310. This range does not enter the verdict." in page
    assert "The simultaneous interval includes the margin, which the adjusted p rejects" in page
    assert "The interval includes 0" not in page
    wide = replace(answer, p_holm=0.01, low_95=-0.1, high_95=0.5)
    assert "The interval includes 0" in render(replace(small_result(), answers=[wide]), [], "")
    undecided = replace(answer, verdict="inconclusive", calibrated_low=None)
    page = render(replace(small_result(), answers=[undecided]), [], "")
    assert "simultaneous interval includes" not in page
    assert "does not enter" not in page


def test_numbers_of_the_reference_overlaps(page: str) -> None:
    assert cells(page, r"<td>users</td><td>5</td><td>a \(A\), b \(B\)</td>") == [
        "0.062",
        "0.125",
        "0.600",  # √(0.9 · 0.4)
        "0.750",
        "-",
    ]


def test_numbers_of_the_accuracy_tests(page: str) -> None:
    row = cells(page, "<td>ndcg_at_10</td>")
    assert row[:6] == ["a", "b", "0.2500", "0.5000", "+0.2500", "-1.0000 to +1.0000"]
    assert row[6:] == ["0.5000", "3.2", "&lt;0.001", "&lt;0.001", "0.500", "1.000"]


def test_accuracy_tests_of_an_earlier_version_are_shown_as_such() -> None:
    old = replace(
        accuracy_test("a", "b", 0.25, 0.5, 0.0001),
        **{"p_difference": None, "p_equivalent_holm": None, "standard_error": None, "degrees_of_freedom": None},
        **{"p_users_t": 0.01, "p_users_flip": 0.02},
    )
    result = small_result(accuracy_tests=[old])
    page = render(result, drawings_of(result), "")
    assert cells(page, "<td>ndcg_at_10</td>")[6:] == ["-", "-", "0.020", "&lt;0.001", "0.500", "-"]
    assert "An earlier version tested users and seeds separately." in page


def test_a_difference_that_does_not_vary_has_no_interval() -> None:
    constant = replace(accuracy_test("a", "b", 0.25, 0.5, 0.0001), low_95=None, high_95=None)
    result = small_result(accuracy_tests=[constant])
    assert cells(render(result, drawings_of(result), ""), "<td>ndcg_at_10</td>")[5] == "-"


def test_accuracy_has_models_and_reference_recommenders(page: str) -> None:
    assert cells(page, "<td>ndcg</td>") == ["0.2500 ±0.1250", "0.2500 ±0.1250", "0.5000"]
    assert re.findall("<th>(.*?)</th>", page.partition("All metrics at 10")[2])[:4] == [
        "metric",
        "a",
        "b",
        "popularity",
    ]
    assert "ease was not run: too many items." in page


def test_accuracy_on_several_splits_has_both_spreads() -> None:
    accuracy = [Accuracy(name, "ndcg_at_10", 0.25, 0.125, 2, 0.0625, 3) for name in ("a", "b")]
    result = small_result(
        accuracy=accuracy,
        reference_accuracy=[Accuracy("popularity", "ndcg_at_10", 0.5, None, 1, 0.25, 3)],
        accuracy_tests=[replace(accuracy_test("a", "b", 0.25, 0.5, 0.0001), splits=3)],
    )
    drawings = drawings_of(result)
    page = render(result, drawings, "")
    spreads = "0.2500 ±0.0625 ±0.1250"
    assert cells(page, "<td>ndcg</td>") == [spreads, spreads, "0.5000 ±0.2500"]
    assert "In each cell: the mean over 3 splits" in page
    assert "Users, seeds and splits are random" in page
    assert "Held out in the first of 3 splits" in page
    assert "standard deviation over 3 splits" in page  # the figure's title


def test_every_model_is_shown_beside_every_reference(page: str) -> None:
    table = page.partition('id="references"')[2]
    assert cells(table, "<td>ease</td>") == [
        *("0.5000", "a", "0.2500", "-0.2500", "-1.0000 to +1.0000", "0.001", "0.002")
    ]
    assert table.partition("</table>")[0].count("<tr>") == 1 + 2 * 2
    assert "The interval and p are over users and seeds." in table
    assert "ease (penalty 500; chosen by ndcg_at_10 on a validation part)." in page


def test_a_result_of_an_earlier_version_has_no_table_of_references() -> None:
    result = small_result(beside_references=[], reference_settings=[])
    assert 'id="references"' not in render(result, drawings_of(result), "")


def test_the_data_are_summarized(page: str) -> None:
    assert "<tr><td>interactions</td><td>1,234</td></tr>" in page
    assert "<tr><td>mean per user</td><td>411.333333</td></tr>" in page


def single_runs(**changes: Any) -> str:
    """Return the text of the page of one run of each model."""
    within, between, _ = small_result().comparison
    rows = [replace(within, pairs=0, overlap=None, jaccard=None, rbo=None), between]
    result = small_result(answers=[], references=[], per_user=[], replicates=1, comparison=rows, **changes)
    tagless = re.sub("<style>.*?</style>|<[^>]*>", " ", render(result, [], "name: small\n"), flags=re.DOTALL)
    return " ".join(unescape(tagless).split())


def test_single_runs_have_their_overlaps_and_nothing_about_tests() -> None:
    page = single_runs()
    assert "users a and b 5 0.500 0.062 0.500 0.500" in page
    for word in ("Δ", "permutation", "Decision rule", "judged"):
        assert word not in page


def test_a_single_fit_of_a_single_model_is_in_the_singular() -> None:
    small = small_result()
    of_one = {"runs": small.runs[:1], "curves": [], "accuracy_tests": [], "convergence": small.convergence[:1]}
    page = single_runs(models={"a": small.models["a"]}, **of_one)
    assert "the model is trained with 1 random seed on the same 1,234 interactions, which makes 1 fit." in page
    assert "different lists" not in page


def test_with_one_evaluated_seed_the_note_on_accuracy_is_of_users_alone() -> None:
    several, one = (
        accuracy_test("a", "b", 0.25, 0.5, 0.0001),
        replace(accuracy_test("a", "b", 0.25, 0.5, 0.0001), seeds=1),
    )
    both, rows_of_one = "Users and seeds are both random", "Rows of a model with one seed"
    for tests, found in (([several], [both]), ([one], []), ([several, one], [both, rows_of_one])):
        page = render(small_result(accuracy_tests=tests), [], "")
        assert [text for text in (both, rows_of_one) if text in page] == found
    assert "only users are random" in render(small_result(accuracy_tests=[one]), [], "")


def test_without_queries_there_is_no_section_of_their_lists() -> None:
    page = render(small_result(queries=[]), [], "")
    assert "Query lists" not in page
    assert not set(re.findall('href="#(.*?)"', page)) - set(re.findall('id="(.*?)"', page))
