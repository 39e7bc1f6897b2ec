"""Generation, against a plain loop over the model's logits."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from course_utils.artifacts import open_course
from course_utils.errors import ModelError
from course_utils.models import generate_replies, load_model, load_tokenizer, open_engine
from course_utils.models.generation import generate_tokens
from course_utils.profiles import get_profile
from course_utils.prompts import encode_prompt, to_messages

SCHEMAS = (
    "table singer: singer_id integer, name text",
    "table concert: concert_id integer, singer_id integer -> singer, year integer, place text, seats integer",
    'table "order": id integer, total real\ntable customer: id integer, city text, name text',
)
QUESTIONS = ("How many rows are in singer?", "Which city?", "List the name of every customer in order of city.")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer("data/tiny_base")


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return load_model("data/tiny_base")


@pytest.fixture(scope="module")
def prompts(tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    return [encode_prompt(tokenizer, to_messages(schema, question)) for schema in SCHEMAS for question in QUESTIONS]


def texts(*model_and_prompts: Any, **sizes: int) -> list[str]:
    return [reply.text for reply in generate_replies(*model_and_prompts, **sizes)]


def greedy_loop(model: PreTrainedModel, prompt: list[int], stops: set[int], max_new_tokens: int) -> list[int]:
    """The definition of greedy decoding: no cache, no batch, no padding."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(max_new_tokens):
            logits = model(input_ids=torch.tensor([ids], device=model.device)).logits
            ids.append(int(logits[0, -1].argmax()))
            if ids[-1] in stops:
                break
    return ids[len(prompt) :]


def test_tokens_are_the_most_likely_ones(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]
) -> None:
    eos = model.generation_config.eos_token_id
    stops = set(eos) if isinstance(eos, list) else {eos}
    found = generate_tokens(model, tokenizer, prompts[:4], 16)
    assert found == [greedy_loop(model, prompt, stops, 16) for prompt in prompts[:4]]


def test_batched_replies_equal_those_one_by_one_and_keep_their_order(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = texts(model, tokenizer, prompts, max_new_tokens=24, batch_size=1)
    assert len({len(prompt) for prompt in prompts}) > 3, "the batch needs padding"
    assert texts(model, tokenizer, prompts, max_new_tokens=24, batch_size=4) == alone
    assert texts(model, tokenizer, prompts[::-1], max_new_tokens=24, batch_size=9) == alone[::-1]
    monkeypatch.setattr("course_utils.models.cpu_generation.READ_AT_ONCE", 7)
    assert texts(model, tokenizer, prompts, max_new_tokens=24, batch_size=9) == alone, "prompts are read in pieces"


def test_a_tokenizer_that_pads_on_the_right_makes_no_difference(
    model: PreTrainedModel, prompts: list[list[int]], tokenizer: PreTrainedTokenizerBase
) -> None:
    other = load_tokenizer("data/tiny_base")
    other.padding_side = "right"
    wanted = texts(model, tokenizer, prompts, max_new_tokens=8, batch_size=9)
    assert texts(model, other, prompts, max_new_tokens=8, batch_size=9) == wanted


def test_a_models_own_sampling_settings_change_nothing(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, prompts: list[list[int]]
) -> None:
    wanted = texts(model, tokenizer, prompts[:3], max_new_tokens=16, batch_size=3)
    sampler = load_model("data/tiny_base")
    settings = {"do_sample": True, "temperature": 1.5, "top_k": 5, "repetition_penalty": 1.5}
    for name, value in settings.items():
        setattr(sampler.generation_config, name, value)
    assert texts(sampler, tokenizer, prompts[:3], max_new_tokens=16, batch_size=3) == wanted


def test_replies_hold_no_special_token_and_no_padding(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]
) -> None:
    for reply in texts(model, tokenizer, prompts, max_new_tokens=24, batch_size=9):
        assert not any(token in reply for token in tokenizer.all_special_tokens)
    for tokens in generate_tokens(model, tokenizer, prompts, 24):
        assert 0 < len(tokens) <= 24
        assert tokenizer.pad_token_id not in tokens


