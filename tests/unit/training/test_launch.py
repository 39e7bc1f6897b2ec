"""Several processes train as one does at the same effective batch; what fails in one of them is said in a sentence."""

import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import psutil
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from course_utils.artifacts import UNFINISHED, Course, open_course
from course_utils.cli import app
from course_utils.errors import ConfigurationError, DataError, TrainingError
from course_utils.files import PROJECT, read_json, read_jsonl, write_json, write_jsonl
from course_utils.models import load_tokenizer
from course_utils.profiles import MAX_EPOCHS, PROFILES, Method, get_profile
from course_utils.tasks import text_to_sql
from course_utils.training import TokenizedRows, TrainingData, TrainingResult, tokenize_rows, train_sft
from course_utils.training.launch import launch, read_options
from course_utils.training.sft import train_apart

TINY_BASE = PROJECT / "data" / "tiny_base"
pytestmark = pytest.mark.takes(20)
SCHEMAS = {
    "shop": "table item: item_id integer, name text, price real",
    "zoo": "table animal: animal_id integer, name text, legs integer",
}
SMOKE = replace(
    get_profile("smoke"), epochs=1.0, batch_size=2, gradient_accumulation=2, n_evaluations=2, warmup_steps=1
)
TWO = ("ddp", ("--num_processes", "2"))


@pytest.mark.parametrize("options", [("--num_processes", "2"), ("--num_processes=2",), ("--num-processes", "2")])
def test_options_count_however_they_are_spelled(options: tuple[str, ...]) -> None:
    assert read_options([*options, "--machine_rank=1"]).machine_rank == 1
    assert read_options(options).num_processes == 2
    assert read_options(()).num_processes is None


def encode() -> TokenizedRows:
    """Seventeen rows of unlike lengths about two databases: batches that two processes cannot share evenly."""
    rows = [
        {
            "id": str(n),
            "db_id": ("shop", "zoo")[n % 2],
            "question": f"{'Really, ' * n}how many cost {n}?",
            "query": f"SELECT {n}",
        }
        for n in range(17)
    ]
    return tokenize_rows(load_tokenizer(TINY_BASE), rows, text_to_sql(SCHEMAS), 512)


def assert_alike(one: TrainingResult, several: TrainingResult, within: float = 1e-3) -> None:
    """Losses at every step that is logged, and weights of the adapter."""
    assert len(one.history) == len(several.history)
    for alone, shared in zip(one.history, several.history, strict=True):
        # The trainer counts epochs in batches, and those that only fill up the last step count too.
        assert shared | {"epoch": 0} == pytest.approx(alone | {"epoch": 0}, abs=within)
    weights, others = (load_file(result.adapter / "adapter_model.safetensors") for result in (one, several))
    torch.testing.assert_close(others, weights, rtol=0, atol=within)


@pytest.mark.slow
@pytest.mark.parametrize("share_prompts", [True, False])
def test_two_processes_train_as_one_does(share_prompts: bool, tmp_path: Path) -> None:
    rows, profile = encode(), replace(SMOKE, share_prompts=share_prompts)
    one = train_sft(profile, TrainingData(rows, rows), tmp_path / "one" / "adapter")
    two = launch(*TWO, train_sft, profile, TrainingData(rows, rows), tmp_path / "two" / "adapter")
    assert two is not None
    assert_alike(one, two)
    assert (two.n_steps, two.n_examples, two.kept_step) == (one.n_steps, one.n_examples, one.kept_step)
    assert two.n_trainable_parameters == one.n_trainable_parameters
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["adapter"], "the checkpoints are still there"


TO_BE_KILLED = """
import pickle, sys
from course_utils.training.launch import launch
launch(*pickle.loads(open(sys.argv[1], "rb").read()))
"""


