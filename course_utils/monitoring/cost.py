"""What a right answer costs: on a machine that is paid by the hour, and at services that are paid by the token.

Of the services nobody here has measured how often they are right. They count as never wrong, which favours them.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from course_utils.prices import known_services

_POWER = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Serving:
    """One way to have questions answered, and its price in USD."""

    name: str
    usd_per_hour: float = 0.0
    """Paid whether anybody asks or not."""
    usd_per_question: float = 0.0
    accuracy: float = 1.0
    """Share of its answers that are right, 0 to 1."""
    training_usd: float = 0.0
    """Paid once, before the first answer."""

    def usd_per_1000_right(self, per_hour: float) -> float:
        """Price of a thousand right answers at so many questions an hour, without training; inf if none is right."""
        if not self.accuracy:
            return math.inf
        return 1000 * (self.usd_per_hour / per_hour + self.usd_per_question) / self.accuracy


def break_even_per_hour(own: Serving, service: Serving) -> float:
    """Questions an hour above which ``own`` is the cheaper one per right answer; 0 if it always is, inf if at none.

    With prices h by the hour and q by the question, and accuracy a, both cost the same at n questions an hour:
    (h1 / n + q1) / a1 = (h2 / n + q2) / a2, so n = (h1 / a1 - h2 / a2) / (q2 / a2 - q1 / a1).
    """
    if not own.accuracy or not service.accuracy:
        return 0.0 if own.accuracy else math.inf
    fixed = own.usd_per_hour / own.accuracy - service.usd_per_hour / service.accuracy
    saved = service.usd_per_question / service.accuracy - own.usd_per_question / own.accuracy
    if saved <= 0:
        return 0.0 if saved == 0 and fixed < 0 else math.inf
    return max(0.0, fixed / saved)


def price_services(tokens: tuple[float, float], training_tokens: float) -> list[Serving]:
    """Every service of ``prices.toml`` for questions of so many prompt and reply tokens.

    ``training_tokens`` are those of all epochs; they count where the served model is a tuned one.
    """
    offers = []
    for service in known_services().values():
        training = training_tokens * service["usd_per_million_tokens"] / 1e6
        for offer in service["serving"]:
            by_token = [offer.get(f"usd_per_million_{part}_tokens", 0.0) / 1e6 for part in ("prompt", "reply")]
            usd = sum(price * n for price, n in zip(by_token, tokens, strict=True))
            name = f"{offer['name']}, {'tuned' if offer['is_tuned'] else 'as it is'}"
            paid_once = training if offer["is_tuned"] else 0.0
            offers.append(Serving(name, offer.get("usd_per_hour", 0.0), usd, training_usd=paid_once))
    return offers


def read_energy_j(folder: Path = _POWER) -> float | None:
    """Joules that the processors have used since some moment, by Linux's RAPL counters: take the difference of two.

    None where there is nothing to read: on most virtual machines, and since CVE-2020-8694 for all but root. Counters
    start again at some 262 kJ, which takes a busy processor half an hour.
    """
    try:
        microjoules = [int(path.read_text()) for path in folder.glob("intel-rapl:?/energy_uj")]
    except OSError:
        return None
    return sum(microjoules) / 1e6 if microjoules else None
