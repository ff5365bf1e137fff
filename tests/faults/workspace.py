"""An experiment in a folder of its own, run by the real command against a real data server and a real MLflow store.

The tests of this folder disturb it from outside. They check up to four things of a fault:

- the command ends with the documented exit code, one short message, no traceback and no finished comparison
  (`fails`, `check_failure`);
- the same command then completes with the results of a run without a fault (`completes`, `check_results`);
- exactly one complete run of each identity remains that is not superseded (`digests`);
- files of runs that were complete before are unchanged (`complete_files`).
"""

import hashlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from tasks.core.files import TEMPORARY
from tasks.core.planning.runs import PARENT
from tasks.tracking.artifacts import RunFiles
from tasks.tracking.runs import is_complete, run_ref
from tasks.tracking.search import our_runs
from tasks.tracking.store import open_store
from tasks.tracking.verify import Problem, verify_runs
from tests.command_line import CommandLine, Done
from tests.serving import Answer, Server

CONFIG: dict[str, Any] = {
    "name": "faults",
    "dataset": {"name": "tiny"},
    "models": {"k2": {"factors": 2, "iterations": 3}, "k8": {"factors": 8, "iterations": 600}},
    "replicates": 2,
    "snapshots": [2],
    "queries": {"users": [3], "items": [4], "recommend_for": [0]},
    "comparison": {"depths": [3, 10]},
    "evaluation": {"replicates": 1, "cutoffs": [5]},
    "execution": {"checkpoint_seconds": 0.02, "system_metrics": False},
}
ARCHIVE, MEMBER = "tiny.zip", "tiny/ratings.tsv"
WORKING_DIRECTORIES = "home/work"
CHECKPOINTS = f"{WORKING_DIRECTORIES}/*/checkpoints/[0-9]*.npz"
RECORDS = f"{WORKING_DIRECTORIES}/*/fit.json"
"""Records of trained fits, whose factors are in the same working directory."""
_PARENT_FILES = ("verdict.json", "comparison.json", "accuracy.json")
"""Those of the parent's files whose content does not name runs or times; its query tables are such, too."""

_RUN = ("run", "config.yaml", "--json")

Digests = dict[str, dict[str, str]]
"""Identity of a run -> path of a file -> its sha256."""


def ratings() -> bytes:
    """Return ratings of two blocks of users that like two blocks of items."""
    rng = np.random.default_rng(7)
    pairs = [(u, i) for u in range(60) for i in range(40) if u % 2 == i % 2 and rng.random() < 0.5]
    return "".join(f"{user}\t{item}\t5\n" for user, item in pairs).encode()


