"""Figures of lists and of their overlaps."""

from collections.abc import Sequence

import numpy as np

from tasks.core.comparison.agreement import Curve
from tasks.core.comparison.query_lists import QueryLists
from tasks.core.comparison.run_matrix import Matrix
from tasks.core.formatting import shown
from tasks.core.types import Values
from tasks.reporting.drawing import BETWEEN, CHANCE, A, B, Drawing, count_axis, figure, model_style

_MOST_CANDIDATES = 20
_NEAR = 0.01
"""Distance of two points of the map, of 1 for disjoint lists, below which one would hide the other."""
_MAPS = ((300, 220), (260, 260))
"""Width and height of the map on a wide page and on a phone, in points of 1/72 inch."""
_MARGIN = 0.15
"""Of the map, on each side of its points, as a part of what they span."""
_COUNT = (40, 12)
"""Width and height of a text such as 6 runs, in points of 1/72 inch."""
_RADIUS = 5
"""Of the largest marker, in points of 1/72 inch."""
_CLEAR = 3
"""Distance of a text from every marker and from the frame that is enough, in points of 1/72 inch."""
_DEPTHS = (1, 2, 5, 10, 20, 50, 100)
"""Depths that are marked on the axis and given in the text alternative."""


def draw_candidates(query: QueryLists, a: str, b: str) -> Drawing:
    """Draw the share of each model's seeds that list each candidate.

    Parameters
    ----------
    query : QueryLists
        The lists of one query. Of many candidates, those with the largest shares are drawn.
    a, b : str
        The two models.

    Returns
    -------
    Drawing
    """
    shares: dict[int, list[float]] = {}  # candidate -> share of a, share of b
    names: dict[int, str] = {}
    for position, model in enumerate((a, b)):
        for entry in query.models[model]:
            shares.setdefault(entry.index, [0.0, 0.0])[position] = entry.share
            name = shown(entry.title, 24) if entry.title else f"(id {shown(str(entry.raw_id), 24)})"
            names[entry.index] = f"{entry.index} {name}"
    # from the candidates that a alone lists to those that b alone lists
    order = sorted(shares, key=lambda index: (shares[index][1] - shares[index][0], index))
    if len(order) > _MOST_CANDIDATES:
        most_listed = set(sorted(shares, key=lambda index: -max(shares[index]))[:_MOST_CANDIDATES])
        order = [index for index in order if index in most_listed]
    who = "What is" if query.target != "users" else "Who is"
    title = (
        f"{who} on the list of {query.name.replace('_', ' ').removeprefix('recommend for ')}: the share of the seeds "
        f"of {a} and of {b} that list each candidate among the first {query.n}"
    )
    with figure(title, height=1.0 + 0.26 * len(order)) as (axes, drawing):
        ys = np.arange(len(order))[::-1]
        for y, index in zip(ys, order, strict=True):
            axes.plot(shares[index], [y, y], color=CHANCE, lw=1.5, zorder=1)
        axes.scatter([shares[index][0] for index in order], ys, color=A, s=90, label=a, zorder=2)
        axes.scatter([shares[index][1] for index in order], ys, color=B, s=34, marker="D", label=b, zorder=3)
        axes.set_yticks(ys, [names[index] for index in order], parse_math=False)  # a title may have dollar signs
        axes.set_xlim(-0.04, 1.04)
        axes.set_ylim(-0.7, len(order) - 0.3)  # no marker is cut
        axes.set_xlabel("share of seeds")
    values = "; ".join(f"{names[index]}: {shares[index][0]:.0%} and {shares[index][1]:.0%}" for index in order)
    return drawing(f"candidates-{query.name}", f"Share of seeds of {a} and {b}. {values}.")


def draw_runs(matrix: Matrix, owners: Sequence[str], models: Sequence[str]) -> Drawing:
    """Draw the overlap of every two runs as a heat map, and the runs as points whose distances stand for it.

    Parameters
    ----------
    matrix : Matrix
        Overlaps O of R runs. The distance of two runs is √(1 - O).
    owners : sequence of str
        (R,) model of each run; the runs of a model follow each other.
    models : sequence of str
        The models, in the order of the legend.

    Returns
    -------
    Drawing
    """
    overlap = np.array(matrix.overlap)  # (R, R)
    runs = {model: [run for run, owner in enumerate(owners) if owner == model] for model in models}
    title = f"Overlap of every two runs ({matrix.target} @{matrix.n}), and a map of the runs"
    coincident: list[str] = []
    with figure(title, height=4.4, columns=2) as ((left, right), drawing):
        image = left.imshow(overlap, vmin=0, vmax=1, cmap="cividis")
        left.figure.colorbar(image, ax=left, location="bottom", shrink=0.6, label="overlap")
        first_runs = [runs[model][0] for model in models]
        left.set_xticks(first_runs, [""] * len(models))  # names above would overlap, and each is beside its row
        left.set_yticks(first_runs, models)
        left.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False)
        points = _classical_scaling(1 - overlap)  # (R, 2)
        counts: list[tuple[str, tuple[float, float], str]] = []  # text, place, color
        for position, model in enumerate(models):
            color, marker = model_style(position)
            # markers of later models are smaller, so that those at the same point show
            size = max(90 - 24 * position, 26)
            places = _coincident(points[runs[model]])
            right.scatter(*np.array(list(places)).T, color=color, marker=marker, label=model, s=size)
            for place, count in places.items():
                if count > 1:
                    counts.append((f"{count} runs", place, color))
                    coincident.append(f"{count} runs of {model} coincide")
        offsets = _clear_offsets(np.array([place for _, place, _ in counts]).reshape(-1, 2), points)
        for (text, place, color), offset in zip(counts, offsets, strict=True):
            style = {"textcoords": "offset points", "ha": "center", "va": "center"}
            right.annotate(text, place, offset, color=color, **style)
        right.set_aspect("equal", "datalim")
        right.margins(_MARGIN)  # room for the counts
        right.set_xticks([])
        right.set_yticks([])
        right.set_xlabel("distant runs give different lists")
    values = "; ".join(
        f"{model}: {_mean_off_diagonal(overlap[np.ix_(own, own)]):.3f}" if len(own) > 1 else f"{model}: one run"
        for model, own in runs.items()
    )
    at_one_point = f" At one point of the map: {'; '.join(coincident)}." if coincident else ""
    return drawing(f"runs-{matrix.target}", f"Mean overlap of two runs of the same model. {values}.{at_one_point}")


