"""Simulate how long requests take at a load that has not occurred yet, and compare what a right answer costs.

A simulated replica works as llama.cpp and vLLM do: it answers as many requests at once as it has slots, each more
slowly than alone, and the rest wait in order. Networks, failures and starting replicas are not simulated.
"""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any


def simulate_latencies(
    arrivals: Sequence[float], work: Sequence[tuple[float, float]], speedup: Sequence[float], n_replicas: int = 1
) -> list[float]:
    """Simulate the seconds from each request's arrival to its answer, where replicas take requests in turn.

    ``arrivals`` are times in ascending order (s). ``work`` has two durations for each request (s): how long it takes
    alone, and how long its replica stands still for all requests, as when another program has the processor.
    ``speedup[n - 1]`` is how many times as fast a replica answers n requests at once as one alone; its length is the
    number of slots.
    """
    import simpy

    began_at = min(arrivals, default=0.0)
    arrivals = [arrival - began_at for arrival in arrivals]  # relative, because Unix times leave too few digits
    latest = max(arrivals, default=0.0) + sum(map(sum, work))
    grain = 1e-9 + 1e-14 * latest  # the rounding error of so long a clock; less work than that is none
    environment = simpy.Environment()
    inboxes = [simpy.Store(environment) for _ in range(n_replicas)]
    latencies = [0.0] * len(arrivals)

    def send() -> Generator[Any, Any, None]:
        for index, arrival in enumerate(arrivals):
            yield environment.timeout(max(0.0, arrival - environment.now))  # rounding may make it slightly negative
            inboxes[index % n_replicas].put(index)

    def answer(inbox: Any) -> Generator[Any, Any, None]:
        left: dict[int, float] = {}  # of each request, seconds of work alone; the first ones have the slots
        still, arrived = 0.0, inbox.get()
        while True:
            served = list(left)[: len(speedup)]
            pace = 0.0 if still or not served else speedup[len(served) - 1] / len(served)
            began = environment.now
            due = [environment.timeout(still or min(left[index] for index in served) / pace)] if served else []
            yield environment.any_of([arrived, *due])
            still = rest if (rest := still - environment.now + began) > grain else 0.0
            for index in served if pace else ():
                left[index] -= (environment.now - began) * pace
                if left[index] < grain:
                    del left[index]
                    latencies[index] = environment.now - arrivals[index]
            if arrived.triggered:
                left[arrived.value], halt = work[arrived.value]
                still, arrived = still + halt, inbox.get()

    for process in (send(), *map(answer, inboxes)):
        environment.process(process)
    environment.run()
    return latencies


@dataclass(frozen=True)
class Serving:
    """A way to have questions answered, with its price in USD."""

    name: str
    usd_per_hour: float = 0.0
    """Paid whether anybody asks or not."""
    usd_per_question: float = 0.0
    accuracy: float = 1.0
    """Share of its answers that are right, in (0, 1]."""

    def usd_per_1000_right(self, per_hour: float) -> float:
        """Price in USD of a thousand right answers at ``per_hour`` questions an hour, above 0; lower is better."""
        return 1000 * (self.usd_per_hour / per_hour + self.usd_per_question) / self.accuracy


def break_even_per_hour(own: Serving, service: Serving) -> float:
    """Questions an hour above which ``own`` is cheaper per right answer: 0 if it always is, inf if it never is.

    With prices h by the hour and q by the question, and accuracy a, both cost the same at n questions an hour:
    (h1 / n + q1) / a1 = (h2 / n + q2) / a2, so n = (h1 / a1 - h2 / a2) / (q2 / a2 - q1 / a1).
    """
    fixed = own.usd_per_hour / own.accuracy - service.usd_per_hour / service.accuracy
    saved = service.usd_per_question / service.accuracy - own.usd_per_question / own.accuracy
    if saved <= 0:
        return 0.0 if saved == 0 and fixed < 0 else math.inf
    return max(0.0, fixed / saved)
