"""The adapter: where it sits, how large it is, and that it starts at the base model."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from course_utils.profiles import get_profile
from course_utils.training.lora import count_parameters, lora_config

CONFIG = LlamaConfig(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    tie_word_embeddings=False,
)


def test_size_follows_the_formula_and_the_head_stays_frozen() -> None:
    from peft import get_peft_model

    profile = get_profile("smoke")
    count = count_parameters(get_peft_model(LlamaForCausalLM(CONFIG), lora_config(profile)))
    shapes = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 48), (32, 48), (48, 32)]
    assert count.trainable == 2 * sum(profile.lora_rank * (a + b) for a, b in shapes)
    assert 0 < count.share < 1


def test_training_starts_at_the_base_model() -> None:
    from peft import get_peft_model

    model, ids = LlamaForCausalLM(CONFIG).eval(), torch.arange(10)[None]
    before = model(ids).logits.detach().clone()
    after = get_peft_model(model, lora_config(get_profile("smoke"))).eval()(ids).logits
    torch.testing.assert_close(before, after)
