"""Runs one can trust: killed, out of memory, diverged, overfitted, or fed with rows that the trainer would drop."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from course_utils.artifacts import UNFINISHED
from course_utils.errors import DataError, TrainingError
from course_utils.files import PROJECT
from course_utils.models import load_model, load_tokenizer
from course_utils.models.load import Choice
from course_utils.profiles import Profile, get_profile
from course_utils.prompts import EncodedExample
from course_utils.tasks import text_to_sql
from course_utils.training import TokenizedRows, TrainingData, TrainingResult, backends, tokenize_rows, train_sft
from tests.unit.full_disk import full_disk

TINY_BASE = PROJECT / "data" / "tiny_base"
SCHEMAS = {"shop": "table item: item_id integer, name text, price real"}
pytestmark = pytest.mark.takes(40)
SMOKE = replace(get_profile("smoke"), epochs=2.0, batch_size=4, n_evaluations=3, warmup_steps=1)
SEPARATE = replace(SMOKE, share_prompts=False)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads sum in another order than one, and training takes as many as there are free cores."""
    monkeypatch.setattr("course_utils.models.load._choose_threads", lambda _: 1)


def encode(query: str = "SELECT {} FROM item") -> TokenizedRows:
    """Twelve rows of unlike lengths: three batches of four."""
    rows = [
        {"id": str(n), "db_id": "shop", "question": f"{'Really, ' * n}how many cost {n}?", "query": query.format(n)}
        for n in range(12)
    ]
    return tokenize_rows(load_tokenizer(TINY_BASE), rows, text_to_sql(SCHEMAS), 512)


def train(profile: Profile, output: Path) -> TrainingResult:
    rows = encode()
    return train_sft(profile, TrainingData(rows, rows), output)


def train_and_die(name: str, method: str, calls: int, output: str) -> None:
    """Train in this process until the trainer's ``method`` begins for the ``calls``-th time; then SIGKILL."""
    import transformers

    left, original = [calls], getattr(transformers.Trainer, method)

    def call(*arguments: object, **options: object) -> object:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    setattr(transformers.Trainer, method, call)
    train({"shared": SMOKE, "separate": SEPARATE}[name], Path(output))


def killed(name: str, method: str, calls: int, output: Path) -> list[str]:
    """The checkpoints that a killed child process leaves."""
    command = [sys.executable, __file__, name, method, str(calls), str(output)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=240)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    assert not output.exists()
    return checkpoints(output)


def checkpoints(output: Path) -> list[str]:
    return sorted(path.name for path in (output.parent / UNFINISHED).glob("*/4/checkpoint-*"))


def interrupt_at_the_end(monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]) -> None:
    """Let a run take all its steps and end before it writes its result."""
    with monkeypatch.context() as patched:
        patched.setattr("transformers.Trainer._finalize_training", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            call()


def assert_same_adapter(first: Path, second: Path) -> None:
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (first, second))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_a_run_killed_in_a_checkpoint_and_again_at_its_end_ends_at_the_same_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(SMOKE, tmp_path / "whole" / "adapter")
    output = tmp_path / "killed" / "adapter"
    assert killed("shared", "_save_rng_state", 2, output) == ["checkpoint-2", "checkpoint-4"]  # the second is cut short
    interrupt_at_the_end(monkeypatch, lambda: train(SMOKE, output))
    assert checkpoints(output) == ["checkpoint-4", "checkpoint-6"]  # two at most
    resumed = train(SMOKE, output)
    assert_same_adapter(whole.adapter, resumed.adapter)
    assert [record for record in resumed.history if "eval_loss" in record] == [
        pytest.approx(record) for record in whole.history if "eval_loss" in record
    ]
    assert (resumed.n_steps, resumed.kept_step) == (whole.n_steps, whole.kept_step)
    assert [path.name for path in output.parent.iterdir()] == ["adapter"], "the checkpoints are still there"


