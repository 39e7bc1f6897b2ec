"""A share of rows with its confidence interval, by the one method that every stage uses."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from course_utils.errors import DataError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Proportion:
    """The share ``n_true / n`` of rows with its confidence interval from ``low`` to ``high``, all within 0 to 1."""

    n_true: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """``n_true / n``."""
        return self.n_true / self.n

    def as_dict(self, name: str) -> dict[str, float]:
        """The share and its interval under the names that results use: ``name``, ``name_low`` and ``name_high``."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"

    def _repr_html_(self) -> str:
        return f"{self.n_true} of {self.n} rows: {self}"


def wilson_interval(n_true: int, n: int, confidence: float = CONFIDENCE) -> Proportion:
    """A share and its Wilson score interval.

    With p = n_true / n and z the normal quantile of the confidence, the ends are
    ``(p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)``. Unlike ``p ± z·sqrt(p(1-p)/n)``, the interval stays
    within 0 to 1 and has a width above 0 even at p = 0 and p = 1.

    Source: Wilson (1927), Journal of the American Statistical Association 22, 209-212.

    Raises:
        DataError: There are no rows.
    """
    if n == 0:
        raise DataError("no rows to score; the share of nothing has no value: give at least one row")
    p, z = n_true / n, NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # At p = 0 and p = 1, rounding may put an end slightly inside the share or outside 0 to 1.
    return Proportion(n_true, n, max(0.0, min(centre - half, p)), min(1.0, max(centre + half, p)))
