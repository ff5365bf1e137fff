"""`--debug` shows where an error comes from."""

import pytest

from tasks.core.errors import DataError
from tests.command_line import CommandLine


def test_debug_shows_the_cause_of_an_expected_error(offline: CommandLine) -> None:
    (offline.folder / "broken.parquet").write_bytes(b"PAR1 and no table PAR1")
    arguments = ("check", "config.yaml", "--set", "dataset.path=broken.parquet")
    assert "Traceback" not in offline.call(*arguments).stderr
    with pytest.raises(DataError) as raised:
        offline.call("--debug", *arguments)
    assert type(raised.value.__cause__).__module__.startswith("pyarrow")
