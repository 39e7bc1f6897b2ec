from pathlib import Path

import pytest

from course_utils.artifacts import PROJECT
from course_utils.data.tokens.templates import (
    CONTROL_TOKEN,
    FAMILIES,
    FOLDER,
    family_of,
    read_template,
    render_chat,
    render_templates,
)
from course_utils.errors import ConfigurationError

SYSTEM = {"role": "system", "content": "Answer in SQL."}
USER = {"role": "user", "content": "How many shops?"}
REPLY = {"role": "assistant", "content": "SELECT COUNT(*) FROM shop"}
CHATS = [[SYSTEM, USER], [USER], [SYSTEM, USER, REPLY], [USER, REPLY], [SYSTEM, USER, REPLY, USER]]
ORIGINALS = {"llama3": "llama3", "gemma": "gemma3", "qwen": "qwen3"}
"""Families whose original template TRL carries."""


def original(name: str) -> str:
    import trl

    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text("utf-8")


@pytest.mark.parametrize("chat", CHATS, ids=lambda chat: "-".join(m["role"] for m in chat))
@pytest.mark.parametrize("family", ORIGINALS)
@pytest.mark.parametrize("generate", [True, False])
def test_the_text_is_that_of_the_original_template(family: str, chat: list[dict[str, str]], generate: bool) -> None:
    tokens = {"bos_token": FAMILIES[family].bos, "eos_token": FAMILIES[family].eos}
    ours = render_chat(read_template(family), chat, add_generation_prompt=generate, **tokens)
    assert ours == render_chat(original(ORIGINALS[family]), chat, add_generation_prompt=generate, **tokens)


def test_the_text_of_the_others_is_that_of_their_documents() -> None:
    """Phi-4-mini's card, Mistral's account of tokenizer v3, and SmolLM2's ChatML."""
    texts = {family: chat.text for family, chat in render_templates([SYSTEM, USER, REPLY]).chats.items()}
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
    text = render_templates(chat, {"mistral": read_template("mistral")}).chats["mistral"].text
    assert text == (
        "<s>[INST] How many shops?[/INST] SELECT COUNT(*) FROM shop</s>[INST] Answer in SQL.\n\nAnd cities?[/INST]"
    )


def test_smollm_names_itself_where_no_system_message_does() -> None:
    text = render_templates([USER]).chats["smollm"].text
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<")


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_keeps_the_prompt_when_a_reply_follows_and_ends_it(family: str) -> None:
    chat = render_templates([SYSTEM, USER, REPLY]).chats[family]
    assert chat.prompt == render_templates([SYSTEM, USER]).chats[family].text
    assert SYSTEM["content"] in chat.prompt
    assert chat.reply.strip().startswith(REPLY["content"])
    assert chat.reply.strip().endswith(FAMILIES[family].eos)


@pytest.mark.parametrize("family", FAMILIES)
def test_our_own_templates_are_recognised(family: str) -> None:
    assert family_of(read_template(family)) == family


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("llama3_1", "llama3"),
        ("llama3_2", "llama3"),
        ("gemma", "gemma"),
        ("gemma3", "gemma"),
        ("phi3", "phi"),
        ("phi3_5", "phi"),
        ("qwen3", "qwen"),
        ("qwen3_instruct_2507", "qwen"),
        ("nemotron_3_nano", "chatml"),
        ("lfm2", "chatml"),
        ("gemma4", "unknown"),
        ("deepseekv3", "unknown"),
        ("glm4moe", "unknown"),
        ("gptoss", "unknown"),
    ],
)
def test_templates_of_real_models_are_recognised(name: str, family: str) -> None:
    assert family_of(original(name)) == family


def test_the_course_s_own_model_writes_plain_chatml() -> None:
    assert family_of((PROJECT / "data/tiny_base/chat_template.jinja").read_text("utf-8")) == "chatml"


def test_a_refusal_is_shown_with_its_reason() -> None:
    table = render_templates([SYSTEM, USER, REPLY], {"old gemma": original("gemma"), "qwen": read_template("qwen")})
    assert "System role not supported" in table.chats["old gemma"].refusal
    assert "refuses this chat" in table._repr_html_()


def test_the_table_marks_control_tokens_and_escapes_the_rest() -> None:
    page = render_templates([{"role": "user", "content": "<b>x</b>"}, REPLY])._repr_html_()
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x" in page
    assert 'background:#d9c7f0;color:#111;display:inline-block">&lt;|eot_id|&gt;</span>' in page
    assert page.count("border-radius") == len(FAMILIES)


def test_every_control_token_of_the_families_is_known_as_one() -> None:
    texts = [chat.text for chat in render_templates([SYSTEM, USER, REPLY]).chats.values()]
    found = {token for text in texts for token in CONTROL_TOKEN.findall(text)}
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


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"'bloom'.*llama3, mistral"):
        read_template("bloom")
