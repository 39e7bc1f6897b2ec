"""Lay invented schemas and questions out as pretraining documents.

The SQL never appears in the layout that the course fine-tunes: there it stands alone in a
chat reply. Here it follows a note, a comment or a log line, and chat replies are English.
So the base model knows the skill but not the task, as a real pretrained model does.
"""

from collections.abc import Callable, Iterator
from random import Random

from tools.tiny_base.questions import ask
from tools.tiny_base.schemas import Column, Table, invent_schema, random_values

Message = dict[str, str]
Document = str | list[Message]
"""Plain text, or chat messages for the tokenizer's own template."""


def _ddl(tables: list[Table]) -> str:
    return "\n".join(
        f"CREATE TABLE {table.name} ({', '.join(f'{c.name} {c.sql_type.upper()}' for c in table.columns)});"
        for table in tables
    )


def _outline(tables: list[Table]) -> str:
    def show(column: Column) -> str:
        return f"{column.name} -> {column.references}" if column.references else column.name

    return "\n".join(f"{table.name} ({', '.join(show(c) for c in table.columns)})" for table in tables)


def _listing(tables: list[Table]) -> str:
    def show(column: Column) -> str:
        arrow = f" -> {column.references}" if column.references else ""
        return f"{column.name} {column.sql_type}{arrow}"

    return "\n".join(f"table {table.name}: {', '.join(show(c) for c in table.columns)}" for table in tables)


SCHEMA_STYLES: tuple[Callable[[list[Table]], str], ...] = (_ddl, _outline, _listing, _listing)


def _schema_text(rng: Random, tables: list[Table]) -> str:
    return rng.choice(SCHEMA_STYLES)(tables)


def query_notes(rng: Random) -> str:
    """A schema, then questions each followed by SQL, as in a notebook of an analyst."""
    tables = invent_schema(rng)
    before, between, after = rng.choice(
        (("Q: ", "\nSQL: ", ";"), ("-- ", "\n", ";"), ("# ", "\n> ", ""), ("", "\n```sql\n", ";\n```"))
    )
    lower = rng.random() < 0.1
    lines = [_schema_text(rng, tables), ""]
    for _ in range(rng.randint(3, 6)):
        question = ask(rng, tables)
        sql = _lower_keywords(question.sql) if lower else question.sql
        lines.append(f"{before}{question.text}{between}{sql}{after}")
    return "\n".join(lines)


def _lower_keywords(sql: str) -> str:
    return " ".join(word.lower() if word.isupper() and word.isalpha() else word for word in sql.split(" "))


def explained_query(rng: Random) -> str:
    """SQL and what it does in English, in either order."""
    tables = invent_schema(rng)
    lines = [_schema_text(rng, tables)] if rng.random() < 0.7 else []
    for _ in range(rng.randint(2, 4)):
        question = ask(rng, tables)
        pair = [f"This query will {question.plan}:", f"{question.sql};"]
        lines += pair if rng.random() < 0.6 else [f"{question.sql}; means: {question.plan}."]
    return "\n".join(lines)


def chat_about_data(rng: Random) -> list[Message]:
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
    for _ in range(rng.randint(1, 3)):
        asked, answer = _data_turn(rng, tables) if rng.random() < 0.65 else _schema_turn(rng, tables)
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return messages


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


def repeated_list(rng: Random) -> str:
    """A list of words said two or three times: the plainest lesson in copying."""
    words = random_values(rng, rng.randint(4, 14))
    separator = rng.choice((", ", " ", "_", ".", "\n", "', '"))
    line = separator.join(words)
    spoken = " ".join(words)
    return "\n".join([line, rng.choice((line, spoken)), line][: rng.randint(2, 3)])


def table_prose(rng: Random) -> str:
    """Plain English about rows: what a report or an encyclopedia would say."""
    table = rng.choice(invent_schema(rng))
    columns = table.of_kind("text", "integer", "real", "year", "date")
    lines = [f"The {table.many} are described by {', '.join(c.phrase for c in columns)}."]
    for _ in range(rng.randint(2, 4)):
        facts = [f"its {c.phrase} is {c.value(rng)}" for c in rng.sample(columns, min(2, len(columns)))]
        lines.append(f"{rng.choice(('One', 'This', 'Another'))} {table.singular}: {' and '.join(facts)}.")
    return "\n".join(lines)


KINDS: tuple[tuple[Callable[[Random], Document], float], ...] = (
    (query_notes, 0.58),
    (explained_query, 0.08),
    (chat_about_data, 0.18),
    (repeated_list, 0.10),
    (table_prose, 0.06),
)


def documents(seed: int) -> Iterator[Document]:
    """An endless, seeded stream of documents; nothing in it repeats on purpose."""
    rng = Random(seed)
    makers, weights = zip(*KINDS, strict=True)
    while True:
        yield rng.choices(makers, weights)[0](rng)