@pytest.mark.takes(120)
@pytest.mark.slow
@pytest.mark.parametrize("share_prompts", [True, False])
def test_processes_end_with_the_one_that_waits_and_the_next_ones_go_on(share_prompts: bool, tmp_path: Path) -> None:
    rows = encode()
    # Of 20 steps five are an epoch: the checkpoint after step 7 is in the middle of the second.
    profile = replace(SMOKE, epochs=4.0, n_evaluations=3, patience=None, share_prompts=share_prompts)
    call = (*TWO, train_sft, profile, TrainingData(rows, rows), tmp_path / "two" / "adapter")
    (tmp_path / "call").write_bytes(pickle.dumps(call))
    first = subprocess.Popen([sys.executable, "-c", TO_BE_KILLED, str(tmp_path / "call")], cwd=PROJECT)
    while not list(tmp_path.glob(f"two/{UNFINISHED}/*/2/checkpoint-*/trainer_state.json")) and first.poll() is None:
        time.sleep(0.1)
    children = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()
    assert len(children) >= 3, "accelerate and two processes"
    assert psutil.wait_procs(children, timeout=60)[1] == []
    again, whole = launch(*call), launch(*call[:-1], tmp_path / "whole" / "adapter")
    assert again is not None
    assert whole is not None
    assert again.n_examples < whole.n_examples, "it has not gone on from the checkpoint"
    assert_alike(whole, again, within=1e-6)


# Accelerate shares weights out over GPUs alone; this lets it do so over processes on CPUs, and counts the parts.
SHARDING_ON_CPUS = """
import os
import accelerate.state as state
from accelerate.accelerator import Accelerator
from torch.distributed.fsdp import FSDPModule

started, gathered = state.AcceleratorState.__init__, Accelerator.get_state_dict

def start(self, *arguments, **options):
    started(self, *arguments, **options)
    if options.get("fsdp_plugin") and self.distributed_type == state.DistributedType.MULTI_CPU:
        self.fsdp_plugin, self.distributed_type = options["fsdp_plugin"], state.DistributedType.FSDP
        state.PartialState._shared_state["distributed_type"] = self.distributed_type

def gather(self, model, unwrap=True):
    parts = [name for name, module in model.named_modules() if isinstance(module, FSDPModule)]
    open(os.environ["PARTS"], "w").write(" ".join(parts))
    return gathered(self, model, unwrap)

state.AcceleratorState.__init__, Accelerator.get_state_dict = start, gather
"""


@pytest.mark.slow
def test_weights_shared_out_by_fsdp_train_as_whole_ones_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(SHARDING_ON_CPUS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(PROJECT)]))
    monkeypatch.setenv("PARTS", str(tmp_path / "parts"))
    rows = encode()
    one = train_sft(SMOKE, TrainingData(rows, rows), tmp_path / "one" / "adapter")
    two = launch("fsdp", TWO[1], train_sft, SMOKE, TrainingData(rows, rows), tmp_path / "two" / "adapter")
    assert two is not None
    assert_alike(one, two)
    parts = (tmp_path / "parts").read_text().split()
    assert [part for part in parts if part.endswith("layers.3")], "the layers are not parts of their own"


# In each process, a step with more than one row asks PyTorch for more memory than there is.
EXHAUSTED_BY_TWO_ROWS = """
import torch
from transformers import Trainer

step = Trainer.training_step

def training_step(self, model, inputs, *rest):
    if len(inputs["input_ids"]) > 1:
        torch.empty(2**55)
    return step(self, model, inputs, *rest)

Trainer.training_step = training_step
"""


@pytest.mark.slow
def test_out_of_memory_in_one_of_two_processes_halves_the_rows_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows = encode()
    data, profile = TrainingData(rows, rows), replace(SMOKE, share_prompts=False, batch_size=4, gradient_accumulation=1)
    roomy = train_apart(*TWO, profile, data, tmp_path / "roomy" / "adapter")
    (tmp_path / "sitecustomize.py").write_text(EXHAUSTED_BY_TWO_ROWS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(PROJECT)]))
    tight = train_apart(*TWO, profile, data, tmp_path / "tight" / "adapter")
    assert [text for text in caplog.messages if "out of memory" in text] == [
        f"out of memory: starting over with {size} rows per pass, and as many per step as before" for size in (2, 1)
    ]
    assert roomy is not None
    assert tight is not None
    assert tight.n_steps == roomy.n_steps
    assert tight.final_validation_loss == pytest.approx(roomy.final_validation_loss, rel=0.02)


