"""Whether a process still runs, as another one sees it."""

from tasks.core.process_identity import has_ended, this_process


def test_this_process_has_not_ended() -> None:
    assert not has_ended(this_process())


def test_a_pid_that_was_given_to_another_process_is_not_the_same_process() -> None:
    assert has_ended({**this_process(), "started": 1.0})


def test_a_process_of_another_machine_cannot_be_judged() -> None:
    assert not has_ended({"machine": "another", "pid": 1, "started": 1.0})
    assert not has_ended({})
