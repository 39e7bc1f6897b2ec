"""How long requests will take at a load that nobody has sent yet: service times measured, queues simulated.

Answers share a replica as llama.cpp and vLLM share theirs: as many requests as it has slots are answered at once, each
more slowly than alone, and the rest wait in order. Networks, failures and replicas that start are not simulated.
"""

from collections.abc import Generator, Sequence
from typing import Any


def simulate_latencies(
    arrivals: Sequence[float], seconds: Sequence[float], speedup: Sequence[float], n_replicas: int = 1
) -> list[float]:
    """Seconds from each request's arrival to its answer, where replicas take requests in turn.

    ``arrivals`` are times in order (s), ``seconds`` what each request takes alone. ``speedup`` has, for 1, 2, ...
    requests at once, the answers per second of one replica relative to one at a time: as many as it has slots.
    """
    import simpy

    environment = simpy.Environment()
    inboxes = [simpy.Store(environment) for _ in range(n_replicas)]
    latencies = [0.0] * len(arrivals)

    def send() -> Generator[Any, Any, None]:
        for index, arrival in enumerate(arrivals):
            yield environment.timeout(arrival - environment.now)
            inboxes[index % n_replicas].put(index)

    def answer(inbox: Any) -> Generator[Any, Any, None]:
        left: dict[int, float] = {}  # seconds of work, alone; the first ones have the slots
        arrived = inbox.get()
        while True:
            served = list(left)[: len(speedup)]
            pace = speedup[len(served) - 1] / len(served) if served else 0.0
            began, events = environment.now, [arrived]
            if served:
                events.append(environment.timeout(min(left[index] for index in served) / pace))
            yield environment.any_of(events)
            for index in served:
                left[index] -= (environment.now - began) * pace
                if left[index] < 1e-9:
                    del left[index]
                    latencies[index] = environment.now - arrivals[index]
            if arrived.triggered:
                left[arrived.value] = seconds[arrived.value]
                arrived = inbox.get()

    environment.process(send())
    for inbox in inboxes:
        environment.process(answer(inbox))
    environment.run()
    return latencies
