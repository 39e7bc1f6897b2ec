"""Does retraining on feedback restore the accuracy lost to drift, for any seed, and what do two malicious users cost?

``python -m benchmarks.feedback_loop`` runs notebook 6's loop without servers: its jargon, its judging of corrections,
its version of the data and its recipe. It starts from the finished smoke run in ``artifacts/smoke`` and writes
``benchmarks/results/feedback_loop.json``. The seed chooses the users' questions, the new adapter's initial weights and
the order of rows. Accuracy is measured on more questions than in the notebook: the test questions about databases of
training, and new ones about them from the dataset's grammar, whose queries are in no split.
"""

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

from course_utils.artifacts import Course, open_course
from course_utils.data import prepare_dataset
from course_utils.deployment import merge_adapter
from course_utils.evaluation import Scores, predict, score_predictions
from course_utils.evaluation.gate import check_accuracy
from course_utils.files import PROJECT, SPLITS, Row, read_json, read_jsonl, write_json
from course_utils.models import load_model, load_tokenizer
from course_utils.monitoring import judge_corrections, write_version
from course_utils.setup import probe_machine
from course_utils.sql import find_database
from course_utils.tasks import text_to_sql
from course_utils.training import TrainingData, tokenize_rows, train_sft
from tools.dataset.build import draw_question, to_row
from tools.dataset.domains import read_domains
from tools.dataset.judge import Judge, mirror
from tools.dataset.populate import populate
from tools.dataset.quotas import PLAIN
from tools.dataset.shapes import SHAPES
from tools.dataset.world import make_world

logger = logging.getLogger(__name__)
RUNS = ((0, 800, 0), (1, 800, 0), (2, 800, 0), (0, 800, 200))
"""Seed, how many questions honest users put, and how many two accomplices."""
N_NEW_QUESTIONS = 300
Splits = dict[str, list[Row]]


@dataclass(frozen=True)
class Bench:
    """What all runs share: the finished course, its rows, its model and the questions in both ways."""

    course: Course
    splits: Splits
    serving: Path
    questions: Splits
    jargon: list[Row]
    """Rows of training that the jargon says otherwise."""

    def answer(self, model: Path, rows: list[Row]) -> Scores:
        """Greedy answers, scored."""
        schemas = read_json(self.course.output("data", "schemas.json"))
        task, tokenizer = text_to_sql(schemas), load_tokenizer(model)
        rows = predict(load_model(model), tokenizer, rows, task, self.course.profile)
        return score_predictions(rows, self.course.folder("data"))

    def accuracies(self, model: Path) -> dict[str, float]:
        """The share of right answers in plain words and in the jargon."""
        return {name: round(self.answer(model, rows).accuracy.value, 4) for name, rows in self.questions.items()}


def measure(artifacts: Path) -> dict[str, Any]:
    """Before and after the loop, by seed, with honest users alone and with two accomplices beside them."""
    bench, runs = prepare(artifacts), []
    before = bench.accuracies(bench.serving)
    for seed, n_honest, n_poisoned in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            found = retrain(bench, list(feedback(bench, seed, n_honest, n_poisoned)), seed, Path(folder))
        runs.append({"seed": seed, "n_honest": n_honest, "n_poisoned": n_poisoned, **found})
        logger.info("before %s, %s", before, runs[-1])
    return {
        "machine": asdict(probe_machine()),
        "n_questions": len(bench.questions["plain words"]),
        "before": before,
        "runs": runs,
    }


def prepare(artifacts: Path) -> Bench:
    """Take the jargon from the notebook, rows and model from the finished run."""
    course = open_course("smoke", artifacts=str(artifacts))
    splits = {split: read_jsonl(course.output("data", f"{split}.jsonl")) for split in SPLITS}
    notebook = read_json(PROJECT / "notebooks" / "06_monitoring.ipynb")
    (learn_jargon,) = (cell for cell in notebook["cells"] if cell["id"] == "learn-jargon")
    names: dict[str, Any] = {"splits": [*splits.values()]}
    exec("".join(learn_jargon["source"]), names)  # the notebook's own cell, so that its code is what is measured
    in_jargon = names["in_jargon"]
    plain = [*(row for row in splits["test"] if row["seen"]), *new_questions(course, splits)]
    jargon = [new for row in splits["train"] if (new := in_jargon(row))["question"] != row["question"]]
    questions = {"plain words": plain, "the jargon": [in_jargon(row) for row in plain]}
    return Bench(course, splits, course.output("deployment", "merged"), questions, jargon)


