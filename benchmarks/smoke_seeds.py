"""Does the tiny model learn with any seed? The base model, the base with its best prompt, and models of several seeds.

The rows and the base model are the same for every seed; the seed decides the adapter's initial weights and the order of
the rows.
"""

import logging
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import Course, open_course, peak_memory_gib
from course_utils.data.prepare import Prepared, prepare_dataset
from course_utils.evaluation import Scores, make_prompts, predict, score_predictions
from course_utils.figures import course_style, new_axes
from course_utils.files import Row
from course_utils.models import load_model, load_tokenizer
from course_utils.setup import probe_machine
from course_utils.tasks import text_to_sql
from course_utils.training import TrainingData, tokenize_rows, train_sft

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
SEEDS = (0, 1, 2)
GROUPS = ("all rows", "seen databases", "unseen databases")


def measure(profile: str = "smoke", seeds: tuple[int, ...] = SEEDS) -> dict[str, Any]:
    """Train and score one adapter a seed.

    Args:
        profile: Name of the profile to measure.
        seeds: Seeds of training.

    Returns:
        The machine, the base model's accuracy, that with its best prompt and, for each seed, the tuned model's.
    """
    with tempfile.TemporaryDirectory() as folder:
        course = open_course(profile, artifacts=folder)
        data = course.folder("data")
        prepared = prepare_dataset(course, data)
        base = summarise(score_adapter(course, prepared, data, adapter=None))
        best_prompt = score_best_prompt(course, prepared, data)
        runs = [tune(course, prepared, data, seed) for seed in seeds]
    return {
        "profile": profile,
        "machine": asdict(probe_machine()),
        "base": base,
        "best_prompt": best_prompt,
        "tuned": runs,
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


def tune(course: Course, prepared: Prepared, data: Path, seed: int) -> dict[str, Any]:
    """Train one adapter with a seed, and score it on the test rows."""
    profile = replace(course.profile.fit_to(len(prepared.train)), seed=seed)
    tokenizer = load_tokenizer(course.model)
    train, validation = (
        tokenize_rows(tokenizer, rows, text_to_sql(prepared.schemas), profile.max_length)
        for rows in (prepared.train, prepared.validation)
    )
    result = train_sft(profile, TrainingData(train, validation), course.root / f"adapter_{seed}")
    summary = summarise(score_adapter(course, prepared, data, adapter=result.adapter))
    logger.info("seed %d: %s", seed, summary)
    return {"seed": seed, **summary, "train_seconds": round(result.seconds, 1), **result.results()}


def score_adapter(course: Course, prepared: Prepared, data: Path, adapter: Path | None) -> Scores:
    """Let the base model, with an adapter or without, answer the test rows, and score what it says."""
    tokenizer = load_tokenizer(course.model)
    model = load_model(course.model, adapter=adapter)
    began = time.perf_counter()
    rows = predict(model, tokenizer, prepared.test, text_to_sql(prepared.schemas), course.profile)
    logger.info("%d replies in %.1f s", len(rows), time.perf_counter() - began)
    return score_predictions(rows, data)


def score_best_prompt(course: Course, prepared: Prepared, data: Path) -> dict[str, Any]:
    """Let the base model answer the test rows by the prompt that is best on 40 validation rows, as in notebook 4."""
    tokenizer, model, task = load_tokenizer(course.model), load_model(course.model), text_to_sql(prepared.schemas)

    def score(rows: list[Row], plain: bool, n_examples: int) -> Scores:
        prompts = make_prompts(rows, task, train=prepared.train, plain=plain, n_examples=n_examples)
        return score_predictions(predict(model, tokenizer, rows, task, course.profile, prompts=prompts), data)

    few = prepared.validation[:: max(1, len(prepared.validation) // 40)][:40]
    tried = {(plain, 0): score(few, plain, 0).accuracy.value for plain in (False, True)}
    better, _ = max(tried, key=tried.__getitem__)
    tried |= {(better, n): score(few, better, n).accuracy.value for n in (1, 3)}
    plain, n_examples = max(tried, key=tried.__getitem__)
    prompt = {"plain": plain, "n_examples": n_examples}
    return {"prompt": prompt, "on_validation": [*tried.values()], **summarise(score(prepared.test, plain, n_examples))}


def summarise(scores: Scores) -> dict[str, Any]:
    """Validity, accuracy with its interval by group, and what went wrong, as plain JSON values."""
    return {
        "validity": round(scores.validity.value, 4),
        "groups": {
            name: {
                "n": share.n,
                "accuracy": round(share.value, 4),
                "interval": [round(share.low, 4), round(share.high, 4)],
            }
            for name, share in scores.accuracy_by_group().items()
        },
        "problems": scores.failures(),
    }


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Execution accuracy with its interval, base, best prompt and every seed, for all, seen and unseen databases."""
    runs = {"base model": result["base"], "base, best prompt": result["best_prompt"]}
    runs |= {f"tuned, seed {run['seed']}": run for run in result["tuned"]}
    base, best, *tuned = (100 * run["groups"][GROUPS[0]]["accuracy"] for run in runs.values())
    title = f"Right answers: base {base:.0f} %, with its best prompt {best:.0f} %, tuned {min(tuned):.0f} % or more"
    axes = new_axes(title, width=8.0)
    for number, (label, run) in enumerate(runs.items()):
        shares = [run["groups"][group] for group in GROUPS]
        places = [place + 0.16 * number for place in range(len(GROUPS))]
        values = [100 * share["accuracy"] for share in shares]
        errors = [
            [abs(100 * share["interval"][end] - value) for share, value in zip(shares, values, strict=True)]
            for end in (0, 1)
        ]
        axes.errorbar(places, values, yerr=errors, fmt="osD^v"[number % 5], capsize=4, label=label)
    axes.set(ylabel="questions answered right (%)", ylim=(-3, 103))
    axes.set_xticks(
        [place + 0.24 for place in range(len(GROUPS))],
        [f"{group}\n(n = {result['base']['groups'][group]['n']})" for group in GROUPS],
    )
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return axes
