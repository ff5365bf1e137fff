"""Verdicts on draws from pools of real fits: python -m tests.benchmarks.real_pools --pool DIR [--data DATA] [DRAWS]

Three models are trained with 60 seeds each on MovieLens 100K, or on the synthetic data set without --data. --pool is a
folder that keeps their lists and overlaps; what is already there is read. Then S runs of each of two models are drawn
without replacement, many times. Printed is the share of draws that get each verdict, for a model against itself (two
draws of one pool without a common run) and for two models. The Δ of the complete pools is the truth: 0 for a model
against itself.

The family has five endpoints: user 10, another user (20 users take turns), all users, all items, recommendations.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.core.comparison.verdict import Claims, Verdict, adjusted, judge
from tasks.core.config.als import AlsConfig
from tasks.core.config.experiment import ResampleConfig
from tasks.core.data.resample import resampled
from tasks.core.inference.effect import effect
from tasks.core.inference.jackknife import jackknife
from tasks.core.inference.overlap_counts import Overlaps, overlap_counts, overlap_counts_by_entity
from tasks.core.inference.permutation import permutation_p_by_entity, smallest_p
from tasks.core.inference.steady import loss_of_run_left_out
from tasks.core.models import als
from tasks.core.ranking.neighbours import evenly_spread
from tasks.core.ranking.similarity import FACTORS, make_lists
from tasks.core.types import Ids, Mask, Values
from tests.benchmarks.measuring import argument_parser, load_interactions, table_head, table_row

if TYPE_CHECKING:
    from tasks.core.data.interactions import Interactions

SEEDS, DEPTH, QUERY = 60, 10, 10
MODELS = {f"k{factors}": AlsConfig(factors=factors, iterations=15, regularization=0.01) for factors in (50, 52, 500)}
PAIRS = (("k50", "k50"), ("k50", "k52"), ("k50", "k500"))
REPLICATES = (4, 6, 10)
MARGINS = {"user 10": 0.2, "another user": 0.2, "users": 0.1, "items": 0.1, "recommendations": 0.1}
STEADY_COLUMNS = (
    *("false above, alone", "in a family of 4", "false below, alone", "in a family of 4", "covered"),
    "calibrated range holds Δ",
)
LISTS = {"users": ("users", 5), "items": ("items", 5), "recommendations": ("recommendations", 10)}


def train_pool(name: str, interactions: "Interactions", folder: Path) -> dict[str, Ids]:
    """Return the lists of all runs of a model, (SEEDS, E, DEPTH) for each kind, from the folder if they are there."""
    path = folder / f"{name}.npz"
    if not path.exists():
        # No two models share a seed, as in an experiment.
        seeds = range(1000 * list(MODELS).index(name), 1000 * list(MODELS).index(name) + SEEDS)
        np.savez_compressed(path, **lists_of_fits(interactions, MODELS[name], seeds))
    return pool_lists(folder, name)


def lists_of_fits(
    interactions: "Interactions",
    settings: AlsConfig,
    seeds: range,
    *,
    depth: int = DEPTH,
    resample: ResampleConfig | None = None,
) -> dict[str, Ids]:
    """Return the lists of a fit for each seed, (S, E, depth) for each kind."""
    lists: dict[str, list[Ids]] = {"users": [], "items": [], "recommendations": []}
    for seed in seeds:
        factors = als.fit(resampled(interactions.matrix, resample, seed=seed), settings, seed=seed)
        for kind, runs in lists.items():
            runs.append(make_lists(factors, kind, FACTORS, liked=interactions.matrix, n=depth).ids)
    return {kind: np.stack(runs) for kind, runs in lists.items()}


def pool_lists(folder: Path, name: str) -> dict[str, Ids]:
    """Return the lists of all runs of a model from the folder."""
    with np.load(folder / f"{name}.npz") as stored:
        return dict(stored)


def pool_overlaps(folder: Path, data: Path | None) -> dict[str, Overlaps]:
    """Return the overlaps of all runs of all models, (R, R), for each endpoint; "another user" has (20, R, R)."""
    path = folder / "overlaps.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _, interactions = load_interactions(data)
        pools = [train_pool(name, interactions, folder) for name in MODELS]
        runs = {kind: [run for pool in pools for run in pool[kind]] for kind in pools[0]}
        others = evenly_spread(len(runs["users"][0]), 20)
        overlaps = {name: overlap_counts(runs[kind], n) for name, (kind, n) in LISTS.items()}
        overlaps["user 10"] = overlap_counts([run[QUERY : QUERY + 1] for run in runs["users"]], 5)
        overlaps["another user"] = overlap_counts_by_entity([run[others] for run in runs["users"]], 5)
        parts = {(name, part): getattr(value, part) for name, value in overlaps.items() for part in vars(value)}
        np.savez_compressed(path, **{f"{name}/{part}": value for (name, part), value in parts.items()})
    with np.load(path) as stored:
        return {
            name: Overlaps(stored[f"{name}/counts"], int(stored[f"{name}/denominator"]), int(stored[f"{name}/n"]))
            for name in MARGINS
        }


def verdicts(overlaps: Mapping[str, Overlaps], labels: Mask, margins: Mapping[str, float]) -> dict[str, list[Verdict]]:
    """Return the verdicts on a family of endpoints for each of D draws.

    `overlaps` has counts (D, R, R) of each endpoint: the permutations of all draws are computed together, which is much
    faster than one by one. Everything else is what `answers.answer` does for one comparison.
    """
    replicates = int(labels.sum())
    smallest = smallest_p(replicates, replicates)
    differences = [permutation_p_by_entity(of, labels, seed=0) for of in overlaps.values()]
    judged: dict[str, list[Verdict]] = {name: [] for name in overlaps}
    for draw in range(len(differences[0])):
        own = {name: of.of_entity(draw) for name, of in overlaps.items()}
        raw = []
        for (name, of), p in zip(own.items(), differences, strict=True):
            uncertainty, margin = jackknife(of, labels), margins[name]
            raw.append(Claims(p[draw], uncertainty.p_at_most(margin), uncertainty.p_at_least(margin), smallest))
        for (name, of), claims in zip(own.items(), adjusted(raw), strict=True):
            judged[name].append(judge(claims, ceiling=effect(of, labels).ceiling, margin=margins[name]))
    return judged


@dataclass(frozen=True)
class SteadyUsers:
    """False claims about the margin on single lists, if Δ of the pools is the margin.

    Attributes
    ----------
    above, below : (2, users) float64
        Share of the draws, of each user: of the list alone, and as the smallest p of a family of four (Holm).
    covered : (users,) float64
        Share of the draws in which the 95% interval holds Δ.
    calibrated : float
        Share of the calibrated ranges that hold Δ, of all draws that have one.
    """

    above: Values
    below: Values
    covered: Values
    calibrated: float


def steady_users(folder: Path, a: str, b: str, replicates: int, draws: int, *, users: int = 40) -> SteadyUsers:
    """Draw runs of two models, and test the margin on the lists of the users whose lists vary least.

    The users are those with the largest overlap within the model that agrees less with itself, among those whose lists
    differ between the models.
    """
    runs = [run for name in (a, b) for run in pool_lists(folder, name)["users"]]
    overlaps = overlap_counts_by_entity(runs, 5)
    labels = np.arange(2 * SEEDS) >= SEEDS
    effects = [effect(overlaps.of_entity(user), labels) for user in range(len(overlaps.counts))]
    steadiness = [min(of.within_a, of.within_b) if of.delta > 0.02 else -1.0 for of in effects]
    rng = np.random.default_rng(replicates)
    shares, calibrated = [], []
    for user in np.argsort(steadiness)[-users:]:
        delta, own, counts = effects[user].delta, overlaps.of_entity(user), np.zeros(5)
        for _ in range(draws):
            drawn = np.concatenate([start + rng.permutation(SEEDS)[:replicates] for start in (0, SEEDS)])
            uncertainty = jackknife(own.of_runs(drawn), np.arange(2 * replicates) >= replicates)
            limits = uncertainty.limits(0.95)
            covered = limits is None or limits.low <= delta <= limits.high
            above, below = uncertainty.p_at_most(delta), uncertainty.p_at_least(delta)
            counts += above <= 0.025, 4 * above <= 0.025, below <= 0.05, 4 * below <= 0.05, covered
            if uncertainty.steady:
                parts = [overlaps.of_runs(drawn[:replicates]), overlaps.of_runs(drawn[replicates:])]
                losses = [loss_of_run_left_out(part) for part in parts]
                if None not in losses:
                    seen, loss = effect(own.of_runs(drawn), np.arange(2 * replicates) >= replicates).delta, sum(losses)
                    calibrated.append(seen - 2 * loss <= delta <= seen + loss)
        shares.append(counts / draws)
    of_users = np.transpose(shares)
    share_calibrated = float(np.mean(calibrated)) if calibrated else np.nan
    return SteadyUsers(of_users[:2], of_users[2:4], of_users[4], share_calibrated)


def draw_runs(a: str, b: str, replicates: int, draws: int) -> Ids:
    """Return positions of the runs of A, then of B, of each draw: (draws, 2 * replicates)."""
    rng = np.random.default_rng([replicates, list(MODELS).index(a), list(MODELS).index(b)])
    start_a, start_b = (SEEDS * list(MODELS).index(name) for name in (a, b))
    orders_a, orders_b = (np.argsort(rng.random((draws, SEEDS)), axis=1) for _ in range(2))
    runs_a = start_a + orders_a[:, :replicates]
    # Two draws of one pool have no run in common.
    runs_b = start_a + orders_a[:, -replicates:] if a == b else start_b + orders_b[:, :replicates]
    return np.concatenate([runs_a, runs_b], axis=1).astype(np.int32)


def overlaps_of_draws(overlaps: Overlaps, runs: Ids) -> Overlaps:
    """Return the counts of each draw, (D, R, R); the entities of (E, R, R) take turns."""
    counts = overlaps.counts.reshape(-1, *overlaps.counts.shape[-2:])
    entities = np.arange(len(runs)) % len(counts)
    drawn = counts[entities[:, None, None], runs[:, :, None], runs[:, None, :]]
    return Overlaps(drawn, overlaps.denominator, overlaps.n)


def pool_delta(overlaps: Overlaps, a: str, b: str) -> float:
    """Return Δ of the complete pools of two models, averaged over entities."""
    if a == b:
        return 0.0
    runs = np.concatenate([SEEDS * list(MODELS).index(name) + np.arange(SEEDS) for name in (a, b)])
    averaged = overlaps.averaged() if overlaps.counts.ndim == 3 else overlaps
    return effect(averaged.of_runs(runs), np.arange(2 * SEEDS) >= SEEDS).delta


def main() -> None:
    """Print one table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("draws", nargs="?", type=int, default=2000)
    arguments = parser.parse_args()
    overlaps = pool_overlaps(arguments.pool, arguments.data)
    print(table_head("A", "B", "seeds", "endpoint", "Δ of the pools", *(verdict.value for verdict in Verdict)))
    for a, b in PAIRS:
        for replicates in REPLICATES:
            runs = draw_runs(a, b, replicates, arguments.draws)
            drawn = {name: overlaps_of_draws(overlaps[name], runs) for name in MARGINS}
            judged = verdicts(drawn, np.arange(2 * replicates) >= replicates, MARGINS)
            for name, of_draws in judged.items():
                counts = Counter(of_draws)
                shares = [f"{counts[verdict] / len(of_draws):.3f}" for verdict in Verdict]
                print(table_row(a, b, replicates, name, f"{pool_delta(overlaps[name], a, b):.3f}", *shares), flush=True)
            different = [
                any(row.startswith("different") for row in draw) for draw in zip(*judged.values(), strict=True)
            ]
            empty = [""] * (len(Verdict) - 1)
            print(table_row(a, b, replicates, "different in any", "", f"{np.mean(different):.3f}", *empty), flush=True)

    print(table_head("A", "B", "seeds", *STEADY_COLUMNS))
    for replicates in REPLICATES[1:]:
        found = steady_users(arguments.pool, "k50", "k500", replicates, arguments.draws // 2)
        rates = [f"{np.median(share):.3f} (worst {share.max():.3f})" for share in (*found.above, *found.below)]
        covered = f"{np.median(found.covered):.3f} (worst {found.covered.min():.3f})"
        print(table_row("k50", "k500", replicates, *rates, covered, f"{found.calibrated:.3f}"), flush=True)


if __name__ == "__main__":
    main()
