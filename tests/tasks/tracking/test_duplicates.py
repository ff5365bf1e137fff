"""Two processes that complete or resolve runs of one identity, in every order of their calls to the store."""

import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from mlflow import MlflowClient

from tasks.tracking.runs import supersede
from tasks.tracking.search import complete_runs, finish_run
from tests.tasks.tracking.helpers import Fit

CALLS = ("log_batch", "set_terminated", "search_runs")
"""The calls that write or read what decides."""


class Turns:
    """Threads that take turns: each call to the store waits until the order of turns names its thread."""

    def __init__(self, order: tuple[int, ...]) -> None:
        self.order, self.ended = list(order), set[int]()
        self.changed = threading.Condition()

    def call(self, number: int, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with self.changed:
            assert self.changed.wait_for(lambda: self._next() in (None, number), timeout=30)
            if self.order:
                self.order.pop(0)
            try:
                return function(*args, **options)
            finally:
                self.changed.notify_all()

    def end(self, number: int) -> None:
        with self.changed:
            self.ended.add(number)
            self.changed.notify_all()

    def _next(self) -> int | None:
        while self.order and self.order[0] in self.ended:
            self.order.pop(0)
        return self.order[0] if self.order else None


def client_in_turns(uri: str, turns: Turns, number: int) -> MlflowClient:
    """Return a client of the real store whose calls take turns with those of other threads."""
    client = MlflowClient(uri, uri)
    for name in CALLS:
        call = getattr(client, name)
        setattr(client, name, lambda *args, _call=call, **options: turns.call(number, _call, *args, **options))
    return client


def run_in_turns(uri: str, order: tuple[int, ...], *processes: Callable[[MlflowClient], Any]) -> list[Any]:
    """Run functions in threads whose calls follow an order, and return what they returned."""
    turns = Turns(order)
    results: list[Any] = [None] * len(processes)

    def run(number: int) -> None:
        try:
            results[number] = processes[number](client_in_turns(uri, turns, number))
        except BaseException as error:
            results[number] = error
        turns.end(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(processes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def orders(first: int, second: int) -> Iterator[tuple[int, ...]]:
    """Yield every order in which two processes can make so many calls."""
    for chosen in itertools.combinations(range(first + second), first):
        yield tuple(0 if place in chosen else 1 for place in range(first + second))


def test_a_run_that_replaces_another_is_read_however_a_second_process_interleaves(
    client: MlflowClient, uri: str, fit: Fit, experiment_id: str
) -> None:
    """The first tags its generation, ends, searches and tags the replaced run; the second searches and tags."""
    for order in orders(4, 2):
        identity = str(order)
        old, new = fit(identity, end=1000), fit(identity, status=None)
        finished, _ = run_in_turns(
            uri,
            order,
            partial(finish_run, run_id=new, replaces=[old]),
            partial(complete_runs, experiment_id=experiment_id, identity=identity),
        )
        assert getattr(finished, "run_id", finished) == new, order
        assert complete_runs(client, experiment_id, identity)[identity].run_id == new, order
        assert client.get_run(old).data.tags["latentlab.superseded"] == new, order


def test_of_two_processes_that_replace_one_run_one_is_read(
    client: MlflowClient, uri: str, fit: Fit, experiment_id: str
) -> None:
    """A second complete run that neither of them replaces does not make them supersede each other."""
    for order in [*orders(4, 4)][::6]:
        identity = str(order)
        old, _ = fit(identity, end=1000), fit(identity, end=2000)
        one, two = fit(identity, status=None), fit(identity, status=None)
        results = run_in_turns(
            uri,
            order,
            partial(finish_run, run_id=one, replaces=[old]),
            partial(finish_run, run_id=two, replaces=[old]),
        )
        assert {getattr(result, "run_id", result) for result in results} <= {one, two}, order
        assert complete_runs(client, experiment_id, identity)[identity].run_id in (one, two), order


def test_a_run_replaces_runs_of_every_earlier_generation(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    """The last one ends first by its clock, which may be that of another machine."""
    first, second, third = fit(end=3000), fit(status=None), fit(status=None)
    finish_run(client, second, [first])
    assert finish_run(client, third, [second]).run_id == third
    assert complete_runs(client, experiment_id)["same"].run_id == third


def test_runs_that_an_earlier_version_superseded_stay_so(client: MlflowClient, fit: Fit, experiment_id: str) -> None:
    old, new = fit(end=1000), fit(end=2000)
    supersede(client, [old], by=new)
    assert complete_runs(client, experiment_id)["same"].run_id == new
