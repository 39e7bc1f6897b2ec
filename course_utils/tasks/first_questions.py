"""Should I fine-tune at all? Rules of thumb that can be read and tested, and first questions to put to a base model."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from course_utils.errors import ConfigurationError, DataError, QueryError
from course_utils.sql import FOLDERS, find_database, list_databases, quote, read_schema, run_query

FEW_SHOT_BELOW = 100
"""Below this many examples, show some of them in the prompt instead."""
WATCH_OVERFITTING_BELOW = 1_000
MORE_THAN_SFT_ABOVE = 10_000


@dataclass(frozen=True)
class Approach:
    """What to do (``measure``, ``prompt``, ``retrieve``, ``few_shot``, ``lora`` or ``lora_and_more``) and why."""

    choice: str
    reason: str


def choose_approach(
    goal: str, n_examples: int, *, can_measure: bool = True, prompting_is_enough: bool = False
) -> Approach:
    """Choose between prompting, retrieval and fine-tuning.

    Fine-tuning changes how a model behaves: format, style, one task done well. It does not reliably
    add facts; facts come into the prompt from a search (retrieval-augmented generation, RAG).

    Args:
        goal: ``"behaviour"`` or ``"knowledge"``: what the model lacks.
        n_examples: Checked examples of a question with the answer that you want.
        can_measure: There is a held-out test set and a number that says how good an answer is.
        prompting_is_enough: A good prompt reaches that number already.

    Raises:
        ConfigurationError: The goal is unknown, or the number of examples is negative.
    """
    if goal not in ("behaviour", "knowledge"):
        raise ConfigurationError(f"goal {goal!r} is unknown; choose 'behaviour' or 'knowledge'")
    if n_examples < 0:
        raise ConfigurationError(f"n_examples is {n_examples}; give 0 or more")
    if not can_measure:
        return Approach("measure", "without a test set and a metric, nobody can say whether tuning helped")
    if prompting_is_enough:
        return Approach("prompt", "a prompt costs nothing to change and has nothing to train, serve or age")
    if goal == "knowledge":
        return Approach("retrieve", "facts belong in the prompt, found by a search: current, and open to checking")
    return _by_examples(n_examples)


def _by_examples(n_examples: int) -> Approach:
    if n_examples < FEW_SHOT_BELOW:
        return Approach("few_shot", f"{n_examples:,} examples are too few to learn from; show some in the prompt")
    if n_examples < WATCH_OVERFITTING_BELOW:
        return Approach("lora", f"{n_examples:,} examples are enough for LoRA; watch validation loss for overfitting")
    if n_examples <= MORE_THAN_SFT_ABOVE:
        return Approach("lora", f"{n_examples:,} examples are in the range where LoRA does best")
    return Approach("lora_and_more", f"with {n_examples:,}, preference tuning (DPO) or full fine-tuning may pay too")


@dataclass(frozen=True)
class CountQuestion:
    """A question about one database, its schema as the prompt shows it, and the right answer."""

    db_id: str
    database: Path
    schema: str
    question: str
    query: str
    answer: int


def count_questions(dataset: Path, build_in: Path, n_databases: int = 8) -> list[CountQuestion]:
    """Ask for the number of rows of the first table of each of the first databases.

    Needs only the databases, so it works on any dataset, before anything is prepared. A table that cannot be counted
    gives way to the next, and a folder without one, such as a broken database or none at all, to the next folder:
    these are examples, and to find faults is the work of ``course validate``.

    Args:
        dataset: A folder in Spider's layout.
        build_in: Where databases that come as SQL are built.
        n_databases: How many to ask about at most.

    Raises:
        DataError: The dataset has no databases, or none has a table that can be counted.
    """
    db_ids = sorted(list_databases(dataset))
    if not db_ids:
        raise DataError(f"{dataset}: no databases; add {' or '.join(FOLDERS[:2])}/<db_id>/<db_id>.sqlite, or fix DATA")
    asked = (_count_question(dataset, db_id, build_in) for db_id in db_ids)
    questions = list(islice((question for question in asked if question), n_databases))
    if not questions:
        reason = f"none of its databases ({len(db_ids)}) has a table that can be counted"
        raise DataError(f"{dataset}: {reason}; `course validate {dataset}` says what is wrong")
    return questions


def _count_question(dataset: Path, db_id: str, build_in: Path) -> CountQuestion | None:
    with suppress(DataError):
        database = find_database(dataset, db_id, build_in)
        schema = read_schema(database)
        for table in schema.tables:
            query = f"SELECT COUNT(*) FROM {quote(table.name)}"
            with suppress(QueryError):
                ((answer,),) = run_query(database, query).rows
                question = f"How many rows are in {table.name}?"
                return CountQuestion(db_id, database, schema.render(), question, query, int(str(answer)))
    return None
