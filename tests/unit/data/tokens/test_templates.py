from pathlib import Path

import pytest

from course_utils.data.tokens import display
from course_utils.data.tokens.display import CONTROL_TOKEN, FAMILIES, FOLDER, render_templates
from course_utils.models.catalogue import known_models

SYSTEM = {"role": "system", "content": "Answer in SQL."}
USER = {"role": "user", "content": "How many shops?"}
REPLY = {"role": "assistant", "content": "SELECT COUNT(*) FROM shop"}
CHATS = [[SYSTEM, USER], [USER], [SYSTEM, USER, REPLY], [USER, REPLY], [SYSTEM, USER, REPLY, USER]]
ORIGINALS = {"llama3": "llama3", "gemma": "gemma3", "qwen": "qwen3"}
"""Families whose original template TRL carries."""


def original(name: str) -> str:
    import trl

    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text("utf-8")


def text_of(family: str, messages: list[dict[str, str]]) -> str:
    return "".join(render_templates(messages)[family])


@pytest.mark.parametrize("chat", CHATS, ids=lambda chat: "-".join(m["role"] for m in chat))
@pytest.mark.parametrize("family", ORIGINALS)
def test_the_text_is_that_of_the_original_template(
    family: str, chat: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = render_templates(chat)[family]
    monkeypatch.setattr(display, "read_template", lambda family: original(ORIGINALS.get(family, "qwen3")))
    assert ours == render_templates(chat)[family]


def test_the_text_of_the_others_is_that_of_their_documents() -> None:
    """Phi-4-mini's card, Mistral's account of tokenizer v3, and SmolLM2's ChatML."""
    texts = {family: text_of(family, [SYSTEM, USER, REPLY]) for family in FAMILIES}
    assert texts["phi"] == (
        "<|system|>Answer in SQL.<|end|><|user|>How many shops?<|end|>"
        "<|assistant|>SELECT COUNT(*) FROM shop<|end|><|endoftext|>"
    )
    assert texts["mistral"] == "<s>[INST] Answer in SQL.\n\nHow many shops?[/INST] SELECT COUNT(*) FROM shop</s>"
    assert texts["smollm"] == (
        "<|im_start|>system\nAnswer in SQL.<|im_end|>\n<|im_start|>user\nHow many shops?<|im_end|>\n"
        "<|im_start|>assistant\nSELECT COUNT(*) FROM shop<|im_end|>\n"
    )


def test_mistral_puts_the_system_message_into_the_last_user_turn() -> None:
    chat = [SYSTEM, USER, REPLY, {"role": "user", "content": "And cities?"}]
    assert text_of("mistral", chat) == (
        "<s>[INST] How many shops?[/INST] SELECT COUNT(*) FROM shop</s>[INST] Answer in SQL.\n\nAnd cities?[/INST]"
    )


def test_smollm_names_itself_where_no_system_message_does() -> None:
    assert text_of("smollm", [USER]).startswith(
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<"
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_keeps_the_prompt_when_a_reply_follows_and_ends_it(family: str) -> None:
    prompt, reply = render_templates([SYSTEM, USER, REPLY])[family]
    assert prompt == text_of(family, [SYSTEM, USER])
    assert SYSTEM["content"] in prompt
    assert reply.strip().startswith(REPLY["content"])
    assert reply.strip().endswith(FAMILIES[family]["eos"])


def test_a_refusal_is_shown_with_its_reason() -> None:
    table = render_templates([USER, SYSTEM, REPLY])
    reason = "gemma: its chat template refuses the messages: only one system message, the first"
    assert table["gemma"][0].startswith(reason)
    assert "refuses the messages: " in table._repr_html_()


def test_the_table_marks_control_tokens_and_escapes_the_rest() -> None:
    page = render_templates([{"role": "user", "content": "<b>x</b>"}, REPLY])._repr_html_()
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x" in page
    assert 'background:#d9c7f0;color:#111">&lt;|eot_id|&gt;</span>' in page
    assert page.count("border-radius") == len(FAMILIES)


def test_every_control_token_of_the_families_is_known_as_one() -> None:
    found = {t for family in FAMILIES for t in CONTROL_TOKEN.findall(text_of(family, [SYSTEM, USER, REPLY]))}
    assert found == {
        *("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        *("<s>", "[INST]", "[/INST]", "</s>"),
        *("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"),
        *("<bos>", "<start_of_turn>", "<end_of_turn>"),
        *("<|im_start|>", "<|im_end|>", "<think>", "</think>"),
    }


def test_each_template_file_belongs_to_a_family_and_its_source_is_named() -> None:
    assert {path.stem for path in FOLDER.glob("*.jinja")} == set(FAMILIES)
    readme = (FOLDER / "README.md").read_text("utf-8")
    for family in FAMILIES:
        line = next(line for line in readme.splitlines() if line.startswith(f"| `{family}.jinja`"))
        assert "](https://" in line


def test_there_is_a_model_for_every_family_and_no_unknown_family() -> None:
    assert {model.template for model in known_models().values()} == set(FAMILIES)
