"""A small result for the tests of the report."""

from dataclasses import replace
from typing import Any

from tasks.core.comparison.accuracy_tests import AccuracyTest
from tasks.core.comparison.agreement import Curve, Row
from tasks.core.comparison.answers import Answer
from tasks.core.comparison.per_user import PerUser
from tasks.core.comparison.query_lists import Entry, QueryLists
from tasks.core.comparison.references import Reference
from tasks.core.comparison.run_matrix import Matrix
from tasks.core.data.interactions import Summary
from tasks.core.planning.runs import MODEL, RunRef
from tasks.core.ranking.reference_choice import ReferenceSettings
from tasks.reporting.accuracy import Accuracy
from tasks.reporting.convergence import Convergence
from tasks.reporting.result import Result

OWNERS = ["a", "a", "b", "b"]
PAIRS = (("a", "a"), ("a", "b"), ("b", "b"))


def accuracy_test(a: str, b: str, mean_a: float, mean_b: float, p: float) -> AccuracyTest:
    return AccuracyTest(
        metric="ndcg_at_10",
        a=a,
        b=b,
        mean_a=mean_a,
        mean_b=mean_b,
        difference=mean_b - mean_a,
        low_95=-1.0,
        high_95=1.0,
        p_equivalent=0.5,
        users=9,
        seeds=2,
        p_holm=2 * p,
        p_difference=p,
        p_equivalent_holm=1.0,
        standard_error=0.5,
        degrees_of_freedom=3.25,
    )


def convergence(model: str, change: float = 0.0, ran: int = 10) -> Convergence:
    return Convergence(model, 10, 9, change, 0.0, [(1, 3.0), (9, 2.0), (10, 1.0)], [(1, 0.5), (10, 1.0)], [ran], 1.0)


def small_result(**changes: Any) -> Result:
    """Return the result for two models with two runs each, on 3 users and 4 items."""
    answer = Answer(
        target="users",
        n=5,
        a="a",
        b="b",
        runs_a=2,
        runs_b=2,
        within_a=0.9,
        within_b=0.4,
        between=0.25,
        delta=0.4,
        n_delta=2.0,
        rho=0.417,
        steadier=0.05,
        others=0.35,
        standard_error=None,
        low_95=None,
        high_95=None,
        low_90=None,
        high_90=None,
        note="too few runs",
        p=1 / 3,
        splits=3,
        exact=True,
        margin=0.1,
        p_holm=1.0,
        verdict="inconclusive",
        decided_by_seed=True,
        sentence="The answer.",
    )
    entries = [Entry(1, "<i>", "", 1.0, 1.0, 0.9), Entry(2, "u2", "Title", 0.5, 2.0, 0.8)]
    result = Result(
        experiment="small",
        parent_id="parent",
        config_sha256="c0",
        data_sha256="d0",
        dataset="file",
        summary=Summary(3, 4, 1234, 411.333333, 308.5, 4, 3, 1, 2),
        models={name: {"factors": k, "acceleration": "none"} for name, k in {"a": 2, "b": 4}.items()},
        replicates=2,
        answers=[answer],
        smallest_p=1 / 3,
        replicates_needed=4,
        factorial=None,
        matrices=[Matrix("users", 5, ["a #0", "a #1", "b #0", "b #1"], [[1.0] * 4] * 4)],
        references=[Reference("users", 5, "a", "b", 0.125, {"a": 0.75})],
        per_user=[PerUser(5, "a", "b", 3, [0, 1, 2], [1, 2], (0.5, 1.0, 1.5), 0.5, 0.01, None, {})],
        comparison=[Row("users", 5, a, b, 1, 0.5, 0.5, 0.5, 0.0625) for a, b in PAIRS],
        curves=[Curve(target, a, b, [0.5] * 5, [0.0625] * 5) for target in ("users", "items") for a, b in PAIRS],
        queries=[QueryLists("user_1", "users", 1, "u1", "", 2, {"a": entries, "b": entries[:1]})],
        accuracy=[Accuracy(name, "ndcg_at_10", 0.25, 0.125, 2) for name in ("a", "b")],
        accuracy_tests=[accuracy_test("a", "b", 0.25, 0.5, 0.0001)],
        held_out={
            "test_interactions": 9,
            "evaluated_users": 3,
            "users_without_train": 0,
            "items_without_train": 1,
        },
        reference_accuracy=[Accuracy("popularity", "ndcg_at_10", 0.5, None, 1)],
        left_out={"ease": "too many items"},
        beside_popularity=[],
        tuning="No setting was tuned.",
        sweep=None,
        convergence=[convergence("a"), convergence("b")],
        beside_references=[
            accuracy_test(reference, model, 0.5, mean, 0.001)
            for reference in ("popularity", "ease")
            for model, mean in (("a", 0.25), ("b", 0.75))
        ],
        reference_settings=[ReferenceSettings("ease", {"penalty": 500.0}, "ndcg_at_10", "")],
        runs=[RunRef(f"run {i}", model, i % 2, MODEL, f"identity {i}") for i, model in enumerate(OWNERS)],
    )
    return replace(result, **changes)
