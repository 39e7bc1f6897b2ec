"""Does the tiny model learn a second task through the same calls, and how does it compare with simple methods?

The task is to sort the tickets in ``data/tickets``. Settings are chosen on the validation split, by the share of
tickets with label and priority both right; the test split is used once. The tiny model was pretrained on SQL and little
English, so a classical baseline (TF-IDF of words and characters, logistic regression) is hard to beat.
"""

import json
import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import peak_memory_gib
from course_utils.evaluation import predict
from course_utils.evaluation.comparison import bootstrap_difference
from course_utils.evaluation.tickets import CLASSES, is_sorted_right, score_tickets
from course_utils.figures import course_style, new_axes
from course_utils.files import PROJECT, Row, read_jsonl
from course_utils.models import load_model, load_tokenizer
from course_utils.profiles import Profile, get_profile
from course_utils.setup import probe_machine
from course_utils.tasks import parse_triage, ticket_triage
from course_utils.training import TrainingData, tokenize_rows, train_sft

if TYPE_CHECKING:
    from matplotlib.axes import Axes

logger = logging.getLogger(__name__)
TICKETS = PROJECT / "data" / "tickets"
MODEL = PROJECT / "data" / "tiny_base"
PROFILE = replace(get_profile("smoke"), max_new_tokens=40, n_evaluations=1)
SETTINGS = (
    {"learning_rate": 4e-3, "epochs": 2.0},
    {"learning_rate": 4e-3, "epochs": 4.0},
    {"learning_rate": 8e-3, "epochs": 2.0},
)
REGULARISATIONS = (1.0, 10.0, 100.0)
"""Logistic regression's C: the higher, the closer to the training rows."""
MEASURES = ("label and priority right", "label right", "priority right", "label, macro-F1", "priority, macro-F1")
ENDS = ("", "_low", "_high")
N_RESAMPLES = 999


def measure(settings: Sequence[dict[str, float]] = SETTINGS) -> dict[str, Any]:
    """Choose settings on the validation split, then score everything on the test split.

    Args:
        settings: Learning rates and epochs to try.

    Returns:
        The machine, accuracy on the validation split by setting, and scores on the test split with intervals.
    """
    splits = {split: read_jsonl(TICKETS / f"{split}.jsonl") for split in ("train", "validation", "test")}
    with tempfile.TemporaryDirectory() as folder:
        tried = [_tune(splits, setting, Path(folder) / str(number)) for number, setting in enumerate(settings)]
        best = max(range(len(tried)), key=lambda number: tried[number]["validation_accuracy"])
        tuned = _answer(splits["test"], Path(folder) / str(best))
    classical, classical_tried = fit_classical(splits)
    answers = {
        "majority class": answer_majority(splits["train"], splits["test"]),
        "TF-IDF + logistic regression": classical,
        "tiny base": _answer(splits["test"], None),
        "tiny base, tuned": tuned,
    }
    return {
        "machine": asdict(probe_machine()),
        "n_rows": {split: len(rows) for split, rows in splits.items()},
        "validation": {"tiny base, tuned": tried, "TF-IDF + logistic regression": classical_tried},
        "chosen": settings[best],
        "test": {name: score_answers(rows) for name, rows in answers.items()},
        "tuned_minus": {name: _difference(tuned, answers[name]) for name in list(answers)[:2]},
        "peak_memory_gib": round(peak_memory_gib(), 2),
    }


def _tune(splits: dict[str, list[Row]], setting: dict[str, float], output: Path) -> dict[str, Any]:
    """Train through the calls that the course trains text-to-SQL with; only the task is another."""
    profile: Profile = replace(PROFILE, **setting)  # type: ignore[arg-type]
    tokenizer = load_tokenizer(MODEL)
    train, validation = (
        tokenize_rows(tokenizer, splits[split], ticket_triage(), profile.max_length)
        for split in ("train", "validation")
    )
    result = train_sft(replace(profile, base_model=str(MODEL)), TrainingData(train, validation), output)
    scores = score_tickets(_answer(splits["validation"], output))
    found = setting | {
        "n_steps": result.n_steps,
        "train_seconds": round(result.seconds, 1),
        "validation_loss": result.final_validation_loss,
        "validation_accuracy": scores["accuracy"],
        "validation_label_accuracy": scores["label"]["accuracy"],
    }
    logger.info("%s", found)
    return found


def _answer(rows: list[Row], adapter: Path | None) -> list[Row]:
    return predict(load_model(MODEL, adapter=adapter), load_tokenizer(MODEL), rows, ticket_triage(), PROFILE)


