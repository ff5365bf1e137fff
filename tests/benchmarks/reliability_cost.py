"""Cost of crash recovery for a fit: python tests/benchmarks/reliability_cost.py

Runs one fit on the synthetic data set in three ways, by turns: in this process without checkpoints, in this process
with checkpoints, and in a child process with checkpoints. The ratios are between times of the same turn.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

from measuring import argument_parser, seconds

from tasks.core.config.als import AlsConfig
from tasks.core.config.dataset import DatasetConfig, PreprocessConfig
from tasks.core.data.locate import locate
from tasks.core.data.prepared import prepare
from tasks.core.models.threads import cores
from tasks.core.training import checkpoint
from tasks.core.training.run_fit import FitRequest, run_fit
from tasks.recovery.worker_process import run_isolated, worker_processes

NEVER = 1e9
SNAPSHOTS = (1, 2, 5, 15, 50, 150, 500, 1500)


def main() -> None:
    """Print the median ratios, the size of a checkpoint, and the time to write one."""
    parser = argument_parser(__doc__)
    parser.add_argument("--factors", type=int, default=500)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0, help="time between two checkpoints (default 30)")
    arguments = parser.parse_args()
    ways = {
        "bare": (run_fit, NEVER),
        "checkpoints": (run_fit, arguments.seconds),
        "child": (run_isolated, arguments.seconds),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    digests = set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LATENTLAB_HOME"] = name
        dataset = DatasetConfig()
        request = FitRequest(
            identity="",
            data=prepare(dataset, PreprocessConfig(), locate(dataset)).file,
            settings=AlsConfig(factors=arguments.factors, iterations=arguments.iterations),
            seed=1,
            snapshots=SNAPSHOTS,
            queries=(10,),
            n=5,
            threads=cores(),
            checkpoint_seconds=NEVER,
            checkpoints=folder,
            target=folder / "factors.npz",
        )
        with worker_processes(1):
            for turn in range(arguments.repeats):
                for way, (run, interval) in ways.items():
                    # a folder of its own: no fit is resumed from the checkpoints of another
                    checkpoints = folder / f"{way}-{turn}"
                    own_request = replace(request, checkpoints=checkpoints, checkpoint_seconds=interval)

                    def fit(run=run, own_request=own_request):
                        digests.add(run(own_request, lambda _: None).factors.sha256)

                    times[way].append(seconds(fit))
        checkpoint_text = describe_checkpoint(folder / "checkpoints-0")
    assert len(digests) == 1, "the factors are bit-identical"
    print(
        f"k={arguments.factors}, {arguments.iterations} iterations, {arguments.repeats} turns, "
        f"a checkpoint every {arguments.seconds:g} s"
    )
    print(f"bare                 {median(times['bare']):7.2f} s")
    for way in ("checkpoints", "child"):
        ratios = [way_seconds / bare for way_seconds, bare in zip(times[way], times["bare"], strict=True)]
        print(f"with {way:15} {median(ratios):7.4f} times ({', '.join(f'{ratio:.4f}' for ratio in ratios)})")
    print(f"a checkpoint         {checkpoint_text}")


def describe_checkpoint(folder: Path) -> str:
    """Return the size of the last checkpoint in a folder, and the time to write it again."""
    last = checkpoint.latest(folder, "")
    if last is None:
        return "none: the fits were too short"
    duration = seconds(lambda: checkpoint.save(folder, last))
    size = (folder / f"{last.iteration}.npz").stat().st_size
    return f"{size / 2**20:.1f} MiB, written in {duration:.3f} s"


if __name__ == "__main__":
    main()
