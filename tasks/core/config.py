"""An experiment's YAML as strict, frozen models.

`load_config` reads a file, applies overrides and reports everything that is wrong with it at once,
each with its line. The same models are the parameters of the Prefect flows.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from tasks.core.balance import EVERY
from tasks.core.errors import ConfigError
from tasks.core.source import KeyPath, Problem, Source, parse, scalar
from tasks.core.sweep import MOST_MODELS, expand

MAX_FACTORS = 10_000
_TOLD = 20  # faults at once
LIST_LENGTH = 100
"""Neighbours and recommendations kept a user or item: what depths and query lengths cannot exceed."""

REFERENCES = ("popularity", "item-knn", "ease", "random")
"""The reference recommenders, whose metrics stand beside the models' under these names."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
Index = Annotated[int, Field(ge=0, le=2**31 - 1)]
Depth = Annotated[int, Field(ge=1, le=LIST_LENGTH)]
Cutoff = Annotated[int, Field(ge=1, le=1000)]
Layout = Literal["pairs", "lists"]
Separator = Annotated[str, StringConstraints(min_length=1, max_length=8)]
Column = Annotated[int, Field(ge=0)] | Annotated[str, StringConstraints(min_length=1)]


# Tuples that accept the lists of YAML and JSON, while their items stay strict.
Indexes = Annotated[tuple[Index, ...], Field(strict=False)]
Depths = Annotated[tuple[Depth, ...], Field(strict=False, min_length=1)]
Cutoffs = Annotated[tuple[Cutoff, ...], Field(strict=False, min_length=1)]
Iterations = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Columns(_Section):
    """Which column of a ratings file holds what: by position from 0, or by name where there is a header."""

    user: Column = "user"
    item: Column = "item"
    rating: Column | None = "rating"
    """null: the file has no ratings, and every interaction counts as 1."""
    timestamp: Column | None = None


class DatasetConfig(_Section):
    """Which ratings are used: a name from the catalogue, or `file` for one's own."""

    name: str = "synthetic-100k"
    """A data set of the catalogue (`latentlab data list`), or `file`."""
    path: str | None = None
    """For `file`: a CSV, TSV or Parquet file. Otherwise a directory or zip that one already has,
    used instead of a download and checked against the same digests."""
    layout: Layout | None = None
    """For `file`. pairs (default): a line an interaction. lists: a line a user, `user item item ...`."""
    separator: Separator | None = None
    """For `file`; by default a tab for .tsv, else a comma, and for `layout: lists` any white space."""
    header: bool | None = None
    """For `file` of pairs: whether its first line names the columns (default true)."""
    columns: Columns | None = None
    """For `file` of pairs; by default user, item, rating."""


class Transform(_Section):
    """A confidence made from the rating r, which is 1 where the file has no ratings."""

    transform: Literal["linear", "log"]
    """linear: 1 + alpha·r. log: 1 + alpha·log(1 + r/epsilon). Both from Hu, Koren, Volinsky 2008."""
    alpha: Annotated[float, Field(gt=0, le=1e12)]
    epsilon: Annotated[float, Field(gt=0)] | None = None
    """For log."""


def _kind(value: object) -> str:
    return "transform" if isinstance(value, dict | Transform) else "name"


Confidence = Annotated[
    Annotated[Literal["rating", "binary"], Tag("name")] | Annotated[Transform, Tag("transform")], Discriminator(_kind)
]


class PreprocessConfig(_Section):
    """From ratings to the matrix of interactions."""

    min_rating: float | None = 4.0
    """Keep ratings of at least this; null keeps all."""
    duplicates: Literal["error", "last"] = "error"
    """Where a user rated an item twice: refuse the file, or keep the last (by timestamp where there
    is one, else by line)."""
    confidence: Confidence = "rating"
    """The value in the matrix: the rating, 1, or a transform of the rating. ALS weighs the interaction by the model's
    own alpha times it."""
    k_core: Annotated[int, Field(ge=1)] | None = None
    """Drop users and items with fewer interactions, again and again until every one left has as many."""


class SteadyStop(_Section):
    """End a fit early, once it is steady: a rule for stopping, and no proof that it has converged.

    Every so many iterations the objective and the neighbour lists of a hundred users and a hundred items are compared
    with those of the check before.
    """

    when: Literal["steady"]
    every: Annotated[int, Field(ge=1)] = 50
    """Iterations between two checks."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Checks in a row that must be steady."""
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """A check is steady where the relative change of the objective is below this, and so is 1 - overlap@n of the users'
    lists and of the items'."""
    n: Depth = 5
    """Neighbours in the lists."""


