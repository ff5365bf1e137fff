"""An experiment that works, of four users, seven items and one fit; tests spoil a part of it."""

from pathlib import Path

CONFIG = """\
name: bad-input
dataset: {name: file, path: ratings.csv}
preprocess: {min_rating: null}
models:
  k2: {factors: 2, iterations: 2}
replicates: 1
comparison: {depths: [1]}
evaluation: null
"""
RATINGS = "user,item,rating\n" + "".join(f"{user},{item},5\n" for user in range(4) for item in range(user, user + 4))


def write_small_experiment(folder: Path) -> None:
    """Write `config.yaml` and `ratings.csv`."""
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "ratings.csv").write_text(RATINGS)
