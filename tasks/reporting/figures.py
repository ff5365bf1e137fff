"""Figures of a comparison, as SVG."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.core.comparison.agreement import Curve
from tasks.core.comparison.per_user import PerUser
from tasks.core.comparison.query_lists import QueryLists
from tasks.core.comparison.sweep import Estimated, Sweep
from tasks.core.comparison.verdict import Answer, Matrix
from tasks.core.formatting import setting_text, settings_text
from tasks.core.types import Values

A, B, BETWEEN, CHANCE = "#0072b2", "#d55e00", "#444444", "#999999"
COLORS, MARKERS = (A, B, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c564b"), "oDs^vPX*"
WIDTH = 5.6  # inches
MOST_CANDIDATES = 20
TOLD_DEPTHS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Drawing:
    """A figure: `name` is its file's, `alt` its text alternative."""

    name: str
    title: str
    alt: str
    svg: str


def intervals(answers: Sequence[Answer]) -> Drawing:
    """Δ of each endpoint of two models with its 95% interval, and the margin."""
    a, b = answers[0].a, answers[0].b
    title = f"{a} and {b} disagree by Δ more than two seeds of one model do"
    with _figure(title, height=0.9 + 0.42 * len(answers)) as (axes, done):
        for place, each in enumerate(answers):
            y = len(answers) - 1 - place
            if each.low_95 is not None and each.high_95 is not None:
                axes.plot([each.low_95, each.high_95], [y, y], color=BETWEEN, lw=2.5, solid_capstyle="butt")
            axes.plot([each.delta], [y], "o", color=BETWEEN, ms=6)
            axes.plot([each.margin] * 2, [y - 0.3, y + 0.3], color=B, lw=1.5, label="" if place else "margin")
        axes.axvline(0, color=CHANCE, lw=0.8)
        axes.set_yticks(range(len(answers)), [f"{each.target} @{each.n}" for each in reversed(answers)])
        axes.set_xlim(
            min(-0.05, *(_low(each) for each in answers)), max(0.3, *(_high(each) for each in answers)) * 1.05
        )
        axes.set_xlabel("Δ (1 is the whole list), 95% interval")
    told = "; ".join(f"{each.target}: {each.delta:.3f} ({_low(each):.3f} to {_high(each):.3f})" for each in answers)
    return done("intervals", f"Δ with 95% interval. {told}. ")


def candidates(query: QueryLists, a: str, b: str) -> Drawing:
    """The share of each model's seeds that list each candidate."""
    shares: dict[int, list[float]] = {}
    names: dict[int, str] = {}
    for place, model in enumerate((a, b)):
        for entry in query.models[model]:
            shares.setdefault(entry.index, [0.0, 0.0])[place] = entry.share
            names[entry.index] = f"{entry.index} {entry.title[:24] or f'(id {entry.raw_id})'}"
    order = sorted(shares, key=lambda index: (shares[index][1] - shares[index][0], index))
    if len(order) > MOST_CANDIDATES:
        kept = set(sorted(shares, key=lambda index: -max(shares[index]))[:MOST_CANDIDATES])
        order = [index for index in order if index in kept]
    what = query.name.replace("_", " ")
    title = f"Who is on the list of {what}: share of the seeds of {a} and of {b}"
    with _figure(title, height=1.0 + 0.24 * len(order)) as (axes, done):
        for y, index in enumerate(reversed(order)):
            axes.plot(shares[index], [y, y], color=CHANCE, lw=1.5, zorder=1)
        ys = np.arange(len(order))[::-1]
        axes.scatter([shares[index][0] for index in order], ys, color=A, s=90, label=a, zorder=2)
        axes.scatter([shares[index][1] for index in order], ys, color=B, s=34, marker="D", label=b, zorder=3)
        axes.set_yticks(ys, [names[index] for index in order])
        axes.set_xlim(-0.04, 1.04)
        axes.set_xlabel(f"share of seeds with the candidate in their first {query.n}")
    told = "; ".join(f"{names[index]}: {shares[index][0]:.0%} and {shares[index][1]:.0%}" for index in order)
    return done(f"candidates-{query.name}", f"Share of seeds of {a} and {b}. {told}.")


