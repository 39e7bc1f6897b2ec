"""Mistakes that show in the tokenizer and in what its template writes, whatever is trained on."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from course_utils.data.tokens.mistake import Chat, Mistake, encode_text, n_same, render
from course_utils.data.tokens.templates import CONTROL_TOKEN, family_of
from course_utils.prompts import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def check_tokenizer(
    tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], completion: str
) -> Iterator[Mistake]:
    """Padding that is the end token, and control tokens hidden in the texts."""
    if tokenizer.eos_token_id is not None and tokenizer.pad_token_id == tokenizer.eos_token_id:
        yield Mistake(
            "pad-is-eos",
            f"padding and the end of a reply are both {tokenizer.eos_token!r} (id {tokenizer.eos_token_id}); "
            "what hides padding from the loss hides the end too, and the model never learns to stop",
            "give tokenizer.pad_token a token of its own, as models.load_tokenizer does",
        )
    control = {i: t.content for i, t in tokenizer.added_tokens_decoder.items() if t.special or _is_control(t.content)}
    for role, text in (*((m["role"], m["content"]) for m in messages), ("assistant", completion)):
        if hits := [i for i in encode_text(tokenizer, text) if i in control]:
            yield Mistake(
                "injected-control-token",
                f"the text of the {role} message holds {control[hits[0]]!r}, which becomes the control token "
                f"{hits[0]}: whoever writes it can end the turn and begin another",
                "take control tokens out of the text before it meets the template",
            )


def _is_control(token: str) -> bool:
    return CONTROL_TOKEN.fullmatch(token) is not None


def refusal(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], reason: str) -> Mistake:
    """Why a template raised an error: because of the system message, or whatever the messages."""
    from jinja2 import TemplateError

    others = [message for message in messages if message["role"] != "system"]
    reply = {"role": "assistant", "content": "x"}
    try:
        render(tokenizer, [*others, reply], add_generation_prompt=False)
    except TemplateError:
        return Mistake(
            "template-refuses", f"the template refuses the chat: {reason}", "look at the roles and their order"
        )
    return Mistake(
        "system-refused",
        f"the template refuses a system message: {reason}",
        "put the instruction at the top of the first user message",
    )


def check_messages(chat: Chat) -> Iterator[Mistake]:
    """Messages that the template leaves out."""
    for message in chat.messages:
        for text, name in ((chat.prompt_text, "the prompt"), (chat.whole_text, "the text that is trained on")):
            if message["content"].strip() not in text:
                yield Mistake(
                    "message-dropped",
                    f"the {message['role']} message is not in {name}",
                    "put the instruction at the top of the user message"
                    if message["role"] == "system"
                    else "use the template of the model's own repository",
                )
                break
    if chat.reply not in chat.whole_text:
        yield Mistake(
            "message-dropped",
            "the reply is not in the text that is trained on",
            "use the template of the model's own repository",
        )


def check_prefix(chat: Chat) -> Iterator[Mistake]:
    """A prompt that reads otherwise once a reply follows it."""
    prompt, whole = chat.prompt_text, chat.whole_text
    if whole.startswith(prompt):
        rest = whole[len(prompt) :]
        gap = rest[: rest.find(chat.reply)] if chat.reply in rest else ""
        if gap.strip():
            yield generation_prompt_mistake(
                f"the prompt ends with {prompt[-20:]!r}, but training has {gap!r} before the reply"
            )
        return
    n_common = n_same(prompt, whole)
    last = chat.messages[-1]["content"].strip()
    end_of_messages = prompt.rfind(last) + len(last) if last in prompt else len(prompt)
    differ = f"{prompt[n_common : n_common + 30]!r} when it is asked, {whole[n_common : n_common + 30]!r} in training"
    if n_common >= end_of_messages:
        yield generation_prompt_mistake(f"after the last message stands {differ}")
    else:
        yield Mistake(
            "prompt-changed",
            f"the template writes the same messages in two ways: {differ}",
            "use a template that keeps the prompt as it is once a reply follows",
        )


def generation_prompt_mistake(evidence: str) -> Mistake:
    """The prompt ends otherwise than what stands before the reply in training."""
    return Mistake(
        "generation-prompt",
        f"{evidence}: the model is asked in another form than it is taught",
        "end the prompt, under add_generation_prompt, with exactly what stands before each reply in training",
    )


def check_border(chat: Chat) -> Iterator[Mistake]:
    """A last token of the prompt that merges with the reply's first."""
    n_prompt = len(chat.prompt)
    if chat.whole_text.startswith(chat.prompt_text) and chat.whole[:n_prompt] != chat.prompt:
        same = n_same(chat.prompt, chat.whole)
        yield Mistake(
            "border-merged",
            f"the prompt ends with {chat.show(chat.prompt[same:])}, but with the reply behind it the same "
            f"letters are {chat.show(chat.whole[same : same + 2])}: the prompt's last token is never seen in training",
            "end the generation prompt with a control token or a line break, and leave a space to the reply",
        )


def check_control_tokens(chat: Chat) -> Iterator[Mistake]:
    """Control tokens that the template writes and the vocabulary does not know."""
    blank = [{"role": m["role"], "content": "x"} for m in (*chat.messages, {"role": "assistant"})]
    text = render(chat.tokenizer, blank, add_generation_prompt=False)
    written = dict.fromkeys(CONTROL_TOKEN.findall(text))
    split = {token: ids for token in written if len(ids := encode_text(chat.tokenizer, token)) != 1}
    if not split:
        return
    token, ids = next(iter(split.items()))
    shown = f"{token!r} becomes {len(ids)} tokens: {chat.show(ids)}"
    if len(split) == len(written):
        family = family_of(str(chat.tokenizer.chat_template))
        yield Mistake(
            "wrong-template",
            f"the vocabulary knows none of the control tokens that the template writes; {shown}",
            f"use the model's own chat template; this one is of the family {family!r}",
        )
    else:
        yield Mistake(
            "split-control-token",
            f"{', '.join(map(repr, split))}: no token of its own; {shown}",
            "load the tokenizer with its added tokens, or add them and train their embeddings",
            # Mistral's first vocabularies spell [INST] in ordinary tokens, and were trained so.
            "warning" if all(name.startswith("[") for name in split) else "error",
        )
