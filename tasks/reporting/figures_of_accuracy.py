"""Figures of held-out accuracy, and of what it costs along a sweep."""

from collections.abc import Mapping

import numpy as np

from tasks.core.comparison.sweep import Estimated, Sweep
from tasks.core.formatting import setting_text, settings_text
from tasks.reporting.accuracy import Accuracy
from tasks.reporting.drawing import A, Drawing, figure, model_style


def draw_accuracy(metrics: Mapping[str, Mapping[str, Accuracy]]) -> Drawing:
    """Draw mean and standard deviation of held-out metrics over the seeds; with several splits, over the splits.

    Parameters
    ----------
    metrics : mapping of str to mapping of str to Accuracy
        Metric -> model -> its accuracy; the same models for each metric.

    Returns
    -------
    Drawing
    """
    models = list(next(iter(metrics.values())))
    rows = np.arange(len(metrics))[::-1]  # the first metric is at the top
    splits = max(cell.splits for accuracy in metrics.values() for cell in accuracy.values())
    title = f"Held-out accuracy: mean and standard deviation over {'seeds' if splits == 1 else f'{splits} splits'}"
    with figure(title, height=1.1 + (0.25 + 0.08 * len(models)) * len(metrics)) as (axes, drawing):
        for position, model in enumerate(models):
            cells = [accuracy[model] for accuracy in metrics.values()]
            axes.errorbar(
                [cell.mean for cell in cells],
                rows + 0.4 * (len(models) - 1 - 2 * position) / len(models),  # models side by side in a row
                xerr=[(cell.sd if splits == 1 else cell.sd_splits) or 0.0 for cell in cells],
                fmt=model_style(position)[1],
                color=model_style(position)[0],
                label=model,
                capsize=2,
            )
        axes.set_yticks(rows, list(metrics))
        axes.set_xlim(left=0)
    values = "; ".join(
        f"{metric}: " + ", ".join(f"{model} {cell.mean:.4f}" for model, cell in accuracy.items())
        for metric, accuracy in metrics.items()
    )
    return drawing("accuracy", f"{values}.")


def draw_sweep(sweep: Sweep) -> Drawing:
    """Draw accuracy, overlap within a model, time and size along the settings that vary, with intervals over seeds."""
    first_setting = [point.varied[sweep.settings[0]] for point in sweep.points]
    # a single setting with positive numbers is an axis; anything else is a row of labels
    is_axis = len(sweep.settings) == 1 and all(isinstance(value, int | float) and value > 0 for value in first_setting)
    xs = first_setting if is_axis else list(range(len(sweep.points)))
    labels = [", ".join(map(setting_text, point.varied.values())) for point in sweep.points]
    every_panel: list[tuple[str, list[Estimated | None]]] = [
        (sweep.metric, [point.accuracy for point in sweep.points]),
        (f"overlap@{sweep.n} within a model", [point.steadiness for point in sweep.points]),
        ("seconds per fit", [point.seconds for point in sweep.points]),
        ("factors (MB)", [Estimated(point.megabytes, None, None) for point in sweep.points]),
    ]
    panels = [(name, estimates) for name, estimates in every_panel if any(estimates)]
    rows = -(-len(panels) // 2)
    title = f"Accuracy, overlap within a model, time and size along {' and '.join(sweep.settings)}"
    with figure(title, height=0.4 + 2 * rows, columns=2, rows=rows) as (axes, drawing):
        for unused in axes.flat[len(panels) :]:
            unused.set_axis_off()
        for position, (name, estimates) in enumerate(panels):
            panel = axes.flat[position]
            points = [(x, estimate) for x, estimate in zip(xs, estimates, strict=True) if estimate]
            for x, estimate in points:
                if estimate.low_95 is not None:
                    panel.plot([x, x], [estimate.low_95, estimate.high_95], color=A, lw=2.5, alpha=0.5)
            panel.plot([x for x, _ in points], [estimate.mean for _, estimate in points], "o-", color=A, ms=4)
            if is_axis:
                panel.set_xscale("log")
            panel.xaxis.minorticks_off()
            panel.set_xticks(xs, labels, rotation=90)
            panel.set_ylim(bottom=0)
            panel.set_title(name, fontsize=10)
            if position > 1:  # the lower row
                panel.set_xlabel(", ".join(sweep.settings))
    values = "; ".join(
        f"{settings_text(point.varied)}: "
        + ", ".join(f"{name} {value.mean:.4g}" for name, estimates in panels if (value := estimates[position]))
        for position, point in enumerate(sweep.points)
    )
    return drawing("sweep", f"{values}.")
