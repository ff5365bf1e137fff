"""Trials of a search: what is proposed, measured, ended early, and found again."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import ConfigError, DataError, TrainingError
from tasks.core.search.plan import ModelSearch
from tasks.core.search.result import best_after, tuning
from tasks.core.search.study import Trial, finished_trials, open_study, require_optuna, run_trial
from tests.core.search.examples import blocks_split, small_search


def searched(search: ModelSearch, check_stop: Callable[[], None] = lambda: None) -> list[Trial]:
    """Run a search to its end, and return its trials."""
    with open_study(search) as study:
        while len(finished_trials(study)) < search.trials:
            run_trial(study, search, blocks_split(), check_stop)
        return finished_trials(study)


def without_seconds(trials: list[Trial]) -> list[Trial]:
    return [replace(trial, seconds=0.0) for trial in trials]


def killed_after(search: ModelSearch, iterations: int) -> None:
    """Run a search in a process that is killed in the middle of a trial."""
    left = [iterations]

    def kill() -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    searched(search, kill)


def test_a_search_that_was_killed_makes_the_same_trials_as_one_that_was_not(home: Path) -> None:
    undisturbed = small_search()
    resumed = replace(undisturbed, identity="b" * 64)
    for iterations in (30, 40):
        process = multiprocessing.get_context("spawn").Process(target=killed_after, args=(resumed, iterations))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    with open_study(resumed) as study:
        before = finished_trials(study)
    assert 0 < len(before) < 12
    trials = searched(resumed)
    assert trials[: len(before)] == before, "what was finished is kept"
    assert without_seconds(trials) == without_seconds(searched(undisturbed))


def test_a_finished_search_runs_no_trial_again_and_more_trials_continue_it() -> None:
    search = small_search(trials=4)
    trials = searched(search)
    fitted = []
    assert searched(search, lambda: fitted.append(1)) == trials
    assert fitted == []
    assert searched(replace(search, trials=6))[:4] == trials


def test_another_seed_of_the_config_tries_other_settings() -> None:
    first, other = searched(small_search(trials=2)), searched(small_search(trials=2, root_seed=1, identity="c" * 64))
    assert [trial.settings for trial in first] != [trial.settings for trial in other]


def test_values_are_rounded_and_are_those_that_were_fitted() -> None:
    for trial in searched(small_search()):
        regularization = trial.settings["regularization"]
        assert regularization == float(f"{regularization:.4g}")
        assert 0.01 <= regularization <= 100
        assert isinstance(trial.settings["factors"], int)


def test_a_trial_is_measured_at_the_snapshots_and_its_value_is_the_mean_over_its_seeds() -> None:
    complete = [trial for trial in searched(small_search()) if trial.state == "complete"]
    assert complete
    for trial in complete:
        assert list(trial.along) == [3, 6], "1 is before a third of the iterations"
        assert trial.value == trial.along[6] == pytest.approx(sum(trial.of_seeds) / 2)


def test_a_trial_below_the_median_of_earlier_ones_ends_early() -> None:
    trials = searched(small_search(trials=30))
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.number >= 5 and trial.value is None and max(trial.along) < 6 for trial in pruned)
    for trial in pruned:
        last = max(trial.along)
        earlier = [each for each in trials[: trial.number] if each.state == "complete"]
        best_so_far = sorted(max(v for i, v in each.along.items() if i <= last) for each in earlier)
        assert max(trial.along.values()) < best_so_far[len(best_so_far) // 2]


def test_successive_halving_ends_trials_early() -> None:
    states = [trial.state for trial in searched(small_search(pruner="halving", trials=20))]
    assert {"complete", "pruned"} == set(states)


def test_a_trial_that_diverges_is_reported_and_the_search_continues() -> None:
    trials = searched(small_search({"alpha": [1.0, 1e12]}, trials=8))
    failed = [trial for trial in trials if trial.state == "failed"]
    assert failed
    assert all(trial.settings == {"alpha": 1e12} and trial.value is None for trial in failed)
    assert "no longer finite" in failed[0].reason
    found = tuning(small_search(), trials)
    assert (found.settings, found.trials, found.failed) == ({"alpha": 1.0}, 8, len(failed))
    assert found.failures == [failed[0].reason]


def test_a_search_without_a_complete_trial_says_why() -> None:
    trials = searched(small_search({"alpha": [1e12, 1e11]}, trials=2))
    with pytest.raises(TrainingError, match=r"search.models.k4: none of 2 trials was complete; .*no longer finite"):
        tuning(small_search(), trials)


def trial(number: int, value: float | None) -> Trial:
    return Trial(number, {"alpha": float(number)}, "complete" if value else "pruned", value, (), {}, 0.5)


def test_the_best_value_after_each_trial_by_hand() -> None:
    trials = [trial(number, value) for number, value in enumerate([None, 0.2, None, 0.1, 0.3, 0.3])]
    assert best_after(trials) == [None, 0.2, 0.2, 0.2, 0.3, 0.3]
    found = tuning(small_search(), trials)
    assert (found.trial, found.settings, found.value) == (4, {"alpha": 4.0}, 0.3)
    assert (found.trials, found.pruned, found.seconds) == (6, 2, 3.0)


def test_an_exception_ends_a_trial_that_then_does_not_count() -> None:
    search = small_search(trials=2)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(search, stop)
    with open_study(search) as study:
        assert finished_trials(study) == []
        assert [each.state.name for each in study.get_trials()] == ["FAIL"]


def test_a_damaged_study_is_named() -> None:
    search = small_search()
    search.study_file.parent.mkdir(parents=True)
    search.study_file.write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match=r"aaaa\.db: the trials of k4 cannot be read"), open_study(search):
        pass


def test_optuna_says_nothing(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        searched(small_search(trials=3))
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_without_optuna_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: Any = sys.modules
    monkeypatch.setitem(modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install --editable '\.\[search\]'"):
        require_optuna()
