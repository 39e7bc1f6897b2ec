"""The one prompt, with tokenizers of several chat-template families built here.

The reference is independent of Transformers: the template rendered by Jinja, and the ids that the
``tokenizers`` library gives for that text.
"""

import time

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from course_utils.errors import ModelError
from course_utils.prompts import (
    BLOCK_END,
    INSTRUCTION,
    EncodedExample,
    add_examples,
    encode_example,
    encode_prompt,
    read_query,
    to_document,
    to_messages,
)

SCHEMA = "table singer: singer_id integer, name text"
QUESTION = "How many singers are there?"
QUERY = "SELECT COUNT(*) FROM singer"
SPECIAL = (
    "<|im_start|> <|im_end|> <|begin_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> "
    "<s> </s> <|system|> <|user|> <|assistant|> <|end|> <|endoftext|> <start_of_turn> <end_of_turn> <bos> <eos>"
).split()

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN3 = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    " + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ '[INST] ' + m['content'] + '\n\n' }}"
    "{% elif m['role'] == 'user' %}{{ m['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)
PHI = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)
GEMMA2 = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
)
FAMILIES = {
    "chatml": (CHATML, None, "<|im_end|>"),
    "qwen3": (QWEN3, None, "<|im_end|>"),
    "llama3": (LLAMA3, "<|begin_of_text|>", "<|eot_id|>"),
    "mistral": (MISTRAL, "<s>", "</s>"),
    "phi": (PHI, None, "<|endoftext|>"),
}


def build_tokenizer(template: str | None, bos: str | None, eos: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer that, like Llama's, puts its beginning-of-text token before plain text."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([SCHEMA, QUESTION, QUERY, INSTRUCTION], trainer)
    if bos:
        core.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, core.token_to_id(bos))]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token=bos, eos_token=eos, pad_token="<eos>")
    tokenizer.chat_template = template
    return tokenizer


