"""The metrics of latentlab and of LensKit on the same lists: python tests/benchmarks/metric_peers.py PYTHON

PYTHON is an interpreter in an environment of its own with `lenskit` (2025), which needs PyTorch and an older pandas.
Both measure random lists of 25 items for 300 users at cutoffs 5, 10 and 20; 1 to 40 of the 400 items are relevant for a
user. By default LensKit's nDCG gives the first two ranks the same weight. Here it is set to discount by log2(rank + 1).
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from measuring import argument_parser, run_command, table_head, table_row
from scipy.sparse import csr_array

from tasks.core.ranking import beyond_accuracy, metrics

USERS, ITEMS, LENGTH = 300, 400, 25
CUTOFFS = (5, 10, 20)
NAMES = {
    "Precision": "precision",
    "Recall": "recall_capped",
    "NDCG": "ndcg",
    "AveragePrecision": "map",
    "RecipRank": "mrr",
    "Hit": "hit_rate",
    "ListGini": "gini",
}
"""LensKit's name -> ours."""
LENSKIT = """
import json, sys
from lenskit.data import ItemList
from lenskit.metrics.ranking import AveragePrecision, Hit, ListGini, LogRankWeight, NDCG, Precision, Recall, RecipRank
data = json.load(open(sys.argv[1]))
lists = [ItemList(item_ids=items, ordered=True) for items in data["lists"]]
relevant = [ItemList(item_ids=items) for items in data["relevant"]]
values = {}
for k in data["cutoffs"]:
    ndcg = NDCG(k, weight=LogRankWeight(offset=1))
    for metric in [Precision(k), Recall(k), ndcg, AveragePrecision(k), RecipRank(k), Hit(k)]:
        of_lists = [metric.measure_list(*pair) for pair in zip(lists, relevant)]
        values[f"{type(metric).__name__}@{k}"] = sum(of_lists) / len(of_lists)
    gini = ListGini(k, items=data["items"])
    counts = [gini.compute_list_data(*pair) for pair in zip(lists, relevant)]
    values[f"ListGini@{k}"] = float(gini.global_aggregate(counts))
json.dump(values, sys.stdout)
"""


def main() -> None:
    """Print each metric as both compute it, and the difference."""
    parser = argument_parser(__doc__)
    parser.add_argument("python", metavar="PYTHON")
    python = parser.parse_args().python
    rng = np.random.default_rng(0)
    lists = np.argsort(rng.random((USERS, ITEMS)), axis=1)[:, :LENGTH].astype(np.int32)
    relevant = [np.sort(rng.permutation(ITEMS)[: rng.integers(1, 41)]).tolist() for _ in range(USERS)]
    lenskit = measure_with_lenskit(python, {"cutoffs": CUTOFFS, "items": ITEMS, "lists": lists.tolist()}, relevant)
    print(table_head("LensKit's name", "our name", "LensKit", "ours", "difference"))
    for cutoff in CUTOFFS:
        ours = measure_with_ours(lists, relevant, cutoff)
        for lenskit_name, our_name in NAMES.items():
            theirs, value = lenskit[f"{lenskit_name}@{cutoff}"], ours[f"{our_name}_at_{cutoff}"]
            cells = f"{theirs:.6f}", f"{value:.6f}", f"{value - theirs:+.1e}"
            print(table_row(lenskit_name, f"{our_name}_at_{cutoff}", *cells))


def measure_with_lenskit(python: str, data: dict[str, object], relevant: list[list[int]]) -> dict[str, float]:
    """Return LensKit's value of each metric at each cutoff."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.json"
        file.write_text(json.dumps({**data, "relevant": relevant}))
        values: dict[str, float] = json.loads(run_command([python, "-c", LENSKIT, str(file)])[1])
    return values


def measure_with_ours(lists: np.ndarray, relevant: list[list[int]], cutoff: int) -> dict[str, float]:
    """Return our value of each metric at a cutoff."""
    dense = np.zeros((USERS, ITEMS), dtype=np.float32)
    for user, items in enumerate(relevant):
        dense[user, items] = 1
    test = csr_array(dense)
    hits, counts = metrics.find_hits(lists, test), np.diff(test.indptr).astype(np.int64)
    values = {name: float(per_user.mean()) for name, per_user in metrics.accuracy(hits, counts, cutoff).items()}
    of_all_lists = beyond_accuracy.of_all_lists(lists[:, :cutoff], ITEMS)
    return values | {f"{name}_at_{cutoff}": value for name, value in of_all_lists.items()}


if __name__ == "__main__":
    main()
