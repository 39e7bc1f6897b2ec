"""The classic mistakes of chat templates, found by code before a model is trained on them.

``prompts.encode_example`` refuses what it cannot encode; here each mistake has a name, its evidence
and a fix, also for token ids that another pipeline made.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from course_utils.data.tokens.id_checks import check_begin, check_end, check_labels
from course_utils.data.tokens.mistake import Chat, Mistake, MistakeList, read_chat
from course_utils.data.tokens.template_checks import (
    check_border,
    check_control_tokens,
    check_messages,
    check_prefix,
    check_tokenizer,
    refusal,
)
from course_utils.prompts import EncodedExample, Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CHECKS: tuple[Callable[[Chat], Iterator[Mistake]], ...] = (
    check_messages,
    check_prefix,
    check_border,
    check_begin,
    check_end,
    check_labels,
    check_control_tokens,
)


def template_mistakes(
    tokenizer: "PreTrainedTokenizerBase",
    messages: Sequence[Message],
    completion: str,
    encoded: EncodedExample | None = None,
) -> MistakeList:
    """What is wrong with the way a tokenizer and its chat template turn one row into tokens.

    Args:
        tokenizer: With a chat template.
        messages: The prompt, as ``prompts.to_messages`` makes it.
        completion: The reply to learn.
        encoded: Ids and label mask that another pipeline made of the row; those of ``prompts`` if left out.

    Returns:
        Empty if nothing is wrong. Llama 3's and Gemma's own tokenizers give one warning: their templates write
        the beginning-of-text token, and so does the tokenizer, for those who tokenize rendered text themselves.
    """
    from jinja2 import TemplateError

    found = MistakeList(check_tokenizer(tokenizer, messages, completion))
    if not tokenizer.chat_template:
        found.append(Mistake("no-template", "the tokenizer has no chat template", "choose an instruct model"))
        return found
    try:
        chat = read_chat(tokenizer, messages, completion, encoded)
    except TemplateError as error:
        found.append(refusal(tokenizer, messages, str(error)))
        return found
    found += [mistake for check in _CHECKS for mistake in check(chat)]
    return found
