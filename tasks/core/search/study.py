"""The study of one model: trials that Optuna proposes, one after another, kept in a database of their own.

What the next trial is depends on the finished trials and on the config's seed alone, so that a search that was killed
makes the same trials as one that was not. Optuna is an optional dependency and is imported within functions.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tasks.core.config.search.sections import IntegerRange, NumberRange, SearchSpace
from tasks.core.data.splits.split import Split
from tasks.core.errors import ConfigError, DataError, TrainingError
from tasks.core.files import writing
from tasks.core.models.seeds import run_seed
from tasks.core.search.fits import Measured, accuracy_along_iterations
from tasks.core.search.plan import ModelSearch

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_SIGNIFICANT_DIGITS = 4
_FIRST_SNAPSHOT = 1 / 3
"""Share of a trial's iterations before which nothing is measured: the metric there hardly tells how a fit ends."""
_SETTINGS, _OF_SEEDS, _SECONDS, _REASON = "settings", "of_seeds", "seconds", "reason"
"""Attributes of a trial in the study."""


@dataclass(frozen=True)
class Trial:
    """Settings that were tried.

    Attributes
    ----------
    number : int
        From 0, without trials that were interrupted.
    settings : dict of str to Any
        Setting that was searched -> value.
    state : str
        `complete`; `pruned` if it was ended early; `failed` if a fit failed, such as one that diverged.
    value : float or None
        Mean of the metric over the seeds after the last iteration; only of a complete trial.
    of_seeds : tuple of float
        The metric of each seed where it was last measured.
    along : dict of int to float
        Iteration -> mean of the metric over the seeds.
    seconds : float
        Duration of fits and measurements.
    reason : str
        Why it failed.
    """

    number: int
    settings: dict[str, Any]
    state: Literal["complete", "pruned", "failed"]
    value: float | None
    of_seeds: tuple[float, ...]
    along: dict[int, float]
    seconds: float
    reason: str = ""


def require_optuna() -> None:
    """Raise a ConfigError that says how to install Optuna if it is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise ConfigError(
            "search: needs packages that are not installed; install them with: pip install --editable '.[search]'"
        ) from None


@contextmanager
def open_study(search: ModelSearch) -> "Iterator[optuna.Study]":
    """Open the study of a search, made if there is none. Trials that a killed process left open are closed as failed.

    Parameters
    ----------
    search : ModelSearch
        The search. Only one process may have its study open.

    Yields
    ------
    optuna.Study

    Raises
    ------
    DataError
        If the database cannot be read or written.
    """
    import optuna
    from optuna.trial import TrialState
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # what goes wrong is reported by us
    path = search.study_file
    pruners: dict[str, type[optuna.pruners.BasePruner]] = {
        "median": optuna.pruners.MedianPruner,
        "halving": optuna.pruners.SuccessiveHalvingPruner,
    }
    with writing(path.parent):
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        except (SQLAlchemyError, RuntimeError) as error:
            raise _damaged(search, error) from error
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=search.model,
                direction="maximize",
                pruner=pruners[search.pruner](),
                load_if_exists=True,
            )
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                study.tell(trial.number, state=TrialState.FAIL)
            yield study
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise _damaged(search, error) from error
        finally:
            storage.remove_session()
            storage.engine.dispose()


def finished_trials(study: "optuna.Study") -> list[Trial]:
    """Return the trials of a study, in order, without those that were interrupted.

    Parameters
    ----------
    study : optuna.Study
        See `open_study`.

    Returns
    -------
    list of Trial
    """
    from optuna.trial import TrialState

    frozen = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return [_trial(number, trial) for number, trial in enumerate(frozen)]


def run_trial(
    study: "optuna.Study", search: ModelSearch, split: Split, check_stop: Callable[[], None] = lambda: None
) -> None:
    """Run the next trial of a study.

    Settings with which a fit fails count as a pruned trial for Optuna, which then proposes other ones.

    Parameters
    ----------
    study : optuna.Study
        See `open_study`.
    search : ModelSearch
        The search.
    split : Split
        The train part, and the validation part.
    check_stop : callable
        See `tasks.core.search.fits.accuracy_along_iterations`. If it raises an exception, the trial does not count.
    """
    import optuna
    from optuna.trial import TrialState

    n_finished = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))
    study.sampler = optuna.samplers.TPESampler(seed=run_seed(search.root_seed, search.model, n_finished, "sampler"))
    trial = study.ask()
    state = TrialState.COMPLETE
    measured = Measured(0, (), 0.0)
    try:
        proposed = propose(trial, search.space)
        trial.set_user_attr(_SETTINGS, json.dumps(proposed))
        settings = search.settings.model_copy(update=proposed)
        try:
            for measured in accuracy_along_iterations(
                split,
                settings,
                search.seeds,
                metric=search.metric,
                snapshots=[each for each in search.snapshots if each >= _FIRST_SNAPSHOT * settings.iterations],
                check_stop=check_stop,
            ):
                trial.report(float(np.mean(measured.of_seeds)), measured.iteration)
                if measured.iteration < settings.iterations and trial.should_prune():
                    state = TrialState.PRUNED
                    break
        except TrainingError as error:
            state = TrialState.PRUNED
            trial.set_user_attr(_REASON, str(error))
        trial.set_user_attr(_OF_SEEDS, json.dumps(measured.of_seeds))
        trial.set_user_attr(_SECONDS, measured.seconds)
        study.tell(trial, float(np.mean(measured.of_seeds)) if state == TrialState.COMPLETE else None, state)
    except BaseException:
        study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        raise


def propose(trial: "optuna.Trial", space: SearchSpace) -> dict[str, Any]:
    """Let Optuna choose a value for each setting of a space.

    Parameters
    ----------
    trial : optuna.Trial
        The trial.
    space : SearchSpace
        The space.

    Returns
    -------
    dict of str to Any
        Numbers of ranges are rounded to four significant digits, within the range.
    """
    settings: dict[str, Any] = {}
    for name, values in space.free.items():
        if isinstance(values, IntegerRange):
            settings[name] = trial.suggest_int(name, values.low, values.high, log=values.log)
        elif isinstance(values, NumberRange):
            number = trial.suggest_float(name, values.low, values.high, log=values.log)
            settings[name] = min(max(float(f"{number:.{_SIGNIFICANT_DIGITS}g}"), values.low), values.high)
        else:
            settings[name] = trial.suggest_categorical(name, values)
    return settings


def _trial(number: int, trial: "FrozenTrial") -> Trial:
    from optuna.trial import TrialState

    attributes = trial.user_attrs
    reason = attributes.get(_REASON, "")
    state: Literal["complete", "pruned", "failed"] = "complete"
    if trial.state == TrialState.PRUNED:
        state = "failed" if reason else "pruned"
    return Trial(
        number=number,
        settings=json.loads(attributes[_SETTINGS]),
        state=state,
        value=trial.value if state == "complete" else None,
        of_seeds=tuple(json.loads(attributes[_OF_SEEDS])),
        along=dict(sorted(trial.intermediate_values.items())),
        seconds=attributes[_SECONDS],
        reason=reason,
    )


def _damaged(search: ModelSearch, error: Exception) -> DataError:
    (first, *_) = str(error).splitlines() or [type(error).__name__]
    return DataError(
        f"{search.study_file}: the trials of {search.model} cannot be read or written: {first}; free space, or delete "
        "the file to search again"
    )
