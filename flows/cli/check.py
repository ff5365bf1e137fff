"""The command `check`: what a config consists of, what it takes here, and what it can show."""

import shlex
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from flows.cli.common import ConfigFile, Json, Sets, load, print_json
from flows.cli.streams import say
from tasks.core.formatting import level_text, p_value, summary_text

if TYPE_CHECKING:
    from tasks.core.config.experiment import ExperimentConfig
    from tasks.core.inference.sequential import Look
    from tasks.core.planning.references import ReferencePlan

_UNRESOLVED = "queries name users or items by their ids, which are looked up when `run` reads the data"

commands = typer.Typer()


@commands.command()
def check(config: ConfigFile, sets: Sets = None, as_json: Json = False) -> None:
    """Validate a config; print it resolved, the time, memory and disk that it will take here, and what it can show."""
    settings = load(config, sets)
    from tasks.core.planning.spark import check_installation, check_interactions, check_memory, spark_remark

    check_installation(settings)
    from flows.cli.printing.planned_precision import Planned, plan, show_plan
    from tasks.core.config.dataset import NO_DATA_SET
    from tasks.core.data.catalogue import catalogue_entry
    from tasks.core.data.locate import named_copy
    from tasks.core.data.prepared import prepared_before
    from tasks.core.planning.estimate import estimate
    from tasks.core.planning.looks import fits_until, planned_looks

    data_sha256, ratings, test_file, unresolved, external = None, None, None, False, None
    if settings.dataset.name == "file" or (settings.from_files and settings.dataset.name == NO_DATA_SET):
        from flows.cli.printing.progress_bars import progress_bars
        from tasks.core.planning.runs import planned_runs
        from tasks.download import fetch_dataset
        from tasks.external import interactions_beside_files, read_files
        from tasks.preprocess import check_queries, check_resample, preprocess, resolve_queries

        with progress_bars():  # refuses what a run refuses
            if settings.from_files:
                external = read_files.fn(settings, interactions_beside_files(settings, preprocess.fn, fetch_dataset))
                prepared = external.data
            else:
                prepared = preprocess.fn(settings, fetch_dataset(settings.dataset))
        settings = resolve_queries(settings, prepared)
        check_queries(settings, prepared)
        check_interactions(settings, prepared)
        check_resample(settings, prepared, planned_runs(settings, prepared.sha256))
        summary, ratings = prepared.summary, prepared.ratings
        test_file = prepared.splits[0].published if prepared.splits else None
        size, bound, data_sha256 = summary.size, "", prepared.sha256
    else:
        named_copy(settings.dataset)  # refused if it does not exist, as by a run
        entry = catalogue_entry(settings.dataset.name)
        size, bound = (entry.users, entry.items, entry.rows), "at most "
        unresolved = settings.queries.has_raw_ids
        sha256 = entry.ratings.sha256
        if sha256 and (known := prepared_before(settings.dataset, settings.preprocess, sha256)):
            summary, ratings, data_sha256 = known.summary, known.ratings, known.sha256
            size, bound = summary.size, ""
    check_memory(settings, size)
    # which users and items they are changes no estimate
    estimated = settings.with_queries(settings.queries.with_first_indexes()) if unresolved else settings
    work = estimate(estimated, *size)
    looks = planned_looks(settings)
    planned = Planned(problem=_UNRESOLVED) if unresolved else plan(settings, data_sha256)
    if as_json:
        print_json(
            {
                "config": settings.model_dump(mode="json"),
                "config_sha256": settings.digest(),
                "data": dict(zip(("users", "items", "interactions"), size, strict=True)),
                "ratings": ratings and asdict(ratings),
                "test_file": test_file and asdict(test_file),
                "files": [asdict(run) for run in external.runs] if external else [],
                "remarks": [*(external.remarks if external else []), *filter(None, [spark_remark(settings)])],
                **asdict(work),
                "looks": [
                    {**asdict(look), "replicates": look.replicates, "fits": fits_until(look, settings)}
                    for look in looks
                ],
                **planned.record(),
            }
        )
        return
    at_a_time = "one fit at a time" if work.workers == 1 else f"{work.workers} fits at a time"
    say(settings.to_yaml())
    say(f"config sha256   {settings.digest()}")
    if external is None:
        say(f"data            {bound}{size[0]:,} users, {size[1]:,} items, {size[2]:,} interactions")
    else:
        say(f"compared        {summary_text(prepared.summary)}")
        for run in external.runs:
            say(f"file            {run.label}: {run.content} in {run.files}")
        for remark in external.remarks:
            say(f"                {remark}")
    if ratings:
        say(f"ratings         {ratings.text(settings.preprocess)}")
    elif external is None:
        kept = [word for text in sets or [] for word in ("--set", text)]
        command = shlex.join(["latentlab", "data", "describe", str(config), *kept])
        say(f"ratings         not prepared here yet; what is dropped is printed by: {command}")
    if test_file:
        say(f"test file       {test_file.text(settings.preprocess)}")
    smallest = _smallest_p(settings, external.fewest if external else settings.most_replicates)
    if not settings.trained:
        say(f"smallest p      {smallest}")
        return
    say(f"confidence      {_confidence(settings)}")
    most = "at most " if looks else ""  # with planned looks, training may stop before the last
    bound = bound or most
    on_splits = _on_splits(settings)
    work_text = f"{most}{work.fits} fits{on_splits}, {work.iterations:,} iterations, {bound}{work.gflop:,.0f} GFLOP"
    say(f"work            {work_text}")
    if remark := spark_remark(settings):
        say(f"Spark           {remark}")
    say(f"smallest p      {smallest}")
    for look in looks:
        say(f"{look.title:15} {_look_text(look, fits_until(look, settings))}")
    parts = f"start about {_duration(work.start_seconds)}, comparison about {_duration(work.comparison_seconds)}"
    say(f"time            {bound}about {_duration(work.seconds)} on this machine, {at_a_time}; {parts}")
    say(f"memory          {bound}about {work.memory_bytes / 2**20:,.0f} MiB beside the libraries")
    say(f"disk            {bound}about {work.disk_bytes / 2**20:,.0f} MiB written")
    if settings.evaluation:
        for line in reference_lines(work.references):
            say(f"references      {line}")
    if external is None:
        show_plan(planned, settings, config, sets)