def test_no_prompts_give_no_replies(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    assert texts(model, tokenizer, [], max_new_tokens=4, batch_size=4) == []


def test_a_tokenizer_of_another_model_is_refused(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    beyond = model.get_input_embeddings().num_embeddings
    with pytest.raises(ModelError, match=f"no embedding for token {beyond}, .*; it has {beyond}; use its own"):
        generate_replies(model, tokenizer, [[1, beyond]], max_new_tokens=2, batch_size=1)
    other = load_tokenizer("data/tiny_base")
    other.add_special_tokens({"pad_token": "<|new|>"})
    with pytest.raises(ModelError, match=r"<\|new\|>.*resize_token_embeddings"):
        generate_replies(model, other, [[1]], max_new_tokens=2, batch_size=1)


def test_prompts_longer_than_a_model_knows_are_counted(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model.config, "max_position_embeddings", max(map(len, prompts)) - 1)
    with pytest.warns(UserWarning, match=rf"1 of {len(prompts)} texts are longer .* may be meaningless"):
        generate_replies(model, tokenizer, prompts, max_new_tokens=2, batch_size=4)


def test_replies_say_which_the_model_ended_and_share_the_time_of_their_batch(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What a model returns is decided here, because no model can be told when to stop.
    end = tokenizer.eos_token_id
    monkeypatch.setattr(
        "course_utils.models.generation.generate_tokens", lambda *_: [[13, end], [13, 13, 13], [13, 13, end], []]
    )
    replies = generate_replies(model, tokenizer, [prompts[0]] * 4, max_new_tokens=3, batch_size=4)
    assert [reply.stopped for reply in replies] == [True, False, True, True]
    assert len({reply.seconds for reply in replies}) == 1


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("named", [None, 0, [0, "other"]])
def test_a_reply_ends_at_the_tokenizers_end_token_and_at_those_the_model_names(
    packs: bool, named: Any, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model("data/tiny_base")
    prompts = [encode_prompt(tokenizer, to_messages(SCHEMAS[0], "How many singers?"))]
    ended = generate_tokens(model, tokenizer, prompts, 24)[0]
    assert ended[-1] == tokenizer.eos_token_id
    if isinstance(named, list):
        ended = ended[:-2]
        named = [0, ended[-1]]
    monkeypatch.setattr("course_utils.models.generation.attends_only", lambda _: packs)
    model.generation_config.eos_token_id = named
    assert generate_tokens(model, tokenizer, prompts, len(ended) + 3) == [ended]
    assert generate_replies(model, tokenizer, prompts, max_new_tokens=len(ended), batch_size=1)[0].stopped


def test_a_reply_ends_before_what_it_is_to_stop_at(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]
) -> None:
    sizes = {"max_new_tokens": 24, "batch_size": len(prompts)}
    whole = texts(model, tokenizer, prompts, **sizes)
    stop = whole[0][len(whole[0]) // 2 :][:2]
    replies = generate_replies(model, tokenizer, prompts, **sizes, stop=stop)
    assert [reply.text for reply in replies] == [text.partition(stop)[0] for text in whole]
    assert replies[0].stopped


def test_an_engine_of_a_folder_loads_the_model_when_it_is_asked(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, loaded = get_profile("smoke"), []
    monkeypatch.setattr("course_utils.models.generation.load_model", lambda *_, **__: loaded.append(1) or model)
    engine = open_engine("data/tiny_base", profile, None, "course", str)
    assert (loaded, engine.n_at_once) == ([], profile.generation_batch_size)
    chats = [to_messages(SCHEMAS[0], question) for question in QUESTIONS]
    asked = [encode_prompt(tokenizer, chat) for chat in chats]
    wanted = texts(model, tokenizer, asked, max_new_tokens=profile.max_new_tokens, batch_size=3)
    assert [reply.text for reply in engine.ask(chats)] == [reply.text for reply in engine.ask(chats)] == wanted
    assert loaded == [1]


def test_a_model_of_the_hub_is_asked_for_there_unless_its_user_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("course_utils.models.generation.identify_model", lambda *_: "a commit")
    for said, offline in (("1", "1"), ("", None)):
        monkeypatch.setenv("HF_HUB_OFFLINE", said)
        profile = open_course("smoke").profile
        open_engine("someone/something", profile, None, "course", str)
        assert os.environ.get("HF_HUB_OFFLINE") == offline


@pytest.mark.parametrize("name", ["model.gguf", "http://127.0.0.1:9"])
def test_an_adapter_that_nobody_would_put_on_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="an adapter goes on a folder or a Hub id; merge it"):
        open_engine(name, get_profile("smoke"), tmp_path, "course", str)


def test_what_made_a_reply_tells_engines_apart(tmp_path: Path) -> None:
    profile, weights = get_profile("smoke"), tmp_path / "model.gguf"
    weights.write_bytes(b"weights")
    started: list[Path] = []
    engines = [
        open_engine("data/tiny_base", profile, None, "course", str),
        open_engine("http://127.0.0.1:9", profile, None, "course", str),
        open_engine("http://127.0.0.1:9", profile, None, "another", str),
        open_engine(str(weights), profile, None, "course", lambda file: started.append(file) or "http://127.0.0.1:9"),
    ]
    assert len({engine.made_by for engine in engines}) == len(engines)
    assert started == [weights]