@pytest.mark.slow
def test_a_process_that_fails_gives_its_reason(tmp_path: Path) -> None:
    rows = encode()
    with pytest.raises(DataError, match=r"^train: 17 of 17 rows are longer"):
        launch(*TWO, train_sft, replace(SMOKE, max_length=5), TrainingData(rows, rows), tmp_path / "adapter")


def test_what_one_process_raises_is_raised_here() -> None:
    with pytest.raises(ConfigurationError, match="PROFILE='none' is unknown; choose one of smoke"):
        launch("", (), get_profile, "none")
    with pytest.raises(TrainingError, match="ended with exit code 3; its output says more"):
        launch("", (), os._exit, 3)


# Unsloth runs on GPUs alone. This takes the same calls, as early as it wants them, and says what it is to read.
STAND_IN = """
import sys

assert not (late := {"transformers", "peft", "trl"} & sys.modules.keys()), f"unsloth comes after {late}"
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

class FastLanguageModel:
    def from_pretrained(name, max_length, *, load_in_4bit, full_finetuning, trust_remote_code):
        print("Unsloth reads", name)
        return AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name)

    def get_peft_model(model, *, r, lora_alpha, **_):
        return get_peft_model(model, LoraConfig(r=r, lora_alpha=lora_alpha, target_modules="all-linear"))
"""


def test_unsloth_trains_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unsloth.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(PROJECT)]))
    rows = encode()
    profile = replace(SMOKE, backend="unsloth", share_prompts=False, max_steps=2)
    result = train_sft(profile, TrainingData(rows, rows), tmp_path / "adapter")
    assert result.n_steps == 2
    assert (result.adapter / "adapter_model.safetensors").is_file()
    assert "unsloth" not in sys.modules
    said = capfd.readouterr()
    assert f"Unsloth reads {TINY_BASE}" in said.out, "the model is not the folder that all others are read from"
    assert "2/2" in said.err, "nobody sees how far it is"
    assert "sys.modules" not in said.err, "a warning of runpy"


def test_a_configuration_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"mine: there is no such configuration.*ddp, fsdp, zero2, zero3"):
        launch("mine", (), train_sft)


@pytest.mark.skipif(bool(find_spec("deepspeed")), reason="DeepSpeed is installed")
def test_a_configuration_for_deepspeed_says_that_it_is_not_installed() -> None:
    with pytest.raises(ConfigurationError, match=r"zero2.yaml: DeepSpeed is not installed; pip install deepspeed"):
        launch("zero2", (), train_sft)


