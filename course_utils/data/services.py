"""Write rows in the format of a hosted fine-tuning service, and estimate its price. Nothing is uploaded here."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from course_utils.data.formats import write_rows
from course_utils.data.validation.repair import REJECTED, require_empty
from course_utils.data.validation.report import Rejected
from course_utils.data.validation.rows import complete_row
from course_utils.data.validation.validate import GATE, ValidationOptions, validate_dataset
from course_utils.errors import ConfigurationError, DataError
from course_utils.files import Row, portable, read_toml, write_jsonl, writing
from course_utils.finding import Finding
from course_utils.sql import find_database, read_schema
from course_utils.tables import Table, value_table
from course_utils.tasks import text_to_sql

UPLOADED = ("train", "validation")
"""The splits for the service; the test rows stay here, to measure the model that it returns."""
TOKENS_OF_MESSAGE = 4
"""About the number of tokens that a chat format adds to each message."""
_PIECE = re.compile(r"[A-Za-z]{1,7}|\w|[^\w\s]+|\n+")


@cache
def known_services() -> dict[str, dict[str, Any]]:
    """The limits and prices of each service by name; ``services.toml`` explains the fields."""
    return read_toml(__file__)


def estimate_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """Estimate the tokens of a chat without a tokenizer: runs of up to seven letters, single digits, runs of signs.

    For English schemas, questions and queries the estimate is 93 to 106 % of SmolLM2's count. Larger vocabularies need
    fewer tokens. Each letter beyond ASCII counts as one token, which is usually too many.
    """
    return sum(len(_PIECE.findall(message["content"])) + TOKENS_OF_MESSAGE for message in messages)


def export_rows(dataset: Path, out: Path, service: str, build_in: Path, epochs: int = 3) -> Table:
    """Write a dataset's good training and validation rows as chats for a service; return a table of counts and price.

    ``out`` becomes a new folder of ``train.jsonl``, ``validation.jsonl`` and, if rows are rejected, ``rejected.jsonl``
    with the reasons. Databases that exist only as SQL files are built in ``build_in``. ``epochs`` is for the price.

    Raises:
        ConfigurationError: The service is unknown.
        DataError: ``out`` is not empty, there are too few good rows, or the dataset cannot be read.
    """
    if service not in known_services():
        raise ConfigurationError(f"{service!r} is no known service; choose one of {', '.join(known_services())}")
    require_empty(out)
    limits = known_services()[service]
    report = validate_dataset(dataset, build_in, ValidationOptions(GATE))
    names = sorted({record.fields["db_id"] for record in report.accepted})
    task = text_to_sql({name: read_schema(find_database(dataset, name, build_in)).render() for name in names})
    rejected = [row.to_row() for row in report.rejected]
    chats: dict[str, list[Row]] = {split: [] for split in UPLOADED}
    n_tokens = dict.fromkeys(UPLOADED, 0)
    for record in (record for record in report.accepted if record.split in UPLOADED):
        row = complete_row(record)
        messages, target = task.to_messages(row), task.to_target(row)
        size = estimate_tokens([*messages, {"content": target}])
        if size > limits["max_tokens"]:
            reason = f"about {size:,} tokens, but {service} accepts at most {limits['max_tokens']:,}"
            finding = Finding("length", "error", reason, "shorten the schema or the query")
            rejected.append(Rejected(record, (finding,)).to_row())
        else:
            chats[record.split].append({"messages": messages, "target": target})
            n_tokens[record.split] += size
    if (n_good := len(chats["train"])) < limits["min_rows"]:
        reason = f"{n_good} good training rows, but {service} needs at least {limits['min_rows']}"
        raise DataError(f"{portable(dataset)}: {reason}; `course validate` says what is wrong with the others")
    files = {f"{split}.jsonl": rows for split, rows in chats.items() if rows}
    with writing(out) as unfinished:
        for name, rows in files.items():
            write_rows(rows, unfinished / name, "openai")
        if rejected:
            write_jsonl(unfinished / REJECTED, rejected)
    n_written, price = sum(map(len, chats.values())), limits["usd_per_million_tokens"]
    usd = n_tokens["train"] * epochs * price / 1e6
    values = {
        "files": ", ".join(files),
        "rows read": f"{len(report.records):,}",
        "rows written": f"{n_written:,}",
        "rows rejected": f"{len(rejected):,}",
        "rows kept to test with": f"{len(report.records) - n_written - len(rejected):,}",
        "tokens of the training rows": f"about {n_tokens['train']:,} (by pieces of words; for English within a tenth)",
        "model": limits["model"],
        "price": f"{price:.2f} USD a million tokens, {limits['as_of']:%B %Y} ({limits['source']})",
        f"training, {epochs} epochs": f"about {usd:.2f} USD" if usd >= 0.01 else "under 0.01 USD",
        "to know": limits["note"],
        "format and limits": limits["rules"],
    }
    return value_table(values)
