"""How much work fits into a time: measured on this machine by doing a little of it."""

from collections.abc import Callable


def n_affordable(seconds_for: Callable[[int], float], n_wanted: int, budget_s: float | None, n_trial: int = 1) -> int:
    """How many of ``n_wanted`` units of work fit into ``budget_s`` seconds, a trial included; None is no limit.

    ``seconds_for`` does so many units and says how many seconds they took.
    """
    if budget_s is None or n_wanted <= n_trial:
        return n_wanted
    spent_s = seconds_for(n_trial)
    return max(0, min(n_wanted, int(n_trial * (budget_s - spent_s) / spent_s)))
