import json
import re
import shutil
from pathlib import Path

import gguf
import pytest
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerBase

from course_utils.deployment import convert_to_gguf, write_modelfile
from course_utils.deployment.ollama import read_markers
from course_utils.errors import ModelError
from course_utils.files import PROJECT, read_jsonl
from course_utils.models import load_tokenizer
from course_utils.prompts import TEMPLATE_OPTIONS, render_chat, to_messages
from tests.unit.test_prompts import CHATML, FAMILIES, LLAMA3, build_tokenizer

CONVERSATION = [
    {"role": "system", "content": "Be brief.\ntable t: a integer"},
    {"role": "user", "content": "How many?"},
]


def run_go_template(template: str, messages: list[dict[str, str]]) -> str:
    """The part of Go's text/template that the Modelfile uses: one condition, one range, one chain of comparisons."""
    start, default, body, reply = re.fullmatch(
        r'(.*?)(?:{{ if ne \(index \.Messages 0\)\.Role "system" }}(.*?){{ end }})?'
        r"{{ range \.Messages }}(.*){{ end }}{{ end }}(.*)",
        template,
        re.DOTALL,
    ).groups()
    branches = dict(re.findall(r'{{ (?:else )?if eq \.Role "(\w+)" }}(.*?)(?={{ else|\Z)', body, re.DOTALL))
    turns = [branches[m["role"]].replace("{{ .Content }}", m["content"]) for m in messages]
    return start + (default if default and messages[0]["role"] != "system" else "") + "".join(turns) + reply


def template_of(tokenizer: PreTrainedTokenizerBase) -> str:
    return re.search(r'TEMPLATE """(.*?)"""', write_modelfile(tokenizer), re.DOTALL)[1]


def assert_same_prompts(template: str, tokenizer: PreTrainedTokenizerBase, before: str = "") -> None:
    longer = [*CONVERSATION, {"role": "assistant", "content": "SELECT 1"}, {"role": "user", "content": "Why?"}]
    for messages in (CONVERSATION, CONVERSATION[1:], longer, longer[1:]):
        wanted = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        assert before + run_go_template(template, messages) == wanted


def test_prompts_are_the_tokenizers(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    assert_same_prompts(template_of(tokenizer), tokenizer)


def test_stops_at_the_end_token(base: Path) -> None:
    lines = write_modelfile(load_tokenizer(base), gguf="/model/model.gguf", context=4096).splitlines()
    assert lines[0] == "FROM /model/model.gguf"
    assert 'PARAMETER stop "<|im_end|>"' in lines
    assert "PARAMETER num_ctx 4096" in lines


ZEPHYR = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
GRANITE = (
    "{% for m in messages %}{{ '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] }}"
    "{{ '<|end_of_text|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}"
)
MORE_FAMILIES = FAMILIES | {"zephyr": (ZEPHYR, None, "</s>"), "granite": (GRANITE, None, "<|end_of_text|>")}


@pytest.mark.parametrize("family", MORE_FAMILIES)
def test_every_family_gives_its_prompts_with_one_beginning_token(family: str) -> None:
    tokenizer = build_tokenizer(*MORE_FAMILIES[family])
    assert_same_prompts(template_of(tokenizer), tokenizer, before=tokenizer.bos_token or "")


@pytest.fixture(scope="module")
def schemas() -> dict[str, str]:
    """Schemas of the test split's databases as SQL, in place of the prompts' form; neither ends on a line break."""
    files = (PROJECT / "data").glob("databases/*/schema.sql")
    return {file.parent.name: file.read_text("utf-8").strip() for file in files}


@pytest.mark.parametrize("family", MORE_FAMILIES)
def test_real_conversations_get_the_tokenizers_own_prompts(family: str, schemas: dict[str, str]) -> None:
    """Every 20th question of the course's test split, over its schema: quotes, brackets and line breaks and all."""
    tokenizer = build_tokenizer(*MORE_FAMILIES[family])
    template, before = template_of(tokenizer), tokenizer.bos_token or ""
    for row in read_jsonl(PROJECT / "data" / "test.jsonl")[::20]:
        messages = to_messages(schemas[row["db_id"]], row["question"])
        assert before + run_go_template(template, messages) == render_chat(
            tokenizer, messages, add_generation_prompt=True
        )


SYSTEM_FIRST = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nHelp.<|im_end|>\n' }}{% endif %}" + CHATML
)
INSIDE_THE_LOOP = CHATML.replace(
    "{{", "{% if loop.first and m['role'] != 'system' %}{{ '<|im_start|>system\nHelp.<|im_end|>\n' }}{% endif %}{{", 1
)
DATED = LLAMA3.replace(
    "{% for m in messages %}",
    "{{ '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n\n' }}"
    "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] | trim }}{% set messages = messages[1:] %}"
    "{% endif %}{{ '<|eot_id|>' }}{% for m in messages %}",
)


