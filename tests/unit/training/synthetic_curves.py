"""Loss curves of five known kinds, drawn from what is known of training and not from what ``diagnose`` looks for.

A loss falls to a floor as a mixture of an exponential and a power law of the summed learning rate (Kaplan et al. 2020,
arXiv:2001.08361, find power laws). Batches differ, so each logged loss is the curve times a lognormal; a validation set
stays the same, so its losses wiggle less. How often losses are logged, how large they are, how long a run is, which
schedule it has and whether step 0 was measured are drawn too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Record = dict[str, float]
Curve = Callable[[float], float]


@dataclass(frozen=True)
class Run:
    """What all kinds have in common; ``progress`` is the summed rate so far, from 0 to 1."""

    rng: Random
    start: float
    n_steps: int
    epochs: float
    schedule: str

    def rate(self, step: int) -> float:
        done = step / self.n_steps
        warm_up = min(1.0, step / max(1, 0.05 * self.n_steps))
        shape = {"linear": 1 - done, "constant": 1.0, "cosine": (1 + math.cos(math.pi * done)) / 2}
        return warm_up * shape[self.schedule]

    def history(self, train: Curve, validation: Curve, noise: float) -> list[Record]:
        """Records as a trainer logs them, of two losses by progress."""
        rates = [self.rate(step) for step in range(self.n_steps + 1)]
        total, done, progress = sum(rates), 0.0, []
        for rate in rates:
            progress.append(done / total)
            done += rate
        every = max(1, self.n_steps // self.rng.choice((15, 30, 50, 100)))
        n_evaluations = self.rng.choice((3, 4, 6, 8, 12))
        measured = {
            round(self.n_steps * k / n_evaluations) for k in range(self.rng.choice((0, 0, 0, 1)), n_evaluations + 1)
        }
        records: list[Record] = []
        since: list[float] = []
        for step in range(self.n_steps + 1):
            place = {"step": float(step), "epoch": self.epochs * step / self.n_steps}
            if step:
                since.append(train(progress[step]) * self.rng.lognormvariate(0, noise))
            if step == 1 or (step and step % every == 0):  # the mean of the steps since the last record
                records.append(place | {"loss": sum(since) / len(since), "learning_rate": rates[step]})
                since.clear()
            if step in measured or step == self.n_steps:
                records.append(place | {"eval_loss": validation(progress[step]) * self.rng.lognormvariate(0, 0.01)})
        return records


def falling(rng: Random, start: float, floor: float, n_times: float) -> Curve:
    """From ``start`` towards ``floor``; after a whole run ``n_times`` time constants have passed."""
    share = rng.uniform(0.6, 0.9)  # of the fall that is exponential; the rest is a power law
    power = rng.uniform(1.0, 2.0)

    def loss(progress: float) -> float:
        time = n_times * progress
        return floor + (start - floor) * (share * math.exp(-time) + (1 - share) * (1 + time) ** -power)

    return loss


def draw_run(rng: Random, steps: tuple[int, int], epochs: tuple[float, float]) -> Run:
    start = math.exp(rng.uniform(math.log(0.6), math.log(11.0)))
    n_steps = round(math.exp(rng.uniform(*map(math.log, steps))))
    return Run(rng, start, n_steps, rng.uniform(*epochs), rng.choice(("linear", "constant", "cosine")))


def healthy(rng: Random) -> list[Record]:
    run = draw_run(rng, (60, 3000), (1, 4))
    floor, n_times = run.start * rng.uniform(0.02, 0.3), rng.uniform(6, 20)
    train = falling(rng, run.start, floor, n_times)
    validation = falling(rng, run.start, floor * rng.uniform(1, 2), n_times)
    return run.history(train, validation, rng.uniform(0.05, 0.35))


def overfit(rng: Random) -> list[Record]:
    run = draw_run(rng, (80, 2000), (5, 30))
    train = falling(rng, run.start, run.start * rng.uniform(0.001, 0.05), rng.uniform(6, 20))
    turn, rise, power = rng.uniform(0.1, 0.6), rng.choice((0, rng.uniform(0.2, 1.5))), rng.uniform(0.7, 1.5)
    general = falling(rng, run.start, run.start * rng.uniform(0.2, 0.5), rng.uniform(10, 25))

    def validation(x: float) -> float:
        return max(train(x), general(x)) * (1 + rise * (max(0.0, x - turn) / (1 - turn)) ** power)

    return run.history(train, validation, rng.uniform(0.05, 0.35))


def too_short(rng: Random) -> list[Record]:
    run = draw_run(rng, (8, 60), (0.05, 1))
    train = falling(rng, run.start, run.start * rng.uniform(0.02, 0.3), rng.uniform(0.8, 2.0))
    return run.history(train, train, rng.uniform(0.05, 0.2))


def underfit(rng: Random) -> list[Record]:
    run = draw_run(rng, (80, 3000), (1, 6))
    if rng.random() < 0.5:  # the rate is so low that the loss creeps
        train = falling(rng, run.start, run.start * rng.uniform(0.05, 0.3), rng.uniform(0.01, 0.12))
    else:  # too little can change: a first fall, then nothing
        train = falling(rng, run.start, run.start * rng.uniform(0.8, 0.95), rng.uniform(6, 25))
    return run.history(train, train, rng.uniform(0.05, 0.35))


def unstable(rng: Random) -> list[Record]:
    run = draw_run(rng, (40, 2000), (1, 4))
    calm = falling(rng, run.start, run.start * rng.uniform(0.05, 0.4), rng.uniform(5, 15))
    kind = rng.choice(("blow up", "late", "spikes", "no number"))
    begins = rng.uniform(0.03, 0.15) if kind == "blow up" else rng.uniform(0.2, 0.7)
    height = run.start * rng.uniform(0.7, 4)
    back = rng.uniform(0.5, 5)
    bumps = [(begins + k * rng.uniform(0.1, 0.15), rng.uniform(0.02, 0.04)) for k in range(rng.randint(2, 4))]

    def loss(x: float) -> float:
        if kind == "spikes":
            return calm(x) + height * max(math.exp(-(((x - at) / width) ** 2)) for at, width in bumps)
        after = max(0.0, x - begins)
        return calm(x) + (height * (1 - math.exp(-after / 0.02)) * math.exp(-back * after) if after else 0.0)

    found = run.history(loss if kind != "no number" else calm, loss, rng.uniform(0.05, 0.35))
    if kind == "no number":
        for record in found:
            if record["step"] > begins * run.n_steps:
                record["eval_loss" if "eval_loss" in record else "loss"] = math.nan
    return found


KINDS = {"healthy": healthy, "overfit": overfit, "too short": too_short, "underfit": underfit, "unstable": unstable}


def draw_curve(kind: str, seed: int) -> list[Record]:
    """One curve of a kind, always the same for a seed."""
    return KINDS[kind](Random(f"{kind} {seed}"))
