"""Parts of a dataset that the dataset itself names: ``samples/<name>.json`` lists the row ids of each split.

A small model needs rows that fit it. Naming them keeps that choice in one place, for everybody to see.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from course_utils.artifacts import Row
from course_utils.errors import DataError


def take_sample(dataset: Path, name: str, splits: Mapping[str, list[Row]]) -> dict[str, list[Row]] | None:
    """The rows that the dataset's sample names, in the dataset's order.

    Args:
        dataset: The dataset's folder.
        name: The sample's name; empty for none.
        splits: The rows to choose from, by split.

    Returns:
        The chosen rows by split, or None where the dataset has no such sample.

    Raises:
        DataError: The file is not JSON, lacks a split, or names ids that the split does not have.
    """
    path = dataset / "samples" / f"{name}.json"
    if not name or not path.is_file():
        return None
    named = read_sample(path)
    faults = [f"{split} is missing" for split in splits if split not in named]
    wanted = {split: set(named.get(split, ())) for split in splits}
    chosen = {split: [row for row in rows if row["id"] in wanted[split]] for split, rows in splits.items()}
    for split, rows in chosen.items():
        if unknown := sorted(wanted[split] - {row["id"] for row in rows}):
            faults.append(f"{split} has no good row {', '.join(unknown[:5])}" + " ..." * (len(unknown) > 5))
    if faults:
        raise DataError(f"{path}: {'; '.join(faults)}; mend the rows or delete the sample, and the profile chooses")
    return chosen


def read_sample(path: Path) -> dict[str, list[str]]:
    """The row ids that a sample's file names, by split.

    Raises:
        DataError: The file is not an object of lists.
    """
    try:
        return {split: [*dict.fromkeys(ids)] for split, ids in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not an object of lists of ids ({error}); write the sample again") from error