def test_a_run_goes_on_in_the_number_format_that_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which one a CPU is faster in, a tenth of a second decides, and it may decide otherwise the next time."""
    formats = iter(("bfloat16", "bfloat16", "float32", "float32"))
    monkeypatch.setattr(backends, "choose_product_dtype", lambda width: Choice(next(formats), "told so"))
    whole = train(SMOKE, tmp_path / "whole" / "adapter")
    output = tmp_path / "killed" / "adapter"
    with monkeypatch.context() as patched:
        patched.setattr("transformers.Trainer._save_rng_state", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(SMOKE, output)
    interrupt_at_the_end(monkeypatch, lambda: train(SMOKE, output))
    assert_same_adapter(whole.adapter, train(SMOKE, output).adapter)


@pytest.mark.slow
def test_separate_rows_come_in_the_same_order_after_a_kill(tmp_path: Path) -> None:
    whole = train(SEPARATE, tmp_path / "whole" / "adapter")
    assert killed("separate", "training_step", 6, tmp_path / "adapter") == ["checkpoint-2", "checkpoint-4"]
    assert_same_adapter(whole.adapter, train(SEPARATE, tmp_path / "adapter").adapter)


def test_another_setting_does_not_go_on_from_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = replace(SMOKE, epochs=1.0, n_evaluations=1)
    interrupt_at_the_end(monkeypatch, lambda: train(once, tmp_path / "adapter"))
    assert len(list((tmp_path / UNFINISHED).iterdir())) == 1
    result = train(replace(once, learning_rate=1e-3), tmp_path / "adapter")
    assert result.n_examples == 12
    assert len(list((tmp_path / UNFINISHED).iterdir())) == 1, "the first run can still go on"
    assert train(once, tmp_path / "adapter").n_examples == 0


def test_a_run_that_was_killed_early_outlives_the_checkpoint_that_it_began_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    save, saved = Trainer._save_checkpoint, []

    def save_once(self: Trainer, *rest: object) -> None:
        if saved:
            raise KeyboardInterrupt
        saved.append(save(self, *rest))

    often = replace(SMOKE, n_evaluations=6)
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_save_checkpoint", save_once)
        with pytest.raises(KeyboardInterrupt):
            train(often, tmp_path / "adapter")
    result = train(often, tmp_path / "adapter")  # two checkpoints are kept, and it writes five more
    assert (result.n_steps, result.n_examples) == (6, 20)


def test_training_stops_early_and_keeps_the_best_weights_even_when_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, others = encode(), encode("SELECT name FROM item WHERE price = {}")
    profile = replace(SMOKE, epochs=8.0, n_evaluations=12, patience=2)
    result = train_sft(profile, TrainingData(rows, others), tmp_path / "one" / "adapter")
    measured = {record["step"]: record["eval_loss"] for record in result.history if "eval_loss" in record}
    assert result.n_steps == max(measured) < 24
    assert result.kept_step == min(measured, key=measured.__getitem__) == sorted(measured)[-3]
    assert result.final_validation_loss == min(measured.values())

    output = tmp_path / "two" / "adapter"
    interrupt_at_the_end(monkeypatch, lambda: train_sft(profile, TrainingData(rows, others), output))
    again = train_sft(profile, TrainingData(rows, others), output)
    assert_same_adapter(result.adapter, again.adapter)
    assert again.kept_step == result.kept_step


def test_without_patience_the_last_weights_are_kept(tmp_path: Path) -> None:
    rows, others = encode(), encode("SELECT name FROM item WHERE price = {}")
    profile = replace(SMOKE, epochs=4.0, n_evaluations=2, patience=None)
    result = train_sft(profile, TrainingData(rows, others), tmp_path / "adapter")
    assert (result.n_steps, result.kept_step) == (12, None)
    assert result.final_validation_loss == result.history[-1]["eval_loss"]


def _exhaust(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Let a training step with more than ``most`` rows really ask PyTorch for more memory than there is."""
    from transformers import Trainer

    step = Trainer.training_step

    def training_step(self: Trainer, model: object, inputs: dict[str, torch.Tensor], *rest: object) -> torch.Tensor:
        if len(inputs["input_ids"]) > most:
            torch.empty(2**55)
        return step(self, model, inputs, *rest)

    monkeypatch.setattr(Trainer, "training_step", training_step)


