"""How much work fits into a time: measured on this machine by doing a little of it."""

from collections.abc import Callable


def n_affordable(seconds_for: Callable[[int], float], n_wanted: int, budget_s: float | None, n_trial: int = 1) -> int:
    """How many units of work fit into a time; all that are wanted where it is not limited.

    Args:
        seconds_for: Does so many units and says how many seconds they took.
        n_wanted: Units to do if there is time.
        budget_s: Seconds for the trial and the work together; None for no limit, and no trial.
        n_trial: Units of the trial.

    Returns:
        From 0 to ``n_wanted``.
    """
    if budget_s is None or n_wanted <= n_trial:
        return n_wanted
    spent_s = seconds_for(n_trial)
    return max(0, min(n_wanted, int(n_trial * (budget_s - spent_s) / spent_s)))
