"""Turn rows into token ids and a mask of what is learned."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_utils.errors import DataError
from course_utils.prompts import EncodedExample, encode_example
from course_utils.tables import value_table
from course_utils.tasks import Task

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class TokenizedRows:
    """Rows ready for the trainer, and what became of those that are not among them."""

    examples: list[EncodedExample] = field(repr=False)
    too_long: list[str]
    """Ids of rows longer than the limit. They are left out whole: a row whose end is cut off teaches
    the model never to stop."""

    @property
    def n_tokens(self) -> int:
        """Tokens the model reads in one epoch, padding not counted."""
        return sum(len(example.input_ids) for example in self.examples)

    @property
    def n_supervised_tokens(self) -> int:
        """Tokens that have a label, so that the loss sees them."""
        return sum(sum(example.completion_mask) for example in self.examples)

    def to_dataset(self) -> "Dataset":
        """The columns that TRL's ``SFTTrainer`` takes as already prepared, and lengths to group by."""
        from datasets import Dataset

        return Dataset.from_dict(
            {
                "input_ids": [example.input_ids for example in self.examples],
                "completion_mask": [example.completion_mask for example in self.examples],
                "length": [len(example.input_ids) for example in self.examples],
            }
        )

    def _repr_html_(self) -> str:
        share = self.n_supervised_tokens / max(1, self.n_tokens)
        values = {
            "rows": len(self.examples),
            "rows left out as too long": len(self.too_long),
            "tokens read": self.n_tokens,
            "tokens with a label": self.n_supervised_tokens,
            "share of tokens with a label": f"{share:.0%}",
        }
        return value_table(values)._repr_html_()


def tokenize_rows(
    tokenizer: "PreTrainedTokenizerBase",
    rows: Iterable[Mapping[str, Any]],
    task: Task,
    max_length: int,
) -> TokenizedRows:
    """Encode every row as its task asks and answers it.

    Args:
        tokenizer: Of the model that will be trained.
        rows: With ``id`` and what the task reads.
        task: Gives a row's messages and the reply to learn.
        max_length: Tokens of prompt and completion together, at most.

    Raises:
        DataError: No row is left, or none of them has a token with a label.
    """
    examples, too_long = [], []
    for row in rows:
        example = encode_example(tokenizer, task.to_messages(row), task.to_target(row))
        if len(example.input_ids) > max_length:
            too_long.append(row["id"])
        else:
            examples.append(example)
    tokenized = TokenizedRows(examples, too_long)
    if not tokenized.n_supervised_tokens:
        raise DataError(
            f"nothing to learn: {len(examples)} rows within max_length={max_length}, {len(too_long)} too long; "
            "raise max_length or shorten the prompts"
        )
    return tokenized
