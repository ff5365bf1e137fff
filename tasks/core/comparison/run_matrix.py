"""Overlap of every two runs on one endpoint."""

from dataclasses import dataclass

from tasks.core.formatting import run_label
from tasks.core.inference.sampling import SamplingCovariance
from tasks.core.types import Values


@dataclass(frozen=True)
class Matrix:
    """A run matrix as plain values, as `result.json` stores it.

    Attributes
    ----------
    target : str
        Target of the endpoint.
    n : int
        Length of the lists.
    runs : list of str
        Labels of the R runs such as `k50 #0`, model by model.
    overlap : (R, R) nested lists of float
        1 on the diagonal.
    """

    target: str
    n: int
    runs: list[str]
    overlap: list[list[float]]

    @property
    def models(self) -> list[str]:
        """The model of each run."""
        return [label.rpartition(" #")[0] for label in self.runs]


@dataclass(frozen=True, eq=False)
class RunMatrix:
    """Overlap of every two of R runs on one endpoint.

    Attributes
    ----------
    target : str
        Target of the endpoint.
    n : int
        Length of the lists.
    runs : list of (model, replicate)
        The R runs, model by model.
    overlap : (R, R) float64
        1 on the diagonal.
    sampling : SamplingCovariance or None
        Of the models in the order of their runs; None unless the endpoint's entities are a sample. It is not stored.
    """

    target: str
    n: int
    runs: list[tuple[str, int]]
    overlap: Values
    sampling: SamplingCovariance | None = None

    @property
    def models(self) -> list[str]:
        """The model of each run."""
        return [model for model, _ in self.runs]

    def record(self) -> Matrix:
        """Return the matrix as plain values."""
        return Matrix(self.target, self.n, [run_label(*run) for run in self.runs], self.overlap.tolist())
