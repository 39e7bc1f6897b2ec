"""The training stage: LoRA through Unsloth on a GPU, TRL and PEFT anywhere."""
