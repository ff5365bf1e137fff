"""The `latentlab` command in a folder of its own: as a process, or within this process.

A process takes seconds to import its libraries. A call within this process parses the same arguments, and gives the
same exit code and output. The environment, the current folder and what the command changes globally are restored.
"""

import contextlib
import io
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

Done = subprocess.CompletedProcess[str]
"""Exit code, stdout and stderr of a command."""


@dataclass(frozen=True)
class CommandLine:
    """A folder in which commands run, and their environment.

    Attributes
    ----------
    folder : Path
        The current folder of every command. The MLflow store is made in it.
    env : mapping of str to str
        All environment variables; `PREFECT_API_URL` is among them.
    """

    folder: Path
    env: Mapping[str, str]

    @property
    def store(self) -> str:
        """The URI of the default store."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def with_env(self, **variables: str) -> "CommandLine":
        """Return the same with further environment variables."""
        return replace(self, env={**self.env, **variables})

    def run(self, *arguments: str) -> Done:
        """Run a command as a process, to its end."""
        command = [sys.executable, "-m", "flows", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=250, check=False
        )

    def start(self, *arguments: str, group: bool = False) -> subprocess.Popen[str]:
        """Start a command as a process, which may lead a process group of its own, as in a terminal."""
        return subprocess.Popen(
            [sys.executable, "-m", "flows", *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0 if group else None,
        )

    def call(self, *arguments: str) -> Done:
        """Run a command within this process. An error that the command does not report is raised."""
        from flows.cli.app import app

        out, err = io.StringIO(), io.StringIO()
        code: object = 0
        with self._as_in_its_process(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                app(list(arguments), prog_name="latentlab")
            except SystemExit as ended:
                code = ended.code
        assert isinstance(code, int)
        return Done(list(arguments), code, out.getvalue(), err.getvalue())

    def answer(self, *arguments: str) -> Any:
        """Return the JSON that a command prints; it runs within this process."""
        return answer_of(self.call(*arguments, "--json"))

    def failure(self, code: int, *arguments: str, run: "Callable[..., Done] | None" = None) -> str:
        """Return the one message of a command that has to fail with an exit code.

        Parameters
        ----------
        code : int
            The exit code.
        *arguments : str
            The command.
        run : callable, optional
            How it runs: `call` by default, or `run`.

        Returns
        -------
        str
            Without `latentlab: ` in front.
        """
        done = (run or self.call)(*arguments)
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        before, prefix, message = done.stderr.partition("latentlab: ")
        assert prefix, done.stderr
        assert before == "" or code == 3, before
        assert "latentlab: " not in message
        assert len(message.splitlines()) < 6
        return message

    def finished_runs(self) -> int:
        """Return how many runs of the default store are FINISHED."""
        if not (self.folder / "mlflow.db").exists():
            return 0
        with contextlib.closing(sqlite3.connect(self.folder / "mlflow.db")) as store:
            return int(store.execute("select count(*) from runs where status = 'FINISHED'").fetchone()[0])

    @contextlib.contextmanager
    def _as_in_its_process(self) -> Iterator[None]:
        from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        from flows.cli.printing.log_lines import LogLines
        from flows.cli.printing.tables import err, out

        # at the end of a flow run Prefect waits up to a second for its thread of heartbeats; processes keep theirs
        no_heartbeats = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
        handler = signal.getsignal(signal.SIGTERM)
        out.width = err.width = int(self.env["COLUMNS"])  # consoles read the variable when they are made
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, self.env, clear=True),
            temporary_settings({PREFECT_API_URL: self.env["PREFECT_API_URL"], **no_heartbeats}),
        ):
            try:
                yield
            finally:
                signal.signal(signal.SIGTERM, handler)
                for logger in map(logging.getLogger, ("flows", "tasks")):
                    logger.handlers = [each for each in logger.handlers if not isinstance(each, LogLines)]


def answer_of(done: Done) -> Any:
    """Return the JSON that a command has printed, which must have succeeded."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def command_line(folder: Path, api_url: str, columns: int = 200) -> CommandLine:
    """Return the command line of a folder, with a home and a store of its own.

    Parameters
    ----------
    folder : Path
        The current folder of the commands.
    api_url : str
        Of Prefect's API.
    columns : int
        Width of the terminal.

    Returns
    -------
    CommandLine
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LATENTLAB", "MLFLOW"))}
    own = {
        "LATENTLAB_HOME": str(folder / "home"),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": api_url,
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": str(columns),
    }
    return CommandLine(folder, inherited | own)