def runs(matrix: Matrix, models: Sequence[str]) -> Drawing:
    """Overlap of every two runs as a heat map, and the runs on a plane by classical scaling of √(1 - O)."""
    overlap = np.array(matrix.overlap)
    owners = [name.rpartition(" #")[0] for name in matrix.runs]
    title = f"Every run against every other: overlap of {matrix.target} @{matrix.n}, and the runs as a map"
    with _figure(title, height=3.1, columns=2) as (both, done):
        left, right = both
        image = left.imshow(overlap, vmin=0, vmax=1, cmap="cividis")
        left.figure.colorbar(image, ax=left, shrink=0.75, label="overlap")
        first = [owners.index(model) for model in models]
        left.set_xticks(first, models if len(models) < 3 else [""] * len(models), ha="left")  # more would overlap
        left.set_yticks(first, models)
        left.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False)
        points = scaled(1 - overlap)
        for place, model in enumerate(models):
            chosen = [at for at, owner in enumerate(owners) if owner == model]
            color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
            right.scatter(
                points[chosen, 0], points[chosen, 1], color=color, marker=marker, label=model, s=26, alpha=0.8
            )
        right.set_aspect("equal", "datalim")
        right.set_xticks([])
        right.set_yticks([])
        right.set_xlabel("far apart = other lists")
    within = {
        model: _mean_off_diagonal(overlap[np.ix_(*[[i for i, owner in enumerate(owners) if owner == model]] * 2)])
        for model in models
    }
    told = "; ".join(f"{model}: {value:.3f}" for model, value in within.items())
    return done(f"runs-{matrix.target}", f"Mean overlap of two runs of one model. {told}.")


def depths(curves: Sequence[Curve], target: str, a: str, b: str) -> Drawing:
    """Overlap against the depth of the lists: within each model, between them, by chance."""
    of = {(each.a, each.b): each for each in curves if each.target == target}
    between = of.get((a, b)) or of[b, a]
    lines = [
        (f"seeds of {a}", A, "-", of[a, a].overlap),
        (f"seeds of {b}", B, "-.", of[b, b].overlap),
        (f"{a} against {b}", BETWEEN, "-", between.overlap),
        ("chance", CHANCE, ":", between.chance),
    ]
    title = f"Agreement of {target} at every depth of the lists"
    with _figure(title, height=3.0) as (axes, done):
        for label, color, style, overlap in lines:
            axes.plot(range(1, len(overlap) + 1), overlap, ls=style, color=color, lw=2, label=label)
        axes.set_xscale("log")
        ticks = [n for n in TOLD_DEPTHS if n <= len(between.chance)]
        axes.set_xticks(ticks, [str(n) for n in ticks])
        axes.minorticks_off()
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("n, entries compared")
        axes.set_ylabel("mean overlap@n")
    told = "; ".join(
        f"{label}: " + ", ".join(f"{overlap[n - 1]:.3f} at {n}" for n in TOLD_DEPTHS if n <= len(overlap))
        for label, _, _, overlap in lines
    )
    return done(f"depths-{target}", f"Mean overlap. {told}.")


def users(found: PerUser) -> Drawing:
    """Histogram of n·Δ over users, with the query users marked."""
    title = f"How many of {found.n} neighbours are replaced beyond the seed's doing, user by user"
    with _figure(title, height=2.8) as (axes, done):
        axes.stairs(found.counts, found.edges, fill=True, color=A, alpha=0.75)
        top = max(found.counts)
        for place, (name, value) in enumerate(found.queries.items()):
            axes.axvline(value, color=B, lw=1.8)
            style = {"color": B, "va": "top", "bbox": {"color": "white", "pad": 1}}
            axes.text(value, top * (1.02 - 0.1 * place), f" {name}", **style)
        axes.axvline(0, color=CHANCE, lw=0.8)
        axes.set_xlabel(f"n·Δ between {found.a} and {found.b}")
        axes.set_ylabel("users")
    low, median, high = found.quartiles
    marked = "".join(f" {name}: {value:.1f}." for name, value in found.queries.items())
    told = f"{found.users:,} users; median {median:.2f}, quartiles {low:.2f} and {high:.2f}.{marked}"
    return done("users", told)


def accuracy(values: Mapping[str, Mapping[str, tuple[float, float | None]]]) -> Drawing:
    """Held-out accuracy: metric -> model -> mean and standard deviation over seeds."""
    title = "Held-out accuracy: mean and standard deviation over seeds"
    models = list(next(iter(values.values())))
    with _figure(title, height=1.1 + (0.25 + 0.08 * len(models)) * len(values)) as (axes, done):
        for place, model in enumerate(models):
            ys = np.arange(len(values))[::-1] + 0.4 * (len(models) - 1 - 2 * place) / len(models)
            means = [of[model][0] for of in values.values()]
            errors = [of[model][1] or 0.0 for of in values.values()]
            color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
            axes.errorbar(means, ys, xerr=errors, fmt=marker, color=color, label=model, capsize=2)
        axes.set_yticks(np.arange(len(values))[::-1], list(values))
        axes.set_xlim(left=0)
    told = "; ".join(
        f"{metric}: " + ", ".join(f"{model} {mean:.4f}" for model, (mean, _) in of.items())
        for metric, of in values.items()
    )
    return done("accuracy", f"{told}.")


