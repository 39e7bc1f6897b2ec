"""What makes generation on a CPU fast, against Transformers' own: the same keys, values and logits."""

import platform

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM
from transformers.cache_utils import DynamicLayer

from course_utils.models import cpu_generation, generate_replies, load_model, load_tokenizer
from course_utils.models.cpu_generation import grouped_attention, packed_products, share_prefixes


def test_the_roomy_cache_holds_what_the_plain_one_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_generation, "ROOM", 3)  # so that it has to make room anew
    plain, roomy = DynamicLayer(), cpu_generation.RoomyLayer()

    def add(n_rows: int, n_tokens: int) -> None:
        states = torch.rand(2, n_rows, 2, n_tokens, 4)
        for wanted, found in zip(plain.update(*states), roomy.update(*states), strict=True):
            torch.testing.assert_close(found, wanted)

    add(2, 5)
    for rows in ([0, 0, 1, 1, 1], [0, 4, 2, 3], [3, 1], [1, 0], [0]):
        for layer in (plain, roomy):
            layer.batch_select_indices(torch.tensor(rows))
        torch.testing.assert_close(roomy.keys, plain.keys)
        assert roomy.get_seq_length() == plain.get_seq_length()
        add(len(rows), 2)


def test_threads_are_chosen_anew_for_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(cpu_generation, "set_threads", lambda: chosen.append(torch.get_num_threads()))
    model, tokenizer = load_model("data/tiny_base", place="cpu"), load_tokenizer("data/tiny_base")
    generate_replies(model, tokenizer, [[5, 6, 7]] * 3, max_new_tokens=2, batch_size=2)
    assert len(chosen) == 2


def test_a_schema_before_long_examples_is_read_once_and_an_instruction_is_not() -> None:
    instruction = [7] * 10
    schemas = [[*instruction, *[word] * 90] for word in (8, 9)]
    asked = [[*schemas[0], *[word] * 200] for word in (1, 2, 3)] + [[*schemas[1], 1], [*schemas[1], 2]]
    assert share_prefixes(asked) == (schemas, [0, 0, 0, 1, 1])


@pytest.mark.parametrize("shared", [0, 90])
def test_of_prompts_that_differ_in_length_little_padding_is_read(shared: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_generation, "READ_AT_ONCE", 80)
    model, tokenizer = load_model("data/tiny_base", place="cpu"), load_tokenizer("data/tiny_base")
    lengths = [10, 200, 20, 30, 150, 40]
    prompts = [[7] * shared + [100 + n] * length for n, length in enumerate(lengths)]
    read: list[int] = []
    model.register_forward_pre_hook(lambda *call: read.append(call[2]["input_ids"].numel()), with_kwargs=True)
    batched = generate_replies(model, tokenizer, prompts, max_new_tokens=1, batch_size=len(prompts))
    assert sum(read) < 1.5 * (sum(lengths) + shared), f"all rows padded are {max(lengths) * len(lengths)}"
    alone = generate_replies(model, tokenizer, prompts, max_new_tokens=1, batch_size=1)
    assert [reply.text for reply in batched] == [reply.text for reply in alone]


def test_a_prompt_may_be_one_token() -> None:
    model, tokenizer = load_model("data/tiny_base", place="cpu"), load_tokenizer("data/tiny_base")
    both, first, second = (
        [reply.text for reply in generate_replies(model, tokenizer, prompts, max_new_tokens=3, batch_size=2)]
        for prompts in ([[5], [6]], [[5], [5, 5]], [[6], [6, 7]])
    )
    assert both == [first[0], second[0]]


@pytest.mark.parametrize(("window", "is_shared"), [(16, False), (60, True)])
def test_a_window_is_as_wide_in_a_batch_as_alone(window: int, is_shared: bool) -> None:
    torch.manual_seed(0)
    tokenizer = load_tokenizer("data/tiny_base")
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = MistralConfig(**sizes, vocab_size=len(tokenizer), num_key_value_heads=2, sliding_window=window)
    model = MistralForCausalLM(config).eval()
    for weight in model.parameters():
        weight.data.normal_(0, 0.3)  # as they are drawn, the last token alone says what comes next
    schema, *questions = (torch.randint(20, 2000, (length,)).tolist() for length in (30, 12, 5, 1))
    prompts = [schema + question for question in questions]
    batches: list[int] = []
    model.register_forward_pre_hook(lambda *call: batches.append(len(call[2]["input_ids"])), with_kwargs=True)
    batched = generate_replies(model, tokenizer, prompts, max_new_tokens=12, batch_size=3)
    assert (batches[0] == 1) == is_shared, "a schema that fits into the window is read once"
    alone = generate_replies(model, tokenizer, prompts, max_new_tokens=12, batch_size=1)
    assert [reply.text for reply in batched] == [reply.text for reply in alone]


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_grouped_attention_gives_the_models_own_logits(implementation: str) -> None:
    model = load_model("data/tiny_base")
    assert model.config.num_attention_heads > model.config.num_key_value_heads, "the heads need to share keys"
    model.set_attn_implementation(implementation)
    ids, mask = torch.randint(10, 2000, (3, 30)), torch.ones(3, 30, dtype=torch.long)
    mask[0, :12] = 0

    def step() -> torch.Tensor:
        with torch.inference_mode():
            past = model(input_ids=ids[:, :-1], attention_mask=mask[:, :-1], use_cache=True).past_key_values
            logits: torch.Tensor = model(input_ids=ids[:, -1:], attention_mask=mask, past_key_values=past).logits
        return logits

    wanted = step()
    with grouped_attention(model):
        assert (model.config._attn_implementation == "eager") is (implementation == "eager")
        torch.testing.assert_close(step(), wanted)
    assert model.config._attn_implementation == implementation


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="others multiply as PyTorch does")
def test_packed_products_give_the_models_own_logits_and_then_leave_it_as_it_was() -> None:
    model = load_model("data/tiny_base")
    ids = torch.randint(10, 2000, (3, 30))
    with torch.inference_mode():
        wanted = model(input_ids=ids).logits
        with packed_products(model):
            assert "forward" in vars(model.lm_head)
            model.model.layers[0].mlp.up_proj.weight.data.zero_()  # it is not asked any more
            torch.testing.assert_close(model(input_ids=ids).logits, wanted, atol=1e-4, rtol=1e-4)
    assert not any("forward" in vars(module) for module in model.modules())


@pytest.mark.parametrize("change", ["too large", "another format"])
def test_a_model_that_packing_does_not_suit_multiplies_as_pytorch_does(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model("data/tiny_base")
    if change == "too large":
        monkeypatch.setattr(cpu_generation, "PACK_GIB", 0.001)
    else:
        model.bfloat16()
    with packed_products(model):
        assert not any("forward" in vars(module) for module in model.modules())
