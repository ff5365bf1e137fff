"""What people get wrong, through the real command line: exit code, one message, nothing half done."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from flows.cli import app, data_app
from tasks.core.data.synthetic import write_ratings

CONFIG = """\
name: bad-input
dataset: {name: file, path: ratings.csv}
preprocess: {min_rating: null}
models:
  k2: {factors: 2, iterations: 2}
replicates: 1
comparison: {depths: [1]}
evaluation: null
"""
RATINGS = "user,item,rating\n" + "".join(f"{user},{item},5\n" for user in range(4) for item in range(user, user + 4))
COMMANDS = [
    *([command.name or getattr(command.callback, "__name__", "")] for command in app.registered_commands),
    *(["data", str(command.name)] for command in data_app.registered_commands),
]


@dataclass
class Place:
    """A folder in which commands are run, and their environment."""

    folder: Path
    env: dict[str, str]

    def latentlab(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=200, check=False
        )

    def fault(self, code: int, *arguments: str) -> str:
        """The one message of a command that has to fail with `code`, and to leave no finished run."""
        done = self.latentlab(*arguments)
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        before, found, message = done.stderr.partition("latentlab: ")
        assert found, done.stderr
        assert before == "" or code == 3, before
        assert "latentlab: " not in message
        assert len(message.splitlines()) < 6
        return message

    def finished(self) -> int:
        """How many runs of the store are FINISHED."""
        if not (self.folder / "mlflow.db").exists():
            return 0
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as store:
            return int(store.execute("select count(*) from runs where status = 'FINISHED'").fetchone()[0])


def place(folder: Path, api: str) -> Place:
    """An experiment that works, and the environment of its commands."""
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "ratings.csv").write_text(RATINGS)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LATENTLAB", "MLFLOW"))}
    ours = {
        "LATENTLAB_HOME": str(folder / "home"),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": api,
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "200",
    }
    return Place(folder, inherited | ours)


@pytest.fixture(scope="module")
def closed() -> Iterator[str]:
    """An address that is taken and at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def here(tmp_path: Path, closed: str) -> Place:
    """Prefect's API is down: what is found without it exits with a code of its own."""
    return place(tmp_path, f"{closed}/api")


@pytest.fixture
def served(tmp_path: Path, api_url: str) -> Place:
    """Prefect's API is up."""
    return place(tmp_path, api_url)


# Configs and usage: exit code 2, before anything starts


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("replicates: 1", "replicate: 1", "config.yaml:6: replicate: unknown key; did you mean 'replicates'?"),
        ("factors: 2", "factor: 2", "models.k2.factor: unknown key; did you mean 'factors'?"),
        ("replicates: 1", "replicates: 1\nreplicates: 2", "config.yaml:7: replicates: the key stands twice"),
        ("factors: 2", "factors: two", "config.yaml:5: models.k2.factors: found 'two'; expected a whole number"),
        ("factors: 2", "factors: true", "models.k2.factors: found True; expected a whole number"),
        ("factors: 2", "factors: 2.5", "models.k2.factors: found 2.5; expected a whole number"),
        ("factors: 2", "factors: 0", "models.k2.factors: found 0; expected greater than or equal to 1"),
        ("factors: 2", "factors: 99999999999999999999", "expected less than or equal to 10000"),
        ("iterations: 2", "iterations: -1", "models.k2.iterations: found -1; expected"),
        ("factors: 2", "factors: 2, alpha: 0", "models.k2.alpha: found 0; expected greater than 0"),
        ("factors: 2", "factors: 2, alpha: .inf", "models.k2.alpha: found inf; expected"),
        ("factors: 2", "factors: 2, regularization: .nan", "regularization: found nan; expected a finite number"),
        ("factors: 2", "factors: 2, regularization: 1e999", "regularization: found inf; expected a finite number"),
        ("factors: 2", "factors: 2, regularization: -0.1", "regularization: found -0.1; expected"),
        ("factors: 2", "factors: 2, solver: choleski", "expected 'cg' or 'cholesky'; did you mean 'cholesky'?"),
        ("factors: 2, ", "", "config.yaml:5: models.k2.factors: is missing"),
        ("name: bad-input\n", "", "name: is missing"),
        ("bad-input", "../escape", "name: found '../escape'; expected text matching"),
        ("  k2:", "  k 2:", "the name 'k 2' does not match"),
        ("  k2: {factors: 2, iterations: 2}", "  {}", "models: found {}; expected"),
        ("min_rating: null", "min_rating: four", "preprocess.min_rating: found 'four'; expected a number"),
        ("replicates: 1", "replicates: 0", "replicates: found 0; expected"),
        ("replicates: 1", "seed: -1", "seed: found -1; expected"),
        ("replicates: 1", "snapshots: [0]", "snapshots.0: found 0; expected"),
        ("replicates: 1", "queries: {users: [-1]}", "queries.users.0: found -1; expected"),
        ("depths: [1]", "depths: [5, 1]", "comparison.depths: found [5, 1]; expected increasing numbers"),
        ("depths: [1]", "depths: [101]", "comparison.depths.0: found 101; expected"),
        ("depths: [1]", "baseline: k22", "comparison.baseline: found 'k22'; the models are k2; did you mean 'k2'?"),
        (", path: ratings.csv", "", "dataset: `name: file` needs a `path`"),
        ("name: file", "name: synthetic-10k", "found 'synthetic-10k'; known are"),
        ("name: file, path: ratings.csv", "name: synthetic-100k, header: true", "is for `name: file` only"),
        ("evaluation: null", "evaluation: {split: {test_fraction: 1}}", "test_fraction: found 1; expected less than 1"),
        ("name: bad-input", "name: [", "not YAML"),
        ("name: bad-input", "\tname: bad-input", "not YAML"),
        ("name: bad-input", "name: &a bad-input", "anchors and aliases are not allowed"),
        ("name: bad-input", "name: !!python/object:os.system x", "is not allowed; write a plain value"),
        ("evaluation: null", "---\nname: second", "a second document starts here"),
    ],
)
def test_a_fault_in_a_config_is_named(here: Place, old: str, new: str, message: str) -> None:
    assert old in CONFIG
    (here.folder / "config.yaml").write_text(CONFIG.replace(old, new, 1))
    assert message in here.fault(2, "run", "config.yaml")


