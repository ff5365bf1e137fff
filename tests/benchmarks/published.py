"""The table of docs/published.md: python tests/benchmarks/published.py [--set KEY=VALUE ...]

Runs every config of configs/published/, and puts what it measures beside the published figures
of configs/published/figures.csv (config, model, metric, figure, source; a figure without a source is refused).
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER, PAGE = ROOT / "configs" / "published", ROOT / "docs" / "published.md"
METRICS = ("ndcg_at_10", "recall_at_10", "precision_at_10", "map_at_10", "recall_at_20", "auc", "coverage_at_10")
BEGIN, END = "<!-- begin: python tests/benchmarks/published.py -->", "<!-- end -->"


def published() -> dict[tuple[str, str, str], tuple[str, str]]:
    """(config, model, metric) -> (figure, source)."""
    with (FOLDER / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert row["source"].strip(), f"{row}: a figure without its source"
    return {(row["config"], row["model"], row["metric"]): (row["figure"], row["source"]) for row in rows}


def measured(config: Path, options: list[str], metrics: set[str]) -> Iterator[tuple[str, str, str]]:
    """(model, metric, mean ± sd over seeds) of one config, references last; relative paths are of the project."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        run = [sys.executable, "-m", "flows", "run", str(config), "--json", *options]
        done = subprocess.run(run, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    for row in (*result["accuracy"], *result["reference_accuracy"]):
        if row["metric"] in metrics:
            spread = "" if row["sd"] is None else f" ± {row['sd']:.4f}"
            yield row["model"], row["metric"], f"{row['mean']:.4f}{spread}"


def main() -> None:
    """Write the table between the page's two marks."""
    theirs = published()
    lines = ["| config | model | metric | ours, mean ± sd over seeds | published | source |", "| --- " * 6 + "|"]
    for config in sorted(FOLDER.glob("*.yaml")):
        wanted = {metric for name, _, metric in theirs if name == config.stem}
        for model, metric, ours in measured(config, sys.argv[1:], wanted or set(METRICS)):
            if wanted and (config.stem, model, metric) not in theirs:
                continue
            figure, source = theirs.pop((config.stem, model, metric), ("", "our reference"))
            lines.append(f"| {config.stem} | {model} | {metric} | {ours} | {figure} | {source} |")
    assert not theirs, f"published figures that nothing was measured for: {list(theirs)}"
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
