"""latentlab from Python, in a script or a notebook: experiments, their results, their lists as frames.

    from flows import api

    result = api.run("configs/quickstart.yaml", {"replicates": 5})
    print(result.sentence)
    api.lists(result, "recommendations", n=10)

Expected failures are raised as `tasks.core.errors.LatentlabError`. Data and runs are stored where the command line
stores them: below the current folder, or where `LATENTLAB_HOME` and `MLFLOW_TRACKING_URI` say.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import environment
from flows.expected_errors import as_our_errors
from tasks.core.config.base import LIST_LENGTH
from tasks.core.config.experiment import ExperimentConfig
from tasks.core.config.load import config_from, load_config, with_overrides
from tasks.core.data.catalogue import check_known
from tasks.core.errors import ConfigError
from tasks.reporting.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from tasks.tracking.local_reader.types import StoreReader
    from tasks.tracking.reading.fits import OpenedFits

environment.set_defaults()  # Prefect reads them when it is imported
environment.silence_libraries()


def load(
    config: str | Path | Mapping[str, Any] | ExperimentConfig, overrides: Mapping[str, Any] | None = None
) -> ExperimentConfig:
    """Return a checked config.

    Parameters
    ----------
    config : str, Path, mapping or ExperimentConfig
        Path of a YAML file, or its content.
    overrides : mapping of str to Any, optional
        Keys with dots to replace, such as `{"models.k500.iterations": 200}`. A section as a value replaces the whole
        section.

    Returns
    -------
    ExperimentConfig

    Raises
    ------
    ConfigError
        If the config has faults; the message lists them.
    """
    if isinstance(config, str | Path):
        config = load_config(config)
    elif not isinstance(config, ExperimentConfig):
        config = config_from(deepcopy(dict(config)), "config")
    config = with_overrides(config, overrides or {})
    check_known(config.dataset)
    return config


def run(
    config: str | Path | Mapping[str, Any] | ExperimentConfig,
    overrides: Mapping[str, Any] | None = None,
    *,
    fresh: bool = False,
) -> Result:
    """Run an experiment: download, preprocess, train, evaluate, compare. What is complete is not trained again.

    It also works in a notebook, whose event loop is running, and in a thread. A terminal or a notebook shows its
    progress.

    Parameters
    ----------
    config, overrides
        See `load`.
    fresh : bool
        Train everything again.

    Returns
    -------
    Result
        As `latentlab show --json` prints it, see docs/cli.md. `result.sentence` is the answer.

    Raises
    ------
    LatentlabError
        If it fails in an expected way.
    """
    settings = load(config, overrides)
    with as_our_errors():
        from flows.experiment import experiment

        with _flow_environment():
            return experiment(settings, fresh=fresh).result


def compare(a: str | Result, b: str | Result) -> Result:
    """Compare models that exist; nothing is trained.

    Parameters
    ----------
    a, b : str or Result
        A result, or what the command line names by A and B: EXPERIMENT/MODEL, EXPERIMENT, `latest`, or a run id.

    Returns
    -------
    Result

    Raises
    ------
    LatentlabError
        If there is no such model, or the two are on different data.
    """
    with as_our_errors():
        from flows.compare import compare as compare_flow
        from tasks.tracking.store import resolve_uri

        with _flow_environment():
            return compare_flow(_name(a), _name(b), resolve_uri())


def lists(run: str | Result, of: str = "users", *, by: str | None = None, n: int = LIST_LENGTH) -> "pd.DataFrame":
    """Return the lists of all fits of a comparison, or of one fit, in long form.

    Parameters
    ----------
    run : str or Result
        A result, or RUN of the command line: a run id, EXPERIMENT/MODEL/REPLICATE, EXPERIMENT or `latest`.
    of : str
        `users`: the nearest users of each user; `items`: the nearest items of each item; `recommendations`.
    by : str, optional
        Similarity of neighbours: `factors` or `scores`. By default the one that the comparison judged; for a single
        fit, `factors`.
    n : int
        Most entries of a list, up to 100.

    Returns
    -------
    DataFrame
        A row for each entry: `model`, `replicate`, `target`; `index` and `id` of the user or item whose list it is;
        `rank` (from 1); `listed_index` and `listed_id` of the entry, its `title` where items have titles; `score`.

    Raises
    ------
    LatentlabError
        If there is no such run, or it does not have these lists.
    """
    from tasks.core.comparison.agreement import TARGETS
    from tasks.core.ranking.similarity import SIMILARITIES

    for name, value, known in (("of", of, TARGETS), ("by", by or SIMILARITIES[0], SIMILARITIES)):
        if value not in known:
            raise ConfigError(f"{name}: found {value!r}; expected {' or '.join(map(repr, known))}")
    with as_our_errors():
        import pandas as pd

        from tasks.tracking.reading.frames import lists_frame

        fits = _open_fits(_open_for_reading(), run, n=n)
        frames = [lists_frame(fits, fit, of, by=by or fits.similarity, n=n) for fit in fits.files]
        return pd.concat(frames, ignore_index=True)


def accuracy(run: str | Result) -> "pd.DataFrame":
    """Return the held-out accuracy of a comparison's models, user by user.

    Parameters
    ----------
    run : str or Result
        A result, or RUN of the command line, which names a comparison.

    Returns
    -------
    DataFrame
        `model`, `replicate`, `split` (from 0), `index` and `id` of the user, and a column for each metric, such as
        `ndcg_at_10` (docs/evaluation.md has their formulas). No rows if the comparison measured no accuracy.

    Raises
    ------
    LatentlabError
        If there is no such run, or it is not a comparison.
    """
    with as_our_errors():
        from tasks.tracking.reading.frames import accuracy_frame
        from tasks.tracking.reading.named_run import find_run

        client = _open_for_reading()
        return accuracy_frame(client, find_run(client, _name(run)), _open_fits(client, run, n=1).names)


def _name(run: str | Result) -> str:
    return run.parent_id if isinstance(run, Result) else run


def _open_for_reading() -> "StoreReader":
    from tasks.tracking.local_reader.reader import open_reader
    from tasks.tracking.store import open_store, resolve_uri

    uri = resolve_uri()
    return open_reader(uri) or open_store(uri)


def _open_fits(client: "StoreReader", run: str | Result, *, n: int) -> "OpenedFits":
    from tasks.tracking.reading.fits import open_fits
    from tasks.tracking.reading.named_run import find_run

    return open_fits(client, find_run(client, _name(run)), n=n, consensus=False)


@contextmanager
def _flow_environment() -> Iterator[None]:
    """Start Prefect's embedded server unless there is another one, and show the progress of the block."""
    from flows.embedded_server import start_embedded_server
    from flows.text_progress import text_progress

    start_embedded_server()
    with text_progress():
        yield
