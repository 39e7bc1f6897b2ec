"""When did the traffic change? One test of two windows of embeddings, and detectors that watch question by question.

Detectors know a signal as numbers alone: what is measured of a question is `drift`'s matter, or a 0 or 1 for an answer
that failed or was rated down.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from course_utils.errors import DataError

if TYPE_CHECKING:
    import numpy as np

THRESHOLD = 60.0
"""Excess in standard deviations, summed over questions, that raises the alarm. A lower one finds a drift sooner and
rings more often without cause: at this one, at most one in twenty stable streams of 1,000 questions does. Chosen on
other streams than those on which that is tested."""
TOLERATED = 0.25
"""Standard deviations that each question may differ without adding to the sum: half of the smallest shift to find."""
LARGEST = 10.0
"""Standard deviations that one question may count, so that a single odd one raises no alarm. At five, an attack that
is one question in ten hides behind what is tolerated."""
WEIGHT = 3
"""Questions that each one of the reference counts for in the detector's mean. The mean follows the traffic, for that of
a hundred questions has an error of its own, but slowly, or it would follow a drift before the alarm."""


def mmd_test(
    reference: "np.ndarray[Any, Any]", live: "np.ndarray[Any, Any]", *, n_permutations: int = 500, seed: int = 0
) -> tuple[float, float]:
    """Squared maximum mean discrepancy of two windows of embeddings, and its p-value by permutation.

    $MMD^2 = mean k(x, x') - 2 mean k(x, y) + mean k(y, y')$ with a Gaussian kernel as wide as the median distance; 0
    and up, higher is further apart (Gretton et al. 2012, https://jmlr.org/papers/v13/gretton12a.html). The p-value is
    the share of random divisions of all questions into two windows that lie at least as far apart.
    """
    import numpy as np
    from scipy.spatial.distance import cdist

    both = np.concatenate([reference, live])
    squares = cdist(both, both, "sqeuclidean")
    kernel = np.exp(-squares / max(float(np.median(squares)), 1e-12))
    observed = np.repeat([1 / len(reference), -1 / len(live)], [len(reference), len(live)])
    rng = np.random.default_rng(seed)
    weights = np.stack([observed, *(rng.permutation(observed) for _ in range(n_permutations))])
    distances = ((weights @ kernel) * weights).sum(axis=1)
    return float(distances[0]), float((distances >= distances[0] - 1e-12).mean())


def find_alarms(reference: Sequence[float], live: Sequence[float], *, threshold: float = THRESHOLD) -> Iterator[int]:
    """Watch a signal by the Page-Hinkley test, up and down, and give the index of each question that raises an alarm.

    The test adds up how far values lie from a mean that begins at the reference's, and rings when the sum has grown by
    ``threshold`` (Page 1954; ``river``). After an alarm it starts afresh from the reference, so that it rings as long
    as the traffic is unlike it, and then no more.

    Raises:
        DataError: The reference is empty.
    """
    import numpy as np
    from river.drift import PageHinkley

    if not len(reference):
        raise DataError("there is no reference; measure the signal on questions from the time of training")
    mean, spread = float(np.mean(reference)), max(float(np.std(reference)), 1 / len(reference))
    scores = np.clip((np.asarray(live) - mean) / spread, -LARGEST, LARGEST).tolist()
    detector: Any = None
    for index, score in enumerate(scores):
        if detector is None:
            detector = PageHinkley(min_instances=1, delta=TOLERATED, threshold=threshold, alpha=1.0)
            for _ in range(WEIGHT * len(reference)):  # so that its mean begins at the reference's, which is 0 here
                detector.update(0.0)
        detector.update(score)
        if detector.drift_detected:
            detector = None
            yield index
