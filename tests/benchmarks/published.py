"""The table of docs/published.md: python tests/benchmarks/published.py [--without CONFIG ...] [--set KEY=VALUE ...]

Runs every config of configs/published/ and writes its results beside the published figures, which
configs/published/figures.csv lists: config, model, metric, figure, tolerance, source, and a remark that says what
differs. A row is called reproduced if ours is within the tolerance of the published figure. A config that is left out
by --without is not run, and its rows are called not reproduced.
"""

import csv
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import ROOT, argument_parser, latentlab, run_command, table_head, table_row

FOLDER, PAGE = ROOT / "configs" / "published", ROOT / "docs" / "published.md"
METRICS = ("ndcg_at_10", "recall_at_10", "precision_at_10", "map_at_10", "recall_at_20", "auc", "coverage_at_10")
"""Metrics of configs without published figures."""
BEGIN, END = "<!-- begin: python tests/benchmarks/published.py -->", "<!-- end -->"


@dataclass(frozen=True)
class Figure:
    """A published figure.

    Attributes
    ----------
    config, model, metric : str
        What the figure is compared with.
    figure : float
    tolerance : float
        Largest difference from ours at which the figure is called reproduced.
    source, remark : str
        Where it was published, and what is not the same there.
    """

    config: str
    model: str
    metric: str
    figure: float
    tolerance: float
    source: str
    remark: str

    def outcome(self, ours: float | None) -> str:
        """Return whether the figure is reproduced, with the remark."""
        if ours is None:
            return f"not reproduced: not run here; {self.remark}"
        is_close = abs(ours - self.figure) <= self.tolerance
        return f"{'reproduced' if is_close else 'differs'} (tolerance {self.tolerance:g}); {self.remark}"


def read_figures(path: Path = FOLDER / "figures.csv") -> list[Figure]:
    """Return the published figures."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert row["source"].strip(), f"{row}: the figure has no source"
        assert row["remark"].strip(), f"{row}: the figure has no remark"
    return [
        Figure(**{**row, "figure": float(row["figure"]), "tolerance": float(row["tolerance"])})  # type: ignore[arg-type]
        for row in rows
    ]


def run(config: Path, overrides: list[str], metrics: set[str]) -> Iterator[tuple[str, str, float, str]]:
    """Yield (model, metric, mean, mean ± sd over seeds) of one config, the reference recommenders last."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        command = latentlab("run", str(config), "--json", overrides=overrides)
        _, stdout = run_command(command, env=env, cwd=ROOT)  # relative paths in a config are relative to the project
    result: dict[str, Any] = json.loads(stdout)
    for row in (*result["accuracy"], *result["reference_accuracy"]):
        if row["metric"] in metrics:
            spread = "" if row["sd"] is None else f" ± {row['sd']:.4f}"
            yield row["model"], row["metric"], row["mean"], f"{row['mean']:.4f}{spread}"


def rows_of(config: Path, figures: list[Figure], overrides: list[str]) -> Iterator[str]:
    """Yield the rows of one config: those with a published figure, or our own reference where it has none."""
    by_name = {(figure.model, figure.metric): figure for figure in figures}
    measured = {metric for _, metric in by_name} or set(METRICS)
    results = {(model, metric): (mean, text) for model, metric, mean, text in run(config, overrides, measured)}
    missing = by_name.keys() - results.keys()
    assert not missing, f"{config.stem}: there is no result for these published figures: {sorted(missing)}"
    for (model, metric), (mean, text) in results.items():
        if not by_name:
            yield table_row(config.stem, model, metric, text, "", "our reference", "")
        elif figure := by_name.get((model, metric)):
            row = (config.stem, model, metric, text, f"{figure.figure:g}", figure.source, figure.outcome(mean))
            yield table_row(*row)


def main() -> None:
    """Print the table, and write it between the two marks of the page."""
    parser = argument_parser(__doc__)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    arguments = parser.parse_args()
    figures = read_figures()
    configs = sorted(FOLDER.glob("*.yaml"))
    unknown = {*arguments.without, *(figure.config for figure in figures)} - {config.stem for config in configs}
    assert not unknown, f"there is no such config in configs/published/: {', '.join(sorted(unknown))}"
    lines = [table_head("config", "model", "metric", "ours, mean ± sd over seeds", "published", "source", "outcome")]
    for config in configs:
        of_config = [figure for figure in figures if figure.config == config.stem]
        if config.stem in arguments.without:
            for figure in of_config:
                row = (config.stem, figure.model, figure.metric, "", f"{figure.figure:g}", figure.source)
                lines.append(table_row(*row, figure.outcome(None)))
        else:
            lines += rows_of(config, of_config, arguments.set)
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
