"""Figures of Δ, the disagreement of two models beyond that of the runs of one model."""

from collections.abc import Sequence

from tasks.core.comparison.agreement import OtherSimilarity
from tasks.core.comparison.answers import Answer
from tasks.core.comparison.per_user import PerUser
from tasks.core.formatting import decimals, interval
from tasks.reporting.drawing import BETWEEN, CHANCE, A, B, Drawing, figure


def draw_intervals(answers: Sequence[Answer], beyond: str) -> Drawing:
    """Draw Δ of each endpoint of two models with its 95% interval, the simultaneous one, and its margin.

    Parameters
    ----------
    answers : sequence of Answer
        Of one pair of models.
    beyond : str
        What Δ is more than, such as `beyond seed variance`.

    Returns
    -------
    Drawing
    """
    a, b = answers[0].a, answers[0].b
    # without an interval, Δ itself stands for its limits
    limits = [
        (
            answer.delta if answer.low_95 is None else answer.low_95,
            answer.delta if answer.high_95 is None else answer.high_95,
        )
        for answer in answers
    ]
    lows = [low for low, _ in limits] + [low for answer in answers if (low := answer.simultaneous_low) is not None]
    highs = [high for _, high in limits] + [
        high for answer in answers if (high := answer.simultaneous_high) is not None
    ]
    rows = range(len(answers))[::-1]  # the first endpoint is at the top
    title = f"Disagreement Δ of {a} and {b} {beyond}"
    with figure(title, height=0.9 + 0.42 * len(answers)) as (axes, drawing):
        for y, answer, (low, high) in zip(rows, answers, limits, strict=True):
            labels = ("95% interval", "simultaneous interval", "margin") if answer is answers[0] else ("", "", "")
            if answer.low_95 is not None and answer.high_95 is not None:
                axes.plot([low, high], [y, y], color=BETWEEN, lw=2.5, solid_capstyle="butt", label=labels[0])
            if answer.simultaneous_low is not None and answer.simultaneous_high is not None:
                both = [answer.simultaneous_low, answer.simultaneous_high]
                axes.plot(both, [y, y], color=BETWEEN, lw=1, label=labels[1])
            axes.plot([answer.delta], [y], "o", color=BETWEEN, ms=6)
            axes.plot([answer.margin] * 2, [y - 0.3, y + 0.3], color=B, lw=1.5, label=labels[2])
        axes.axvline(0, color=CHANCE, lw=0.8)
        axes.set_yticks(rows, [f"{answer.target} @{answer.n}" for answer in answers])
        axes.set_xlim(min(-0.05, *lows), max(0.3, *highs) * 1.05)
        axes.set_xlabel("Δ (1: the whole list)")
    values = "; ".join(
        f"{answer.target}: {answer.delta:.3f} ({interval(*limit)})"
        for answer, limit in zip(answers, limits, strict=True)
    )
    return drawing("intervals", f"Δ with 95% interval. {values}.")


def draw_similarities(answers: Sequence[Answer], judged: str, described: Sequence[OtherSimilarity]) -> Drawing:
    """Draw the overlap within and between two models, of neighbours by either similarity.

    Parameters
    ----------
    answers : sequence of Answer
        Of one pair of models, with neighbours by the similarity that is judged.
    judged : str
        That similarity.
    described : sequence of OtherSimilarity
        Of the same pair.

    Returns
    -------
    Drawing
    """
    a, b = answers[0].a, answers[0].b
    of_answers = {answer.target: answer for answer in answers}
    rows: list[tuple[str, OtherSimilarity | Answer]] = []
    for other in described:
        by: dict[str, OtherSimilarity | Answer] = {judged: of_answers[other.target], other.by: other}
        rows += [(f"{other.target} @{other.n}, {similarity}", by[similarity]) for similarity in sorted(by)]
    title = f"Overlap of neighbours by factors and by predicted scores, within and between {a} and {b}"
    with figure(title, height=0.9 + 0.3 * len(rows)) as (axes, drawing):
        for y, (_, row) in zip(range(len(rows))[::-1], rows, strict=True):
            overlaps = [overlap for overlap in (row.within_a, row.within_b, row.between) if overlap is not None]
            axes.plot([min(overlaps), max(overlaps)], [y, y], color=CHANCE, lw=0.8, zorder=1)
            first = row is rows[0][1]
            points = ((row.within_a, A, "o", f"within {a}"), (row.within_b, B, "D", f"within {b}"))
            for overlap, color, marker, label in (*points, (row.between, BETWEEN, "s", "between")):
                if overlap is not None:
                    axes.plot([overlap], [y], marker, color=color, ms=6, label=label if first else "")
        axes.set_yticks(range(len(rows))[::-1], [label for label, _ in rows])
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.6, len(rows) - 0.4)  # no marker is cut
        axes.set_xlabel("mean overlap of two runs (1: equal lists)")
    values = "; ".join(
        f"{label}: {decimals(row.within_a)}, {decimals(row.within_b)}, between {row.between:.3f}" for label, row in rows
    )
    return drawing("similarities", f"Within {a}, within {b}, and between. {values}.")


def draw_users(per_user: PerUser, beyond: str) -> Drawing:
    """Draw a histogram of n·Δ over the users, with the query users marked.

    Parameters
    ----------
    per_user : PerUser
        The distribution.
    beyond : str
        As for `draw_intervals`.

    Returns
    -------
    Drawing
    """
    title = f"How many of {per_user.n} neighbours of each user are replaced {beyond}"
    with figure(title, height=2.8) as (axes, drawing):
        axes.stairs(per_user.counts, per_user.edges, fill=True, color=A, alpha=0.75)
        top = max(per_user.counts)
        for position, (name, n_delta) in enumerate(per_user.queries.items()):
            axes.axvline(n_delta, color=B, lw=1.8)
            text_style = {"color": B, "va": "top", "bbox": {"color": "white", "pad": 1}}
            axes.text(n_delta, top * (1.02 - 0.1 * position), f" {name}", **text_style)  # one below the other
        axes.axvline(0, color=CHANCE, lw=0.8)
        axes.set_xlabel(f"n·Δ between {per_user.a} and {per_user.b}")
        axes.set_ylabel("number of users")
    low, median, high = per_user.quartiles
    marked = "".join(f" {name}: {n_delta:.1f}." for name, n_delta in per_user.queries.items())
    alt = f"{per_user.users:,} users; median {median:.2f}, quartiles {low:.2f} and {high:.2f}.{marked}"
    return drawing("users", alt)