def render(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
    """The template as plain Jinja renders it."""
    template = jinja2.Environment().from_string(tokenizer.chat_template)
    return template.render(
        messages=messages,
        add_generation_prompt=add_generation_prompt,
        enable_thinking=False,
        bos_token=tokenizer.bos_token,
        eos_token=tokenizer.eos_token,
    )


@pytest.fixture(params=FAMILIES)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return build_tokenizer(*FAMILIES[request.param])


def test_the_messages_hold_instruction_schema_and_question() -> None:
    system, user = to_messages(SCHEMA, f"  {QUESTION}\n")
    assert system == {"role": "system", "content": f"{INSTRUCTION}\n\n{SCHEMA}"}
    assert user == {"role": "user", "content": QUESTION}


def test_prompt_ids_are_those_of_the_rendered_template(tokenizer: PreTrainedTokenizerFast) -> None:
    messages = to_messages(SCHEMA, QUESTION)
    text = render(tokenizer, messages, add_generation_prompt=True)
    assert encode_prompt(tokenizer, messages) == tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids


def test_the_prompt_begins_with_one_bos_where_the_family_has_one(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = encode_prompt(tokenizer, to_messages(SCHEMA, QUESTION))
    wanted = 0 if tokenizer.bos_token_id is None else 1
    assert ids.count(tokenizer.bos_token_id) == wanted


def test_the_example_continues_the_prompt_and_the_mask_covers_the_reply(tokenizer: PreTrainedTokenizerFast) -> None:
    messages = to_messages(SCHEMA, QUESTION)
    example = encode_example(tokenizer, messages, QUERY)
    prompt = encode_prompt(tokenizer, messages)
    assert example.input_ids[: len(prompt)] == prompt
    assert example.completion_mask == [0] * len(prompt) + [1] * (len(example.input_ids) - len(prompt))

    decode = tokenizer.backend_tokenizer.decode
    learned = [i for i, counts in zip(example.input_ids, example.completion_mask, strict=True) if counts]
    whole = render(tokenizer, [*messages, {"role": "assistant", "content": QUERY}], add_generation_prompt=False)
    reply = whole.removeprefix(render(tokenizer, messages, add_generation_prompt=True))
    assert reply.rstrip("\n") == decode(learned, skip_special_tokens=False)
    assert QUERY in decode(learned, skip_special_tokens=False)


def test_the_end_token_is_learned_and_comes_last(tokenizer: PreTrainedTokenizerFast) -> None:
    example = encode_example(tokenizer, to_messages(SCHEMA, QUESTION), QUERY)
    assert example.input_ids[-1] == tokenizer.eos_token_id
    assert example.completion_mask[-1] == 1
    assert tokenizer.pad_token_id not in example.input_ids


def test_a_hybrid_model_is_asked_to_answer_at_once() -> None:
    tokenizer = build_tokenizer(*FAMILIES["qwen3"])
    text = tokenizer.decode(encode_prompt(tokenizer, to_messages(SCHEMA, QUESTION)))
    assert text.endswith("<think>\n\n</think>\n\n")


def test_a_template_that_writes_the_date_writes_the_same_every_day() -> None:
    date = "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    dated = date + LLAMA3.replace("| trim", "| trim + 'Today Date: ' + date_string")  # as that of Llama 3.2
    tokenizer = build_tokenizer(dated, "<|begin_of_text|>", "<|eot_id|>")
    text = tokenizer.decode(encode_prompt(tokenizer, to_messages(SCHEMA, QUESTION)))
    assert "Today Date: 26 Jul 2024" in text


CHAT_TOKENIZER = build_tokenizer(*FAMILIES["chatml"])


@settings(deadline=None, max_examples=60)
@given(st.text(), st.text(), st.text())
def test_any_text_keeps_prompt_and_mask_together(schema: str, question: str, query: str) -> None:
    messages = to_messages(schema, question)
    example = encode_example(CHAT_TOKENIZER, messages, query)
    n_prompt = len(encode_prompt(CHAT_TOKENIZER, messages))
    assert isinstance(example, EncodedExample)
    assert example.completion_mask.index(1) == n_prompt
    assert sum(example.completion_mask) == len(example.input_ids) - n_prompt
    assert CHAT_TOKENIZER.decode(example.input_ids[n_prompt:-1]) == query.strip()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "has no chat template; choose an instruct model"),
        ("{{ bos_token }}" + LLAMA3, "begins with two '<|begin_of_text|>' tokens"),
        (GEMMA2, "refuses the messages: System role not supported"),
        (
            CHATML.replace("<|im_end|>", "<|end|>"),
            "no '<|eot_id|>' after the reply; it would never stop; name the token that ends a turn as its eos_token",
        ),
        (LLAMA3.replace("in messages", "in messages[1:]"), "its chat template leaves out the system message"),
        ("{{ messages | length }}" + LLAMA3, "changes the prompt once a reply follows it"),
    ],
)
def test_a_template_that_would_train_badly_is_refused(template: str | None, message: str) -> None:
    tokenizer = build_tokenizer(template, "<|begin_of_text|>", "<|eot_id|>")
    with pytest.raises(ModelError) as caught:
        encode_example(tokenizer, to_messages(SCHEMA, QUESTION), QUERY)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "query"),
    [
        ("SELECT 1", "SELECT 1"),
        ("  SELECT 1;\n", "SELECT 1"),
        ("```sql\nSELECT 1;\n```", "SELECT 1"),
        ("Here it is:\n```SQLite\nSELECT 1\n```\nIt counts. ```x```", "SELECT 1"),
        ("```\nSELECT 1", "SELECT 1"),
        ("```SELECT 1```", "SELECT 1"),
        ("```sql SELECT 1```", "SELECT 1"),
        ("SELECT 1\n```", "SELECT 1"),
        ("<think>\n```sql\nSELECT 2\n```\n</think>\n\nSELECT 1", "SELECT 1"),
        ("SELECT a -- the name\nFROM t", "SELECT a -- the name\nFROM t"),
        ("SELECT 'a  b\nc;'", "SELECT 'a  b\nc;'"),
        ("SELECT `a`", "SELECT `a`"),
        ("I cannot help.", "I cannot help."),
        ("", ""),
        ("``````", ""),
        ("<think>Perhaps\n```sql\nSELECT 2\n```\nor", ""),
        ("[THINK]SELECT 2[/THINK]SELECT 1", "SELECT 1"),
        ("`SELECT 1`", "SELECT 1"),
        ("Use ```users``` so: ```sql SELECT `a` FROM `users````", "SELECT `a` FROM `users`"),
        ("So: ```sql\nSELECT 1\n```\nIt counts.", "SELECT 1"),
        ("```sql\nSELECT 1``` \nIt counts.", "SELECT 1"),
        ("```sql\nSELECT 1\n``` It counts.", "SELECT 1"),
        ("```sql\nSELECT `a` FROM `t````", "SELECT `a` FROM `t`"),
        ("~~~sql\nSELECT ~~~1, '```' FROM t\n~~~~~\nDone", "SELECT ~~~1, '```' FROM t"),
        ("1. ```sql\n   SELECT 'a\n    b'\n   ```", "SELECT 'a\n    b'"),
        ("   ```sql\n   SELECT 'a\n    b'\n   ```", "SELECT 'a\n b'"),
        ("```sql\r\nSELECT 'a\r\nb';\r\n```\r\n", "SELECT 'a\r\nb'"),
        ("```SELECT a\nFROM t\n```", "SELECT a\nFROM t"),
        ("```sql SELECT a\nFROM t;\n```\nIt counts.", "SELECT a\nFROM t"),
        ("```sql WITH c AS (\nSELECT `a` FROM t) SELECT a FROM c", "WITH c AS (\nSELECT `a` FROM t) SELECT a FROM c"),
        ("```sql SELECT `a`\nFROM t```", "SELECT `a`\nFROM t"),
        ("```markdown\n```sql\nSELECT 1\n```\n```", "SELECT 1"),
        ("```sql\nPRAGMA table_info(t)\n```sql\nSELECT 1\n```", "SELECT 1"),
        ("```\nt: a, b\n```\n```\nSELECT 1\n```", "SELECT 1"),
        ("```sql\nSELECT 1\n```\n```text\nn\n-\n1\n```", "SELECT 1"),
        ("```\nSELECT 1\n```\nwhere\n```\nusers\n```", "SELECT 1"),
        ("```\nusers\n```\nSELECT 1", "SELECT 1"),
        ("```sql\n```", ""),
        ("```sq", ""),
    ],
)
def test_the_query_is_read_from_the_reply(reply: str, query: str) -> None:
    assert read_query(reply) == query