class AlsConfig(_Section):
    """One implicit-feedback ALS model (Hu, Koren, Volinsky 2008)."""

    factors: Annotated[int, Field(ge=1, le=MAX_FACTORS)]
    """k, the dimension of the latent space."""
    iterations: Annotated[int, Field(ge=1, le=1_000_000)]
    """Sweeps over both sides."""
    regularization: Annotated[float, Field(ge=0)] = 0.01
    alpha: Annotated[float, Field(gt=0, le=1e12)] = 1.0
    """The factor on every stored confidence."""
    solver: Literal["cg", "cholesky"] = "cg"
    """cg: three conjugate-gradient steps a row, warm-started. cholesky: exact."""
    orientation: Literal["user_item", "item_user"] = "user_item"
    """Which side is solved first. item_user is what passing the transposed matrix to implicit does;
    users stay users in whatever is reported."""
    acceleration: Literal["none", "balanced"] = "none"
    """balanced: after every fifth sweep the factors are replaced by those of the same scores and the least penalty, so
    that the optimum is near after tens of sweeps instead of thousands; the lists follow, see docs/convergence.md."""
    stop: SteadyStop | None = None
    """null: all iterations are run. Else they are the most that are run."""

    def identity(self) -> dict[str, Any]:
        """What decides a fit's result. Settings that came later are named only where they are used, so that fits of
        before are still found."""
        settings = self.model_dump()
        unused = {"acceleration": "none", "stop": None}
        return {key: value for key, value in settings.items() if key not in unused or value != unused[key]}


Margin = Annotated[float, Field(gt=0, lt=1)]


class QueriesConfig(_Section):
    """Whose lists are shown and compared by themselves. Indexes are by first appearance."""

    users: Indexes = ()
    items: Indexes = ()
    recommend_for: Indexes = ()
    """Users whose recommendations are shown."""
    n: Depth = 5
    """Neighbours shown."""
    recommend_n: Depth = 10
    """Recommendations shown."""


class ComparisonConfig(_Section):
    """Against what, and at which list lengths, the models are compared."""

    baseline: Name | None = None
    """The model that the others are compared with; the first by default."""
    depths: Depths = (5, 10, 20, 50, 100)
    margin_query: Margin = 0.2
    """Excess disagreement that matters in one query's list, as a share of it: 0.2 is one of five."""
    margin: Margin = 0.1
    """The same in the lists of all users or items."""


Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class RandomSplit(_Section):
    """Every interaction is held out with the same probability."""

    strategy: Literal["random"] = "random"
    test_fraction: Fraction = 0.2


class RandomUserSplit(_Section):
    """Some of every user's interactions are held out, drawn at random; one at least is left to train on."""

    strategy: Literal["random_user"]
    test_fraction: Fraction | None = None
    """Of each user's interactions, rounded; 0.2 by default."""
    test_count: Count | None = None
    """As many of each user's interactions, instead of a fraction."""


class LeaveLastSplit(_Section):
    """Every user's last interactions are held out; one at least is left to train on. Needs timestamps."""

    strategy: Literal["leave_last"]
    test_count: Count = 1


class TimeSplit(_Section):
    """The latest interactions of all are held out, whoever's they are. Needs timestamps."""

    strategy: Literal["time"]
    test_fraction: Fraction = 0.2
    """Of all interactions; those of one moment stay together."""


class FilesSplit(_Section):
    """A published split: the data set is the train part, and a file of one's own the test part."""

    strategy: Literal["files"]
    test: str
    """The file of the test part."""
    layout: Layout | None = None
    """pairs (default): a line an interaction. lists: a line a user, `user item item ...`."""
    separator: Separator | None = None
    header: bool | None = None
    columns: Columns | None = None


SPLITS: dict[str, type[_Section]] = {
    "random": RandomSplit,
    "random_user": RandomUserSplit,
    "leave_last": LeaveLastSplit,
    "time": TimeSplit,
    "files": FilesSplit,
}


def _strategy(value: Any) -> str:
    return str(value.get("strategy", "random") if isinstance(value, dict) else getattr(value, "strategy", "random"))