def sweep(found: Sweep) -> Drawing:
    """Accuracy, steadiness, seconds and size along what varies, each with its interval over seeds."""
    title = f"Along {' and '.join(found.settings)}: accuracy, steadiness, time, size"
    numbers = [point.varied[found.settings[0]] for point in found.points]
    along = len(found.settings) == 1 and all(isinstance(value, int | float) and value > 0 for value in numbers)
    xs = numbers if along else list(range(len(numbers)))
    parts: list[tuple[str, list[Estimated | None]]] = [
        (found.metric, [point.accuracy for point in found.points]),
        (f"overlap@{found.n} of two seeds", [point.steadiness for point in found.points]),
        ("seconds a fit", [point.seconds for point in found.points]),
        ("factors, MB", [Estimated(point.megabytes, None, None) for point in found.points]),
    ]
    parts = [(what, values) for what, values in parts if any(values)]
    rows = -(-len(parts) // 2)
    with _figure(title, height=0.4 + 2 * rows, columns=2, rows=rows) as (axes, done):
        for unused in axes.flat[len(parts) :]:
            unused.set_axis_off()
        for place, (what, values) in enumerate(parts):
            panel = axes.flat[place]
            drawn = [(x, each) for x, each in zip(xs, values, strict=True) if each]
            for x, each in drawn:
                if each.low_95 is not None:
                    panel.plot([x, x], [each.low_95, each.high_95], color=A, lw=2.5, alpha=0.5)
            panel.plot([x for x, _ in drawn], [each.mean for _, each in drawn], "o-", color=A, ms=4)
            if along:
                panel.set_xscale("log")
            panel.xaxis.minorticks_off()
            panel.set_xticks(
                xs, [", ".join(map(setting_text, point.varied.values())) for point in found.points], rotation=90
            )
            panel.set_ylim(bottom=0)
            panel.set_title(what, fontsize=10)
            if place > 1:
                panel.set_xlabel(", ".join(found.settings))
    told = "; ".join(
        f"{settings_text(point.varied)}: "
        + ", ".join(f"{what} {value.mean:.4g}" for what, values in parts if (value := values[place]))
        for place, point in enumerate(found.points)
    )
    return done("sweep", f"{told}.")


def objective(values: Mapping[str, Sequence[tuple[int, float]]]) -> Drawing:
    """The objective along the iterations, relative to its end: model -> (iteration, objective)."""
    title = "How settled the fits are: the objective above its last value"
    with _figure(title, height=2.4 + 0.2 * len(values)) as (axes, done):
        drawn = 0
        for place, (model, points) in enumerate(values.items()):
            end = points[-1][1]
            color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
            above = [(step, value / end - 1) for step, value in points[:-1] if value > end]
            axes.plot(*zip(*above, strict=True) if above else ([], []), marker, ls="-", color=color, label=model)
            drawn += len(above)
        if drawn:  # one iteration has nothing above its last value
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.xaxis.minorticks_off()  # a tick costs more than a curve
        axes.set_xlabel("iteration")
        axes.set_ylabel("(objective - last) / last")
    told = "; ".join(
        f"{model}: {points[0][1]:,.0f} after iteration {points[0][0]}, {points[-1][1]:,.0f} after {points[-1][0]}"
        for model, points in values.items()
    )
    return done("objective", f"{told}.")


def trajectory(values: Mapping[str, Sequence[tuple[int, float]]]) -> Drawing:
    """Overlap of users' lists with the final ones along the iterations: model -> (iteration, overlap)."""
    title = "When the lists settle: overlap with each run's own final lists"
    with _figure(title, height=2.4 + 0.2 * len(values)) as (axes, done):
        for place, (model, points) in enumerate(values.items()):
            color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
            axes.plot(*zip(*points, strict=True), marker, ls="-", color=color, label=model)
        axes.set_xscale("log")
        axes.xaxis.minorticks_off()
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("iteration")
        axes.set_ylabel("mean overlap, sampled users")
    told = "; ".join(f"{model}: " + ", ".join(f"{y:.2f} at {x}" for x, y in points) for model, points in values.items())
    return done("trajectory", f"{told}.")


def scaled(squared: Values) -> Values:
    """Classical multidimensional scaling of squared distances (R, R) to (R, 2) (Torgerson 1952)."""
    size = len(squared)
    centre = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-centre @ squared @ centre / 2)
    points = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0))
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


@contextmanager
def _figure(
    title: str, *, height: float, columns: int = 1, rows: int = 1
) -> Iterator[tuple[Any, Callable[[str, str], Drawing]]]:
    """Axes to draw on, and a function from (name, alt) to the Drawing, to be called after the block."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "latentlab",  # equal figures, equal bytes
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots(rows, columns)
        drawn: dict[str, str] = {}

        def done(name: str, alt: str) -> Drawing:
            return Drawing(name, title, alt, drawn["svg"])

        yield axes, done
        handles, labels = figure.axes[-2 if columns == 2 else 0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=2)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": title})
    text = file.getvalue()
    drawn["svg"] = text[text.index("<svg") :]


def _low(answer: Answer) -> float:
    return answer.delta if answer.low_95 is None else answer.low_95


def _high(answer: Answer) -> float:
    return answer.delta if answer.high_95 is None else answer.high_95


def _mean_off_diagonal(overlap: Values) -> float:
    size = len(overlap)
    return float((overlap.sum() - np.trace(overlap)) / (size * (size - 1))) if size > 1 else 1.0
