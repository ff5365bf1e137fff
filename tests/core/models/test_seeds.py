"""Seeds of the fits."""

from tasks.core.models.seeds import run_seed


class TestRunSeed:
    def test_every_argument_changes_the_seed(self) -> None:
        arguments = [
            (root, model, replicate, role)
            for root in (0, 1, 2**63 - 1)
            for model in ("k50", "k500", "")
            for replicate in (0, 1, 999)
            for role in ("model", "evaluation", "split")
        ]
        assert len({run_seed(*values) for values in arguments}) == len(arguments)

    def test_seeds_are_distinct_and_in_the_range_that_implicit_accepts(self) -> None:
        seeds = [run_seed(1, "k50", replicate, "model") for replicate in range(1000)]
        assert all(0 <= seed < 2**31 for seed in seeds)
        assert len(set(seeds)) == 1000
