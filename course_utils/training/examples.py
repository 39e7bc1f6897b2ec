"""Turn rows into token ids and a mask of the tokens that have a label."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

from course_utils.errors import DataError
from course_utils.finding import Finding, Findings
from course_utils.profiles import IN_PROFILE
from course_utils.prompts import EncodedExample, encode_example, encode_text
from course_utils.tables import value_table
from course_utils.tasks import Task

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class TokenizedRows:
    """Rows ready for the trainer, and the ids of those that were left out."""

    examples: list[EncodedExample] = field(repr=False)
    too_long: list[str]
    """Ids of rows longer than the limit. They are left out, because a truncated row teaches a model never to stop."""

    @property
    def n_tokens(self) -> int:
        """Tokens that the model reads in one epoch, without padding."""
        return sum(len(example.input_ids) for example in self.examples)

    @property
    def n_supervised_tokens(self) -> int:
        """Tokens with a label, over which the loss is taken, in one epoch."""
        return sum(sum(example.completion_mask) for example in self.examples)

    def check(self, name: str, max_length: int) -> None:
        """Refuse rows that the trainer would truncate or, if no label is left, drop without a message.

        Raises:
            DataError: There are such rows, or none at all; the message calls the rows ``name``.
        """
        if not self.examples:
            raise DataError(f"{name}: there are no rows; give tokenize_rows those of another split or selection")
        n_cut = sum(len(example.input_ids) > max_length for example in self.examples)
        n_dropped = sum(not any(example.completion_mask[:max_length]) for example in self.examples)
        if n_cut or n_dropped:
            cut = f"{n_cut} of {len(self.examples)} rows are longer than max_length={max_length} and would lose"
            dropped = f"{n_dropped} have no label up to there and would be dropped"
            remedy = "tokenize_rows with this max_length leaves long rows out and lists them"
            raise DataError(f"{name}: {cut} their end, {dropped}; {remedy}")

    def spread(self, limit: int | None) -> "TokenizedRows":
        """At most ``limit`` rows, evenly spread over their order; all rows if ``limit`` is None."""
        step = math.ceil(len(self.examples) / limit) if limit else 1
        return replace(self, examples=self.examples[:: max(1, step)])

    def to_dataset(self) -> "Dataset":
        """The columns that TRL's ``SFTTrainer`` accepts as tokenized, and ``length`` to group rows by."""
        from datasets import Dataset

        ids, masks = [row.input_ids for row in self.examples], [row.completion_mask for row in self.examples]
        return Dataset.from_dict({"input_ids": ids, "completion_mask": masks, "length": list(map(len, ids))})

    def _repr_html_(self) -> str:
        values = {
            "rows": len(self.examples),
            "rows left out as too long": len(self.too_long),
            "tokens read": self.n_tokens,
            "tokens with a label": self.n_supervised_tokens,
            "share of tokens with a label": f"{self.n_supervised_tokens / max(1, self.n_tokens):.0%}",
        }
        return value_table(values)._repr_html_()


@dataclass(frozen=True)
class TrainingData:
    """What one training run reads: the rows that it learns from, and those on which its loss is measured."""

    train: TokenizedRows
    validation: TokenizedRows


def tokenize_rows(
    tokenizer: "PreTrainedTokenizerBase", rows: Iterable[Mapping[str, Any]], task: Task, max_length: int
) -> TokenizedRows:
    """Encode rows as the task's prompt and answer; rows have an ``id`` and the fields that the task reads.

    Rows with more than ``max_length`` tokens, prompt and completion together, are left out.

    Raises:
        DataError: No row is left, no token has a label, or an answer contains a control token.
    """
    examples, too_long, control = [], [], control_tokens(tokenizer)
    for row in rows:
        target = task.to_target(row)
        check_answer(tokenizer, control, target, f"row {row.get('id')!r}")
        example = encode_example(tokenizer, task.to_messages(row), target)
        if len(example.input_ids) > max_length:
            too_long.append(row["id"])
        else:
            examples.append(example)
    tokenized = TokenizedRows(examples, too_long)
    if not tokenized.n_supervised_tokens:
        found = f"{len(examples)} rows within max_length={max_length}, {len(too_long)} too long"
        remedy = f"raise max_length {IN_PROFILE}, or shorten the prompts" if too_long else "add rows with answers"
        raise DataError(f"nothing to learn: {found}; {remedy}")
    return tokenized


def check_answer(tokenizer: "PreTrainedTokenizerBase", control: set[int], answer: str, where: str) -> None:
    """Refuse, by DataError, to teach an answer that holds one of the ``control_tokens``; ``where`` names its row."""
    if marks := control.intersection(encode_text(tokenizer, answer)):
        found = f"{where}: the answer holds {tokenizer.decode(min(marks))!r}, which ends or begins a turn"
        raise DataError(f"{found}; take such rows out of the dataset")


def control_tokens(tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Ids of the special tokens, with which templates mark turns and which no ordinary text contains."""
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special} | {*tokenizer.all_special_ids}
    return special - {tokenizer.unk_token_id}  # the unknown token stands for letters that the vocabulary lacks


def label_findings(tokenizer: "PreTrainedTokenizerBase", rows: TokenizedRows) -> Findings:
    """Findings on the labels of encoded rows; empty if they are right.

    The only control tokens with a label should be those that end the reply, of which Phi's template writes two. A label
    on any other, such as a mark between turns, means that the loss is taken over the prompt too. Templates without
    control tokens escape this check.
    """
    control = control_tokens(tokenizer)
    labelled = [
        [token for token, learned in zip(row.input_ids, row.completion_mask, strict=True) if learned]
        for row in rows.examples
    ]

    def closes(token: int) -> bool:
        return token in control or tokenizer.decode([token]).isspace()

    texts = [dropwhile(closes, reversed(tokens)) for tokens in labelled]
    on_prompt = [marks for text in texts if (marks := control.intersection(text))]
    endless = sum(not tokens or tokens[-1] != tokenizer.eos_token_id for tokens in labelled)
    findings = Findings()
    if on_prompt:
        mark, share = tokenizer.decode(min(on_prompt[0])), rows.n_supervised_tokens / max(1, rows.n_tokens)
        reason = f"{len(on_prompt)} of {len(labelled)} rows have labels on marks between turns, such as {mark!r}"
        fix = "give labels to the reply alone, as tokenize_rows does, or TRL with completion_only_loss"
        findings.append(Finding("loss-on-prompt", "error", f"{reason}; {share:.0%} of all tokens are graded", fix))
    if endless:
        reason = f"{endless} of {len(labelled)} rows do not end in a label on {tokenizer.eos_token!r}"
        fix = "end each reply with the end token, give it a label, and pad with another token"
        findings.append(Finding("no-end-label", "error", reason, fix))
    return findings
