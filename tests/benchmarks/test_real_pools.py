"""Draws from pools of fits, and the verdicts on them."""

import numpy as np

from tasks.core.comparison.verdict import Claims, analyse, judge
from tasks.core.inference.multiplicity import holm
from tasks.core.inference.overlap_counts import overlap_counts, overlap_counts_by_entity
from tests.benchmarks.real_pools import MARGINS, MODELS, SEEDS, draw_runs, overlaps_of_draws, verdicts
from tests.core.inference.examples import halves, random_runs


def test_two_draws_of_one_pool_have_no_run_in_common() -> None:
    runs = draw_runs("k50", "k50", 10, 300)
    assert runs.shape == (300, 20)
    assert (np.diff(np.sort(runs, axis=1), axis=1) > 0).all()
    assert set(runs.flat) == set(range(SEEDS))


def test_draws_of_two_models_are_of_their_pools() -> None:
    runs = draw_runs("k50", "k500", 4, 300)
    assert (np.diff(np.sort(runs, axis=1), axis=1) > 0).all()
    assert set(runs[:, :4].flat) == set(range(SEEDS))
    assert set(runs[:, 4:].flat) == set(range(2 * SEEDS, 3 * SEEDS))


def test_verdicts_are_those_of_one_comparison_at_a_time() -> None:
    """One entity has other candidates in the third model, so that not all verdicts are the same."""
    rng = np.random.default_rng(1)
    lists = random_runs(rng, len(MODELS) * SEEDS, entities=3, n=3, candidates=4)
    lists[2 * SEEDS :] = [np.where(np.arange(3)[:, None] == 0, run + 2, run).astype(np.int32) for run in lists[120:]]
    by_entity = overlap_counts_by_entity(lists, 3)
    overlaps = dict(zip(MARGINS, [by_entity.of_entity(0), by_entity, *[overlap_counts(lists, 3)] * 3], strict=True))
    runs, labels = draw_runs("k50", "k500", 5, 4), halves(5, 5)
    judged = verdicts({name: overlaps_of_draws(of, runs) for name, of in overlaps.items()}, labels, MARGINS)
    for draw, members in enumerate(runs):
        of_draw = {name: of.of_runs(members) for name, of in overlaps.items()}
        of_draw["another user"] = of_draw["another user"].of_entity(draw % 3)  # entities take turns
        findings = [analyse(of, labels, seed=0) for of in of_draw.values()]
        claims = zip(
            holm([finding.test.p for finding in findings]),
            holm([one.uncertainty.p_at_most(margin) for one, margin in zip(findings, MARGINS.values(), strict=True)]),
            holm([one.uncertainty.p_at_least(margin) for one, margin in zip(findings, MARGINS.values(), strict=True)]),
            strict=True,
        )
        expected = [
            judge(Claims(*p, 5 / 126), ceiling=finding.effect.ceiling, margin=margin)
            for finding, p, margin in zip(findings, claims, MARGINS.values(), strict=True)
        ]
        assert [judged[name][draw] for name in MARGINS] == expected
    assert len({verdict for of_draws in judged.values() for verdict in of_draws}) > 1