def test_every_fault_of_a_config_is_told_at_once(here: Place) -> None:
    (here.folder / "config.yaml").write_text(
        CONFIG.replace("factors: 2", "factors: 0").replace("replicates: 1", "replicate: 1")
    )
    told = here.fault(2, "check", "config.yaml").splitlines()
    assert sorted(line.split(": ")[0] for line in told) == ["config.yaml:5", "config.yaml:6"]


def write_nothing(path: Path) -> None:
    path.write_text("")


def write_a_list(path: Path) -> None:
    path.write_text("- name\n- models\n")


def write_latin_1(path: Path) -> None:
    path.write_bytes("name: é".encode("latin-1"))


def write_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (Path.unlink, "config.yaml: there is no such file"),
        (write_nothing, "empty; expected keys such as name and models"),
        (write_a_list, "expected keys such as name and models"),
        (write_latin_1, "config.yaml: not UTF-8 text (byte 6)"),
        (write_a_folder, "config.yaml: cannot be read: Is a directory"),
    ],
)
def test_a_config_that_is_none_is_told(here: Place, write: Callable[[Path], None], message: str) -> None:
    write(here.folder / "config.yaml")
    assert message in here.fault(2, "run", "config.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("replicates", "--set replicates: expected a.b.c=value"),
        ("=1", "--set =1: expected a.b.c=value"),
        ("models.k2.factor=3", "--set models.k2.factor=3: models.k2.factor: unknown key; did you mean 'factors'?"),
        ("models.k2.factors=many", "--set models.k2.factors=many: models.k2.factors: found 'many'"),
        ("name.first=1", "name: holds 'bad-input', which has no keys"),
        ("comparison.depths=[1", "not YAML"),
        ("dataset.name=movielens-10k", "found 'movielens-10k'; known are"),
    ],
)
def test_a_fault_in_an_override_is_named(here: Place, override: str, message: str) -> None:
    assert message in here.fault(2, "run", "config.yaml", "--set", override)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runn"], "No such command 'runn'"),
        (["run", "--freshh"], "No such option"),
        (["check"], "Missing argument"),
        (["run", "config.yaml", "more"], "unexpected extra argument"),
        (["similar", "latest"], "give either --user or --item"),
        (["similar", "latest", "--user", "1", "--item", "1"], "give either --user or --item"),
        (["similar", "latest", "--user", "1", "-n", "five"], "valid integer"),
        (["recommend", "latest"], "Missing option '--user'"),
        (["data", "fetch"], "Missing argument"),
    ],
)
def test_a_fault_in_the_usage_is_told_with_the_way_to_help(here: Place, arguments: list[str], message: str) -> None:
    done = here.latentlab(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "--help" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [[], ["data"], *COMMANDS], ids=lambda command: " ".join(command) or "latentlab")
