"""What comes after supervised fine-tuning, on the smoke profile: pairs, rewards, and replay against forgetting.

For each of three seeds there is an SFT, and one with the base model's own replies among its rows; both take the same
number of steps and keep their last weights. DPO, at two learning rates, and GRPO start from the first SFT's adapter.
Each run answers all test rows of the smoke profile, and is compared with the SFT of its seed question by question.
"""

import logging
import math
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.smoke_seeds import GROUPS, SEEDS, score_adapter, summarise
from course_utils.artifacts import Course, open_course, peak_memory_gib
from course_utils.data.prepare import Prepared, prepare_dataset
from course_utils.evaluation import Scores, compare
from course_utils.figures import PALETTE, course_style
from course_utils.files import Row
from course_utils.models import load_model, load_tokenizer
from course_utils.setup import probe_machine
from course_utils.tasks import Task, text_to_sql
from course_utils.training import (
    TokenizedRows,
    TrainingData,
    TrainingResult,
    other_prompts,
    own_replies,
    read_pairs,
    reply_loss,
    tokenize_rows,
    train_dpo,
    train_grpo,
    train_sft,
)
from course_utils.training.forgetting import CHATS
from course_utils.training.policy import RATE_FACTOR, PolicyResult
from course_utils.training.shared_prompts import share_prompts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
SFT, GRPO, REPLAY = "SFT", "SFT, then GRPO", "SFT with replay"
DPO_RATES = {"SFT, then DPO at 1/4 of the rate": 1 / 4, "SFT, then DPO at 1/40 of the rate": 1 / 40}
"""Learning rates as shares of the one that SFT had."""
RUNS = {SFT: SEEDS, **dict.fromkeys([*DPO_RATES, GRPO], SEEDS[:1]), REPLAY: SEEDS}
"""The seeds of each run."""
N_GRPO_STEPS = 24
REPLAY_EVERY = 12
"""One row of replay is added for this many training rows: 8 %."""
PROBE_EVERY = 5
"""One probe is made for this many validation rows."""

KEPT: tuple[str, ...] = (
    "step",
    "loss",
    "eval_loss",
    "margins",
    "chosen",
    "rejected",
    "held-out margins",
    "held-out accuracies",
)
KEPT += ("reward", "right")
"""The fields of the logs that are kept."""


@dataclass(frozen=True)
class Bench:
    """What all runs share."""

    course: Course
    prepared: Prepared
    task: Task
    train: TokenizedRows
    validation: TokenizedRows
    probe: TokenizedRows
    replay: TokenizedRows
    pairs: list[Row]
    base_loss: float
    """Of the base model on the probe."""

    def place(self, name: str, seed: int) -> Path:
        """The folder of a run's adapter."""
        return self.course.root / f"{name}_{seed}".replace(",", "").replace(" ", "_")

    @property
    def n_steps(self) -> int:
        """Of every SFT, with replay or without: as many as the profile's epochs take without."""
        profile = self.course.profile.fit_to(len(self.prepared.train))
        n_batches = len(share_prompts(self.train.examples, profile.batch_size, profile.seed))
        return math.ceil(n_batches * profile.epochs)

    def run(self, name: str, seed: int) -> TrainingResult | PolicyResult:
        """Train one of ``RUNS``; DPO and GRPO go on from the adapter of the SFT of the same seed."""
        rows, data, model = self.prepared.train, self.course.folder("data"), self.course.model
        profile = replace(self.course.profile.fit_to(len(rows)), seed=seed)
        start, output = self.place(SFT, seed), self.place(name, seed)
        if name in DPO_RATES:
            rate = DPO_RATES[name] * profile.learning_rate / RATE_FACTOR
            once = replace(profile, epochs=1.0, learning_rate=rate)
            return train_dpo(once, model, start, self.pairs, self.task, output)
        if name == GRPO:
            steps = replace(profile, max_steps=N_GRPO_STEPS)
            return train_grpo(steps, model, start, rows, self.task, data, output)
        to_the_end = replace(profile, max_steps=self.n_steps, patience=None)
        replayed = self.replay.examples if name == REPLAY else []
        mixed = replace(self.train, examples=[*self.train.examples, *replayed])
        return train_sft(replace(to_the_end, base_model=str(model)), TrainingData(mixed, self.validation), output)


