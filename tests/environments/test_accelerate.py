"""Accelerate's configurations say what they mean to the installed Accelerate; DeepSpeed itself is not installed."""

from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DeepSpeedPlugin, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

CONFIGS = Path(__file__).resolve().parents[2] / "deploy" / "accelerate"


@pytest.mark.parametrize("name", ["ddp", "fsdp", "zero2", "zero3"])
def test_accelerate_takes_every_key_of_a_configuration(name, monkeypatch):
    file = str(CONFIGS / f"{name}.yaml")
    config = load_config_from_file(file)  # refuses keys that it does not know, at the top
    parser = launch_command_parser()
    given = parser.parse_args(["--config_file", file, "--num_processes", "2", "--module", "a.module"])
    known = {action.dest for action in parser._actions}
    assert config.fsdp_config.keys() | config.deepspeed_config.keys() <= known
    launch, *_ = _validate_launch_command(given)
    assert launch.main_process_port == 0, "two runs on one machine would want the same port"
    if name == "fsdp":
        for key, value in prepare_multi_gpu_env(launch).items():
            monkeypatch.setenv(key, value)
        plugin = FullyShardedDataParallelPlugin()
        assert (plugin.fsdp_version, plugin.state_dict_type.name) == (2, "FULL_STATE_DICT")
        assert plugin.reshard_after_forward
        assert not plugin.cpu_ram_efficient_loading
    if name in ("zero2", "zero3"):
        launch.deepspeed_fields_from_accelerate_config = ",".join(config.deepspeed_config)
        for key, value in prepare_deepspeed_cmd_env(launch)[1].items():
            monkeypatch.setenv(key, value)
        plugin = DeepSpeedPlugin()
        assert plugin.zero_stage == int(name[-1])
        assert (plugin.gradient_accumulation_steps, plugin.gradient_clipping) == ("auto", "auto")
        assert plugin.zero3_save_16bit_model == (name == "zero3")
        assert not plugin.zero3_init_flag
