"""What libraries ask of the network: the Hub only if it is needed, no proxy for this machine, and no telemetry.

Libraries read most of these settings from the environment, which child processes inherit.
"""

import os
import sys

_OFF_HUB = "On"
"""The course's own value of ``HF_HUB_OFFLINE``: libraries and child processes read it as true."""
NO_TELEMETRY = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "UNSLOTH_DISABLE_STATISTICS": "1",
}
"""Variables that disable the telemetry of the Hub's client with TRL, MLflow, ONNX Runtime and Unsloth."""


def use_hub(is_needed: bool) -> None:
    """Keep libraries off the Hugging Face Hub, or end that; the user's own ``HF_HUB_OFFLINE`` takes precedence."""
    if (os.environ.get("HF_HUB_OFFLINE") or _OFF_HUB) != _OFF_HUB:
        return
    if not is_needed:
        os.environ["HF_HUB_OFFLINE"] = _OFF_HUB
    elif os.environ.pop("HF_HUB_OFFLINE", None) is None:
        return
    _tell_hub_client("HF_HUB_OFFLINE", not is_needed)


def disable_telemetry() -> None:
    """Disable the telemetry of libraries, each unless the user has set its own environment variable.

    ONNX Runtime reads its variable when it loads its first model, MLflow and Unsloth when they are imported.
    """
    for name, value in NO_TELEMETRY.items():
        os.environ.setdefault(name, value)
    if os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1":
        _tell_hub_client("HF_HUB_DISABLE_TELEMETRY", True)


def _tell_hub_client(name: str, value: bool) -> None:
    if library := sys.modules.get("huggingface_hub.constants"):  # it reads its variables only at import
        setattr(library, name, value)


def bypass_proxy() -> None:
    """Add this machine to ``NO_PROXY`` if a proxy variable is set; ``NO_PROXY`` alone would hide macOS's settings."""
    from urllib.request import getproxies_environment

    proxies = getproxies_environment()
    if proxies and (spared := proxies.get("no", "")) != "*":
        hosts = ",".join(dict.fromkeys([*filter(None, spared.split(",")), "127.0.0.1", "localhost"]))
        os.environ.update(NO_PROXY=hosts, no_proxy=hosts)
