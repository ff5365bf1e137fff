"""An experiment that is done wrong to, from outside: the real command, a real server for its data, a real store.

Four letters say what is checked of a fault:
**E** the documented exit code, one short message, no traceback, no finished comparison;
**R** the same command again completes, and what it gives is what an undisturbed run gives;
**D** exactly one complete run an identity that is not superseded;
**L** what was complete before is byte-identical.
"""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml
from mlflow import MlflowClient

from tasks.core.planning.runs import PARENT
from tasks.tracking import artifacts, runs, search, store
from tasks.tracking.verify import verify
from tests.serving import Answer, Server, reply

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
QUICK_STEPS = ("verdict.json", "comparison.json", "summary.json", "accuracy.json")


def ratings() -> bytes:
    """Two blocks of users that like two blocks of items."""
    rng = np.random.default_rng(7)
    pairs = [(u, i) for u in range(60) for i in range(40) if u % 2 == i % 2 and rng.random() < 0.5]
    return "".join(f"{user}\t{item}\t5\n" for user, item in pairs).encode()


def zipped(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


GOOD = zipped({MEMBER: ratings()})


def catalogue(*urls: str, archive: bytes = GOOD, seconds: float = 60) -> str:
    """A catalogue of the tests' own, with the one data set."""
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


Digests = dict[str, dict[str, str]]


@dataclass
class Lab:
    """A folder with a config and a catalogue, in which the command is run."""

    folder: Path
    server: Server
    env: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.configure()
        self.serve(reply(GOOD))

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def configure(self, **changes: Any) -> None:
        """Write the config, with some keys changed."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | changes, sort_keys=False))

    def serve(self, *answers: Answer, archive: bytes = GOOD, seconds: float = 60) -> str:
        """Have the data at an address that gives these answers in turn."""
        self.server.answers[f"/{ARCHIVE}"].clear()
        url = self.server.at(f"/{ARCHIVE}", *answers)
        self.offer(url, archive=archive, seconds=seconds)
        return url

    def offer(self, *urls: str, archive: bytes = GOOD, seconds: float = 60) -> None:
        (self.folder / "catalogue.yaml").write_text(catalogue(*urls, archive=archive, seconds=seconds))

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """Start `latentlab`, by default `run config.yaml`."""
        command = [sys.executable, "-m", "flows", *(arguments or ("run", "config.yaml", "--json"))]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        process = subprocess.Popen(command, cwd=self.folder, env=self.env, **(options | more))
        self.started.append(process)
        return process

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def end(self) -> None:
        """Kill whatever is still there."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    # The four letters

    def fails(self, code: int, *words: str, arguments: tuple[str, ...] = ()) -> str:
        """E: the message of a command that has to fail."""
        done = self.run(*arguments)
        return self.failed(done, code, *words)

    def failed(self, done: subprocess.CompletedProcess[str], code: int, *words: str) -> str:
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        _, found, message = done.stderr.rpartition("latentlab: ")
        assert found, done.stderr
        assert len(message.splitlines()) < 8, message
        flat = " ".join(message.split())
        for word in words:
            assert word in flat, message
        assert not [run for run in self.complete() if runs.run_ref(run).role == PARENT]
        return message

    def completes(self, expected: Digests) -> dict[str, Any]:
        """R and D: the same command completes, with the digests of an undisturbed run; what it printed."""
        done = self.run()
        assert done.returncode == 0, done.stderr
        self.agrees(expected)
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def agrees(self, expected: Digests) -> None:
        """D, and the digests of an undisturbed run; nothing is left open or lying about."""
        found = self.digests()
        assert found == expected
        client = self.client()
        assert {run.info.status for run in search.our_runs(client)} <= {"FINISHED", "FAILED", "KILLED"}
        assert verify(client, search.our_runs(client), with_home=False).problems == []
        left = [path for part in ("staging", "checkpoints", "locks") for path in (self.home / part).glob("*")]
        assert left == [], left

    def client(self) -> MlflowClient:
        return store.open_store(self.store)

    def complete(self) -> list[Any]:
        """The runs that readers may take."""
        if not (self.folder / "mlflow.db").exists():
            return []
        return [run for run in search.our_runs(self.client()) if runs.is_complete(run)]

    def digests(self) -> Digests:
        """Identity -> path -> sha256, of what does not name a run; fails where two runs have one identity."""
        found: Digests = {}
        client = self.client()
        for run in self.complete():
            ref = runs.run_ref(run)
            assert ref.identity not in found, f"two complete runs of {ref}"
            any_file = "config.yaml" if ref.role == PARENT else "factors.npz"
            manifest = artifacts.read_artifact(client, ref.run_id, any_file)
            entries = json.loads((manifest.parent / "manifest.json").read_text())["files"]
            found[ref.identity] = {
                entry["path"]: entry["sha256"]
                for entry in entries
                if not entry["path"].startswith("models/")
                and (ref.role != PARENT or entry["path"] in QUICK_STEPS or entry["path"].startswith("queries/"))
            }
        return found

    def files(self) -> dict[str, str]:
        """L: every file of the complete runs, with its digest."""
        found = {}
        for run in self.complete():
            folder = Path(run.info.artifact_uri.removeprefix("file://"))
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    @contextmanager
    def polled(self) -> Iterator[None]:
        """Within the block a reader looks, time and again, whether a run that is complete is whole."""
        ended, seen = threading.Event(), []

        def poll() -> None:
            while not ended.wait(0.3):
                if (self.folder / "mlflow.db").exists() and (self.folder / "mlartifacts").exists():
                    client = MlflowClient(self.store)
                    problems = verify(client, search.our_runs(client), with_home=False).problems
                    if problems:
                        seen.append(problems)

        reader = threading.Thread(target=poll)
        reader.start()
        try:
            yield
        finally:
            ended.set()
            reader.join()
        assert seen == []


def kill(process: subprocess.Popen[str], sent: signal.Signals = signal.SIGKILL) -> None:
    """kill -9, of the command alone: its child has to find out."""
    process.send_signal(sent)
    process.communicate()


def child_of(process: subprocess.Popen[str]) -> psutil.Process:
    """The command's training process."""

    def found() -> psutil.Process | None:
        for each in psutil.Process(process.pid).children():
            if "tasks.recovery.worker_process" in " ".join(each.cmdline()):
                return each
        return None

    return until(found, process)


def until(condition: Callable[[], Any], process: subprocess.Popen[str], seconds: float = 120) -> Any:
    """What a condition gives once it gives something, asked as often as possible while the command runs."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)
    return found


def gone(pid: int, seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
