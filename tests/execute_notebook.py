"""Execute docs/notebook.ipynb with a kernel, as Jupyter does.

`python -m tests.execute_notebook` writes the outputs into it, without the progress that stderr shows.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

from tests.paths import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def execute(folder: Path) -> nbformat.NotebookNode:
    """Return the notebook with its outputs; runs and data are stored in an empty folder.

    Prefect's embedded server is used, and nothing of the caller's environment decides where runs are stored.
    """
    (folder / "docs").mkdir()
    (folder / "configs").symlink_to(ROOT / "configs")
    own = ("PREFECT_", "MLFLOW_", "LATENTLAB_", "MPL")
    env = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    env |= {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder / "prefect"), "IPYTHONDIR": str(folder / "ipython")}
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(folder / "docs")}}
    NotebookClient(notebook, timeout=240, record_timing=False, resources=resources).execute(env=env)
    return notebook


def main() -> None:
    """Write the outputs into the notebook."""
    with TemporaryDirectory() as name:
        notebook = execute(Path(name))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
