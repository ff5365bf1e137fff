"""Our metrics beside LensKit's: python tests/benchmarks/metric_peers.py PYTHON

PYTHON is an interpreter of an environment of its own with `lenskit` (2025), which needs an older pandas, and PyTorch.
Random lists of 25 for 300 users over 400 items, 1 to 40 of them relevant, measured by both at cutoffs 5, 10 and 20.
LensKit's nDCG discounts the first two ranks alike unless it is told otherwise: here, to discount by log2(rank + 1).
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from tasks.core.ranking import beyond_accuracy, metrics

CUTOFFS = (5, 10, 20)
OURS_OF = {
    "Precision": "precision",
    "Recall": "recall_capped",
    "NDCG": "ndcg",
    "AveragePrecision": "map",
    "RecipRank": "mrr",
    "Hit": "hit_rate",
    "ListGini": "gini",
}
THEIRS = """
import json, sys
from lenskit.data import ItemList
from lenskit.metrics.ranking import AveragePrecision, Hit, ListGini, LogRankWeight, NDCG, Precision, Recall, RecipRank
given = json.load(open(sys.argv[1]))
found = {}
for k in given["cutoffs"]:
    ndcg = NDCG(k, weight=LogRankWeight(offset=1))
    measures = [Precision(k), Recall(k), ndcg, AveragePrecision(k), RecipRank(k), Hit(k)]
    lists = [ItemList(item_ids=row, ordered=True) for row in given["lists"]]
    truth = [ItemList(item_ids=row) for row in given["relevant"]]
    for measure in measures:
        values = [measure.measure_list(mine, real) for mine, real in zip(lists, truth)]
        found[f"{type(measure).__name__}@{k}"] = sum(values) / len(values)
    gini = ListGini(k, items=given["items"])
    shown = [gini.compute_list_data(mine, real) for mine, real in zip(lists, truth)]
    found[f"ListGini@{k}"] = float(gini.global_aggregate(shown))
json.dump(found, sys.stdout)
"""


def main() -> None:
    """Print each metric by both, and the difference."""
    stream = np.random.default_rng(0)
    lists = np.argsort(stream.random((300, 400)), axis=1)[:, :25].astype(np.int32)
    relevant = [np.sort(stream.permutation(400)[: stream.integers(1, 41)]).tolist() for _ in range(300)]
    dense = np.zeros((300, 400), dtype=np.float32)
    for user, items in enumerate(relevant):
        dense[user, items] = 1
    test = csr_array(dense)
    hits, counts = metrics.find_hits(lists, test), np.diff(test.indptr).astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "given.json"
        given.write_text(json.dumps({"cutoffs": CUTOFFS, "items": 400, "lists": lists.tolist(), "relevant": relevant}))
        done = subprocess.run([sys.argv[1], "-c", THEIRS, str(given)], check=True, stdout=subprocess.PIPE, text=True)
    theirs = json.loads(done.stdout)
    print("| LensKit | ours | LensKit's value | ours | difference |\n| --- | --- | --- | --- | --- |")
    for cutoff in CUTOFFS:
        ours = {name: values.mean() for name, values in metrics.accuracy(hits, counts, cutoff).items()}
        ours |= {
            f"{name}_at_{cutoff}": value for name, value in beyond_accuracy.of_all_lists(lists[:, :cutoff], 400).items()
        }
        for name, mine in OURS_OF.items():
            there, here = theirs[f"{name}@{cutoff}"], ours[f"{mine}_at_{cutoff}"]
            print(f"| {name} | {mine}_at_{cutoff} | {there:.6f} | {here:.6f} | {here - there:+.1e} |")


if __name__ == "__main__":
    main()