def answer_majority(train: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Always the most frequent label and priority of the training rows, without reading the ticket."""
    answer = {field: Counter(row[field] for row in train).most_common(1)[0][0] for field in ("label", "priority")}
    return [row | {"predicted": json.dumps(answer)} for row in rows]


def fit_classical(splits: dict[str, list[Row]]) -> tuple[list[Row], list[dict[str, float]]]:
    """Fit a label and a priority classifier; their strength of regularisation is chosen on the validation split.

    Returns:
        The test rows with ``predicted``, and what was tried.
    """
    tried, answers = [], {}
    for strength in REGULARISATIONS:
        both = _answer_classically(splits["train"], [*splits["validation"], *splits["test"]], strength)
        n_validation = len(splits["validation"])
        answers[strength] = both[n_validation:]
        tried.append({"C": strength, "validation_accuracy": score_tickets(both[:n_validation])["accuracy"]})
    best = max(tried, key=lambda found: found["validation_accuracy"])
    return answers[best["C"]], tried


def _answer_classically(train: Sequence[Row], rows: Sequence[Row], strength: float) -> list[Row]:
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    predicted, confidences = {}, np.ones(len(rows))
    for field in ("label", "priority"):
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=2, sublinear_tf=True)
        model = make_pipeline(make_union(words, letters), LogisticRegression(C=strength, max_iter=2_000))
        model.fit([row["text"] for row in train], [row[field] for row in train])
        probabilities = model.predict_proba([row["text"] for row in rows])
        predicted[field] = [str(value) for value in model.classes_[probabilities.argmax(axis=1)]]
        confidences *= probabilities.max(axis=1)  # assumes that label and priority are independent
    return [
        row | {"predicted": json.dumps({"label": label, "priority": priority}), "confidence": float(confidence)}
        for row, label, priority, confidence in zip(rows, *predicted.values(), confidences, strict=True)
    ]


def score_answers(rows: Sequence[Row]) -> dict[str, Any]:
    """Value and 95 % interval of each of ``MEASURES``, 0 to 1, higher is better, and all else in ``details``.

    ``details`` has ``calibration`` where every row has a ``confidence``, 0 to 1, that it is right.
    """
    scores = score_tickets(rows) | (_calibration(rows) if all("confidence" in row for row in rows) else {})
    found = [[part[f"accuracy{end}"] for end in ENDS] for part in (scores, scores["label"], scores["priority"])]
    found += [_macro_f1(field, rows) for field in ("label", "priority")]
    shares = {
        measure: {"value": round(value, 4), "interval": [round(low, 4), round(high, 4)]}
        for measure, (value, low, high) in zip(MEASURES, found, strict=True)
    }
    return shares | {"details": scores}


def _calibration(rows: Sequence[Row]) -> dict[str, Any]:
    """The Brier score, 0 to 1, lower is better; mean confidence and share right of up to five equally large bins."""
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss

    correct, confidences = [is_sorted_right(row) for row in rows], [row["confidence"] for row in rows]
    brier = float(brier_score_loss(correct, confidences))
    right, expected = calibration_curve(correct, confidences, n_bins=5, strategy="quantile")
    return {"calibration": {"brier": brier, "confidence": expected.tolist(), "accuracy": right.tolist()}}


def _macro_f1(field: str, rows: Sequence[Row]) -> list[float]:
    """The mean F1 over the classes that occur and the ends of its 95 % bootstrap interval, by percentiles."""
    import numpy as np
    from scipy.stats import bootstrap
    from sklearn.metrics import f1_score

    gold = np.array([row[field] for row in rows])
    said = np.array([(parse_triage(row["predicted"]) or {}).get(field, "") for row in rows])
    classes = CLASSES[field]

    def statistic(at: Any) -> float:
        labels = sorted({*gold[at], *said[at]} & {*classes})
        return float(f1_score(gold[at], said[at], labels=labels, average="macro", zero_division=0.0))

    places = np.arange(len(rows))
    options = {"n_resamples": N_RESAMPLES, "method": "percentile", "vectorized": False}
    interval = bootstrap((places,), statistic, **options, rng=0).confidence_interval
    return [statistic(places), float(interval.low), float(interval.high)]


def _difference(tuned: Sequence[Row], other: Sequence[Row]) -> dict[str, Any]:
    """In label and priority both right, -1 to 1, with the paired 95 % interval."""
    before, after = ([is_sorted_right(row) for row in rows] for rows in (other, tuned))
    low, high = bootstrap_difference(before, after)
    difference = (sum(after) - sum(before)) / len(after)
    return {"difference": round(difference, 4), "interval": [round(low, 4), round(high, 4)]}


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Each model's scores on the test split, with 95 % intervals."""
    models = list(result["test"])
    best = max(models, key=lambda name: float(result["test"][name][MEASURES[0]]["value"]))
    share = result["test"][best][MEASURES[0]]["value"]
    axes = new_axes(f"{best} gets label and priority right most often: {100 * share:.0f} % of tickets", width=8.5)
    for number, name in enumerate(models):
        shares = [result["test"][name][measure] for measure in MEASURES]
        values = [100 * share["value"] for share in shares]
        places = [place + 0.16 * (number - (len(models) - 1) / 2) for place in range(len(MEASURES))]
        ends = [
            [abs(100 * share["interval"][end] - value) for share, value in zip(shares, values, strict=True)]
            for end in (0, 1)
        ]
        axes.errorbar(places, values, yerr=ends, fmt="osD^v"[number % 5], capsize=3, label=name)
    axes.set_xticks(
        range(len(MEASURES)), [measure.replace(", ", ",\n").replace(" and ", " and\n") for measure in MEASURES]
    )
    axes.set(ylabel=f"% ({result['n_rows']['test']} test tickets)", ylim=(-3, 103))
    axes.figure.legend(loc="outside lower center", ncols=2)
    return axes
