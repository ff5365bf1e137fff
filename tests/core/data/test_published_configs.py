"""The configs of configs/published/: what their figures need is measured, and their splits hold out what they say."""

import csv

import numpy as np
import pytest

from tasks.core.config.load import load_config
from tasks.core.data.interactions import Interactions
from tasks.core.data.splits.draw import draw_split
from tasks.core.models.reference_recommenders import RECOMMENDERS
from tasks.core.ranking.evaluation import evaluate
from tests.paths import CONFIGS

FOLDER = CONFIGS / "published"
with (FOLDER / "figures.csv").open(encoding="utf-8", newline="") as file:
    FIGURES = list(csv.DictReader(file))


@pytest.mark.parametrize("name", sorted({row["config"] for row in FIGURES}))
def test_every_published_figure_is_of_a_metric_and_a_model_that_its_config_has(name: str) -> None:
    config = load_config(FOLDER / f"{name}.yaml")
    assert config.evaluation is not None
    for row in (row for row in FIGURES if row["config"] == name):
        assert row["metric"] in config.evaluation.accuracy_metrics
        assert row["model"] in {*config.models, *RECOMMENDERS}
        assert 0 < float(row["figure"]) < 1
        assert 0 < float(row["tolerance"]) <= 0.005


def test_the_split_of_liang_et_al_holds_out_ten_thousand_users_of_movielens_20m_in_proportion() -> None:
    """On generated interactions: a tenth of the 136,677 users, with their numbers of interactions in proportion."""
    from scipy.sparse import random_array

    config = load_config(FOLDER / "liang-2018-movielens-20m.yaml")
    assert config.evaluation is not None
    split_config = config.evaluation.split
    assert split_config.strategy == "strong"
    rng = np.random.default_rng(0)
    matrix = random_array((13_668, 500), density=0.1, format="csr", dtype=np.float32, rng=rng)
    matrix.data[:] = 1
    interactions = Interactions(matrix, np.arange(matrix.shape[0]), np.arange(matrix.shape[1]), None)
    split = draw_split(interactions, split_config, seed=1)
    assert split.visible is not None
    held_out = np.diff(split.test.indptr) > 0
    assert held_out.sum() == pytest.approx(1000, abs=1)
    assert (np.diff(split.train.indptr)[held_out] == 0).all()
    visible, measured = np.diff(split.visible.indptr)[held_out], np.diff(split.test.indptr)[held_out]
    assert (np.rint(0.8 * (visible + measured)) == visible).all()
    scores = RECOMMENDERS["popularity"](split.train, split.known, 0)
    means = evaluate(scores, split, config.evaluation.cutoffs).means()
    assert {"recall_capped_at_20", "recall_capped_at_50", "ndcg_at_100"} <= means.keys()