def test_every_command_has_help(here: Place, command: list[str]) -> None:
    done = here.latentlab(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert " ".join(["Usage: latentlab", *command]) in done.stdout


# Data: exit code 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "ratings.csv: empty; expected a line for each rating"),
        ("user,item,rating\n", "ratings.csv: a header and no ratings"),
        ("user,movie,rating\n1,1,5\n", "has no column 'item' for item; its columns are user, movie, rating"),
        ("user,item,rating\n1,1,5\n1,2,good\n", "ratings.csv:3: the rating is 'good'; expected a finite number"),
        ("user,item,rating\n1,1,5\n\n1,2,NaN\n", "ratings.csv:4: the rating is 'NaN'; expected a finite number"),
        ("user,item,rating\n1,1,inf\n", "ratings.csv:2: the rating is 'inf'; expected a finite number"),
        ("user,item,rating\n1,1,1e999\n", "ratings.csv:2: the rating is '1e999'; expected a finite number"),
        ("user,item,rating\n1,1,\n", "ratings.csv:2: the rating is ''; expected a finite number"),
        ("user,item,rating\n1,1,5\n,2,5\n", "ratings.csv:3: the user id is empty"),
        ("user,item,rating\n1,1,5\n1,2\n", "ratings.csv:3: 2 columns; rating is column 2 (from 0)"),
        ("user,item,rating\n1,1,5\n1,1,4\n", "user 1 rates item 1 twice (ratings 1 and 2 of the file)"),
        ("user,item,rating\n1,1,0\n", "a rating of 0 cannot be a confidence"),
    ],
)
def test_a_fault_in_the_ratings_is_named_with_its_line(here: Place, content: str, message: str) -> None:
    (here.folder / "ratings.csv").write_text(content)
    assert message in here.fault(3, "data", "describe", "config.yaml")


def test_nothing_left_after_filtering_is_told_with_what_there_was(here: Place) -> None:
    message = here.fault(3, "data", "describe", "config.yaml", "--set", "preprocess.min_rating=6")
    assert message.startswith("no rating is at least min_rating 6: ratings go from 5 to 5; lower preprocess.min_rating")


def publish(folder: Path) -> Path:
    """The embedded data set's ratings, as they should be."""
    write_ratings(folder / "synthetic-100k.tsv", 20250101)
    return folder / "synthetic-100k.tsv"


def cut_off(folder: Path) -> str:
    path = publish(folder)
    path.write_bytes(path.read_bytes()[:-1])
    return path.name


def altered(folder: Path) -> str:
    path = publish(folder)
    path.write_bytes(path.read_bytes().replace(b"\t5\t", b"\t4\t", 1))
    return "."


