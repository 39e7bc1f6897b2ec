"""Compare two models row by row and stop as soon as it is decided, without the false alarms of looking often.

A p-value is good for one look. Who looks after every fifty rows and stops at the first p below 5 % is wrong far more
often than one time in twenty. Evidence by the test martingale below may be looked at after every row.
"""

from typing import TYPE_CHECKING, Any

from course_utils.figures import PALETTE, course_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def sequential_evidence(first: Any, second: Any) -> Any:
    """Evidence after each row against "neither model is better": 1 is none, 20 is enough for an error of 5 %.

    Only rows on which the verdicts differ count. The evidence is how many times likelier their outcomes are if the
    second model wins a share of them that could be anything from 0 to 1, than if each is a fair coin's toss. If it is
    one, the evidence ever reaches ``1 / alpha`` with a probability of ``alpha`` at most.

    Args:
        first: Verdicts of shape (..., n_rows), bool, in the order in which the rows were answered.
        second: Those of the other model on the same rows.

    Returns:
        An array of the same shape, above 0.

    Source: Robbins (1970), Annals of Mathematical Statistics 41; with savvi's multinomial test, by Lindon and Malek
    (2022), for two outcomes.
    """
    import numpy as np
    from scipy.special import betaln

    before, after = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    gained, lost = np.cumsum(after & ~before, axis=-1), np.cumsum(before & ~after, axis=-1)
    return np.exp(betaln(1 + gained, 1 + lost) + (gained + lost) * np.log(2))  # betaln(1, 1) of the prior is 0


@course_style
def plot_evidence(first: Any, second: Any, alpha: float = 0.05) -> "Axes":
    """Evidence row by row, with the line at which an A/B test stops; verdicts of shape (n_rows,)."""
    evidence = sequential_evidence(first, second)
    reached = evidence >= 1 / alpha
    end = f"stops after {reached.argmax() + 1} rows" if reached.any() else f"is open after {len(evidence)} rows"
    axes = new_axes(f"A test that may look after every row {end}")
    axes.plot(range(1, len(evidence) + 1), evidence)
    axes.axhline(1 / alpha, color=PALETTE[3], linestyle="--", label=f"decided, with an error of {100 * alpha:g} %")
    axes.set(yscale="log", xlabel="rows answered", ylabel="evidence that one is better")
    axes.legend(loc="best")
    return axes
