"""`similar` and `recommend` with `--consensus`: one list for each model, merged from those of all its seeds."""

from typing import Any

import pytest

from tasks.core.ranking.consensus import consensus
from tasks.core.ranking.similarity import make_neighbours
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.lists import read_factors
from tests.command_line import CommandLine, command_line
from tests.flows.finished_experiment import FinishedExperiment


@pytest.fixture
def commands(finished: FinishedExperiment, api_url: str) -> CommandLine:
    return command_line(finished.folder, api_url)


def factors_of(finished: FinishedExperiment, model: str) -> list[Any]:
    """Return the factors of every fit of a model that has lists."""
    runs = [run for run in finished.outcome.result.runs if (run.model, run.role) == (model, "model")]
    return [read_factors(RunFiles(finished.client, run.run_id)) for run in runs]


@pytest.mark.parametrize("by", ["factors", "scores"])
@pytest.mark.parametrize("target", ["users", "items"])
def test_neighbours_are_those_of_the_consensus_over_all_seeds(
    commands: CommandLine, finished: FinishedExperiment, target: str, by: str
) -> None:
    printed = commands.answer("similar", "latest", f"--{target[:-1]}", "3", "-n", "4", "--by", by, "--consensus")
    assert (printed["target"], printed["n"], list(printed["models"])) == (target, 4, ["k2", "k8"])
    for model, entries in printed["models"].items():
        # of all, as the fits did: with two factors many cosines are equal but for rounding, which depends on the rows
        seeds = [make_neighbours(factors, target, by, n=100) for factors in factors_of(finished, model)]
        merged = consensus(seeds, depth=4)
        assert [entry["index"] for entry in entries] == merged.lists.ids[3, :4].tolist()
        assert [entry["rank"] for entry in entries] == [1, 2, 3, 4]
        assert [entry["score"] for entry in entries] == pytest.approx(merged.lists.scores[3, :4], abs=1e-5)
        assert [entry["share"] for entry in entries] == pytest.approx(merged.share[3, :4])


def test_recommendations_are_those_of_the_consensus_over_all_seeds(
    commands: CommandLine, finished: FinishedExperiment
) -> None:
    printed = commands.answer("recommend", "latest", "--user", "5", "-n", "6", "--consensus")
    single = [commands.answer("recommend", f"blocks/k8/{seed}", "--user", "5", "-n", "100") for seed in (0, 1)]
    entries = [one["models"][f"k8 #{seed}"] for seed, one in enumerate(single)]
    first, second = ({entry["index"]: entry["score"] for entry in of_seed} for of_seed in entries)
    means = {item: (score + second[item]) / 2 for item, score in first.items()}  # both list every candidate
    assert [entry["index"] for entry in printed["models"]["k8"]] == sorted(means, key=lambda item: -means[item])[:6]


def test_the_table_has_ranks_and_the_share_of_seeds(commands: CommandLine) -> None:
    printed = commands.call("similar", "latest", "--user", "3", "-n", "2", "--consensus").stdout
    title = "consensus of all seeds, and the share of seeds listing each among their first 2"
    assert title in " ".join(printed.split())
    first_words = [line.split()[0] for line in printed.splitlines() if line.split()]
    assert first_words[-4] == "rank"
    assert first_words[-2:] == ["1", "2"]


@pytest.mark.parametrize("command", [["similar"], ["recommend"]], ids=" ".join)
def test_the_consensus_of_a_single_fit_is_refused(commands: CommandLine, command: list[str]) -> None:
    message = commands.failure(2, *command, "blocks/k2/0", "--user", "3", "--consensus")
    assert message.startswith("--consensus: found run ")
    assert "a single fit; expected a comparison" in message


def test_the_consensus_of_one_replicate_is_refused(small_finished: CommandLine) -> None:
    message = small_finished.failure(2, "similar", "latest", "--user", "3", "--consensus")
    assert message.startswith("--consensus: found one run of k2; expected at least 2, whose lists are merged; raise")


def test_registering_the_consensus_of_one_replicate_is_refused_before_anything_is_trained(online: CommandLine) -> None:
    message = online.failure(2, "run", "config.yaml", "--register", "mine", "--consensus")
    assert message.startswith("--consensus: found 1 replicate of each model; expected at least 2")
    assert online.finished_runs() == 0


def test_run_registers_the_consensus(online: CommandLine) -> None:
    arguments = ("run", "config.yaml", "--set", "replicates=2", "--register", "mine", "--consensus")
    assert online.answer(*arguments)["registered"] == {"mine-k2": "1"}
    assert "Registered: models:/mine-k2/1" in online.call(*arguments).stdout