SplitConfig = Annotated[
    Annotated[RandomSplit, Tag("random")]
    | Annotated[RandomUserSplit, Tag("random_user")]
    | Annotated[LeaveLastSplit, Tag("leave_last")]
    | Annotated[TimeSplit, Tag("time")]
    | Annotated[FilesSplit, Tag("files")],
    Discriminator(_strategy),
]


class EvaluationConfig(_Section):
    """Held-out accuracy, from fits of its own on the train part of one split."""

    split: SplitConfig = RandomSplit()
    part: Literal["test", "validation"] = "test"
    """What accuracy is measured on. validation: the train part is split once more in the same way, so that settings
    can be chosen without a look at the test part."""
    replicates: Annotated[int, Field(ge=1, le=1000)] = 5
    """Independent seeds a model."""
    cutoffs: Cutoffs = (10, 20)


class Tuned(_Section):
    """Which settings of the models were chosen by measuring, for the report to say."""

    settings: Annotated[
        tuple[Literal["factors", "iterations", "regularization", "alpha", "solver"], ...], Field(strict=False)
    ]
    by: str
    """The config of the sweep that chose them."""


def _number_or_name(value: object) -> str:
    return "name" if isinstance(value, str) else "number"


Workers = Annotated[
    Annotated[Literal["auto"], Tag("name")] | Annotated[int, Field(ge=1, le=1024), Tag("number")],
    Discriminator(_number_or_name),
]


class ExecutionConfig(_Section):
    """Where fits run and how many at a time. Changes no result."""

    runner: Literal["threads", "dask"] = "threads"
    """threads: in this process. dask: on a Dask cluster that exists already (needs the extra `dask`)."""
    workers: Workers = "auto"
    """Fits at a time with `threads`, which share the cores. auto: one a core, and fewer where there are fewer fits or
    too little memory. A Dask cluster has workers of its own."""
    address: str | None = None
    """For `dask`: the scheduler's address, such as tcp://scheduler:8786."""
    isolate: bool = True
    """Fit in a process of its own, so that a crash there is a failed fit and no more. A Dask cluster's workers are
    such processes anyway."""
    checkpoint_seconds: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """Time between two checkpoints of a fit, from which it goes on after a crash."""
    system_metrics: bool = True
    """Log the machine's CPU, memory, disk and network use while a fit runs (every 10 s)."""


class TrackingConfig(_Section):
    """Where MLflow keeps the runs."""

    uri: str | None = None
    """MLFLOW_TRACKING_URI goes before it; without either, mlflow.db in the current directory."""


class ExperimentConfig(_Section):
    """One experiment, whole: what `latentlab run` is given and what the flow takes as its parameter."""

    name: Name
    """The MLflow experiment. Configs of one name share their runs."""
    dataset: DatasetConfig = DatasetConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    models: Annotated[dict[Name, AlsConfig], Field(min_length=1)]
    """The models that are compared, by name, such as `{"k50": {"factors": 50, "iterations": 15}}`."""
    replicates: Annotated[int, Field(ge=1, le=1000)] = 6
    """Independent seeds a model: what tells the model's effect from the seed's."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 20250101
    """The root of every run's seed."""
    snapshots: Iterations = (1, 2, 5, 15, 50, 150, 500, 1500)
    """Iterations at which objective and imbalance are logged; the last iteration always is."""
    queries: QueriesConfig = QueriesConfig()
    comparison: ComparisonConfig = ComparisonConfig()
    evaluation: EvaluationConfig | None = EvaluationConfig()
    tuned: Tuned | None = None
    """null: no setting was tuned."""
    execution: ExecutionConfig = ExecutionConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="before")
    @classmethod
    def _sweeps_stand_for_their_models(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("models"), dict):
            models, problems = _expanded(value["models"])
            if problems:
                raise ValueError("; ".join(f"models.{name}: {told}" for name, told in problems))
            return {**value, "models": {name: settings for name, (settings, _, _) in models.items()}}
        return value

    @model_validator(mode="after")
    def _sections_agree(self) -> "ExperimentConfig":
        problems = [f"{'.'.join(map(str, path))}: {text}" for path, text in _disagreements(self.model_dump())]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def baseline(self) -> str:
        """The model that the others are compared with."""
        return self.comparison.baseline or next(iter(self.models))

    def digest(self) -> str:
        """sha256 of what the experiment is, without where it runs and where its data and its results are kept.

        Equal for configs that differ only in `execution` and `tracking`, or in the local copy of a catalogued data set.
        """
        settings = self.model_dump(mode="json", exclude={"execution", "tracking"})
        if self.dataset.name != "file":
            settings["dataset"].pop("path")
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def to_yaml(self) -> str:
        """The resolved config: every key, defaults included."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read a config file and check it whole.

    Parameters
    ----------
    path : path of a YAML file
    overrides : `a.b.c=value`, each replacing or adding one key, the value in YAML

    Raises
    ------
    ConfigError
        Naming every fault: file, line, key path, what was found, what is allowed.
    """
    source = _read(Path(path))
    if isinstance(source.value, dict):
        for override in overrides:
            _override(source, override)
    if not isinstance(source.value, dict) and not source.problems:
        found = "empty" if source.value is None else f"found {_shown(source.value)}"
        source.problems.append(Problem(source.name, (), f"{found}; expected keys such as name and models"))
    config = None
    problems = source.problems
    if isinstance(source.value, dict):
        _expand_sweeps(source)
        try:
            config = ExperimentConfig.model_validate(source.value)
        except ValidationError as error:
            problems += _explained(source, error.errors())
        problems += [Problem(source.place(path), path, text) for path, text in _disagreements(source.value)]
    if problems or config is None:
        told = list(dict.fromkeys(str(problem) for problem in problems))
        more = [f"and {len(told) - _TOLD:,} more"] if len(told) > _TOLD else []
        raise ConfigError("\n".join([*told[:_TOLD], *more]))
    return config


