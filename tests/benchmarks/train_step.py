"""Time of a fit, compared with a bare `implicit` fit: python tests/benchmarks/train_step.py [--data DIR_OR_ZIP]

Fits with equal settings run by turns in one process, best of several rounds: ours with the default snapshots, a bare
fit with BLAS capped (limited to one thread, as ours is), and a bare fit with BLAS uncapped, as in a plain notebook. The
factors of the first two are compared bit by bit. The cost of one snapshot is that of a fit with a snapshot after every
iteration. --data names MovieLens 100K; without it, the synthetic data set is used.
"""

import warnings
from pathlib import Path

import numpy as np
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from measuring import argument_parser, load_interactions, seconds, size_text
from scipy.sparse import csr_matrix

from tasks.core.config.als import AlsConfig
from tasks.core.models import als
from tasks.core.models.factors import Factors
from tasks.core.ranking.neighbours import nearest

ITERATIONS = {50: 300, 500: 300}
"""k -> iterations of a fit."""
SNAPSHOTS = (1, 2, 5, 15, 50, 150, 500, 1500)
"""The default of a config. A fit takes two more: at its end and at nine tenths."""


def bare_fit(matrix: csr_matrix, config: AlsConfig) -> Factors:
    """Train with implicit alone."""
    model = AlternatingLeastSquares(
        factors=config.factors,
        iterations=config.iterations,
        regularization=config.regularization,
        random_state=1,
    )
    model.fit(matrix, show_progress=False)
    return Factors(model.user_factors, model.item_factors)


def main() -> None:
    """Print a line for each k."""
    warnings.simplefilter("ignore")  # implicit warns of uncapped BLAS
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    name, interactions = load_interactions(arguments.data)
    print(f"{name}: {size_text(interactions.matrix)}")
    bare_matrix = csr_matrix(interactions.matrix)
    for k, iterations in ITERATIONS.items():
        config = AlsConfig(factors=k, iterations=iterations)
        factors: dict[str, Factors] = {}

        def ours(snapshots=SNAPSHOTS, config=config, factors=factors):
            factors["ours"] = als.fit(
                interactions.matrix, config, seed=1, snapshots=snapshots, on_iteration=lambda _: None
            )

        def at_every_iteration(ours=ours, iterations=iterations):
            ours(range(1, iterations + 1))

        def capped(config=config, factors=factors):
            with threadpoolctl.threadpool_limits(1, "blas"):
                factors["capped"] = bare_fit(bare_matrix, config)

        def uncapped(config=config):
            bare_fit(bare_matrix, config)

        rounds = [
            [seconds(fit) for fit in (at_every_iteration, ours, capped, uncapped)] for _ in range(arguments.rounds)
        ]
        of_every, of_ours, of_capped, of_uncapped = (min(times) for times in zip(*rounds, strict=True))
        sides = [[getattr(of_fit, side) for of_fit in factors.values()] for side in ("users", "items")]
        snapshots = len({n for n in SNAPSHOTS if n <= iterations} | {iterations, iterations - iterations // 10})
        snapshot = (of_every - of_ours) / (iterations - snapshots) / (of_capped / iterations)
        identical = all(np.array_equal(*pair) for pair in sides)
        lists = sum(seconds(lambda own=own: nearest(own, n=100)) for own, _ in sides)
        print(
            f"k={k}, {iterations} iterations: {of_ours:.3f} s, {of_ours / of_capped:.3f} times a bare fit with BLAS "
            f"capped, {of_uncapped / of_ours:.2f} times faster than with BLAS uncapped; "
            f"a snapshot takes {snapshot:.2f} times an iteration, and the fit has {snapshots}; factors "
            f"{'bit-identical' if identical else 'DIFFERENT'}; all neighbour lists {lists:.2f} s"
        )


if __name__ == "__main__":
    main()
