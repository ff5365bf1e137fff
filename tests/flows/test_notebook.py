"""docs/notebook.ipynb: executed by a kernel, as Jupyter does, with Prefect's embedded server."""

import json
import re
from typing import Any

import pytest

from tests.execute_notebook import NOTEBOOK, execute


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The code cells with their outputs."""
    folder = tmp_path_factory.mktemp("checkout")
    notebook = execute(folder)
    assert (folder / "mlflow.db").is_file()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(cells: list[Any], source: str) -> list[Any]:
    """Return the outputs of the one cell that contains a text."""
    (cell,) = (cell for cell in cells if source in cell.source)
    return list(cell.outputs)


def test_every_cell_runs_and_shows_what_the_text_says(executed: list[Any]) -> None:
    answer = "".join(output.get("text", "") for output in outputs(executed, "api.run(config)"))
    assert "k16 and k64" in answer
    assert "of 5" in answer
    (plot,) = (output for output in outputs(executed, "plot.bar") if output.output_type == "display_data")
    assert "image/png" in plot.data
    (error,) = outputs(executed, "except LatentlabError")
    assert error.text.startswith("from-python/k32: no finished comparison used it")


def test_stderr_has_the_progress_and_nothing_else(executed: list[Any]) -> None:
    texts = [output.text for cell in executed for output in cell.outputs if output.get("name") == "stderr"]
    lines = [line.strip() for text in texts for line in text.replace("\r", "\n").split("\n") if line.strip()]
    assert any("14 fits" in line for line in lines), lines
    assert [line for line in lines if "fits" not in line] == []


def test_the_committed_outputs_are_of_this_notebook_and_name_no_machine() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert {output["name"] for output in outputs if output["output_type"] == "stream"} == {"stdout"}
    texts = [json.dumps({key: value for key, value in output.items() if key != "data"}) for output in outputs]
    texts += [json.dumps(output["data"]["text/plain"]) for output in outputs if "data" in output]
    assert [text for text in texts if re.search(r"(?<!\w)/\w+/", text)] == []  # an absolute path