def draw_depths(curves: Sequence[Curve], target: str, a: str, b: str) -> Drawing:
    """Draw overlap against the depth of the lists: within each model, between them, by chance.

    Parameters
    ----------
    curves : sequence of Curve
        Of all targets and pairs of models.
    target : str
        `users`, `items` or `recommendations`.
    a, b : str
        The two models.

    Returns
    -------
    Drawing
    """
    pairs = {(curve.a, curve.b): curve for curve in curves if curve.target == target}
    between = pairs.get((a, b)) or pairs[b, a]
    lines = [
        (f"within {a}", A, "-", pairs[a, a].overlap),
        (f"within {b}", B, "-.", pairs[b, b].overlap),
        (f"between {a} and {b}", BETWEEN, "-", between.overlap),
        ("chance", CHANCE, ":", between.chance),
    ]
    lines = [line for line in lines if line[-1]]  # a model with one run has no overlap within
    depths = [n for n in _DEPTHS if n <= len(between.chance)]
    with figure(f"Overlap of the lists of all {target} at every depth", height=3.4) as (axes, drawing):
        for label, color, style, overlap in lines:
            axes.plot(range(1, len(overlap) + 1), overlap, ls=style, color=color, lw=2, label=label)
        count_axis(axes, len(between.chance))
        axes.set_xticks(depths, [str(n) for n in depths])
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("depth n: number of entries compared")
        axes.set_ylabel("mean overlap@n")
    values = "; ".join(
        f"{label}: " + ", ".join(f"{overlap[n - 1]:.3f} at {n}" for n in depths if n <= len(overlap))
        for label, _, _, overlap in lines
    )
    return drawing(f"depths-{target}", f"Mean overlap. {values}.")


def _classical_scaling(squared_distances: Values) -> Values:
    """Return points (R, 2) whose distances approximate the given ones (R, R): classical scaling (Torgerson 1952)."""
    size = len(squared_distances)
    centering = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-centering @ squared_distances @ centering / 2)  # in ascending order
    points = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0))
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))  # a single run has one dimension


def _coincident(points: Values) -> dict[tuple[float, float], int]:
    """Return the places of points (R, 2) and how many points are at each, or too near to it to be told apart."""
    places: dict[tuple[float, float], int] = {}
    for x, y in points.tolist():
        near = next((place for place in places if np.hypot(place[0] - x, place[1] - y) < _NEAR), (x, y))
        places[near] = places.get(near, 0) + 1
    return places


def _clear_offsets(places: Values, points: Values) -> list[tuple[float, float]]:
    """Return where the text beside each place stands, so that it covers no marker and no text before it.

    Parameters
    ----------
    places : (P, 2)
        Where the texts belong.
    points : (R, 2)
        All markers of the map.

    Returns
    -------
    list of (float, float)
        (P,) offset of the middle of each text from its place, in points of 1/72 inch.
    """
    span = np.maximum(np.ptp(points, axis=0), _NEAR)
    texts = np.empty((0, 2))  # offsets
    for number, place in enumerate(places):
        inward = _COUNT[0] / 2 + 8 if place[0] < points[:, 0].mean() else -_COUNT[0] / 2 - 8
        # towards the middle of the map there is most room; the first of several clear candidates is taken
        sides = [(x, y) for x in (inward, -inward) for y in (8, -8, 0)]
        above = [(x, y) for y in (14, -14, 26, -26) for x in (0, inward / 2, -inward / 2)]
        candidates = np.array([*sides, *above])  # (C, 2)
        room = np.full(len(candidates), float(_CLEAR))
        for size in _MAPS:
            scale = float(np.min(size / (span * (1 + 2 * _MARGIN))))
            markers, others = (points - place) * scale, (places[:number] - place) * scale + texts
            middle = ((points.max(axis=0) + points.min(axis=0)) / 2 - place) * scale
            to_frame = np.array(size) / 2 - np.abs(candidates - middle) - np.array(_COUNT) / 2  # (C, 2)
            of_markers = np.abs(markers - candidates[:, None]) - np.array(_COUNT) / 2 - _RADIUS
            of_texts = np.abs(others - candidates[:, None]) - _COUNT
            gaps = np.maximum(np.concatenate([of_markers, of_texts], axis=1), 0)  # (C, markers and texts, 2)
            room = np.minimum(room, np.minimum(np.linalg.norm(gaps, axis=2).min(axis=1), to_frame.min(axis=1)))
        texts = np.vstack([texts, candidates[room.argmax()]])
    return [(x, y) for x, y in texts.tolist()]


def _mean_off_diagonal(overlap: Values) -> float:
    """Return the mean overlap of two different runs of (R, R), where R is at least 2."""
    size = len(overlap)
    return float((overlap.sum() - np.trace(overlap)) / (size * (size - 1)))
