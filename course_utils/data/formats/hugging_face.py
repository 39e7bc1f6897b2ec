"""Rows in Hugging Face ``datasets``: in memory, in a folder of ``save_to_disk``, or on the Hub by name.

A name on the Hub is written ``hf://owner/name``, with ``@revision`` behind it to keep to one version.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.data.formats.arrow_files import BATCH_ROWS, arrow_columns, refuse_types, to_records
from course_utils.data.formats.record import Record, Row, misfit

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

HUB = "hf://"


def from_datasets(dataset: "Dataset | DatasetDict", path: Path = Path("datasets")) -> Iterator[Record]:
    """Rows of a dataset, with their split where it has splits.

    Args:
        dataset: In memory or mapped from disk.
        path: What records name as their file.

    Raises:
        FormatError: Columns hold what is no text, number or list of them, such as images.
    """
    from datasets import DatasetDict

    parts = dataset if isinstance(dataset, DatasetDict) else {"": dataset}
    for split, part in parts.items():
        arrow = part.with_format("arrow")
        refuse_types(path, part.features.arrow_schema)
        yield from to_records(path, arrow.iter(BATCH_ROWS), str(split))


def to_dataset(rows: Iterable[Row], path: Path = Path("datasets")) -> "Dataset":
    """Rows as a ``Dataset`` in memory.

    Raises:
        FormatError: Rows do not fit or there are none; lists them.
    """
    from datasets import Dataset

    return Dataset.from_dict(arrow_columns(path, rows))


def to_dataset_dict(splits: Mapping[str, Iterable[Row]]) -> "DatasetDict":
    """Rows by split as a ``DatasetDict`` in memory; ``push_to_hub`` and ``save_to_disk`` are its own.

    Raises:
        FormatError: Rows do not fit or a split has none; lists them.
    """
    from datasets import DatasetDict

    return DatasetDict({split: to_dataset(rows, Path(split)) for split, rows in splits.items()})


def read_datasets(path: Path | str) -> Iterator[Record]:
    """Rows of a folder that ``save_to_disk`` wrote, or of a dataset on the Hub (``hf://owner/name@revision``).

    Raises:
        FormatError: There is no such dataset, it is broken, or its columns are not ours to read.
    """
    from datasets import load_from_disk

    if str(path).startswith(HUB):
        name, _, revision = str(path).removeprefix(HUB).partition("@")
        yield from from_datasets(load_hub(name, revision or None), Path(name))
        return
    folder = Path(path)
    if not is_saved(folder):
        raise misfit(folder, "not a folder that datasets' save_to_disk wrote; check the path")
    try:
        dataset = load_from_disk(str(folder))
    except Exception as error:  # the library lets whatever a broken folder causes through, from KeyError to Arrow's
        raise misfit(folder, f"not readable as a saved dataset ({_short(error)}); save it anew") from error
    yield from from_datasets(dataset, folder)


def load_hub(name: str, revision: str | None = None, **options: Any) -> "Dataset | DatasetDict":
    """A dataset by its name on the Hub, or by a local folder of data files, as ``load_dataset`` takes it.

    Args:
        name: ``owner/name``, or a folder.
        revision: A commit, tag or branch; the newest without it.
        options: ``load_dataset``'s own, such as ``split`` and ``cache_dir``.

    Raises:
        FormatError: It is not there, not reachable or not readable.
    """
    from datasets import load_dataset

    try:
        return load_dataset(name, revision=revision, **options)
    except Exception as error:  # network, Hub, parsers: each has its own errors
        reason = f"cannot be loaded ({_short(error)}); check the name, the network and, if it is private, HF_TOKEN"
        raise misfit(Path(name), reason) from error


def write_datasets(path: Path | str, rows: Iterable[Row]) -> None:
    """Write rows to a folder by ``save_to_disk``, or to a private dataset on the Hub (``hf://owner/name``).

    Raises:
        FormatError: Rows do not fit, or the folder holds something else or cannot be written.
    """
    if str(path).startswith(HUB):
        name = str(path).removeprefix(HUB)
        dataset = to_dataset(rows, Path(name))
        try:
            dataset.push_to_hub(name, private=True)
        except Exception as error:  # network and Hub: each has its own errors
            reason = f"cannot be pushed ({_short(error)}); check the name, the network and HF_TOKEN"
            raise misfit(Path(name), reason) from error
        return
    folder = Path(path)
    if folder.exists() and not is_saved(folder):
        raise misfit(folder, "something else is in the way; choose another name")
    dataset = to_dataset(rows, folder)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    try:
        dataset.save_to_disk(str(unfinished))
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.replace(folder)
    except OSError as error:
        raise misfit(folder, f"cannot be written ({error.strerror or error}); choose another folder") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def is_saved(folder: Path) -> bool:
    """Whether ``save_to_disk`` wrote a folder."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(".: ")
