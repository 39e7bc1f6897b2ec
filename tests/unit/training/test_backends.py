"""What each method trains: where it sits, how large it is, that it starts at the base model; and which backends."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from peft.tuners.lora import LoraLayer
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconH1Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    Phi3Config,
    PretrainedConfig,
)

from course_utils.deployment import merge_adapter
from course_utils.errors import ConfigurationError
from course_utils.files import PROJECT
from course_utils.models import load_model, load_tokenizer
from course_utils.models.load import Choice
from course_utils.profiles import Method, get_profile
from course_utils.tasks import text_to_sql
from course_utils.training import TrainingData, backends, tokenize_rows, train_sft, trainer
from course_utils.training.backends import adapter_config
from course_utils.training.forgetting import reply_loss
from course_utils.training.shared_prompts import label_loss

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
    adapted = get_peft_model(LlamaForCausalLM(CONFIG), adapter_config(profile, CONFIG.num_hidden_layers))
    shapes = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 48), (32, 48), (48, 32)]
    n_trained, _ = adapted.get_nb_trainable_parameters()
    assert n_trained == 2 * sum(profile.lora_rank * (a + b) for a, b in shapes)


def test_only_the_last_layers_get_an_adapter_where_the_profile_says_so() -> None:
    from peft import get_peft_model

    profile = replace(get_profile("smoke"), adapted_share=0.4)
    adapted = get_peft_model(LlamaForCausalLM(CONFIG), adapter_config(profile, CONFIG.num_hidden_layers))
    changed = {name.split(".layers.")[1][0] for name, weight in adapted.named_parameters() if weight.requires_grad}
    assert changed == {"1"}
    passed: list[bool] = []
    first = adapted.get_base_model().model.layers[0]
    first.register_forward_hook(lambda module, inputs, output: passed.append(output.requires_grad))
    assert adapted(torch.arange(10)[None]).logits.requires_grad
    assert passed == [False], "a gradient passes the layer that has none"


def test_training_starts_at_the_base_model() -> None:
    from peft import get_peft_model

    model, ids = LlamaForCausalLM(CONFIG).eval(), torch.arange(10)[None]
    before = model(ids).logits.detach().clone()
    after = get_peft_model(model, adapter_config(get_profile("smoke"), 2)).eval()(ids).logits
    torch.testing.assert_close(before, after)


def test_an_unknown_method_is_refused_and_one_that_unsloth_lacks() -> None:
    with pytest.raises(
        ConfigurationError, match="method must be one of full, lora, qlora, dora, rslora, ia3, not 'pt'"
    ):
        replace(get_profile("smoke"), method="pt")
    with pytest.raises(ConfigurationError, match=r"method must be full, lora, qlora or rslora.*not 'dora'"):
        replace(get_profile("gpu_8gb"), method="dora")


TINY_BASE = PROJECT / "data" / "tiny_base"
SCHEMAS = {"shop": "table item: item_id integer, name text, price real"}
ROWS = [
    {"id": str(n), "db_id": "shop", "question": f"How many items cost {n}?", "query": f"SELECT {n} FROM item"}
    for n in range(12)
]


@pytest.fixture(scope="module")
def base_loss() -> float:
    """Mean loss of the base model over the tokens with a label, one row at a time."""
    base, losses, n_labels = load_model(TINY_BASE), 0.0, 0
    for row in tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512).examples:
        labels = [token if learned else -100 for token, learned in zip(row.input_ids, row.completion_mask, strict=True)]
        with torch.inference_mode():
            loss = base(torch.tensor([row.input_ids]), labels=torch.tensor([labels])).loss
        losses, n_labels = losses + float(loss) * sum(row.completion_mask), n_labels + sum(row.completion_mask)
    return losses / n_labels


LINEAR_LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
RATES = {"full": 1e-4, "ia3": 5e-2}


@pytest.mark.parametrize("method", get_args(Method))
def test_every_method_starts_at_the_base_learns_is_loaded_again_and_merged(
    method: str, base_loss: float, tmp_path: Path
) -> None:
    if method == "qlora":
        pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    smoke = replace(get_profile("smoke"), method=method, learning_rate=RATES.get(method, 4e-3))
    profile = replace(smoke, batch_size=4, max_steps=9, n_evaluations=3, warmup_steps=1)
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    result = train_sft(profile, TrainingData(rows, rows), tmp_path / "trained")
    losses = [record["eval_loss"] for record in result.history if "eval_loss" in record]
    assert losses[0] == pytest.approx(base_loss, rel=0.02 if method == "qlora" else 1e-3)
    assert losses[-1] < losses[1] < losses[0], "no gradient arrives any more after the first validation"
    ids = torch.tensor([rows.examples[0].input_ids])
    with torch.inference_mode():
        tuned = load_model(TINY_BASE, adapter=result.adapter)(ids).logits
        merged = load_model(merge_adapter(TINY_BASE, result.adapter, tmp_path / "merged"))(ids).logits
        assert not torch.allclose(load_model(TINY_BASE)(ids).logits, tuned, atol=0.1)
    torch.testing.assert_close(merged, tuned, rtol=1e-3, atol=1e-3)


def test_frozen_matrices_alone_are_halved_where_products_are_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "choose_product_dtype", lambda width: Choice("bfloat16", "told so"))
    model, _ = backends.load_trainable(replace(get_profile("smoke"), adapted_share=1.0), TINY_BASE)
    halved = {name for name, weight in model.named_parameters() if weight.dtype == torch.bfloat16}
    assert {name.split(".")[-3] for name in halved} == LINEAR_LAYERS | {"model"}, "the layers and the head"
    assert model.get_output_embeddings().weight.dtype == torch.bfloat16
    assert model.get_input_embeddings().weight.dtype == torch.float32, "which the head shared until here"
    assert all(weight.dtype == torch.float32 for weight in model.parameters() if weight.requires_grad)


@pytest.mark.parametrize(("method", "casts"), [("lora", {False}), ("dora", {True}), ("ia3", set())])
def test_autocast_alone_casts_for_lora_in_bfloat16(
    method: Method, casts: set[bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found: dict[str, set[bool]] = {"float32": set(), "bfloat16": set()}
    losses = []
    profile = replace(get_profile("smoke"), method=method, max_steps=4, n_evaluations=1)
    queries = [f"SELECT name FROM item WHERE price > {n}" for n in range(16)]
    asked = [
        {"db_id": "shop", "question": f"Which items cost more than {n}?", "query": q} for n, q in enumerate(queries)
    ]
    rows = tokenize_rows(load_tokenizer(TINY_BASE), asked, text_to_sql(SCHEMAS), profile.max_length)
    for dtype, casting in found.items():

        def watched(model: Any, *rest: Any, casting: set[bool] = casting) -> torch.Tensor:
            casting |= {each.cast_input_dtype_enabled for each in model.modules() if isinstance(each, LoraLayer)}
            return label_loss(model, *rest)

        monkeypatch.setattr(trainer, "label_loss", watched)
        monkeypatch.setattr(backends, "choose_product_dtype", lambda width, dtype=dtype: Choice(dtype, "told so"))
        losses.append(train_sft(profile, TrainingData(rows, rows), tmp_path / dtype).final_validation_loss)
    assert found == {"float32": {True} if casts else set(), "bfloat16": casts}
    assert losses[0] == pytest.approx(losses[1], rel=0.1)  # a tenth of what it was at the start


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_only_training_on_a_cpu_asks_what_a_cpu_is_faster_in(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = load_model(TINY_BASE, place="cpu"), []  # as in each of several processes, whatever they train on
    monkeypatch.setattr(backends, "choose_device", lambda: Choice(device, "told so"))
    monkeypatch.setattr(backends, "choose_product_dtype", lambda width: asked.append(width) or Choice("float32", ""))
    backends._fit_frozen_matrices(model)
    assert asked == ([model.config.hidden_size] if device == "cpu" else [])


@pytest.mark.parametrize(("stage", "dtype"), [("2", torch.float32), ("3", torch.bfloat16)])
def test_an_adapter_has_the_format_of_what_zero_3_shares_out(
    stage: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", stage)
    monkeypatch.setattr(backends, "choose_product_dtype", lambda width: Choice("bfloat16", "told so"))
    model, _ = backends.load_trainable(get_profile("smoke"), TINY_BASE)
    assert {weight.dtype for weight in model.parameters() if weight.requires_grad} == {dtype}


# Base models of other kinds

SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
GRANITE = GraniteConfig(**SMALL, intermediate_size=48, num_key_value_heads=2, logits_scaling=6.0)
NEOX = GPTNeoXConfig(**SMALL, intermediate_size=48, rotary_pct=0.5)
OPT = OPTConfig(**SMALL, ffn_dim=48, word_embed_proj_dim=32)
BLOOM = BloomConfig(hidden_size=32, n_layer=2, n_head=4)
MAMBA: dict[str, Any] = {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 16}
FALCON_H1 = FalconH1Config(**SMALL, **MAMBA, intermediate_size=48, num_key_value_heads=2, mamba_chunk_size=32)
PHI3 = Phi3Config(**SMALL, intermediate_size=48, num_key_value_heads=2, pad_token_id=0)


def random_base(config: PretrainedConfig, folder: Path) -> Path:
    """A model with random weights that are large enough to differ in what they say, and the tiny base's tokenizer."""
    tokenizer = load_tokenizer(TINY_BASE)
    config.vocab_size = len(tokenizer)
    config.bos_token_id, config.eos_token_id, config.pad_token_id = (
        getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    model.get_output_embeddings().weight.data.normal_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("share_prompts", [False, True])
@pytest.mark.parametrize("config", [GRANITE, NEOX, OPT, BLOOM, FALCON_H1], ids=lambda config: config.model_type)
def test_the_loss_is_the_models_own_whatever_its_kind(
    config: PretrainedConfig, share_prompts: bool, tmp_path: Path
) -> None:
    base = random_base(config, tmp_path / "base")
    profile = replace(get_profile("smoke"), share_prompts=share_prompts, batch_size=len(ROWS), max_steps=1)
    rows = tokenize_rows(load_tokenizer(base), ROWS, text_to_sql(SCHEMAS), profile.max_length)
    result = train_sft(replace(profile, base_model=str(base)), TrainingData(rows, rows), tmp_path / "adapter")
    own = pytest.approx(reply_loss(load_model(base), rows), rel=1e-3)
    before, first, _ = result.history
    assert (before["eval_loss"], first["loss"]) == (own, own)


@pytest.mark.parametrize("config", [NEOX, PHI3], ids=lambda config: config.model_type)
def test_a_model_whose_layers_ia3_does_not_know_is_refused(config: PretrainedConfig, tmp_path: Path) -> None:
    base = random_base(config, tmp_path / "base")
    with pytest.raises(ConfigurationError, match=r'it has no (down|k)_proj; set method="lora"'):
        backends.load_trainable(replace(get_profile("smoke"), method="ia3"), base)