def config_schema() -> dict[str, Any]:
    """The JSON Schema of a config, for editors: `configs/schema.json` is this."""
    schema = ExperimentConfig.model_json_schema()
    settings = schema["$defs"]["AlsConfig"]["properties"]
    for name, known in settings.items():  # a list is a sweep
        told = {key: known.pop(key) for key in ("title", "description", "default") if key in known}
        settings[name] = {**told, "anyOf": [known, {"type": "array", "items": known, "minItems": 1}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _read(path: Path) -> Source:
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        shipped = sorted(str(other) for other in Path("configs").glob("*.yaml"))
        hint = f"; configs here: {', '.join(shipped)}" if shipped else ""
        raise ConfigError(f"{path}: there is no such file{hint}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse(text, str(path))


Members = dict[Any, tuple[Any, Any, dict[str, int]]]


def _expanded(models: dict[Any, Any]) -> tuple[Members, list[tuple[Any, str]]]:
    """Each model's settings, its name in the file and which entries of the lists it has; and what is wrong, by name."""
    found: Members = {}
    problems = []
    for name, settings in models.items():
        if not (isinstance(name, str) and isinstance(settings, dict)):
            found[name] = settings, name, {}
            continue
        members = list(islice(expand(name, settings), MOST_MODELS + 1))
        if len(members) > MOST_MODELS:
            problems.append((name, f"its lists stand for more than {MOST_MODELS} models; expected that many at most"))
        for member in members[:MOST_MODELS]:
            if member.name in found:
                problems.append((name, f"stands for the model {member.name} twice; expected values that differ"))
            found[member.name] = member.settings, name, member.entries
    return found, problems


def _expand_sweeps(source: Source) -> None:
    """Put models in the place of sweeps; each key of theirs stands where the sweep's does."""
    models = source.value.get("models")
    if not isinstance(models, dict):
        return
    members, problems = _expanded(models)
    source.problems += [Problem(source.place(("models", of)), ("models", of), told) for of, told in problems]
    source.value["models"] = {name: settings for name, (settings, _, _) in members.items()}
    for name, (settings, of, entries) in members.items():
        if name != of:
            source.places[("models", name)] = source.place(("models", of))
            for key in settings:
                at = (key, entries[key]) if key in entries else (key,)
                source.places[("models", name, key)] = source.place(("models", of, *at))


def _override(source: Source, text: str) -> None:
    key, equals, raw = text.partition("=")
    place = f"--set {text}"
    path: KeyPath = tuple(key.split("."))
    if not equals or not all(path):
        source.problems.append(Problem(place, (), "expected a.b.c=value"))
        return
    value: Any = scalar(raw)
    if raw[:1] in "[{\"'":
        parsed = parse(raw, place)
        source.problems += parsed.problems
        value = parsed.value
    node = source.value
    for depth, part in enumerate(path[:-1]):
        if node.get(part) is None:
            node[part] = {}
        node = node[part]
        if not isinstance(node, dict):
            found = f"holds {_shown(node)}, which has no keys"
            source.problems.append(Problem(place, path[: depth + 1], found))
            return
    node[path[-1]] = value
    # what stood below the key in the file is gone
    source.places = {at: where for at, where in source.places.items() if at[: len(path)] != path}
    source.places[path] = place


def _disagreements(value: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What no single key can show; tolerant of values that are wrong by themselves."""
    models = value.get("models")
    comparison = value.get("comparison")
    if isinstance(models, dict) and isinstance(comparison, dict):
        baseline = comparison.get("baseline")
        if isinstance(baseline, str) and baseline not in models:
            found = f"found {baseline!r}; the models are {', '.join(map(str, models))}"
            yield ("comparison", "baseline"), found + _nearest(baseline, models)
    for name in models if isinstance(models, dict) else ():
        if name in REFERENCES:
            yield ("models", name), "is the name of a reference recommender; choose another"
        every = _at(models, (name, "stop", "every"))
        if _at(models, (name, "acceleration")) == "balanced" and isinstance(every, int) and every % EVERY:
            told = f"found {every}; expected a multiple of {EVERY}, the sweeps after which factors are balanced"
            yield ("models", name, "stop", "every"), told
    for path in (("snapshots",), ("comparison", "depths"), ("evaluation", "cutoffs")):
        node = _at(value, path)
        numbers = node if isinstance(node, list | tuple) and all(isinstance(each, int) for each in node) else ()
        if any(b <= a for a, b in pairwise(numbers)):
            yield path, f"found {list(numbers)}; expected increasing numbers, each once"
    dataset = value.get("dataset")
    if isinstance(dataset, dict):
        name = dataset.get("name", DatasetConfig.model_fields["name"].default)
        if name == "file":
            if dataset.get("path") is None:
                yield ("dataset",), "`name: file` needs a `path`"
        else:
            for key in ("layout", "separator", "header", "columns"):
                if dataset.get(key) is not None:
                    yield ("dataset", key), f"is for `name: file` only, and the data set is {name!r}"
    confidence = _at(value, ("preprocess", "confidence"))
    if isinstance(confidence, dict):
        is_log, epsilon = confidence.get("transform") == "log", confidence.get("epsilon")
        if is_log and epsilon is None:
            yield ("preprocess", "confidence"), "`transform: log` needs an `epsilon`, such as 1"
        elif confidence.get("transform") == "linear" and epsilon is not None:
            yield ("preprocess", "confidence", "epsilon"), "is for `transform: log` only"
    yield from _split_disagreements(value.get("evaluation"))
    for path in (("dataset",), ("evaluation", "split")):
        node = _at(value, path)
        if isinstance(node, dict) and node.get("layout") == "lists":
            for key in ("header", "columns"):
                if node.get(key) is not None:
                    yield (*path, key), "is for `layout: pairs` only"
    tracking = value.get("tracking")
    uri = tracking.get("uri") if isinstance(tracking, dict) else None
    if isinstance(uri, str) and re.search(r"://[^/@]*:[^/]*@", uri):
        yield ("tracking", "uri"), "holds a password, and configs are shown and logged; set MLFLOW_TRACKING_URI instead"
    execution = value.get("execution")
    if isinstance(execution, dict):
        on_dask, address = execution.get("runner") == "dask", execution.get("address")
        if on_dask and address is None:
            yield ("execution",), "`runner: dask` needs the `address` of a scheduler, such as tcp://scheduler:8786"
        elif on_dask and execution.get("workers", "auto") not in (1, "auto"):
            yield ("execution", "workers"), "is for `runner: threads` only; a Dask cluster has workers of its own"
        elif not on_dask and address is not None:
            yield ("execution", "address"), "is for `runner: dask` only"


def _split_disagreements(evaluation: Any) -> Iterator[tuple[KeyPath, str]]:
    split = _at(evaluation, ("split",))
    if not isinstance(split, dict):
        return
    strategy = split.get("strategy")
    if strategy == "random_user" and split.get("test_fraction") is not None and split.get("test_count") is not None:
        yield ("evaluation", "split"), "has both test_fraction and test_count; expected one of them"
    if strategy == "files" and evaluation.get("part") == "validation":
        told = "with `strategy: files` there is no validation part: use `strategy: random` on the train file to tune"
        yield ("evaluation", "part"), told


def _at(value: Any, path: KeyPath) -> Any:
    """What stands under a path of keys; None where nothing does."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


_ALLOWED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "keys and values",
    "model_attributes_type": "keys and values",
    "model_type": "keys and values",
    "tuple_type": "a list",
}


def _explained(source: Source, details: list[ErrorDetails]) -> list[Problem]:
    """pydantic's errors as problems, one for each fault: unions and lists report some faults more than once."""
    faults = [(_path(detail), detail) for detail in details if detail["loc"]]
    paths = [path for path, _ in faults]
    problems = []
    for path, detail in faults:
        another_branch = detail["type"].endswith("_type") and any(
            other == path and not known["type"].endswith("_type") for other, known in faults
        )
        an_item_failed = detail["type"] == "too_short" and any(other[:-1] == path for other in paths)
        if not another_branch and not an_item_failed:
            problems.append(_explain(source, path, detail))
    return problems


def _path(detail: ErrorDetails) -> KeyPath:
    """The key path in the file: pydantic adds the member of a union that it tried, and what it says of keys."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    if path[:2] in _UNIONS:
        path = path[:2] + path[3:]
    for columns in (("dataset", "columns"), ("evaluation", "split", "columns")):
        if path[: len(columns)] == columns:
            return path[: len(columns) + 1]
    return path


_UNIONS = {("evaluation", "split"), ("preprocess", "confidence"), ("execution", "workers")}
"""Of which pydantic says, as one key more, which member it has tried."""


def _explain(source: Source, path: KeyPath, detail: ErrorDetails) -> Problem:
    """One error with its place and, for unknown names, the nearest known one."""
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    place = source.place(path)
    if detail["loc"][-1] == "[key]":
        message = f"the name {_shown(path[-1])} does not match {context.get('pattern')}: letters, digits, _ and -"
        return Problem(place, path, message)
    if kind == "missing":
        return Problem(place, path, "is missing")
    if kind == "extra_forbidden":
        known = _known_keys(detail["loc"][:-1])
        nearest = _nearest(str(path[-1]), known) or f"; known here: {', '.join(known)}"
        return Problem(place, path, f"unknown key{nearest}")
    if kind == "string_pattern_mismatch":
        allowed = f"text matching {context['pattern']}"
    elif kind == "too_short":
        allowed = f"at least {context['min_length']}"
    elif kind == "union_tag_invalid":
        found = context["tag"]
        path = (*path, "strategy")
        place, allowed = source.place(path), f"one of {', '.join(SPLITS)}"
        return Problem(place, path, f"found {_shown(found)}; expected {allowed}{_nearest(str(found), SPLITS)}")
    elif kind in _ALLOWED:
        allowed = _ALLOWED[kind]
    else:
        allowed = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    nearest = _nearest(str(found), _literals(str(context.get("expected", ""))))
    return Problem(place, path, f"found {_shown(found)}; expected {allowed}{nearest}")


def _known_keys(loc: Sequence[int | str]) -> list[str]:
    """The keys that the model at pydantic's `loc` has."""
    path = tuple(loc)
    if path[:2] == ("evaluation", "split") and len(path) > 2:
        model: Any = Columns if path[3:] else SPLITS[str(path[2])]
    elif path[:1] == ("models",):
        model = SteadyStop if path[2:] == ("stop",) else AlsConfig
    elif path[:2] == ("preprocess", "confidence"):
        model = Transform
    else:
        model = ExperimentConfig
        for part in path:
            annotation = model.model_fields[str(part)].annotation
            members = getattr(annotation, "__args__", (annotation,))
            model = next(m for m in members if isinstance(m, type) and issubclass(m, BaseModel))
    return list(model.model_fields)


def _literals(expected: str) -> list[str]:
    return [part.strip("' ") for part in expected.replace(" or ", ", ").split(",")]


def _nearest(found: str, known: Iterable[Any]) -> str:
    close = difflib.get_close_matches(found, [str(name) for name in known], n=1) if found else []
    return f"; did you mean {close[0]!r}?" if close else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
