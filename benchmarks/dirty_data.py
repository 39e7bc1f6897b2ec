"""Do corrupted rows hurt, and does validation mend it? Models trained on dirty and on cleaned rows, at equal steps.

The same rows are corrupted in two ways: with ``scattered`` defects of several kinds, and with ``one source`` whose rows
all have the same defect, like answers copied from a chat with an assistant. A model is trained on each version before
and after cleaning by ``validate_rows``. Cleaning leaves fewer rows, which are then read more often. The seed chooses
the corrupted rows, the adapter's initial weights and the order of rows.
"""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks.more_defects import every_defect
from course_utils.artifacts import Course, open_course, peak_memory_gib
from course_utils.data import inject_defects, prepare_dataset, validate_rows
from course_utils.data.prepare import Prepared
from course_utils.evaluation import Scores, compare, predict, score_predictions
from course_utils.evaluation.comparison import bootstrap_difference
from course_utils.figures import PALETTE, course_style
from course_utils.files import Row
from course_utils.models import load_model, load_tokenizer
from course_utils.setup import probe_machine
from course_utils.tasks import text_to_sql
from course_utils.training import TrainingData, tokenize_rows, train_sft

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
SEEDS = (0, 1, 2)
N_ROWS = 700
N_STEPS = 120
SCATTERED = {"template in answer": 0.35, "truncated SQL": 0.2, "wrong column": 0.1}
"""Share of the rows to corrupt, by kind of defect."""
PREFACE_SHARE, TRUNCATED_SHARE = 0.55, 0.1
PREFACE = "Sure, here is the query:\n"
"""What answers begin with that were copied from a chat with an assistant."""
PAIRS = {kind: (f"{kind}, dirty", f"{kind}, cleaned") for kind in ("scattered", "one source")}


