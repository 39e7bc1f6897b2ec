"""Turn rows into token ids and a mask of what is learned."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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

    def check(self, name: str, max_length: int) -> None:
        """Refuse what the trainer would cut at the end or, with no label left, drop without a word.

        Raises:
            DataError: There are such rows among those that ``name`` tells people of.
        """
        n_cut = sum(len(example.input_ids) > max_length for example in self.examples)
        n_dropped = sum(not any(example.completion_mask[:max_length]) for example in self.examples)
        if n_cut or n_dropped:
            cut = f"{n_cut} of {len(self.examples)} rows are longer than max_length={max_length} and would lose"
            dropped = f"{n_dropped} have no label up to there and would be dropped"
            remedy = "tokenize_rows with this max_length leaves long rows out and lists them"
            raise DataError(f"{name}: {cut} their end, {dropped}; {remedy}")

    def spread(self, limit: int | None) -> "TokenizedRows":
        """Up to ``limit`` of the rows, evenly spread over their order; all for None."""
        step = math.ceil(len(self.examples) / limit) if limit else 1
        return replace(self, examples=self.examples[:: max(1, step)])

    def to_dataset(self) -> "Dataset":
        """The columns that TRL's ``SFTTrainer`` takes as already prepared, and lengths to group by."""
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


def tokenize_rows(
    tokenizer: "PreTrainedTokenizerBase", rows: Iterable[Mapping[str, Any]], task: Task, max_length: int
) -> TokenizedRows:
    """Encode every row, with ``id`` and what the task reads, as the task asks and answers it.

    ``max_length`` are the tokens of prompt and completion together, at most.

    Raises:
        DataError: No row is left, none of them has a token with a label, or an answer holds a control token.
    """
    examples, too_long, control = [], [], control_tokens(tokenizer)
    for row in rows:
        target = task.to_target(row)
        check_answer(tokenizer, control, target, f"row {row['id']!r}")
        example = encode_example(tokenizer, task.to_messages(row), target)
        if len(example.input_ids) > max_length:
            too_long.append(row["id"])
        else:
            examples.append(example)
    tokenized = TokenizedRows(examples, too_long)
    if not tokenized.n_supervised_tokens:
        found = f"{len(examples)} rows within max_length={max_length}, {len(too_long)} too long"
        raise DataError(f"nothing to learn: {found}; raise max_length {IN_PROFILE}, or shorten the prompts")
    return tokenized


def check_answer(tokenizer: "PreTrainedTokenizerBase", control: set[int], answer: str, where: str) -> None:
    """Refuse, by DataError, to teach an answer that holds one of the ``control_tokens``; ``where`` names its row."""
    if marks := control.intersection(encode_text(tokenizer, answer)):
        found = f"{where}: the answer holds {tokenizer.decode(min(marks))!r}, which ends or begins a turn"
        raise DataError(f"{found}; take such rows out of the dataset")


def control_tokens(tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Ids of the tokens that templates mark turns with, and others that no text is made of."""
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special} | {*tokenizer.all_special_ids}
    return special - {tokenizer.unk_token_id}  # which stands for letters that the vocabulary lacks


def label_findings(tokenizer: "PreTrainedTokenizerBase", rows: TokenizedRows) -> Findings:
    """What is wrong with the labels of encoded rows; empty if nothing is.

    A reply holds one control token, the one that ends it. Others with a label are the marks between turns: the loss
    is taken over the prompt too. Templates that mark turns in plain text escape this check.
    """
    control = control_tokens(tokenizer)
    labelled = [
        [token for token, learned in zip(row.input_ids, row.completion_mask, strict=True) if learned]
        for row in rows.examples
    ]
    on_prompt = [marks for tokens in labelled if (marks := control.intersection(tokens[:-1]))]
    endless = sum(not tokens or tokens[-1] != tokenizer.eos_token_id for tokens in labelled)
    findings = Findings()
    if on_prompt:
        mark, share = tokenizer.decode(min(on_prompt[0])), rows.n_supervised_tokens / max(1, rows.n_tokens)
        reason = f"{len(on_prompt)} of {len(labelled)} rows have labels on marks between turns, such as {mark!r}"
        fix = "grade the reply alone, as tokenize_rows does, and TRL with completion_only_loss"
        findings.append(Finding("loss-on-prompt", "error", f"{reason}; {share:.0%} of all tokens are graded", fix))
    if endless:
        reason = f"{endless} of {len(labelled)} rows do not end in a label on {tokenizer.eos_token!r}"
        fix = "let the reply end in the end token, with a label; and pad with another token"
        findings.append(Finding("no-end-label", "error", reason, fix))
    return findings
