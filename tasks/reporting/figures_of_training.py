"""Figures of what changes along the iterations of the fits."""

from collections.abc import Mapping, Sequence

from tasks.reporting.drawing import Drawing, count_axis, figure, model_style


def draw_objective(objectives: Mapping[str, Sequence[tuple[int, float]]]) -> Drawing:
    """Draw how far the objective is above its final value along the iterations, relative to it if it is above 0.

    Parameters
    ----------
    objectives : mapping of str to sequence of (iteration, objective)
        By model.

    Returns
    -------
    Drawing
    """
    has_points = False
    relative = all(points[-1][1] > 0 for points in objectives.values())
    title = "Convergence: the objective above its final value"
    with figure(title, height=3.0 + 0.1 * len(objectives)) as (axes, drawing):
        for position, (model, points) in enumerate(objectives.items()):
            final = points[-1][1]
            above = [
                (iteration, value / final - 1 if relative else value - final)
                for iteration, value in points[:-1]
                if value > final
            ]
            has_points |= bool(above)
            color, marker = model_style(position)
            axes.plot(*zip(*above, strict=True) if above else ([], []), marker, ls="-", color=color, label=model)
        count_axis(axes, max(points[-1][0] for points in objectives.values()))
        if has_points:  # empty axes have no logarithmic scale
            axes.set_yscale("log")
        axes.set_xlabel("iteration")
        axes.set_ylabel("(objective - final) / final" if relative else "objective - final")
    values = "; ".join(
        f"{model}: {_rounded(points[0][1])} after iteration {points[0][0]}, {_rounded(points[-1][1])} after "
        f"{points[-1][0]}"
        for model, points in objectives.items()
    )
    return drawing("objective", f"{values}.")


def draw_list_stability(overlaps: Mapping[str, Sequence[tuple[int, float]]]) -> Drawing:
    """Draw the overlap of users' lists with the final ones along the iterations.

    Parameters
    ----------
    overlaps : mapping of str to sequence of (iteration, overlap)
        By model.

    Returns
    -------
    Drawing
    """
    title = "List stability during training: overlap with the final lists of the same run"
    with figure(title, height=3.0 + 0.1 * len(overlaps)) as (axes, drawing):
        for position, (model, points) in enumerate(overlaps.items()):
            color, marker = model_style(position)
            axes.plot(*zip(*points, strict=True), marker, ls="-", color=color, label=model)
        count_axis(axes, max(points[-1][0] for points in overlaps.values()))
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("iteration")
        axes.set_ylabel("overlap, sampled users")
    values = "; ".join(
        f"{model}: " + ", ".join(f"{y:.2f} at {x}" for x, y in points) for model, points in overlaps.items()
    )
    return drawing("trajectory", f"{values}.")


def _rounded(objective: float) -> str:
    return f"{objective:,.0f}" if abs(objective) >= 10 else f"{objective:.3g}"