def new_questions(course: Course, splits: Splits) -> list[Row]:
    """Questions of the sample's shapes about the databases of training, none of whose queries any split has."""
    folder, rows = course.folder("data"), []
    known = [row for split in SPLITS for row in read_jsonl(PROJECT / "data" / f"{split}.jsonl")]
    names = {row["db_id"] for row in splits["train"]}
    for domain in (domain for domain in read_domains(PROJECT / "data" / "databases") if domain.db_id in names):
        database = find_database(folder, domain.db_id, folder)
        with tempfile.TemporaryDirectory() as scratch:
            judge = Judge(database, mirror(database, Path(scratch) / "mirror.sqlite"))
            judge.home |= {row["query"]: "known" for row in known if row["db_id"] == domain.db_id}
            judge.start("new", N_NEW_QUESTIONS)
            world, rng = make_world(domain, populate(domain, 0)), Random(domain.db_id)
            plain = [shape for shape in SHAPES if shape.name in PLAIN]
            shapes = rng.choices(plain, [shape.weight for shape in plain], k=2 * N_NEW_QUESTIONS // len(names))
            drawn = [draw_question(world, rng, shape, judge) for shape in shapes]
        rows += [to_row(database, "new", n, question) for n, question in enumerate(drawn) if question]
    return Random(0).sample(rows, N_NEW_QUESTIONS)


def feedback(bench: Bench, seed: int, n_honest: int, n_poisoned: int) -> Iterator[Row]:
    """Two users give the right answer to each question; two others a wrong one to questions that they alone put."""
    asked = Random(seed).sample(bench.jargon, n_honest + n_poisoned)
    others = {row["db_id"]: row["query"] for row in bench.splits["train"]}
    for number, row in enumerate(asked):
        query = row["query"] if number < n_honest else others[row["db_id"]]
        for caller in ("ana", "ben") if number < n_honest else ("mallory", "moriarty"):
            about = {"database": row["db_id"], "question": row["question"]}
            yield {"caller": caller, "rating": "down", "correction": query, **about}


def retrain(bench: Bench, told: list[Row], seed: int, folder: Path) -> dict[str, Any]:
    """One loop: judge, make a version, train on it, and ask the gate."""
    version = write_version(judge_corrections(told, bench.course), bench.course, folder / "versions")
    course = open_course("smoke", str(version), str(bench.serving), str(folder / "artifacts"))
    prepared = prepare_dataset(course, folder / "data")
    tokenizer, task = load_tokenizer(bench.serving), text_to_sql(prepared.schemas)
    profile = replace(course.profile, seed=seed).fit_to(len(prepared.train))
    train, validation = (
        tokenize_rows(tokenizer, rows, task, profile.max_length) for rows in (prepared.train, prepared.validation)
    )
    profile = replace(profile, base_model=str(bench.serving))
    result = train_sft(profile, TrainingData(train, validation), folder / "adapter")
    model = merge_adapter(str(bench.serving), folder / "adapter", folder / "merged")
    gate = check_accuracy(bench.answer(model, prepared.test), bench.answer(bench.serving, prepared.test), 0.02)
    steps = {"n_train": len(prepared.train), "n_steps": result.n_steps, "seconds": round(result.seconds, 1)}
    return {"after": bench.accuracies(model), **steps, "gate": gate.decision, "why": gate.reason}


def main(artifacts: Annotated[Path, typer.Argument(help="Of a finished smoke run.")] = PROJECT / "artifacts") -> None:
    """Measure and write the results."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    typer.echo(write_json(Path(__file__).parent / "results" / "feedback_loop.json", measure(artifacts)))


if __name__ == "__main__":
    typer.run(main)