def cut_zip(folder: Path) -> str:
    with zipfile.ZipFile(folder / "copy.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.write(publish(folder), "synthetic-100k.tsv")
    (folder / "copy.zip").write_bytes((folder / "copy.zip").read_bytes()[:-200])
    return "copy.zip"


def folder_without(folder: Path) -> str:
    (folder / "copy").mkdir()
    return "copy"


@pytest.mark.parametrize(
    ("copy", "message"),
    [
        (lambda _: "absent", "absent does not exist; remove the key to have the data set downloaded"),
        (cut_off, "(2,090,061 bytes) but 443f2ae85952… was published; it is truncated or altered"),
        (altered, "(2,090,062 bytes) but 443f2ae85952… was published; it is truncated or altered"),
        (cut_zip, "copy.zip: neither a directory nor a zip"),
        (folder_without, "copy: has no synthetic-100k.tsv; expected the unpacked archive's folder"),
    ],
)
def test_a_copy_that_is_not_what_was_published_is_refused(
    here: Place, copy: Callable[[Path], str], message: str
) -> None:
    path = copy(here.folder)
    told = here.fault(
        3, "data", "describe", "config.yaml", "--set", "dataset.name=synthetic-100k", "--set", f"dataset.path={path}"
    )
    assert message in told


@pytest.mark.parametrize("path", ["absent.csv", "."])
def test_a_path_that_is_no_file_of_ratings_is_named(here: Place, path: str) -> None:
    message = here.fault(3, "check", "config.yaml", "--set", f"dataset.path={path}")
    assert "is not a file; expected a CSV, TSV or Parquet file of ratings" in message


def test_a_parquet_file_that_is_none_is_named(here: Place) -> None:
    shutil.copy(here.folder / "ratings.csv", here.folder / "ratings.parquet")
    message = here.fault(3, "data", "describe", "config.yaml", "--set", "dataset.path=ratings.parquet")
    assert "ratings.parquet: not readable as Parquet" in message


def test_a_home_that_cannot_be_written_is_named(here: Place) -> None:
    (here.folder / "home").write_text("not a folder")
    message = here.fault(3, "data", "describe", "config.yaml")
    assert "cannot be written: Not a directory; free space, or set LATENTLAB_HOME elsewhere" in message


def catalogue_of(url: str) -> str:
    known = {
        "title": "Our own",
        "licence": "ours",
        "users": 1,
        "items": 1,
        "rows": 1,
        "archive": {"urls": [url], "bytes": 1, "sha256": "0" * 64},
        "ratings": {"member": "u.data", "separator": ",", "columns": {"user": 0, "item": 1, "rating": 2}},
    }
    return yaml.safe_dump({"our-own": known})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "LATENTLAB_CATALOGUE"),
        ("", "expected a mapping of names to data sets"),
        (catalogue_of("http://host/a.zip").replace("Our own", "5"), "our-own.title: Input should be a valid string"),
        (catalogue_of("http://host/a.zip").replace("'000", "'x00"), "our-own.archive.sha256"),
    ],
)
def test_a_fault_in_a_catalogue_is_named(here: Place, content: str | None, message: str) -> None:
    if content is not None:
        (here.folder / "catalogue.yaml").write_text(content)
    here.env["LATENTLAB_CATALOGUE"] = str(here.folder / "catalogue.yaml")
    assert message in here.fault(2, "data", "list")


@pytest.mark.parametrize("command", [["data", "fetch", "movielens"], ["data", "fetch", "synthetic-10k"]])
def test_a_data_set_that_is_not_known_is_told_with_those_that_are(here: Place, command: list[str]) -> None:
    assert f"found {command[-1]!r}; known are movielens-100k" in here.fault(2, *command)


# The store and RUN: exit code 5


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:///ratings.csv", "ratings.csv cannot be used: (sqlite3.DatabaseError) file is not a database"),
        pytest.param("nonsense://me:hunter2@host", "the MLflow store nonsense://host cannot be used"),
        ("mlruns", "the MLflow store mlruns cannot be used"),
        pytest.param(
            "postgresql://me:hunter2@127.0.0.1/db",
            "the MLflow store postgresql://127.0.0.1/db cannot be used",
        ),
        ("http://me:hunter2@{closed}", "the MLflow store http://{closed} cannot be used"),
        ("http://me:hunter2@nowhere.invalid:5000", "the MLflow store http://nowhere.invalid:5000 cannot be used"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_without_its_password(
    here: Place, closed: str, uri: str, message: str
) -> None:
    here.env["MLFLOW_TRACKING_URI"] = uri.format(closed=closed.removeprefix("http://"))
    told = here.fault(5, "runs")
    assert message.format(closed=closed.removeprefix("http://")) in told
    assert "hunter2" not in told


def test_a_tracking_server_that_is_down_is_told_before_anything_is_done(here: Place, closed: str) -> None:
    here.env["MLFLOW_TRACKING_URI"] = closed
    assert f"the MLflow store {closed} cannot be used" in here.fault(5, "run", "config.yaml")
    assert not (here.folder / ".latentlab").exists(), "not even the data are prepared"


def test_a_store_of_a_newer_mlflow_is_told(done: Place) -> None:
    newer = done.folder / "newer.db"
    shutil.copy(done.folder / "mlflow.db", newer)
    with closing(sqlite3.connect(newer)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'of_the_future'")
    changed = Place(done.folder, {**done.env, "MLFLOW_TRACKING_URI": f"sqlite:///{newer}"})
    told = changed.fault(5, "runs")
    assert "newer.db cannot be used" in told
    assert "made by another MLflow than" in told
    assert "found version of_the_future" in told


def test_an_experiment_that_was_deleted_is_told_with_the_way_back(done: Place) -> None:
    from mlflow import MlflowClient

    store = done.folder / "deleted.db"
    shutil.copy(done.folder / "mlflow.db", store)
    client = MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("bad-input")
    client.delete_experiment(experiment.experiment_id)
    changed = Place(done.folder, {**done.env, "MLFLOW_TRACKING_URI": f"sqlite:///{store}"})
    told = changed.fault(5, "run", "config.yaml")
    assert "'bad-input' was deleted" in told
    assert f"mlflow experiments restore --experiment-id {experiment.experiment_id}" in told


@pytest.mark.parametrize("name", ["", "mine/k2", "mine:1"])
def test_a_name_that_no_model_can_be_registered_by_is_refused(here: Place, name: str) -> None:
    assert f"--register: found {name!r}" in here.fault(2, "run", "config.yaml", "--register", name)
    assert here.finished() == 0


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, api_url: str) -> Place:
    """An experiment that was run, to be asked wrongly."""
    made = place(tmp_path_factory.mktemp("done"), api_url)
    assert made.latentlab("run", "config.yaml").returncode == 0
    return made


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "goodinput"], "there is no experiment 'goodinput'; experiments here: bad-input"),
        (["recommend", "bad-input/k2/9", "--user", "0"], "bad-input has no complete run 'k2/9'"),
    ],
)
def test_a_run_that_is_not_there_is_told_with_those_that_are(done: Place, arguments: list[str], message: str) -> None:
    assert message in done.fault(5, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["similar", "latest", "--user", "4"], "found user '4'; the users are 0 to 3 by first appearance"),
        (["similar", "latest", "--item", "-1"], "found item '-1'; the items are 0 to 6"),
        (["similar", "latest", "--user", "Ann", "--raw"], "found user id 'Ann', which is not among"),
        (["recommend", "latest", "--user", "0", "-n", "101"], "found -n 101; expected 1 to 100"),
        pytest.param(
            ["similar", "latest", "--user", "²"],
            "found user '²'",
        ),
    ],
)
def test_a_user_or_item_that_is_not_there_is_told_with_how_many_there_are(
    done: Place, arguments: list[str], message: str
) -> None:
    assert message in done.fault(2, *arguments)


