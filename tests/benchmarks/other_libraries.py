"""ALS of three libraries, compared by the neighbours of their factors:

    python tests/benchmarks/other_libraries.py [--data DIR_OR_ZIP] --rectools PYTHON --lenskit PYTHON

Each PYTHON is an interpreter in an environment of its own, with `rectools` or with `lenskit`: they need different
versions of NumPy. --data names MovieLens 100K; without it, the synthetic data set is used. All models have k=50, 15
iterations, regularization 0.01 and confidences that are the ratings, and five seeds each:

- `latentlab`: trained here, with `implicit`; three CG steps per row.
- `rectools`: RecTools' `ImplicitALSWrapperModel`, which trains with `implicit` too, in its own environment.
- `lenskit`: LensKit's `ImplicitMFScorer`, which solves each row exactly. Its confidence is 1 + rating, so that it gets
  ratings minus 1.

RecTools and LensKit write the factors of each seed into an npz file. `latentlab run` reads them beside its own model.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measuring import argument_parser, environment, latentlab, load_interactions

SEEDS, FACTORS, ITERATIONS, REGULARIZATION = 5, 50, 15, 0.01
CONFIG = f"""\
name: libraries
dataset: {{name: file, path: ratings.csv}}
preprocess: {{min_rating: null}}
models:
  latentlab: {{factors: {FACTORS}, iterations: {ITERATIONS}, regularization: {REGULARIZATION}}}
  rectools: {{factors: "rectools-*.npz"}}
  lenskit: {{factors: "lenskit-*.npz"}}
replicates: {SEEDS}
evaluation: null
"""


def rectools(ratings: Any, seed: int) -> dict[str, np.ndarray]:
    """Fit RecTools' wrapper of `implicit`."""
    from implicit.als import AlternatingLeastSquares
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import ImplicitALSWrapperModel

    names = {"user": Columns.User, "item": Columns.Item, "rating": Columns.Weight}
    data = Dataset.construct(ratings.rename(columns=names).assign(**{Columns.Datetime: "2026-01-01"}))
    settings = {"iterations": ITERATIONS, "regularization": REGULARIZATION, "random_state": seed, "num_threads": 1}
    model = ImplicitALSWrapperModel(AlternatingLeastSquares(FACTORS, **settings))
    model.fit(data)
    users, items = model.get_vectors()
    return {
        "user_factors": users,
        "item_factors": items,
        "user_ids": data.user_id_map.external_ids,
        "item_ids": data.item_id_map.external_ids,
    }


def lenskit(ratings: Any, seed: int) -> dict[str, np.ndarray]:
    """Fit LensKit's implicit ALS."""
    from lenskit.als import ImplicitMFScorer
    from lenskit.data import from_interactions_df
    from lenskit.training import TrainingOptions

    columns = {"user": "user_id", "item": "item_id"}
    data = from_interactions_df(ratings.rename(columns=columns).assign(rating=ratings["rating"] - 1.0))
    settings = {"regularization": REGULARIZATION, "weight": 1.0, "use_ratings": True}
    model = ImplicitMFScorer(embedding_size=FACTORS, epochs=ITERATIONS, **settings)
    model.train(data, TrainingOptions(rng=seed))
    return {
        "user_factors": np.asarray(model.user_embeddings),
        "item_factors": np.asarray(model.item_embeddings),
        "user_ids": np.asarray(data.users.ids()),
        "item_ids": np.asarray(data.items.ids()),
    }


LIBRARIES = {"rectools": rectools, "lenskit": lenskit}


def fit(name: str, folder: Path) -> None:
    """Fit a library with every seed, and write its factors; runs in its environment."""
    import pandas as pd

    ratings = pd.read_csv(folder / "ratings.csv")
    for seed in range(SEEDS):
        np.savez(folder / f"{name}-{seed}.npz", **LIBRARIES[name](ratings, seed))


def main() -> None:
    """Print the answers."""
    import pandas as pd

    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, help="MovieLens 100K, a folder or a zip file")
    for library in LIBRARIES:
        parser.add_argument(f"--{library}", metavar="PYTHON", required=True, help=f"an interpreter with {library}")
    arguments = parser.parse_args()
    _, interactions = load_interactions(arguments.data)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cells = interactions.matrix.tocoo()
        users, items = interactions.user_ids[cells.coords[0]], interactions.item_ids[cells.coords[1]]
        frame = pd.DataFrame({"user": users, "item": items, "rating": cells.data.astype(int)})
        frame.to_csv(folder / "ratings.csv", index=False)
        (folder / "config.yaml").write_text(CONFIG)
        for library in LIBRARIES:
            subprocess.run([getattr(arguments, library), __file__, "--fit", library, name], check=True)
        command = latentlab("run", str(folder / "config.yaml"), "--json", overrides=[])
        done = subprocess.run(
            command, cwd=folder, env=environment(folder / "prefect"), stdout=subprocess.PIPE, text=True, check=True
        )
    result = json.loads(done.stdout)
    print("| lists | A | B | within A | within B | between | Δ | 95% interval | verdict |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for answer in result["answers"]:
        overlaps = (answer[key] for key in ("within_a", "within_b", "between", "delta"))
        interval = "-" if answer["low_95"] is None else f"{answer['low_95']:.3f} to {answer['high_95']:.3f}"
        cells = [answer["target"], answer["a"], answer["b"], *(f"{value:.3f}" for value in overlaps)]
        print("|", " | ".join([*cells, interval, answer["verdict"] or "described"]), "|")
    print("\nBy predicted scores, without a verdict:\n")
    print("| lists | A | B | within A | within B | between | Δ |\n| --- | --- | --- | --- | --- | --- | --- |")
    for row in result["other_similarity"]:
        values = (row["within_a"], row["within_b"], row["between"])
        delta = (row["within_a"] + row["within_b"]) / 2 - row["between"]
        print(
            "|", " | ".join([row["target"], row["a"], row["b"], *(f"{value:.3f}" for value in (*values, delta))]), "|"
        )
    print()
    for answer in result["answers"]:
        if answer["verdict"]:
            print(answer["sentence"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fit"]:
        fit(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
