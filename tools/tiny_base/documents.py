"""Lay invented schemas and questions out as pretraining documents.

The SQL never appears in the layout of fine-tuning, in which it is the whole chat reply. Here it follows a note, a
comment or a log line, and chat replies are English. So the base model has the skill but does not know the task, like a
real pretrained model.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tools.tiny_base.questions import ask
from tools.tiny_base.schemas import Column, Table, invent_schema, random_values

Message = dict[str, str]
WHOLLY_LEARNED = 0.15
"""Share of the documents with questions whose schemas and questions are learned too."""


@dataclass(frozen=True)
class Document:
    """A text, and which parts of it are worth learning.

    Nobody can guess an invented schema or which question comes next. A small model that tries spends most of its
    gradient on noise, so the loss counts what follows from the text before.
    """

    text: str | list[Message]
    """Plain text, or chat messages for the tokenizer's own template."""
    learned: tuple[str, ...] = ()
    """Parts of the text in their order; none means all of it."""


LAYOUTS = (
    ("CREATE TABLE {table} ({columns});", "{name} {TYPE}", " REFERENCES "),
    ("{table} ({columns})", "{name}", " -> "),
    *2 * (("table {table}: {columns}", "{name} {type}", " -> "),),
)
"""How a schema is written: its tables, their columns, and what stands before the table that a column refers to."""


def _schema_text(rng: Random, tables: list[Table]) -> str:
    table_form, column_form, arrow = rng.choice(LAYOUTS)

    def show(column: Column) -> str:
        kind, other = column.sql_type, column.references
        shown = column_form.format(name=column.written, type=kind.lower(), TYPE=kind.upper())
        return f"{shown}{arrow}{column.style.written(other)}" if other else shown

    return "\n".join(
        table_form.format(table=table.written, columns=", ".join(map(show, table.columns))) for table in tables
    )


def query_notes(rng: Random) -> Document:
    """A schema, then questions each followed by SQL, as in a notebook of an analyst."""
    tables = invent_schema(rng)
    before, between, after = rng.choice(
        (
            ("Q: ", "\nSQL: ", ";"),
            ("-- ", "\n", ";"),
            ("# ", "\n> ", ""),
            ("", "\n```sql\n", ";\n```"),
            ("* ", "\n  ", ""),
        )
    )
    text, answers = f"{_schema_text(rng, tables)}\n", []
    for _ in range(rng.randint(5, 11)):
        question = ask(rng, tables)
        answers.append(f"{question.sql}{after}\n")
        text += f"\n{before}{question.text}{between}{answers[-1].rstrip()}"
    return _document(rng, f"{text}\n", answers)


def _document(rng: Random, text: str | list[Message], answers: list[str]) -> Document:
    return Document(text, () if rng.random() < WHOLLY_LEARNED else tuple(answers))


def explained_query(rng: Random) -> Document:
    """SQL and what it does in English, in either order; what comes second is learned."""
    tables = invent_schema(rng)
    text, answers = f"{_schema_text(rng, tables)}\n" if rng.random() < 0.7 else "", []
    for _ in range(rng.randint(3, 6)):
        question = ask(rng, tables)
        if rng.random() < 0.6:
            opening, answer = f"This query will {question.plan}:\n", f"{question.sql};\n"
        else:
            opening, answer = f"{question.sql}; means: ", f"{question.plan}.\n"
        text += opening + answer
        answers.append(answer)
    return _document(rng, text, answers)


def chat_about_data(rng: Random) -> Document:
    """A user asks about the data; the assistant answers with a plan in English."""
    tables = invent_schema(rng)
    system = rng.choice(
        (
            "You help people with the database below.",
            "Answer the user's question about this database.",
            "You are a helpful assistant. The user works with these tables.",
            "Explain how to answer the question from these tables.",
        )
    )
    messages = [{"role": "system", "content": f"{system}\n\n{_schema_text(rng, tables)}"}]
    answers = []
    for _ in range(rng.randint(1, 5)):
        asked, answer = _data_turn(rng, tables) if rng.random() < 0.65 else _schema_turn(rng, tables)
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        answers.append(answer)
    return _document(rng, messages, answers)


def _data_turn(rng: Random, tables: list[Table]) -> tuple[str, str]:
    question = ask(rng, tables)
    opening = rng.choice(("I would", "You can", "To find out,", "Let me"))
    return question.text, f"{opening} {question.plan}."


def _schema_turn(rng: Random, tables: list[Table]) -> tuple[str, str]:
    table = rng.choice(tables)
    column = rng.choice(table.columns)
    names = ", ".join(c.name for c in table.columns)
    return rng.choice(
        (
            (f"Which table stores {table.many}?", f"The {table.many} are in the table {table.name}."),
            (f"Which columns does {table.name} have?", f"The columns of {table.name} are {names}."),
            (f"Where do I find the {column.phrase} of a {table.singular}?", f"In {table.name}, column {column.name}."),
            ("How many tables are there?", f"There are {len(tables)}: {', '.join(t.name for t in tables)}."),
        )
    )


def repeated_list(rng: Random) -> Document:
    """A list of words said two or three times: the plainest lesson in copying."""
    words = random_values(rng, rng.randint(4, 14))
    separator = rng.choice((", ", " ", "_", ".", "\n", "', '"))
    line = separator.join(words)
    spoken = " ".join(words)
    again = [rng.choice((line, spoken)), line][: rng.randint(1, 2)]
    return Document("\n".join([line, *again]), tuple(f"\n{each}" for each in again))


def table_prose(rng: Random) -> Document:
    """Plain English about rows: what a report or an encyclopedia would say."""
    table = rng.choice(invent_schema(rng))
    columns = table.of_kind("text", "integer", "real", "year", "date")
    lines = [f"The {table.many} are described by {', '.join(c.phrase for c in columns)}."]
    for _ in range(rng.randint(2, 4)):
        facts = [f"its {c.phrase} is {c.value(rng)}" for c in rng.sample(columns, min(2, len(columns)))]
        lines.append(f"{rng.choice(('One', 'This', 'Another'))} {table.singular}: {' and '.join(facts)}.")
    return Document("\n".join(lines))


KINDS: tuple[tuple[Callable[[Random], Document], float], ...] = (
    (query_notes, 0.62),
    (explained_query, 0.08),
    (chat_about_data, 0.16),
    (repeated_list, 0.10),
    (table_prose, 0.04),
)


def documents(seed: int) -> Iterator[Document]:
    """An endless, seeded stream of documents; nothing in it repeats on purpose."""
    rng = Random(seed)
    makers, weights = zip(*KINDS, strict=True)
    while True:
        yield rng.choices(makers, weights)[0](rng)