# Found only within the flow


@pytest.mark.parametrize(
    ("code", "override", "message"),
    [
        (
            2,
            "queries={users: [4], items: [0, 7], recommend_for: [400]}",
            "queries.users: found 4; the data have users 0 to 3\n"
            "queries.items: found 7; the data have items 0 to 6\n"
            "queries.recommend_for: found 400; the data have users 0 to 3",
        ),
        (3, "dataset.path=absent.csv", "is not a file; expected a CSV, TSV or Parquet file of ratings"),
        (3, "preprocess.min_rating=6", "no rating is at least min_rating 6"),
        pytest.param(
            3,
            "evaluation={split: {test_fraction: 0.001}}",
            "one part is empty; change evaluation.split",
        ),
        (
            6,
            "execution={runner: dask, address: 'tcp://127.0.0.1:9'}",
            "the Dask cluster at tcp://127.0.0.1:9 cannot be",
        ),
        (4, "models.k2={factors: 2, iterations: 2, alpha: 1e12, regularization: 1e38}", "regularization"),
        (5, "tracking.uri=sqlite:///ratings.csv", "file is not a database"),
    ],
)
def test_what_is_found_while_running_leaves_no_finished_run(
    served: Place, code: int, override: str, message: str
) -> None:
    assert message in served.fault(code, "run", "config.yaml", "--set", override)
    assert served.finished() == 0


def test_a_download_that_cannot_be_reached_is_told_with_its_address(served: Place, closed: str) -> None:
    url = f"{closed}/own.zip"
    (served.folder / "catalogue.yaml").write_text(catalogue_of(url))
    served.env["LATENTLAB_CATALOGUE"] = str(served.folder / "catalogue.yaml")
    only_name = "dataset={name: our-own}"
    message = served.fault(3, "run", "config.yaml", "--set", only_name)
    assert f"  {url}: " in message
    assert "Connection refused" in message
    assert "Try again later, or set dataset.path to a copy that you have" in message
    assert served.finished() == 0


def test_an_api_of_prefect_that_is_down_is_told(here: Place, closed: str) -> None:
    message = here.fault(6, "run", "config.yaml")
    assert f"Failed to reach API at {closed}/api" in message
    assert "check PREFECT_API_URL, or unset it for the embedded server" in message
    assert here.finished() == 0
