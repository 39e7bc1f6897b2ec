import re
from pathlib import Path

import pytest

from course_utils.deployment import write_modelfile
from course_utils.deployment.ollama import read_markers
from course_utils.errors import ModelError
from course_utils.models import load_tokenizer

CONVERSATION = [
    {"role": "system", "content": "Be brief.\ntable t: a integer"},
    {"role": "user", "content": "How many?"},
]


def run_go_template(template: str, messages: list[dict[str, str]]) -> str:
    """The part of Go's text/template that the Modelfile uses: one range, one chain of comparisons."""
    start, body, reply = re.fullmatch(
        r"(.*?){{ range \.Messages }}(.*){{ end }}{{ end }}(.*)", template, re.DOTALL
    ).groups()
    branches = dict(re.findall(r'{{ (?:else )?if eq \.Role "(\w+)" }}(.*?)(?={{ else|\Z)', body, re.DOTALL))
    turns = [branches[m["role"]].replace("{{ .Content }}", m["content"]) for m in messages]
    return start + "".join(turns) + reply


def test_prompts_are_the_tokenizers(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    template = re.search(r'TEMPLATE """(.*?)"""', write_modelfile(tokenizer), re.DOTALL)[1]
    longer = [*CONVERSATION, {"role": "assistant", "content": "SELECT 1"}, {"role": "user", "content": "Why?"}]
    for messages in (CONVERSATION, CONVERSATION[1:], longer):
        wanted = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert run_go_template(template, messages) == wanted


def test_stops_at_the_end_token(base: Path) -> None:
    lines = write_modelfile(load_tokenizer(base), gguf="/model/model.gguf", context=4096).splitlines()
    assert lines[0] == "FROM /model/model.gguf"
    assert 'PARAMETER stop "<|im_end|>"' in lines
    assert "PARAMETER num_ctx 4096" in lines


def test_a_beginning_token_is_kept(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.chat_template = "<|endoftext|>" + tokenizer.chat_template
    assert read_markers(tokenizer).start == "<|endoftext|>"


def test_refuses_a_template_that_does_more(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.chat_template = tokenizer.chat_template.replace("message['content']", "message['content'] | upper")
    with pytest.raises(ModelError, match="does more than mark turns"):
        write_modelfile(tokenizer)