@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="this machine has several GPUs")
def test_several_gpus_are_wanted_unless_processes_are_counted(tmp_path: Path) -> None:
    rows = encode()
    with pytest.raises(ConfigurationError, match=r"[01] GPUs here, but several processes want one each"):
        train_sft(get_profile("multi_gpu"), TrainingData(rows, rows), tmp_path / "adapter")


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course whose first two stages have run, on a dataset of a few rows."""
    course = open_course("smoke", artifacts=str(tmp_path))
    course.begin("setup").finish({})
    stage = course.begin("data")
    write_json(stage.folder / "schemas.json", SCHEMAS)
    row = {"db_id": "shop", "difficulty": "easy"}
    for split, n_rows in (("train", 8), ("validation", 3)):
        rows = [
            row | {"id": f"{split}-{n}", "question": f"How many cost {n}?", "query": f"SELECT {n}"}
            for n in range(n_rows)
        ]
        write_jsonl(stage.folder / f"{split}.jsonl", rows)
    stage.finish({})
    return course


@pytest.mark.parametrize(
    "options",
    [[], pytest.param(["--launch", "accelerate", "--config", *TWO[0:1], "--", *TWO[1]], marks=pytest.mark.slow)],
)
def test_the_command_hands_over_what_the_notebook_does(course: Course, options: list[str]) -> None:
    done = CliRunner().invoke(app, ["train", "--artifacts", str(course.root.parent), *options])
    assert done.exit_code == 0, done.output
    manifest = course.manifest("training")
    assert manifest.results["n_steps"] == MAX_EPOCHS, "a step for each time that the few rows are read"
    assert manifest.results["n_supervised_tokens"] > 0
    assert {"n_trainable_parameters", "n_rows_too_long", "peak_memory_gib"} <= manifest.results.keys()
    assert manifest.inputs.keys() == {"data/schemas.json", "data/train.jsonl", "data/validation.jsonl"}
    assert read_jsonl(course.output("training", "history.jsonl"))[0]["step"] == 0
    assert (course.output("training", "adapter") / "adapter_model.safetensors").is_file()


def method_of(adapter: Path) -> str:
    """The method that wrote a folder, by its files; ``qlora`` writes what ``lora`` writes."""
    if not (file := adapter / "adapter_config.json").is_file():
        return "full"
    config = read_json(file)
    if config["peft_type"] == "IA3":
        return "ia3"
    return "dora" if config["use_dora"] else "rslora" if config["use_rslora"] else "lora"


def test_the_command_trains_by_every_method(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "smoke", replace(get_profile("smoke"), max_steps=1, n_evaluations=1))
    losses = {}
    for method in get_args(Method) if find_spec("bitsandbytes") else set(get_args(Method)) - {"qlora"}:
        done = CliRunner().invoke(app, ["train", "--artifacts", str(course.root.parent), "--method", method])
        assert done.exit_code == 0, done.output
        assert method_of(course.output("training", "adapter")) == ("lora" if method == "qlora" else method)
        losses[method] = read_jsonl(course.output("training", "history.jsonl"))[0]["eval_loss"]
    assert losses.pop("qlora", 0) != pytest.approx(losses["lora"], rel=1e-4), "the base model is not in 4 bits"
    assert [*losses.values()] == pytest.approx([losses["lora"]] * len(losses), rel=1e-4), "each begins at the base"


def test_the_command_takes_a_preset_a_rate_and_a_tracker(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "smoke", replace(get_profile("smoke"), max_steps=1, n_evaluations=1))
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    options = ["--preset", "aggressive", "--learning-rate", "0.002", "--track", "tensorboard"]
    done = CliRunner().invoke(app, ["train", "--artifacts", str(course.root.parent), *options])
    assert done.exit_code == 0, done.output
    config = read_json(course.output("training", "adapter") / "adapter_config.json")
    assert (config["r"], config["lora_alpha"]) == (64, 64)
    history = read_jsonl(course.output("training", "history.jsonl"))
    assert {record["learning_rate"] for record in history if "learning_rate" in record} == {0.002}
    assert [*course.folder("training").glob("tracking/tensorboard/events.*")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "lore"], "'lore' is not one of 'full', 'lora', 'qlora', 'dora', 'rslora'"),
        (["--preset", "bold"], "'bold' is not one of 'conservative', 'balanced', 'aggressive'"),
        (["--track", "comet"], "'comet' is not one of"),
        (["--learning-rate", "4"], "learning_rate must be between 0 and 1, not 4.0"),
        (["--profile", "gpu_8gb", "--method", "dora"], "method must be full, lora, qlora or rslora for this backend"),
    ],
)
def test_the_command_names_what_it_knows(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(app, ["train", "--artifacts", str(tmp_path), *options])
    assert done.exit_code == 2
    assert message in done.stderr


def test_the_command_wants_the_data_stage(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["train", "--artifacts", str(tmp_path)])
    assert done.exit_code == 2
    assert "run notebooks/01_setup.ipynb" in done.stderr


def test_options_of_a_launch_want_a_launch() -> None:
    done = CliRunner().invoke(app, ["train", "--", "--num_processes", "2"])
    assert done.exit_code == 2
    assert "come with --launch accelerate" in done.stderr


def test_unsloth_is_not_started_in_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    from course_utils.training.backends import load_trainable

    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigurationError, match="trains by Unsloth, on one GPU; for several use multi_gpu"):
        load_trainable(get_profile("gpu_16gb"), "Qwen/none")
