"""The table of docs/published.md: python tests/benchmarks/published.py [--set KEY=VALUE ...]

Runs every config of configs/published/ and writes its results beside the published figures, which
configs/published/figures.csv lists (config, model, metric, figure, source). A figure without a source is refused.
"""

import csv
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import ROOT, argument_parser, latentlab, run_command, table_head, table_row

FOLDER, PAGE = ROOT / "configs" / "published", ROOT / "docs" / "published.md"
METRICS = ("ndcg_at_10", "recall_at_10", "precision_at_10", "map_at_10", "recall_at_20", "auc", "coverage_at_10")
"""Metrics of configs without published figures."""
BEGIN, END = "<!-- begin: python tests/benchmarks/published.py -->", "<!-- end -->"


def read_figures() -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return (config, model, metric) -> (figure, source)."""
    with (FOLDER / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert row["source"].strip(), f"{row}: the figure has no source"
    return {(row["config"], row["model"], row["metric"]): (row["figure"], row["source"]) for row in rows}


def run(config: Path, overrides: list[str], metrics: set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (model, metric, mean ± sd over seeds) of one config, the reference recommenders last."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        command = latentlab("run", str(config), "--json", overrides=overrides)
        _, stdout = run_command(command, env=env, cwd=ROOT)  # relative paths in a config are relative to the project
    result = json.loads(stdout)
    for row in (*result["accuracy"], *result["reference_accuracy"]):
        if row["metric"] in metrics:
            spread = "" if row["sd"] is None else f" ± {row['sd']:.4f}"
            yield row["model"], row["metric"], f"{row['mean']:.4f}{spread}"


def main() -> None:
    """Print the table, and write it between the two marks of the page."""
    parser = argument_parser(__doc__)
    parser.add_argument("--set", action="append", default=[])
    overrides = parser.parse_args().set
    figures = read_figures()
    lines = [table_head("config", "model", "metric", "ours, mean ± sd over seeds", "published", "source")]
    for config in sorted(FOLDER.glob("*.yaml")):
        published_metrics = {metric for name, _, metric in figures if name == config.stem}
        for model, metric, ours in run(config, overrides, published_metrics or set(METRICS)):
            if published_metrics and (config.stem, model, metric) not in figures:
                continue
            figure, source = figures.pop((config.stem, model, metric), ("", "our reference"))
            lines.append(table_row(config.stem, model, metric, ours, figure, source))
    assert not figures, f"there is no result for these published figures: {list(figures)}"
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
