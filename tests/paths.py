"""Where the tests find the project, and the genuine MovieLens 100K beside it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
# The data set's licence forbids redistribution: it lies beside the project, or nowhere.
GENUINE = ROOT.parent / "shared" / "data" / "ml-100k"
