"""Figures of accuracy and of sweeps: what they say in words."""

from tasks.core.comparison.sweep import Estimated, Point, Sweep
from tasks.reporting.accuracy import Accuracy
from tasks.reporting.figures_of_accuracy import draw_accuracy, draw_sweep


def test_accuracy_has_every_model_of_every_metric() -> None:
    cells = {"a": Accuracy("a", "auc", 0.75, 0.1, 5), "popularity": Accuracy("popularity", "auc", 0.5, None, 1)}
    assert draw_accuracy({"auc": cells}).alt == "auc: a 0.7500, popularity 0.5000."


def test_a_sweep_leaves_out_what_was_not_measured() -> None:
    seconds = Estimated(2.0, None, None)
    points = [Point(f"k{k}", {"factors": k}, None, Estimated(0.5, 0.4, 0.6), seconds, k / 2) for k in (1, 2, 4)]
    drawing = draw_sweep(Sweep(["factors"], "ndcg_at_10", 5, points))
    assert drawing.alt.startswith(
        "factors 1: overlap@5 within a model 0.5, seconds per fit 2, factors (MB) 0.5; factors 2"
    )