def zipped(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return content.getvalue()


GOOD = zipped({MEMBER: ratings()})
"""The published archive."""


def catalogue(*urls: str, archive: bytes = GOOD, seconds: float = 60) -> str:
    """Return a catalogue with one data set, `tiny`."""
    data = ratings()
    lines = data.decode().splitlines()
    return yaml.safe_dump(
        {
            "tiny": {
                "title": "Tiny",
                "licence": "ours",
                "users": 60,
                "items": 40,
                "rows": len(lines),
                "archive": {
                    "urls": list(urls),
                    "bytes": len(archive),
                    "sha256": hashlib.sha256(archive).hexdigest(),
                    "seconds": seconds,
                },
                "ratings": {
                    "member": MEMBER,
                    "bytes": len(data),
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "separator": "\t",
                    "columns": {"user": 0, "item": 1, "rating": 2},
                },
            }
        }
    )


@dataclass
class Workspace:
    """A folder with a config, a catalogue, a home and an MLflow store, in which the command is run."""

    folder: Path
    server: Server
    env: dict[str, str]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def client(self) -> MlflowClient:
        return open_store(self.store)

    # Arranging

    def configure(self, **changes: Any) -> None:
        """Write the config, with some keys changed."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | changes, sort_keys=False))

    def serve(self, *answers: Answer, archive: bytes = GOOD, seconds: float = 60) -> None:
        """Serve the archive at an address that gives these answers in turn."""
        self.server.answers[f"/{ARCHIVE}"].clear()
        self.set_urls(self.server.at(f"/{ARCHIVE}", *answers), archive=archive, seconds=seconds)

    def set_urls(self, *urls: str, archive: bytes = GOOD, seconds: float = 60) -> None:
        """Write the catalogue, with these addresses of the archive."""
        (self.folder / "catalogue.yaml").write_text(catalogue(*urls, archive=archive, seconds=seconds))

    # Running

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `latentlab`, by default `run config.yaml --json`, as a process that can be disturbed."""
        command = [sys.executable, "-m", "flows", *(arguments or _RUN)]
        defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        process = subprocess.Popen(command, cwd=self.folder, env=self.env, **(defaults | options))
        self.processes.append(process)
        return process

    def run(self, *arguments: str) -> Done:
        """Run `latentlab` to its end, by default `run config.yaml --json`, within this process."""
        return CommandLine(self.folder, self.env).call(*(arguments or _RUN))

    def close(self) -> None:
        """Kill the commands that still run."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def appears(self, pattern: str) -> Callable[[], set[Path]]:
        """Return a condition: the files of a pattern that have been written since."""

        def files() -> set[Path]:
            return {path for path in self.folder.glob(pattern) if not path.name.startswith(TEMPORARY)}

        before = files()
        return lambda: files() - before

    def increases(self, query: str, *parameters: str) -> Callable[[], bool]:
        """Return a condition: a number in the store has grown since. The database itself is asked, which is fast."""

        def number() -> int:
            with self._database() as database:
                try:
                    return int(database.execute(query, parameters).fetchone()[0])
                except sqlite3.OperationalError:  # locked
                    return 0

        before = number()
        return lambda: number() > before

    def _database(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(f"file:{self.folder / 'mlflow.db'}?mode=ro", uri=True, timeout=0.1))

    # Checking

    def fails(self, code: int, *words: str, arguments: tuple[str, ...] = ()) -> str:
        """Run the command, check that it fails, and return its message."""
        return self.check_failure(self.run(*arguments), code, *words)

    def check_failure(self, done: Done, code: int, *words: str) -> str:
        """Check that a command failed with one short message that contains `words`, and return the message."""
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        _, prefix, message = done.stderr.rpartition("latentlab: ")
        assert prefix, done.stderr
        assert len(message.splitlines()) < 8, message
        flat = one_line(message)
        for word in words:
            assert word in flat, message
        assert not [run for run in self.complete_runs() if run_ref(run).role == PARENT]
        return message

    def completes(self, expected: Digests, unfinished: Collection[Path] = ()) -> dict[str, Any]:
        """Run the command, check that it completes with the expected results, and return what it printed."""
        done = self.run()
        assert done.returncode == 0, done.stderr
        self.check_results(expected, unfinished)
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def check_results(self, expected: Digests, unfinished: Collection[Path] = ()) -> None:
        """Check the results against those of a run without a fault, and that no run is open.

        No local file of a fit is left but the working directories of `unfinished` fits of other configs.
        """
        found = self.digests()
        assert found.keys() == expected.keys()
        different = [
            (identity, path)
            for identity, files in expected.items()
            for path in found[identity].keys() | files.keys()
            if found[identity].get(path) != files.get(path)
        ]
        assert different == []
        runs = our_runs(self.client)
        assert {run.info.status for run in runs} <= {"FINISHED", "FAILED", "KILLED"}
        assert _problems(self.client, runs) == []
        leftover = {path for part in ("work", "locks") for path in (self.home / part).glob("*")}
        assert leftover == set(unfinished), leftover

    def complete_runs(self) -> list[Run]:
        """Return the runs that readers take."""
        if not (self.folder / "mlflow.db").exists():
            return []
        return [run for run in our_runs(self.client) if is_complete(run)]

    def digests(self) -> Digests:
        """Return the digests of the complete runs' files, of those whose content does not name a run.

        Fails if two complete runs have one identity.
        """
        digests: Digests = {}
        client = self.client
        for run in self.complete_runs():
            ref = run_ref(run)
            assert ref.identity not in digests, f"two complete runs of {ref}"
            files = RunFiles(client, ref.run_id)
            files.read("config.yaml" if ref.role == PARENT else "factors.npz")
            digests[ref.identity] = {
                path: entry["sha256"]
                for path, entry in files.entries.items()
                if not path.startswith("models/")
                and (ref.role != PARENT or path in _PARENT_FILES or path.startswith("lists/"))
            }
        return digests

    def complete_files(self) -> dict[str, str]:
        """Return the sha256 of every file of the complete runs, by path."""
        folders = [Path(run.info.artifact_uri.removeprefix("file://")) for run in self.complete_runs()]
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    @contextmanager
    def reader(self) -> Iterator[None]:
        """Verify all complete runs during the block, as a reader that knows nothing of their writers.

        It does so whenever a run has become complete, or a file of one has changed.
        """
        ended, problems = threading.Event(), list[Problem]()

        def verify_repeatedly() -> None:
            verified = None
            while not ended.wait(0.3):
                if (state := self._state()) != verified:
                    client = MlflowClient(self.store)
                    problems.extend(_problems(client, our_runs(client)))
                    verified = state

        thread = threading.Thread(target=verify_repeatedly)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        assert problems == []

    def _state(self) -> object:
        """Return what a verification depends on: the complete runs, and size and time of every file in the store."""
        if not (self.folder / "mlartifacts").exists():
            return None
        query = "select run_uuid, status, value from runs natural join tags where key = 'latentlab.complete'"
        try:
            with self._database() as database:
                complete = database.execute(query).fetchall()
            stats = [(path, path.stat()) for path in sorted((self.folder / "mlartifacts").rglob("*"))]
        except (sqlite3.OperationalError, OSError):  # the database is locked, or a temporary file was renamed
            return object()
        return complete, [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def _problems(client: MlflowClient, runs: list[Run]) -> list[Problem]:
    return [problem for check in verify_runs(client, runs) for problem in check.problems]


def one_line(text: str) -> str:
    """Return a text without its line breaks, which depend on the width of the terminal."""
    return " ".join(text.split())


def ended(process: subprocess.Popen[str], timeout: float = 120) -> Done:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def kill(process: subprocess.Popen[str]) -> None:
    """Send SIGKILL to the command alone: its child must notice by itself."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def worker_of(process: subprocess.Popen[str]) -> psutil.Process:
    """Return the command's training process."""

    def find() -> psutil.Process | None:
        for child in psutil.Process(process.pid).children():
            if "tasks.recovery.worker_process" in " ".join(child.cmdline()):
                return child
        return None

    return wait_until(find, process)


def wait_until(condition: Callable[[], Any], process: subprocess.Popen[str], seconds: float = 120) -> Any:
    """Return the first true value of a condition, which is polled while the command runs."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
    return value


def ends(pid: int, seconds: float = 5) -> bool:
    """Return whether a process ends within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
