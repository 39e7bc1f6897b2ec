"""The table from real values to pseudonyms: made once, used for every row, split and database, kept apart."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.data.privacy.keys import PseudonymKey
from course_utils.data.privacy.kinds import Kind
from course_utils.data.privacy.pseudonyms import (
    BY_WORDS,
    WORD,
    canonical,
    in_case_of,
    is_kept,
    make_pseudonym,
    write_like,
)
from course_utils.errors import DataError

MAY_REPEAT = frozenset({"address", "name", "birth_date"})
"""Two people may share a house number or a day."""
APART = ("manifest.json", "train.jsonl", "train_spider.json", "databases", "database", "pyproject.toml")
"""What an artifacts folder, a dataset or a checkout contains."""


@dataclass(repr=False)
class PseudonymMapping:
    """Real values and their pseudonyms; whoever has it can undo the anonymisation."""

    values: dict[tuple[Kind, str], str] = field(default_factory=dict)  # canonical value (or word of a name)
    originals: dict[tuple[Kind, str], str] = field(default_factory=dict)  # whole values as they were, to pseudonyms
    _taken: dict[Kind, set[str]] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)  # of the originals, in lower case: no pseudonym may be one of them

    def __repr__(self) -> str:
        return f"PseudonymMapping({len(self.originals)} values)"

    def add_originals(self, found: Iterable[tuple[Kind, str]]) -> None:
        """Make known every value before the first pseudonym, so that none is another person's real name."""
        for kind, text in found:
            self.originals.setdefault((kind, text), "")
            if kind in BY_WORDS:
                self.words |= {word.lower() for word in WORD.findall(text)}

    def replace(self, key: PseudonymKey, kind: Kind, text: str) -> str:
        """The pseudonym of a value, written as the value is."""
        if kind in BY_WORDS:
            replaced = WORD.sub(lambda found: found[0] if is_kept(found[0]) else self._word(key, kind, found[0]), text)
        else:
            replaced = write_like(kind, self._pseudonym(key, kind, canonical(kind, text)), text)
        if (kind, text) in self.originals:
            self.originals[kind, text] = replaced
        return replaced

    def _word(self, key: PseudonymKey, kind: Kind, word: str) -> str:
        return in_case_of(self._pseudonym(key, kind, word.lower()), word)

    def _pseudonym(self, key: PseudonymKey, kind: Kind, value: str) -> str:
        table: Kind = "name" if kind in BY_WORDS else kind
        if (table, value) not in self.values:
            taken = self._taken_of(table)
            for attempt in range(1000):
                pseudonym = make_pseudonym(key, table, value, attempt)
                lowered = pseudonym.lower()
                if value[0].isdigit() and kind in MAY_REPEAT:
                    break
                if lowered not in taken and lowered not in self.words and pseudonym != value:
                    break
            taken.add(lowered)
            self.values[table, value] = pseudonym
        return self.values[table, value]

    def _taken_of(self, table: Kind) -> set[str]:
        if table not in self._taken:
            self._taken[table] = {pseudonym.lower() for (kind, _), pseudonym in self.values.items() if kind == table}
        return self._taken[table]


def save_mapping(mapping: PseudonymMapping, path: Path) -> Path:
    """Write the mapping as JSON that only its owner may read (mode 0600).

    Args:
        mapping: The table.
        path: A new file, outside of the artifacts, the dataset and the project.

    Raises:
        DataError: The file exists already, or a folder above is an artifacts folder, a dataset or a checkout.
    """
    path = path.expanduser().resolve()
    for folder in path.parents:
        if folder.name == "artifacts" or any((folder / name).exists() for name in APART):
            raise DataError(f"{path}: the mapping must not be kept with data ({folder}); choose a folder of its own")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    rows = [[kind, value, pseudonym] for (kind, value), pseudonym in mapping.values.items()]
    originals = [[kind, text, pseudonym] for (kind, text), pseudonym in mapping.originals.items()]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise DataError(f"{path}: there is a file already; choose another name") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"values": rows, "originals": originals}, file, ensure_ascii=False, indent=1)
    return path


def load_mapping(path: Path) -> PseudonymMapping:
    """Read what ``save_mapping`` wrote.

    Raises:
        DataError: The file is missing or is no mapping.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        mapping = PseudonymMapping({(kind, value): pseudonym for kind, value, pseudonym in content["values"]})
        originals = {(kind, text): pseudonym for kind, text, pseudonym in content["originals"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a mapping of pseudonyms ({error}); give the file of save_mapping") from error
    mapping.add_originals(list(originals))
    mapping.originals |= originals
    return mapping