def measure(seeds: tuple[int, ...] = SEEDS) -> dict[str, Any]:
    """Train and score a model for each arm and seed, all on the smoke profile's test rows.

    Args:
        seeds: Seeds of corruption and training.

    Returns:
        The machine; rows and accuracy of each run; what cleaning gains, by seed and over all seeds.
    """
    with tempfile.TemporaryDirectory() as folder:
        course = open_course("smoke", artifacts=folder)
        prepared = prepare_dataset(course, course.folder("data"))
        runs: list[dict[str, Any]] = []
        scores: dict[str, list[Scores]] = {}
        for seed in seeds:
            for arm, (rows, counts) in make_arms(prepared, course.folder("data"), seed).items():
                run, scored = _run(course, prepared, rows, seed, arm)
                runs.append({"arm": arm, "seed": seed, **counts, **run})
                scores.setdefault(arm, []).append(scored)
                logger.info("%s", runs[-1])
    return {
        "machine": asdict(probe_machine()),
        "n_steps": N_STEPS,
        "corrupted_shares": {
            "scattered": SCATTERED,
            "one source": {"preface": PREFACE_SHARE, "truncated SQL": TRUNCATED_SHARE},
        },
        "n_test": len(prepared.test),
        "runs": runs,
        "gains": {
            kind: compare_arms(scores[dirty], scores[cleaned], seeds) for kind, (dirty, cleaned) in PAIRS.items()
        },
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


def add_preface(rows: Sequence[Row], share: float, seed: int) -> list[Row]:
    """Put ``PREFACE`` before the queries of a share of the rows, 0 to 1, as if they came from one chat."""
    chosen = set(Random(seed).sample(range(len(rows)), round(share * len(rows))))
    return [{**row, "query": PREFACE + row["query"]} if i in chosen else row for i, row in enumerate(rows)]


def make_arms(prepared: Prepared, data: Path, seed: int) -> dict[str, tuple[list[Row], dict[str, int]]]:
    """The rows of each arm, with how many of them are corrupted.

    Args:
        prepared: The clean dataset; its first training rows are taken.
        data: Folder of the data stage, for the databases that queries are tried on.
        seed: Chooses the rows to corrupt.
    """
    clean = prepared.train[:N_ROWS]
    databases = {db_id: data / "databases" / db_id / f"{db_id}.sqlite" for db_id in prepared.schemas}
    truncated = _corrupt(clean, {"truncated SQL": TRUNCATED_SHARE}, seed)
    dirty = {
        "scattered": _corrupt(clean, SCATTERED, seed),
        "one source": add_preface(truncated, PREFACE_SHARE, seed),
    }
    arms = {}
    for kind, rows in dirty.items():
        arms[f"{kind}, dirty"] = rows
        arms[f"{kind}, cleaned"] = validate_rows({"train": rows}, databases).splits["train"]
    queries = {row["id"]: row["query"] for row in clean}
    return {
        arm: (rows, {"n_rows": len(rows), "n_corrupted": sum(row["query"] != queries[row["id"]] for row in rows)})
        for arm, rows in arms.items()
    }


def _corrupt(rows: Sequence[Row], shares: Mapping[str, float], seed: int) -> list[Row]:
    """Inject each kind into rows that no other has corrupted."""
    corrupted: dict[str, Row] = {}
    defects = every_defect({"train": rows})
    for kind, share in shares.items():
        left = [row for row in rows if row["id"] not in corrupted]
        injection = inject_defects({"train": left}, {kind: defects[kind]}, round(share * len(rows)), seed)
        numbers = [defect.number - 1 for defect in injection.defects]
        corrupted |= {left[number]["id"]: injection.splits["train"][number] for number in numbers}
    return [corrupted.get(row["id"], row) for row in rows]


def _run(course: Course, prepared: Prepared, rows: list[Row], seed: int, arm: str) -> tuple[dict[str, Any], Scores]:
    profile = replace(course.profile, max_steps=N_STEPS, n_evaluations=1, seed=seed)
    tokenizer, task = load_tokenizer(course.model), text_to_sql(prepared.schemas)
    train, validation = (
        tokenize_rows(tokenizer, part, task, profile.max_length) for part in (rows, prepared.validation)
    )
    trained = train_sft(profile, TrainingData(train, validation), course.root / f"{arm}_{seed}")
    answers = predict(load_model(course.model, adapter=trained.adapter), tokenizer, prepared.test, task, profile)
    scores = score_predictions(answers, course.folder("data"), name=arm)
    run = {
        "accuracy": round(scores.accuracy.value, 4),
        "interval": [round(scores.accuracy.low, 4), round(scores.accuracy.high, 4)],
        "validity": round(scores.validity.value, 4),
        "problems": scores.failures(),
        "train_seconds": round(trained.seconds, 1),
        "predict_seconds": round(sum(answer["seconds"] for answer in answers), 1),
    }
    return run, scores


def compare_arms(dirty: Sequence[Scores], cleaned: Sequence[Scores], seeds: Sequence[int]) -> dict[str, Any]:
    """What cleaning gains, in accuracy from -1 to 1: for each seed, and over all seeds.

    The seeds answer the same questions. ``pooled`` therefore draws questions, each with its verdicts of all seeds;
    ``pooled_verdicts`` draws single verdicts as if they were independent, which makes too narrow an interval.
    """
    by_seed = [next(compare(*pair).itertuples()) for pair in zip(dirty, cleaned, strict=True)]
    verdicts = [[[outcome.verdict.correct for outcome in run.outcomes] for run in runs] for runs in (dirty, cleaned)]
    means = [[sum(question) / len(question) for question in zip(*arm, strict=True)] for arm in verdicts]
    single = next(compare(_concatenate(dirty), _concatenate(cleaned)).itertuples())
    return {
        "by_seed": [
            {
                "seed": seed,
                **_gain(found.difference, found.low, found.high),
                "n_gained": found.n_gained,
                "n_lost": found.n_lost,
                "p_value": found.p_value,
            }
            for seed, found in zip(seeds, by_seed, strict=True)
        ],
        "pooled": _gain(single.difference, *bootstrap_difference(*means)),
        "pooled_verdicts": _gain(single.difference, single.low, single.high),
    }


def _concatenate(runs: Sequence[Scores]) -> Scores:
    return Scores(runs[0].name, tuple(outcome for run in runs for outcome in run.outcomes))


def _gain(difference: float, low: float, high: float) -> dict[str, Any]:
    return {"gain": round(difference, 4), "interval": [round(low, 4), round(high, 4)]}


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Left: accuracy of each arm and seed. Right: what cleaning gains, by seed and pooled. All with 95 % intervals."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4), width_ratios=(5, 3))
    gained = [f"{100 * gains['pooled']['gain']:.0f} ({kind})" for kind, gains in result["gains"].items()]
    figure.suptitle(f"Points that cleaning gains: {', '.join(gained)}", x=0.01, ha="left")
    accuracy: Axes = panels[0]
    arms = list(dict.fromkeys(run["arm"] for run in result["runs"]))
    seeds = list(dict.fromkeys(run["seed"] for run in result["runs"]))
    for run in result["runs"]:
        number = seeds.index(run["seed"])
        place = arms.index(run["arm"]) + 0.2 * (number - (len(seeds) - 1) / 2)
        label = f"seed {run['seed']}" if run["arm"] == arms[0] else None
        draw_interval(accuracy, place, run["accuracy"], run["interval"], number, label)
    accuracy.set_xticks(range(len(arms)), [arm.replace(", ", ",\n") for arm in arms])
    accuracy.set(ylabel=f"questions answered right (%)\nof {result['n_test']}", ylim=(0, 100))
    accuracy.legend(loc="lower left", ncols=len(seeds))
    for column, gains in enumerate(result["gains"].values()):
        points = [*gains["by_seed"], gains["pooled"]]
        for number, point in enumerate(points):
            label = "all seeds" if column == 0 and "seed" not in point else None
            place = column + 0.2 * (number - len(points) / 2)
            draw_interval(panels[1], place, point["gain"], point["interval"], number, label)
    panels[1].axhline(0, color="0.5", linewidth=0.8)
    panels[1].set_xticks(range(len(result["gains"])), list(result["gains"]))
    panels[1].set(ylabel="cleaned minus dirty (points)", xlim=(-0.6, len(result["gains"]) - 0.4))
    panels[1].legend(loc="upper left")
    return accuracy


def draw_interval(
    axes: "Axes", place: float, value: float, interval: Sequence[float], number: int, label: str | None
) -> None:
    """A point with its interval; seeds, and what stands behind them, differ in colour and marker."""
    ends = [[100 * (value - interval[0])], [100 * (interval[1] - value)]]
    axes.errorbar([place], [100 * value], ends, fmt="os^D"[number], capsize=3, color=PALETTE[number], label=label)