def test_out_of_memory_halves_the_rows_in_a_pass_and_keeps_those_in_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    once = replace(SEPARATE, epochs=1.0, n_evaluations=1)
    roomy = train(once, tmp_path / "roomy" / "adapter")
    _exhaust(monkeypatch, 1)
    tight = train(once, tmp_path / "tight" / "adapter")
    assert [text for text in caplog.messages if "out of memory" in text] == [
        f"out of memory: starting over with {size} rows per pass, and as many per step as before" for size in (2, 1)
    ]
    assert tight.n_steps == roomy.n_steps
    assert tight.final_validation_loss == pytest.approx(roomy.final_validation_loss, rel=0.02)


@pytest.mark.parametrize("n_bytes", [100_000, 1_500_000], ids=["an adapter", "an optimizer"])
def test_what_does_not_fit_on_the_disk_is_said_and_the_next_call_goes_on(n_bytes: int, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with full_disk(tmp_path / "empty", n_bytes), pytest.raises(TrainingError, match=r"cannot be written .*free some"):
        train(SMOKE, tmp_path / "adapter")
    assert train(SMOKE, tmp_path / "adapter").n_steps == 6


def test_a_row_that_does_not_fit_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _exhaust(monkeypatch, 0)
    with pytest.raises(TrainingError, match=r'batch_size=1 does not fit into memory.*method="qlora"'):
        train(replace(SEPARATE, batch_size=2), tmp_path / "adapter")


def test_a_model_that_does_not_fit_is_not_loaded_again_with_fewer_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def read(*_: object, **__: object) -> torch.Tensor:
        asked.append(1)
        return torch.empty(2**55)

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", read)
    with pytest.raises(TrainingError, match=r'the model alone does not fit into memory; set method="qlora"'):
        train(SEPARATE, tmp_path / "adapter")
    assert len(asked) == 1


def test_a_loss_that_is_no_number_stops_the_run_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    step = Trainer.training_step

    def training_step(self: Trainer, model: torch.nn.Module, *rest: object) -> torch.Tensor:
        if self.state.global_step == 3:
            model.get_input_embeddings().weight.data.fill_(torch.inf)
        return step(self, model, *rest)

    monkeypatch.setattr(Trainer, "training_step", training_step)
    with pytest.raises(TrainingError, match=r"step 4: the training loss is nan.*divide learning_rate=0.004 by five"):
        train(SMOKE, tmp_path / "adapter")


def test_a_broken_base_model_is_not_blamed_on_the_rate(tmp_path: Path) -> None:
    model = load_model(TINY_BASE)
    with torch.no_grad():
        model.model.norm.weight.fill_(torch.nan)
    model.save_pretrained(tmp_path / "base")
    load_tokenizer(TINY_BASE).save_pretrained(tmp_path / "base")
    rows = encode()
    with pytest.raises(TrainingError, match=r"validation loss is nan before any training; check the base model"):
        train_sft(replace(SMOKE, base_model=str(tmp_path / "base")), TrainingData(rows, rows), tmp_path / "adapter")


def test_rows_that_would_be_cut_or_dropped_are_counted_and_refused(tmp_path: Path) -> None:
    rows = encode()
    lengths = sorted(len(example.input_ids) for example in rows.examples)
    short = replace(SMOKE, max_length=lengths[-3])
    with pytest.raises(DataError, match=r"train: 2 of 12 rows are longer than max_length=\d+ .*, \d have no label"):
        train_sft(short, TrainingData(rows, rows), tmp_path / "adapter")
    empty = TokenizedRows([*rows.examples, EncodedExample([5, 6, 7], [0, 0, 0])], [])
    with pytest.raises(DataError, match=r"validation: 0 of 13 rows .*, 1 have no label"):
        train_sft(SMOKE, TrainingData(rows, empty), tmp_path / "adapter")
    with pytest.raises(DataError, match=r"^validation: there are no rows"):
        train_sft(SMOKE, TrainingData(rows, TokenizedRows([], [])), tmp_path / "adapter")


if __name__ == "__main__":
    train_and_die(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