@pytest.mark.parametrize(
    "info", ["postgres", "tsql", "PL/SQL", "plaintext", "duckdb", "{sql}", 'sql title="q.sql"', " "]
)
@pytest.mark.parametrize("fence", ["```", "~~~", "`````"])
def test_what_a_fence_says_behind_its_marks_is_no_sql(fence: str, info: str) -> None:
    assert read_query(f"Here:\n\n{fence}{info}\nSELECT 1;\n{fence}\nIt counts.") == "SELECT 1"


@settings(deadline=None)
@given(st.text(), st.sampled_from(["```", "````", "~~~"]), st.sampled_from(["", "sql", "postgres"]))
def test_any_query_comes_out_of_its_fence_as_it_was(text: str, fence: str, info: str) -> None:
    query = f"SELECT '{text.replace('`', '').replace('~', '')}'"
    assert read_query(f"So:\n{fence}{info}\n{query}\n{fence}\nDone.") == query


@pytest.mark.parametrize(
    "piece", ["```", "``` ", "~~~\n", "```sql", "SELECT ", "`", ":", "<think>", " ", "\n", "sql", "```x\n\n"]
)
@pytest.mark.parametrize("start", ["", "```", "~~~x\n"])
@pytest.mark.parametrize("end", ["!", "`"])
def test_a_long_reply_is_read_at_once(start: str, piece: str, end: str) -> None:
    began = time.perf_counter()
    read_query(f"{start}{piece * 20_000}{end}")
    assert time.perf_counter() - began < 2


def test_examples_are_turns_before_the_question() -> None:
    chat = add_examples(to_messages(SCHEMA, QUESTION), [("Who?", "SELECT name FROM singer"), ("Which?", "SELECT 1")])
    assert [message["role"] for message in chat] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [message["content"] for message in chat[1:]] == [
        "Who?",
        "SELECT name FROM singer",
        "Which?",
        "SELECT 1",
        QUESTION,
    ]
    assert add_examples(to_messages(SCHEMA, QUESTION), []) == to_messages(SCHEMA, QUESTION)


def test_a_document_breaks_off_in_the_block_that_the_answer_fills() -> None:
    document = to_document(add_examples(to_messages(SCHEMA, QUESTION), [("Who?", "SELECT name FROM singer")]))
    assert document.startswith(f"{INSTRUCTION}\n\n{SCHEMA}\n\nWho?\n")
    assert document.endswith(f"{QUESTION}\n```sql\n")
    assert read_query(document + QUERY + "\n" + BLOCK_END) == QUERY