def _on_splits(config: "ExperimentConfig") -> str:
    """Return how many of the fits are for the evaluation on several splits; nothing if there is one split."""
    evaluation = config.evaluation
    if evaluation is None or evaluation.n_splits == 1:
        return ""
    models, seeds, splits = len(config.trained), evaluation.replicates, evaluation.n_splits
    return f" ({models * seeds * splits} of them held-out: {models} models x {seeds} seeds x {splits} splits)"


def reference_lines(plan: "ReferencePlan") -> Iterator[str]:
    """Yield what is known of each reference recommender before it is computed.

    Parameters
    ----------
    plan : ReferencePlan
        Which of them are computed.

    Yields
    ------
    str
        Name, memory, whether settings are chosen, or why it will not be run.
    """
    from tasks.core.config.evaluation import EASE
    from tasks.core.models.reference_recommenders import RECOMMENDERS, USUAL

    for name in RECOMMENDERS:
        if name in plan.left_out:
            yield f"{name} will not be run: {plan.left_out[name]}"
        elif name in USUAL:
            memory = f"about {plan.ease_bytes / 2**20:,.0f} MiB, " if name == EASE else ""
            reason = plan.not_chosen.get(name)
            yield f"{name}: {memory}" + (
                f"the usual settings: {reason}" if reason else "settings are chosen on a validation part"
            )
        else:
            yield name


def _duration(seconds: float) -> str:
    hours, minutes = seconds / 3600, seconds / 60
    if hours >= 2:
        return f"{hours:.1f} hours"
    return f"{minutes:.0f} minutes" if minutes >= 2 else f"{seconds:.0f} seconds"


def _confidence(config: "ExperimentConfig") -> str:
    """Return what reaches ALS for a rating r, as a formula."""
    kind = config.preprocess.confidence
    if kind == "binary":
        stored = "1"
    elif kind == "rating":
        stored = "r"
    elif kind.transform == "linear":
        stored = f"1 + {kind.alpha:g}·r"
    else:
        stored = f"1 + {kind.alpha:g}·log(1 + r/{kind.epsilon:g})"
    alphas = {name: f"{settings.alpha:g}" for name, settings in config.trained.items()}
    if len(set(alphas.values())) == 1:
        alpha = next(iter(alphas.values()))
    else:
        alpha = ", ".join(f"{name} {alpha}" for name, alpha in alphas.items())
    return f"alpha·({stored}) reaches ALS; r is the rating, 1 if there is none; alpha of the models: {alpha}"


def _look_text(look: "Look", fits: int) -> str:
    """Return what a planned look costs and whether it can find a difference."""
    text = f"{look.replicates} seeds per model, {fits} fits: "
    level, smallest = f"level {level_text(look.levels.difference)}", f"smallest p {p_value(look.smallest_p)}"
    if look.skipped:
        return f"{text}skipped ({smallest}, {level})"
    cannot_decide = look.smallest_p > look.levels.difference
    return f"{text}{level}, {smallest}" + (": nothing can be significant" if cannot_decide else "")


def _smallest_p(config: "ExperimentConfig", replicates: int) -> str:
    from tasks.core.comparison.endpoints import family_size
    from tasks.core.inference.multiplicity import LEVEL
    from tasks.core.inference.permutation import replicates_needed, smallest_p

    if replicates < 2 or len(config.models) < 2:
        return "none: a test needs two models with two replicates each"
    tests = family_size(config)
    smallest = smallest_p(replicates, replicates, endpoints=tests)
    text = f"{p_value(smallest)} after Holm over {tests} tests, with {replicates} replicates"
    needed = f": nothing can be significant; {replicates_needed(tests)} can reach the level"
    return text + (needed if smallest > LEVEL else "")
