"""Queries by the data set's own ids."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from tasks.core.config.queries import QueriesConfig
from tasks.core.data.interactions import Interactions
from tasks.core.data.raw_ids import resolve_raw_ids
from tasks.core.errors import ConfigError

DATA = Interactions(
    csr_array(np.ones((3, 2), dtype=np.float32)), np.array(["u001", "u002", "1"]), np.array([50, 7]), None
)


def queries(**keys: object) -> QueriesConfig:
    return QueriesConfig.model_validate(keys)


def test_ids_become_the_indexes_of_their_side_and_indexes_stay() -> None:
    written = queries(users=[1, {"id": "u001"}], items=[{"id": 7}], recommend_for=[{"id": 1}, {"id": "u002"}], n=3)
    assert resolve_raw_ids(written, DATA) == queries(users=[1, 0], items=[1], recommend_for=[2, 1], n=3)


def test_ids_are_compared_as_text() -> None:
    assert resolve_raw_ids(queries(items=[{"id": "50"}, {"id": 50}]), DATA).items == (0, 0)
    with pytest.raises(ConfigError, match="found the id '050'"):
        resolve_raw_ids(queries(items=[{"id": "050"}]), DATA)


def test_unknown_ids_are_refused_at_once_with_similar_ones() -> None:
    with pytest.raises(ConfigError) as raised:
        resolve_raw_ids(queries(users=[{"id": "u01"}, {"id": "u001"}], items=[{"id": "u001"}]), DATA)
    assert str(raised.value).splitlines() == [
        "queries.users: found the id 'u01', which is that of no user after filtering; the 3 users have ids such as "
        "'u001', 'u002' and '1'; did you mean 'u001'?",
        "queries.items: found the id 'u001', which is that of no item after filtering; the 2 items have ids such as "
        "'50' and '7'",
    ]


def test_few_of_many_unknown_ids_are_reported() -> None:
    with pytest.raises(ConfigError) as raised:
        resolve_raw_ids(queries(users=[{"id": f"x{n}"} for n in range(4)], items=[{"id": n} for n in range(4)]), DATA)
    assert len(str(raised.value).splitlines()) == 5
