"""What comes after supervised fine-tuning, on the smoke profile: pairs, rewards, and replay against forgetting.

The runs are one SFT, DPO and GRPO that start from its adapter, and one more SFT with the base model's own replies among
its rows. Each answers all test rows of the smoke profile, and is compared with the first SFT question by question.
"""

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.smoke_seeds import GROUPS, score_adapter, summarise
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
from course_utils.training.policy import PolicyResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RUNS = ("SFT", "SFT, then DPO", "SFT, then GRPO", "SFT with replay")
SFT = RUNS[0]
N_GRPO_STEPS = 24
REPLAY_EVERY = 12
"""One row of replay is added for this many training rows: 8 %."""
PROBE_EVERY = 5
"""One probe is made for this many validation rows."""

KEPT = ("step", "loss", "eval_loss", "margins", "chosen", "rejected", "held-out margins", "held-out accuracies")
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

    def place(self, name: str) -> Path:
        """The folder of a run's adapter."""
        return self.course.root / name.replace(",", "").replace(" ", "_")

    def run(self, name: str) -> TrainingResult | PolicyResult:
        """Train one of ``RUNS``; all but the SFTs go on from the adapter of ``SFT``."""
        profile, model, output = (
            self.course.profile.fit_to(len(self.prepared.train)),
            self.course.model,
            self.place(name),
        )
        rows, data = self.prepared.train, self.course.folder("data")
        if name == "SFT, then DPO":
            once = replace(profile, epochs=1.0)
            return train_dpo(once, model, self.place(SFT), self.pairs, self.task, output)
        if name == "SFT, then GRPO":
            steps = replace(profile, max_steps=N_GRPO_STEPS)
            return train_grpo(steps, model, self.place(SFT), rows, self.task, data, output)
        replayed = self.replay.examples if name == "SFT with replay" else []
        mixed = replace(self.train, examples=[*self.train.examples, *replayed])
        return train_sft(profile, model, mixed, self.validation, output)


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


def train_and_score(bench: Bench, name: str) -> tuple[Scores, dict[str, Any]]:
    """Train one run, answer the test, and measure what was forgotten."""
    course = bench.course
    began = time.perf_counter()
    trained = bench.run(name)
    seconds = time.perf_counter() - began
    scores = score_adapter(course, bench.prepared, course.folder("data"), trained.adapter)
    return scores, {
        **summarise(scores),
        "probe_loss": round(reply_loss(load_model(course.model, adapter=trained.adapter), bench.probe), 4),
        "train_seconds": round(seconds, 1),
        "history": [{key: round(record[key], 4) for key in KEPT if key in record} for record in trained.history],
    }


def measure() -> dict[str, Any]:
    """Train and score every run.

    Returns:
        The machine and, for each run, its accuracy by group, its loss on the probe, the paired difference from SFT and
        the history of its training.
    """
    with tempfile.TemporaryDirectory() as folder:
        bench = prepare(folder)
        return collect(bench, {name: train_and_score(bench, name) for name in RUNS})


def collect(bench: Bench, runs: dict[str, tuple[Scores, dict[str, Any]]]) -> dict[str, Any]:
    """Compare every run with SFT, question by question."""
    first, _ = runs[SFT]
    return {
        "machine": asdict(probe_machine()),
        "n_pairs": len(bench.pairs),
        "n_replay": len(bench.replay.examples),
        "n_train": len(bench.train.examples),
        "probe": {"n": len(bench.probe.examples), "base_loss": round(bench.base_loss, 4)},
        "runs": {
            name: {**run, "against_sft": compare(first, scores).to_dict("index")}
            for name, (scores, run) in runs.items()
        },
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Right answers with their intervals, and loss on what the base model used to say, one row a run."""
    from matplotlib import pyplot

    figure, (accuracy, probe) = pyplot.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    runs = result["runs"]
    clear = [name for name, run in runs.items() if run["against_sft"][GROUPS[0]]["p_value"] < 0.05]
    finding = (
        f"clearly different from SFT: {', '.join(clear)}" if clear else "no run is clearly better or worse than SFT"
    )
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
