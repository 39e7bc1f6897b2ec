"""Training itself, on a handful of rows with the real trainer and the real tiny base."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import trl

from course_utils.errors import ConfigurationError, ModelError
from course_utils.files import PROJECT
from course_utils.models import choose_device, load_model, load_tokenizer
from course_utils.profiles import get_profile
from course_utils.tasks import text_to_sql
from course_utils.training import TrainingData, TrainingResult, plot_losses, sft, tokenize_rows, train_sft, trainer
from course_utils.training.arguments import _SEPARATE, keep_to_one_gpu
from course_utils.training.backends import load_trainable
from course_utils.training.forgetting import reply_loss

TINY_BASE = PROJECT / "data" / "tiny_base"
pytestmark = pytest.mark.takes(10)
SCHEMAS = {"shop": "table item: item_id integer, name text, price real"}
ROWS = [
    {"id": str(n), "db_id": "shop", "question": f"How many items cost {n}?", "query": f"SELECT {n} FROM item"}
    for n in range(12)
]
PROFILE = replace(get_profile("smoke"), epochs=2.0, batch_size=4, n_evaluations=2)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    return train_sft(PROFILE, TrainingData(rows, rows), tmp_path_factory.mktemp("run") / "adapter")


def test_the_loss_falls(result: TrainingResult) -> None:
    losses = [record["loss"] for record in result.history if "loss" in record]
    assert losses[-1] < losses[0]
    assert result.n_steps == 6
    assert result.n_examples == 24
    assert result.results()["train_examples_per_s"] > 0


def test_validation_begins_before_the_first_step_and_ends_after_the_last(result: TrainingResult) -> None:
    measured = {record["step"]: record["eval_loss"] for record in result.history if "eval_loss" in record}
    assert list(measured) == [0, 3, 6]


def test_evaluations_are_spread_over_the_steps_that_there_are(tmp_path: Path) -> None:
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    uneven = replace(PROFILE, batch_size=5, epochs=1.5, n_evaluations=3)  # 12 rows of one schema: 3 batches of 4
    result = train_sft(uneven, TrainingData(rows, rows), tmp_path / "adapter")
    assert [record["step"] for record in result.history if "eval_loss" in record] == [0, 2, 4, 5]


def test_no_more_validation_rows_are_measured_than_the_profile_says(tmp_path: Path) -> None:
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    few = replace(PROFILE, max_validation_rows=4, max_steps=1)
    losses = [
        train_sft(profile, TrainingData(rows, validation), tmp_path / str(n)).history[0]["eval_loss"]
        for n, (profile, validation) in enumerate(((few, rows), (few, rows.spread(4)), (PROFILE, rows.spread(4))))
    ]
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize(("method", "ratios"), [("lora", [1, 4]), ("ia3", [1])])
def test_the_optimizer_is_as_the_profile_says(method: str, ratios: list[int], tmp_path: Path) -> None:
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    profile = replace(PROFILE, method=method, loraplus_ratio=4.0, adam_betas=(0.7, 0.95))
    made = trainer.make_trainer(profile, *load_trainable(profile, TINY_BASE), tmp_path, False, rows, rows)
    groups = [group for group in made.create_optimizer().param_groups if group["params"]]
    assert [group["lr"] / profile.learning_rate for group in groups] == ratios
    assert {group["betas"] for group in groups} == {profile.adam_betas}
    assert {id(p) for group in groups for p in group["params"]} == {
        id(p) for p in made.model.parameters() if p.requires_grad
    }


def test_threads_are_chosen_anew_in_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(trainer, "set_threads", lambda: chosen.append(torch.get_num_threads()))
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    train_sft(replace(PROFILE, max_steps=3), TrainingData(rows, rows), tmp_path / "adapter")
    assert len(chosen) == (3 if choose_device().value == "cpu" else 0)


def test_steps_can_be_given_instead_of_epochs(tmp_path: Path) -> None:
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    result = train_sft(replace(PROFILE, max_steps=4), TrainingData(rows, rows), tmp_path / "adapter")
    assert (result.n_steps, result.n_examples) == (4, 16)


def test_rows_that_share_nothing_keep_the_trainers_loss_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_SEPARATE, "loss_type", "nll")  # as Unsloth makes it TRL's default
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    results = []
    for shares in (False, True):
        profile = replace(PROFILE, share_prompts=shares, max_steps=1, n_evaluations=1, batch_size=len(ROWS))
        results.append(train_sft(profile, TrainingData(rows, rows), tmp_path / str(shares)))
    separate, shared = (result.history[0]["eval_loss"] for result in results)
    assert separate == pytest.approx(shared, rel=1e-4)


def test_the_validation_loss_is_a_mean_over_labels_however_rows_are_parted(tmp_path: Path) -> None:
    schemas = SCHEMAS | {"zoo": "table cage: cage_id integer"}
    lone = {"id": "z", "db_id": "zoo", "question": "How many cages?", "query": "SELECT COUNT(*) FROM cage WHERE 1 = 1"}
    rows = tokenize_rows(load_tokenizer(TINY_BASE), [*ROWS, lone], text_to_sql(schemas), 512)
    found = train_sft(replace(PROFILE, max_steps=1), TrainingData(rows, rows), tmp_path / "adapter")
    assert found.history[0]["eval_loss"] == pytest.approx(reply_loss(load_model(TINY_BASE), rows), rel=1e-3)


def test_the_seed_decides_the_order_of_separate_rows(tmp_path: Path) -> None:
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    orders = []
    for seed in (0, 1, 0):
        profile = replace(PROFILE, share_prompts=False, seed=seed)
        made = trainer.make_trainer(profile, *load_trainable(profile, TINY_BASE), tmp_path, False, rows, rows)
        orders.append([*made._get_train_sampler()])
    assert orders[0] == orders[2] != orders[1]


@pytest.mark.parametrize("kind", ["SFTConfig", "DPOConfig", "GRPOConfig"])
def test_a_process_takes_one_gpu_of_several(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    arguments = getattr(trl, kind)(output_dir=str(tmp_path), report_to="none", bf16=False)
    assert arguments.n_gpu == 2, "the trainer does not count GPUs any more"
    keep_to_one_gpu(arguments)
    assert arguments.train_batch_size == arguments.per_device_train_batch_size


def test_a_single_step_learns(tmp_path: Path) -> None:
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    found = train_sft(replace(PROFILE, max_steps=1, n_evaluations=1), TrainingData(rows, rows), tmp_path / "adapter")
    before, after = (record["eval_loss"] for record in found.history if "eval_loss" in record)
    assert after < before


def test_rows_are_read_apart_in_a_model_that_no_mask_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sft, "can_share", lambda model, max_length: False)
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    found = train_sft(replace(PROFILE, max_steps=2), TrainingData(rows, rows), tmp_path / "adapter")
    assert found.n_steps == 2
    assert "each row is read alone" in caplog.text


def test_the_adapter_loads_and_changes_the_model(result: TrainingResult) -> None:
    ids = torch.tensor([[5, 6, 7]])
    base, tuned = load_model(TINY_BASE), load_model(TINY_BASE, adapter=result.adapter)
    with torch.inference_mode():
        assert not torch.allclose(base(ids).logits, tuned(ids).logits)


def test_the_same_seed_gives_the_same_adapter(result: TrainingResult, tmp_path: Path) -> None:
    rows = tokenize_rows(load_tokenizer(TINY_BASE), ROWS, text_to_sql(SCHEMAS), 512)
    again = train_sft(PROFILE, TrainingData(rows, rows), tmp_path / "adapter")
    assert again.final_validation_loss == pytest.approx(result.final_validation_loss, rel=1e-4)


def test_the_plot_has_both_curves_and_says_what_they_show(result: TrainingResult) -> None:
    axes = plot_losses(result, labels=("run",))
    assert axes.get_legend_handles_labels()[1] == ["run, training", "run, validation"]
    assert axes.figure.get_suptitle().startswith(f"{result.diagnosis.verdict.capitalize()}: validation loss goes from")
    both = plot_losses(result, result, labels=("slow", "fast")).figure.get_suptitle().replace("\n", " ")
    assert both.endswith(f"fast: {result.diagnosis.verdict}, ends at {result.final_validation_loss:.3g}")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_profile_without_a_gpu_says_what_to_use() -> None:
    with pytest.raises(ConfigurationError, match=r"needs a GPU.*use smoke or laptop"):
        load_trainable(get_profile("gpu_16gb"), "Qwen/none")


def test_rows_of_another_models_tokenizer_are_refused(tmp_path: Path) -> None:
    chats = load_tokenizer(TINY_BASE)
    chats.add_special_tokens({"eos_token": "<|end|>"})
    chats.chat_template = chats.chat_template.replace("<|im_end|>", "<|end|>")
    rows = tokenize_rows(chats, ROWS, text_to_sql(SCHEMAS), 512)
    with pytest.raises(ModelError, match=r"tiny_base: no embedding for token 2047, .*use its own tokenizer"):
        train_sft(PROFILE, TrainingData(rows, rows), tmp_path / "adapter")


def test_a_missing_model_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        load_trainable(PROFILE, tmp_path / "nowhere")
