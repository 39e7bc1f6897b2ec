"""Recommendations for machines that people have, and what profiles are in words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.profiles import PROFILES, get_profile
from course_utils.setup import describe_profile, recommend_profile
from course_utils.setup.machine import Gpu, Machine
from course_utils.setup.memory import wanted_gib

LAPTOP = Machine("Linux", "3.12.1", "a CPU", 8, 15.5, 200.0, torch="2.13.0", unsloth="2026.10.7", hub_reachable=True)
T4 = Gpu("Tesla T4", 15.0, (7, 5))
RTX_4090 = Gpu("NVIDIA GeForce RTX 4090", 24.0, (8, 9))
MACHINES = {
    "a laptop": (LAPTOP, "laptop"),
    "a laptop, nobody asked for the Hub": (replace(LAPTOP, hub_reachable=None), "laptop"),
    "a laptop without the Hub": (replace(LAPTOP, hub_reachable=False), "laptop"),
    "a small laptop without the Hub": (replace(LAPTOP, hub_reachable=False, memory_gib=5.0), "smoke"),
    "a small virtual machine": (replace(LAPTOP, memory_gib=3.8), "smoke"),
    "less than the least": (replace(LAPTOP, memory_gib=1.9), "smoke"),
    "a MacBook": (replace(LAPTOP, os="Darwin", gpus=(Gpu("Apple M3 GPU", 32.0),), memory_gib=32), "laptop"),
    "an old GPU": (replace(LAPTOP, gpus=(Gpu("GTX 1080 Ti", 11.0, (6, 1)),)), "laptop"),
    "a small GPU": (replace(LAPTOP, gpus=(Gpu("RTX 3050", 4.0, (8, 6)),)), "laptop"),
    "a GPU with 8 GB": (replace(LAPTOP, gpus=(Gpu("RTX 4060", 8.0, (8, 9)),)), "gpu_8gb"),
    "a V100": (replace(LAPTOP, gpus=(Gpu("Tesla V100", 16.0, (7, 0)),)), "gpu_16gb"),
    "just the memory that is wanted": (replace(LAPTOP, memory_gib=wanted_gib(get_profile("laptop"))), "laptop"),
    "just the GPU that is wanted": (
        replace(LAPTOP, gpus=(Gpu("a GPU", wanted_gib(get_profile("gpu_16gb")), (8, 9)),)),
        "gpu_16gb",
    ),
    "Colab": (replace(LAPTOP, gpus=(T4,)), "gpu_16gb"),
    "a workstation": (replace(LAPTOP, gpus=(RTX_4090,)), "gpu_24gb"),
    "two large GPUs": (replace(LAPTOP, gpus=(RTX_4090, RTX_4090)), "multi_gpu"),
    "two small GPUs": (replace(LAPTOP, gpus=(T4, T4)), "gpu_16gb"),
    "a large GPU without the Hub": (replace(LAPTOP, gpus=(RTX_4090,), hub_reachable=False), "laptop"),
    "a large GPU and a full disk": (replace(LAPTOP, gpus=(RTX_4090,), disk_free_gib=10), "gpu_8gb"),
}


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_what_lies_in_the_cache_needs_no_hub(empty_cache: Path) -> None:
    machine = replace(LAPTOP, gpus=(T4,), hub_reachable=False)
    assert recommend_profile(machine).profile == "laptop"
    repository = empty_cache / "models--unsloth--Qwen3-4B-Instruct-2507"
    (snapshot := repository / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    first, second = (f"model-0000{n}-of-00002.safetensors" for n in (1, 2))
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": first, "b": second}}))
    (snapshot / first).touch()
    assert recommend_profile(machine).profile == "laptop", "half a model is none"
    (snapshot / second).touch()
    assert recommend_profile(machine).profile == "gpu_16gb"


@pytest.mark.parametrize(("machine", "profile"), MACHINES.values(), ids=MACHINES)
def test_the_profile_suits_the_machine(machine: Machine, profile: str) -> None:
    recommendation = recommend_profile(machine)
    assert recommendation.profile == profile
    assert recommendation.reason
    assert set(recommendation.rejected) == set(PROFILES) - {profile}
    assert all(recommendation.rejected.values())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a laptop", "16 GiB of memory, 8 cores and no GPU: enough for HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("a MacBook", "32 GiB of memory, 8 cores: enough for HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("two small GPUs", "Tesla T4, 15 GiB, compute capability 7.5: enough for unsloth/Qwen3-4B-Instruct-2507 with"),
    ],
)
def test_the_reason_names_what_is_used(name: str, reason: str) -> None:
    assert recommend_profile(MACHINES[name][0]).reason.startswith(reason)


def test_a_rejection_says_what_is_missing() -> None:
    rejected = recommend_profile(replace(LAPTOP, hub_reachable=False, gpus=(T4,))).rejected
    assert "24 GiB" not in rejected["gpu_24gb"]
    assert (
        rejected["gpu_24gb"]
        == "wants 1 NVIDIA GPU with 22 GiB or more; found: Tesla T4, 15 GiB, compute capability 7.5"
    )
    assert "Hub cannot be reached" in rejected["gpu_16gb"]
    assert "laptop" not in rejected, "a package index has its model too"
    assert rejected["multi_gpu"].startswith("wants 2 NVIDIA GPUs with 22 GiB or more")
    full = recommend_profile(replace(LAPTOP, disk_free_gib=0.5))
    assert "of free disk; found 0.5 GiB" in full.rejected["laptop"]


def test_what_would_run_too_is_not_called_impossible() -> None:
    assert (
        recommend_profile(LAPTOP).rejected["smoke"]
        == "would run, but laptop is for any laptop, a real pretrained model"
    )


def test_a_machine_too_small_for_everything_is_told_so() -> None:
    recommendation = recommend_profile(replace(LAPTOP, memory_gib=1.9))
    assert recommendation.reason.startswith("nothing fits well (smoke wants 3 GiB of memory; found 1.9 GiB)")


@pytest.mark.parametrize(
    ("machine", "step"),
    [
        (replace(LAPTOP, memory_gib=3.8), "make course"),
        (LAPTOP, "make course PROFILE=laptop"),
        (replace(LAPTOP, torch="2.13.0+cpu"), "make course PROFILE=laptop"),
        (replace(LAPTOP, gpus=(T4,)), "make course PROFILE=gpu_16gb"),
        (replace(LAPTOP, gpus=(T4,), unsloth=None), "make course PROFILE=gpu_16gb"),  # which installs it
    ],
)
def test_the_next_step_is_a_command(machine: Machine, step: str) -> None:
    assert recommend_profile(machine).next_step == step


def test_a_cpu_build_of_torch_beside_a_gpu_is_pointed_out() -> None:
    recommendation = recommend_profile(replace(LAPTOP, gpus=(T4,), torch="2.13.0+cpu"))
    assert "CPU build" in recommendation.next_step
    assert "rm -r .venv &amp;&amp; make course" in recommendation._repr_html_()


def test_the_recommendation_shows_itself() -> None:
    html = recommend_profile(LAPTOP)._repr_html_()
    assert all(name in html for name in PROFILES)
    assert "make course PROFILE=laptop" in html


def test_descriptions_have_the_same_lines_and_no_gaps() -> None:
    described = [describe_profile(profile) for profile in PROFILES.values()]
    assert len({tuple(lines) for lines in described}) == 1
    assert all(value for lines in described for value in lines.values())
    assert described[0]["base model"] == "data/tiny_base"
    assert [lines["downloads from the Hub"] for lines in described[:2]] == ["no", "yes, or as a package"]
    assert describe_profile(get_profile("laptop"))["parameters"] == "134.5 million"
    assert describe_profile(get_profile("gpu_16gb"))["weights while training"] == "4 bits"
    several = get_profile("multi_gpu")
    assert describe_profile(several)["weights while training"] == "16 bits"
    assert describe_profile(replace(several, method="full"))["weights while training"] == "32 bits"
