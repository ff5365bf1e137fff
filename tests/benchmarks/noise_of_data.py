"""Level of the test where fits leave out interactions: python -m tests.benchmarks.noise_of_data [--data DATA] [DRAWS]

One model is trained with 60 seeds on MovieLens 100K, or on the synthetic data set without --data: on all interactions,
and without a random 1% that is another one for each seed. Then 2·S runs are drawn from one of these pools, many times,
and S of them are compared with the other S. There is no difference to find. Users and items that have no interaction in
one of the drawn runs are left out of all of them, as in an experiment.

Printed are the share of draws in which a difference is significant, of each endpoint alone and of any endpoint after
Holm's adjustment, and how much two runs of each pool agree.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.config.experiment import ResampleConfig
from tasks.core.data.resample import lost
from tasks.core.formatting import noise_source
from tasks.core.inference.multiplicity import LEVEL, holm
from tasks.core.inference.overlap_counts import Overlaps, overlap_counts
from tasks.core.inference.permutation import permutation_p_by_entity
from tasks.core.ranking.lists import Lists
from tasks.core.types import Ids, Mask, Values
from tests.benchmarks.measuring import argument_parser, load_interactions, table_head, table_row
from tests.benchmarks.real_pools import LISTS, MODELS, QUERY, SEEDS, draw_runs, lists_of_fits

if TYPE_CHECKING:
    from scipy.sparse import csr_array

RESAMPLE = ResampleConfig(strategy="drop_interactions", fraction=0.01)
DEPTH = 20
"""Length of the lists: enough that none is short without those of its entries that are lost."""
REPLICATES = (4, 6, 10)
ENDPOINTS = (f"user {QUERY}", *LISTS)


def overlaps_of(lists: Mapping[str, Ids], runs: Ids, lost_users: Mask, lost_items: Mask) -> dict[str, Overlaps]:
    """Return the overlaps of some runs on each endpoint, without the users and items that one of these runs lost.

    Parameters
    ----------
    lists : dict of str to (R, E, DEPTH) int32
        Lists of all runs.
    runs : (2 S,) int32
        Positions of the runs.
    lost_users, lost_items : (R, U) and (R, I) bool
        Who has no interaction in each run.
    """
    no_user, no_item = lost_users[runs].any(axis=0), lost_items[runs].any(axis=0)
    users = [without(run, no_user) for run in lists["users"][runs]]
    compared = {
        "users": [run[~no_user] for run in users],
        "items": [without(run, no_item)[~no_item] for run in lists["items"][runs]],
        "recommendations": [without(run, no_item)[~no_user] for run in lists["recommendations"][runs]],
    }
    query = overlap_counts([run[QUERY : QUERY + 1] for run in users], LISTS["users"][1])
    return {ENDPOINTS[0]: query} | {kind: overlap_counts(compared[kind], n) for kind, (_, n) in LISTS.items()}


def without(ids: Ids, unlisted: Mask) -> Ids:
    """Return lists without some entries; the next ones move up."""
    return Lists(ids, np.zeros(ids.shape, dtype=np.float32)).without(unlisted).ids


def p_of_draws(lists: Mapping[str, Ids], draws: Ids, lost_users: Mask, lost_items: Mask) -> Values:
    """Return the p of each endpoint in each draw, (draws, endpoints), of its first half of runs against the others."""
    drawn = [overlaps_of(lists, runs, lost_users, lost_items) for runs in draws]
    labels = np.arange(draws.shape[1]) >= draws.shape[1] // 2
    columns = []
    for name in ENDPOINTS:
        # p depends on the order of the splits' Δ alone, so that the draws may have different denominators
        counts = np.stack([of[name].counts for of in drawn])
        columns.append(permutation_p_by_entity(Overlaps(counts, 1, drawn[0][name].n), labels, seed=0))
    return np.column_stack(columns)


def main() -> None:
    """Print two tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("draws", nargs="?", type=int, default=2000)
    arguments = parser.parse_args()
    _, interactions = load_interactions(arguments.data)
    matrix, seeds = interactions.matrix, range(SEEDS)
    pools = {
        resample: lists_of_fits(interactions, MODELS["k50"], seeds, depth=DEPTH, resample=resample)
        for resample in (None, RESAMPLE)
    }
    left_out = {
        resample: [np.stack(masks) for masks in zip(*(lost_in(matrix, resample, seed) for seed in seeds), strict=True)]
        for resample in pools
    }
    print(table_head("pool", "seeds", *ENDPOINTS, "any, after Holm", "items left out"))
    for resample, lists in pools.items():
        lost_users, lost_items = left_out[resample]
        for replicates in REPLICATES:
            draws = draw_runs("k50", "k50", replicates, arguments.draws)
            p = p_of_draws(lists, draws, lost_users, lost_items)
            any_significant = np.mean([holm(of_draw).min() <= LEVEL for of_draw in p])
            gone = np.mean([lost_items[runs].any(axis=0).sum() for runs in draws])
            shares = [f"{share:.3f}" for share in (*(p <= LEVEL).mean(axis=0), any_significant)]
            print(table_row(name_of(resample), replicates, *shares, f"{gone:.1f}"), flush=True)

    print(table_head("pool", *ENDPOINTS))
    every_run = np.arange(SEEDS, dtype=np.int32)
    lost_users, lost_items = left_out[RESAMPLE]
    for resample, lists in pools.items():
        overlaps = overlaps_of(lists, every_run, lost_users, lost_items)
        print(table_row(name_of(resample), *(f"{of.mean_of_pairs:.3f}" for of in overlaps.values())), flush=True)


def lost_in(matrix: "csr_array", resample: ResampleConfig | None, seed: int) -> tuple[Mask, Mask]:
    """Return which users and which items have no interaction in one fit."""
    found = lost(matrix, resample, [seed])
    return found.users >= 0, found.items >= 0


def name_of(resample: ResampleConfig | None) -> str:
    """Return what the runs of a pool differ by."""
    return noise_source(resample.fraction if resample else None)


if __name__ == "__main__":
    main()
