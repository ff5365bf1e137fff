"""Experiments at the edge of what can be computed: they complete, and say what was found."""

import yaml

from tests.command_line import CommandLine

ONE = "user,item,rating\nu,a,1\n"
BLOCK = "user,item,rating\n" + "".join(f"u{u},i{i},{1 + (u + i) % 3}\n" for u in range(6) for i in range(5))


def configure(commands: CommandLine, ratings: str, **changes: object) -> None:
    (commands.folder / "r.csv").write_text(ratings)
    config = {
        "name": "degenerate",
        "dataset": {"name": "file", "path": "r.csv"},
        "preprocess": {"min_rating": None},
        "replicates": 1,
        "comparison": {"depths": [1, 5]},
        "evaluation": None,
        "execution": {"system_metrics": False, "isolate": False},
        **changes,
    }
    (commands.folder / "config.yaml").write_text(yaml.safe_dump(config))


def test_an_objective_of_zero_is_no_error(online: CommandLine) -> None:
    configure(online, ONE, models={"a": {"factors": 1, "iterations": 5, "regularization": 0, "solver": "cholesky"}})
    (convergence,) = online.answer("run", "config.yaml")["convergence"]
    assert (convergence["final"], convergence["before"], convergence["objective_change"]) == (0, 0, 0)


def test_an_objective_near_zero_is_described_in_absolute_terms(online: CommandLine) -> None:
    configure(online, BLOCK, models={"a": {"factors": 2, "iterations": 5, "alpha": 40}})
    done = online.call("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "the objective still fell from " in " ".join(done.stdout.split() + done.stderr.split())
    (convergence,) = online.answer("show", "latest")["convergence"]
    assert convergence["objective_change"] > 1
    assert convergence["before"] > 2 * convergence["final"]


def test_a_single_iteration_is_counted_in_the_singular(online: CommandLine) -> None:
    configure(online, BLOCK, models={"a": {"factors": 2, "iterations": 1}}, queries={})
    done = online.call("run", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "a #0: 1 iteration in " in done.stderr
    assert "1 fit trained" in done.stdout