@pytest.mark.parametrize(
    ("template", "bos", "eos", "default"),
    [
        (SYSTEM_FIRST, None, "<|im_end|>", "Help.<|im_end|>\n"),
        (INSIDE_THE_LOOP, None, "<|im_end|>", "Help.<|im_end|>\n"),
        (DATED, "<|begin_of_text|>", "<|eot_id|>", "December 2023\n\n<|eot_id|>"),
    ],
)
def test_a_default_system_message_stands_where_there_is_none(
    template: str, bos: str | None, eos: str, default: str
) -> None:
    tokenizer = build_tokenizer(template, bos, eos)
    assert re.search(
        rf'{{{{ if ne \(index \.Messages 0\)\.Role "system" }}}}.*{re.escape(default)}', template_of(tokenizer), re.S
    )
    assert_same_prompts(template_of(tokenizer), tokenizer, before=bos or "")


@pytest.mark.parametrize("bos", ["<|im_start|>", "<s>"])
def test_a_beginning_token_that_the_template_does_not_write_stays_out(bos: str) -> None:
    """SmolLM2's BOS is the marker that begins every turn."""
    tokenizer = build_tokenizer(INSIDE_THE_LOOP, None, "<|im_end|>")
    tokenizer.bos_token = bos
    assert template_of(tokenizer).startswith('{{ if ne (index .Messages 0).Role "system" }}<|im_start|>system\nHelp.')
    assert_same_prompts(template_of(tokenizer), tokenizer)


@pytest.mark.parametrize("setting", [None, True, False])
@pytest.mark.parametrize("prefixes", [True, False])
def test_the_beginning_token_is_left_to_llama_cpp_where_the_gguf_says_so(
    base: Path, tmp_path: Path, prefixes: bool, setting: bool | None
) -> None:
    """The reference is what the converter writes. A setting that contradicts the tokenizer is gone once it is saved."""
    folder, bos = shutil.copytree(base, tmp_path / "model"), "<|endoftext|>"
    core = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if prefixes:
        special = [(bos, core.token_to_id(bos))]
        core.post_processor = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=special)
    core.save(str(folder / "tokenizer.json"))
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8")) | {"bos_token": bos}
    settings |= {} if setting is None else {"add_bos_token": setting}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    template = (folder / "chat_template.jinja").read_text("utf-8")
    (folder / "chat_template.jinja").write_text("{{ bos_token }}" + template)

    tokenizer = load_tokenizer(folder)
    tokenizer.save_pretrained(folder)
    added = gguf.GGUFReader(convert_to_gguf(folder, tmp_path / "model.gguf")).get_field("tokenizer.ggml.add_bos_token")
    is_added = bool(added and added.contents())
    assert is_added == prefixes
    assert template_of(tokenizer).startswith(bos) != is_added
    assert_same_prompts(template_of(tokenizer), tokenizer, before=bos if is_added else "")


def test_refuses_a_beginning_token_that_training_did_not_have() -> None:
    tokenizer = build_tokenizer(CHATML, "<s>", "<|im_end|>")
    with pytest.raises(ModelError, match=r"llama\.cpp would begin with <s>, unlike training; take it out"):
        write_modelfile(tokenizer)


def test_refuses_a_template_that_writes_the_date(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    template = tokenizer.chat_template
    for today in ("{{ strftime_now('%d %b %Y') }}", "{% set date_string = strftime_now('%Y') %}{{ date_string }}"):
        tokenizer.chat_template = today + template
        with pytest.raises(ModelError, match="writes today's date"):
            write_modelfile(tokenizer)
    dated = "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    tokenizer.chat_template = dated + "{{ date_string }}" + template
    assert read_markers(tokenizer).start == TEMPLATE_OPTIONS["date_string"]


def test_a_beginning_token_is_kept(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.chat_template = "<|endoftext|>" + tokenizer.chat_template
    assert read_markers(tokenizer).start == "<|endoftext|>"


def test_refuses_a_template_that_does_more(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.chat_template = tokenizer.chat_template.replace("message['content']", "message['content'] | upper")
    with pytest.raises(ModelError, match="does more than mark turns"):
        write_modelfile(tokenizer)
