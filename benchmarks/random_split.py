"""By how much does a leaked query raise accuracy? The same test, with and without its queries in the training rows.

Some queries of the training rows are asked in two wordings, of which a random split would put one into training and the
other into the test. Here the second wordings are the test. One model trains on rows without these queries; for the
other model, the first wordings replace as many of those rows. ``shares`` gives the share of a random split's test rows
whose query leaks in this way.
"""

import logging
import math
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks.dirty_data import compare_arms, draw_interval
from course_utils.artifacts import Course, open_course, peak_memory_gib
from course_utils.data import prepare_dataset
from course_utils.evaluation import Scores, predict, score_predictions
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
N_SPLITS = 1_000
TEST_SHARE = 0.1
ARMS = ("query not in training", "query in training, in other words")


def measure(seeds: tuple[int, ...] = SEEDS) -> dict[str, Any]:
    """Train both models for each seed and ask them the second wordings, on the smoke profile's rows.

    Args:
        seeds: Of the adapter's start and the order of the rows.

    Returns:
        The machine; accuracy of each run; what the leak gains, by seed and over all seeds; ``shares``.
    """
    with tempfile.TemporaryDirectory() as folder:
        course = open_course("smoke", artifacts=folder)
        prepared = prepare_dataset(course, course.folder("data"))
        alone, firsts, seconds = part_wordings(prepared.train)
        arms = dict(zip(ARMS, (alone, [*Random(0).sample(alone, len(alone) - len(firsts)), *firsts]), strict=True))
        n_steps = math.ceil(len(alone) / course.profile.effective_batch_size * course.profile.epochs)
        scores: dict[str, list[Scores]] = {arm: [] for arm in ARMS}
        for seed in seeds:
            for arm, rows in arms.items():
                scores[arm].append(_run(course, prepared.schemas, rows, seconds, n_steps, seed))
                logger.info("seed %d, %s: %s", seed, arm, scores[arm][-1].accuracy)
    found = {arm: [run.accuracy for run in runs] for arm, runs in scores.items()}
    return {
        "machine": asdict(probe_machine()),
        "n_steps": n_steps,
        "n_train": len(alone),
        "n_test": len(seconds),
        "seeds": list(seeds),
        "accuracy": {
            arm: [{"value": round(x.value, 4), "interval": [round(x.low, 4), round(x.high, 4)]} for x in shares]
            for arm, shares in found.items()
        },
        "leak_gains": compare_arms(scores[ARMS[0]], scores[ARMS[1]], seeds),
        "shares": leaked_shares(prepared.train),
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


def part_wordings(rows: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Rows whose query is asked once, and of the queries that are asked again the first and the second wordings."""
    by_query: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_query[row["db_id"], row["query"]].append(row)
    pairs = [group for group in by_query.values() if len(group) > 1]
    alone = [group[0] for group in by_query.values() if len(group) == 1]
    return alone, [group[0] for group in pairs], [group[1] for group in pairs]


def leaked_shares(rows: Sequence[Row]) -> dict[str, float]:
    """Of ``N_SPLITS`` random tests of ``TEST_SHARE`` of the rows: which share of one has its query in training, 0 to 1.

    Returns:
        The mean, and the ends of the middle 95 %.
    """
    queries = [(row["db_id"], row["query"]) for row in rows]
    shares = []
    for seed in range(N_SPLITS):
        Random(seed).shuffle(queries)
        n_test = round(TEST_SHARE * len(queries))
        trained = set(queries[n_test:])
        shares.append(sum(query in trained for query in queries[:n_test]) / n_test)
    shares.sort()
    low, high = shares[round(0.025 * N_SPLITS)], shares[round(0.975 * N_SPLITS) - 1]
    return {"mean": round(sum(shares) / N_SPLITS, 4), "low": round(low, 4), "high": round(high, 4)}


def _run(course: Course, schemas: dict[str, str], rows: list[Row], test: list[Row], n_steps: int, seed: int) -> Scores:
    profile = replace(course.profile, max_steps=n_steps, n_evaluations=1, seed=seed)
    tokenizer, task = load_tokenizer(course.model), text_to_sql(schemas)
    train, few = (tokenize_rows(tokenizer, part, task, profile.max_length) for part in (rows, test[:16]))
    trained = train_sft(profile, TrainingData(train, few), course.root / "run")
    answers = predict(load_model(course.model, adapter=trained.adapter), tokenizer, test, task, profile)
    return score_predictions(answers, course.folder("data"))


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Accuracy on the same questions with and without their queries in training, by seed, with 95 % intervals."""
    gains = result["leak_gains"]["pooled"]
    low, high = (100 * end for end in gains["interval"])
    axes = new_axes(f"A leaked query gains {100 * gains['gain']:.0f} points [{low:.0f}, {high:.0f}] on its question")
    for place, shares in enumerate(result["accuracy"].values()):
        for number, (seed, share) in enumerate(zip(result["seeds"], shares, strict=True)):
            label = f"seed {seed}" if place == 0 else None
            draw_interval(axes, place + 0.2 * (number - 1), share["value"], share["interval"], number, label)
    axes.set_xticks(range(len(ARMS)), list(ARMS))
    axes.set(ylabel=f"questions answered right (%)\nof {result['n_test']}", ylim=(0, 100), xlim=(-0.6, 1.6))
    axes.legend(loc="lower right")
    return axes