def prepare(folder: str | Path) -> Bench:
    """Prepare the smoke profile's rows, and let the base model reply to other prompts."""
    course = open_course("smoke", artifacts=str(folder))
    prepared = prepare_dataset(course, course.folder("data"))
    tokenizer, base, profile = load_tokenizer(course.model), load_model(course.model), course.profile
    task = text_to_sql(prepared.schemas)
    train, validation = (
        tokenize_rows(tokenizer, rows, task, profile.max_length) for rows in (prepared.train, prepared.validation)
    )
    asked = other_prompts(prepared.validation[::PROBE_EVERY], prepared.schemas, CHATS)
    probe = own_replies(base, tokenizer, asked, profile)
    replay = own_replies(base, tokenizer, other_prompts(prepared.train[::REPLAY_EVERY], prepared.schemas), profile)
    pairs = [pair for pair in read_pairs(course.data) if pair["db_id"] in prepared.schemas]
    base_loss = reply_loss(base, probe)
    return Bench(course, prepared, task, train, validation, probe, replay, pairs, base_loss)


def train_and_score(bench: Bench, name: str, seed: int) -> tuple[Scores, dict[str, Any]]:
    """Train one run, answer the test, and measure what was forgotten."""
    course = bench.course
    began = time.perf_counter()
    trained = bench.run(name, seed)
    seconds = time.perf_counter() - began
    scores = score_adapter(course, bench.prepared, course.folder("data"), trained.adapter)
    logger.info("%s, seed %d: %.1f s, %s", name, seed, seconds, scores.accuracy)
    return scores, {
        "seed": seed,
        **summarise(scores),
        "probe_loss": round(reply_loss(load_model(course.model, adapter=trained.adapter), bench.probe), 4),
        "n_steps": trained.n_steps,
        "kept_step": getattr(trained, "kept_step", None) or trained.n_steps,
        "train_seconds": round(seconds, 1),
        "history": [{key: round(record[key], 4) for key in KEPT if key in record} for record in trained.history],
    }


def measure() -> dict[str, Any]:
    """Train and score every run.

    Returns:
        The machine and, for each run and seed, its accuracy by group, its loss on the probe, the step whose weights it
        kept, the paired difference from the SFT of the same seed and the history of its training.
    """
    with tempfile.TemporaryDirectory() as folder:
        bench = prepare(folder)
        return collect(
            bench, {name: [train_and_score(bench, name, seed) for seed in seeds] for name, seeds in RUNS.items()}
        )


def collect(bench: Bench, runs: dict[str, list[tuple[Scores, dict[str, Any]]]]) -> dict[str, Any]:
    """Compare every run with the SFT of its seed, question by question."""
    return {
        "machine": asdict(probe_machine()),
        "n_pairs": len(bench.pairs),
        "n_replay": len(bench.replay.examples),
        "n_train": len(bench.train.examples),
        "probe": {"n": len(bench.probe.examples), "base_loss": round(bench.base_loss, 4)},
        "runs": {
            name: [
                {**run, "against_sft": compare(first, scores).to_dict("index")}
                for (first, _), (scores, run) in zip(runs[SFT], each, strict=False)  # DPO and GRPO have one seed
            ]
            for name, each in runs.items()
        },
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Right answers with their intervals, and loss on what the base model used to say, one row a run."""
    from matplotlib import pyplot

    figure, (accuracy, probe) = pyplot.subplots(1, 2, figsize=(9, 5), sharey=True)
    runs = {f"{name}, seed {run['seed']}": run for name, each in result["runs"].items() for run in each}
    changes = [run["against_sft"][GROUPS[0]] for name, each in result["runs"].items() if name != SFT for run in each]
    n_clear = sum(change["p_value"] < 0.05 for change in changes)
    finding = f"{n_clear} of {len(changes)} runs are clearly different from the SFT of their seed"
    figure.suptitle(f"Right answers: {finding}", x=0.01, ha="left")
    for number, group in enumerate(GROUPS):
        shares = [run["groups"][group] for run in runs.values()]
        values = [100 * share["accuracy"] for share in shares]
        errors = [
            [abs(100 * share["interval"][end] - value) for share, value in zip(shares, values, strict=True)]
            for end in (0, 1)
        ]
        places = [place + 0.2 * (number - 1) for place in range(len(runs))]
        accuracy.errorbar(values, places, xerr=errors, fmt="osD"[number], color=PALETTE[number], capsize=3, label=group)
    accuracy.set_yticks(range(len(runs)), list(runs))
    accuracy.invert_yaxis()
    accuracy.set(xlabel="questions answered right (%)")
    accuracy.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)
    bars = probe.barh(range(len(runs)), [run["probe_loss"] for run in runs.values()], height=0.5)
    probe.bar_label(bars, fmt="{:.2f}", padding=3)
    base = result["probe"]["base_loss"]
    probe.axvline(base, color="black", linestyle="--", label=f"base model, {base:.2f}")
    probe.set(xlabel="loss on the base's own replies\n(nats per token)")
    probe.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)
    axes: Axes = accuracy
    return axes
