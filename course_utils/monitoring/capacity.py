"""How long requests will take at a load that nobody has sent yet: service times measured, queues simulated.

Answers share a replica as llama.cpp and vLLM share theirs: as many requests as it has slots are answered at once, each
more slowly than alone, and the rest wait in order. Networks, failures and replicas that start are not simulated.
"""

from collections.abc import Generator, Sequence
from typing import Any


def simulate_latencies(
    arrivals: Sequence[float], work: Sequence[tuple[float, float]], speedup: Sequence[float], n_replicas: int = 1
) -> list[float]:
    """Seconds from each request's arrival to its answer, where replicas take requests in turn.

    ``arrivals`` are times in order (s). ``work`` is what each request takes alone, in two parts (s): what it shares
    with others, and for how long its replica stands still for all, as when another program has the processor.
    ``speedup`` has, for 1, 2, ... requests at once, the answers per second relative to one: as many as it has slots.
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
        still, arrived = 0.0, inbox.get()
        while True:
            served = list(left)[: len(speedup)]
            pace = 0.0 if still or not served else speedup[len(served) - 1] / len(served)
            began = environment.now
            due = [environment.timeout(still or min(left[index] for index in served) / pace)] if served else []
            yield environment.any_of([arrived, *due])
            still = max(0.0, round(still - environment.now + began, 9))
            for index in served if pace else ():
                left[index] -= (environment.now - began) * pace
                if left[index] < 1e-9:
                    del left[index]
                    latencies[index] = environment.now - arrivals[index]
            if arrived.triggered:
                left[arrived.value], halt = work[arrived.value]
                still, arrived = still + halt, inbox.get()

    for process in (send(), *map(answer, inboxes)):
        environment.process(process)
    environment.run()
    return latencies
