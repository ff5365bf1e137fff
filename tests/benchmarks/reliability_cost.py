"""What surviving a crash costs a fit: python tests/benchmarks/reliability_cost.py

Turn by turn, k=500 with 300 iterations on the data set that the project makes itself: in this process without
checkpoints, with a checkpoint every 30 s, and so in a child process. Each turn's ratios are of its own times.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

NEVER = 1e9


def main() -> None:
    """Print the median ratios, and the size of a checkpoint and the time to write one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--factors", type=int, default=500)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0, help="between two checkpoints")
    asked = parser.parse_args()
    from tasks.core.config.als import AlsConfig
    from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
    from tasks.core.models.threads import cores
    from tasks.core.training import checkpoint
    from tasks.core.training.run_fit import FitRequest as FitOrder
    from tasks.core.training.run_fit import run_fit as carry_out
    from tasks.core.training.step import Step
    from tasks.download import fetch_dataset
    from tasks.preprocess import prepare
    from tasks.recovery.worker_process import isolated, perform

    with tempfile.TemporaryDirectory() as folder:
        os.environ["LATENTLAB_HOME"] = folder
        dataset = DatasetConfig()
        data = prepare(dataset, PreprocessConfig(), fetch_dataset(dataset))
        settings = AlsConfig(factors=asked.factors, iterations=asked.iterations)
        snapshots = (1, 2, 5, 15, 50, 150, 500, 1500)
        order = FitOrder("", data.file, settings, 1, snapshots, (10,), 5, cores(), NEVER)
        target = Path(folder) / "factors.npz"
        times: dict[str, list[float]] = {"bare": [], "checkpoints": [], "child": []}
        digests = set()
        with isolated(1):
            for turn in range(asked.repeats):
                ways = {
                    "bare": (carry_out, NEVER),
                    "checkpoints": (carry_out, asked.seconds),
                    "child": (perform, asked.seconds),
                }
                for way, (act, seconds) in ways.items():
                    told: list[Step] = []
                    own = replace(order, identity=f"{way}{turn}", checkpoint_seconds=seconds)
                    start = time.perf_counter()
                    digests.add(act(own, target, told.extend).factors.sha256)
                    times[way].append(time.perf_counter() - start)
        assert len(digests) == 1, "the factors are the same, bit for bit"
        found = checkpoint.latest("checkpoints0")
        line = "no checkpoint fell due"
        if found is not None:
            start = time.perf_counter()
            path = checkpoint.save("one", found)
            line = f"{path.stat().st_size / 2**20:.1f} MiB, written in {time.perf_counter() - start:.3f} s"
    print(f"k={asked.factors}, {asked.iterations} iterations, {asked.repeats} turns, saved every {asked.seconds:g} s")
    print(f"bare                 {median(times['bare']):7.2f} s")
    for way in ("checkpoints", "child"):
        ratios = [a / b for a, b in zip(times[way], times["bare"], strict=True)]
        print(f"with {way:15} {median(ratios):7.4f} times ({', '.join(f'{ratio:.4f}' for ratio in ratios)})")
    print(f"a checkpoint         {line}")


if __name__ == "__main__":
    main()
