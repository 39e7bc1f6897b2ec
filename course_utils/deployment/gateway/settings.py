"""What the gateway can be told, each from a ``COURSE_*`` environment variable, or a secret file, of its name."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, DirectoryPath, PositiveFloat, PositiveInt, SecretStr
from pydantic import ValidationError as WrongValues
from pydantic_settings import BaseSettings, SettingsConfigDict

from course_utils.deployment.stack import MODEL_NAME
from course_utils.errors import ConfigurationError
from course_utils.processes import LOOPBACK, SETTINGS_PREFIX

SECRETS = Path("/run/secrets")
"""Where containers find their secrets: a file of a variable's name holds its value, and the variable goes before it."""


def _base_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    return text.rstrip("/").removesuffix("/v1")


def _expand(path: str | Path) -> Path:
    return Path(path).expanduser()


class GatewaySettings(BaseSettings):
    """Settings of one gateway process."""

    model_config = SettingsConfigDict(
        env_prefix=SETTINGS_PREFIX,
        env_ignore_empty=True,
        frozen=True,
        str_strip_whitespace=True,
        allow_inf_nan=False,
    )

    model_url: Annotated[str, AfterValidator(_base_url)]
    """Any OpenAI-compatible server: llama.cpp, Ollama, vLLM."""
    databases: Annotated[DirectoryPath, BeforeValidator(_expand)]
    """Folder with ``<db_id>/<db_id>.sqlite``."""
    api_key: SecretStr = SecretStr("")
    """What callers of ``/v1`` must send as a bearer token; empty lets everyone in."""
    model_name: str = MODEL_NAME
    """What the model server calls the model."""
    host: str = LOOPBACK
    port: PositiveInt = 8000
    model_timeout_s: PositiveFloat = 60.0
    """Seconds that one request may take at the model server, streams included."""
    query_timeout_s: PositiveFloat = 5.0
    max_rows: PositiveInt = 100
    """Rows of a result at most."""
    max_tokens: PositiveInt = 256
    """Tokens of a reply at most."""
    max_body_bytes: PositiveInt = 65_536
    """Of a request; a token is a byte at least, so this bounds the prompt as well."""
    feedback_file: Annotated[Path, BeforeValidator(_expand)] | None = None
    """JSON-lines file to add ratings to; None switches feedback off."""
    max_feedback_bytes: PositiveInt = 10_000_000
    """Of that file: a full one takes no more until somebody has moved it away."""


def read_settings() -> GatewaySettings:
    """Read every setting from the environment.

    Raises:
        ConfigurationError: Variables are missing or have a value that does not fit; lists all of them.
    """
    try:
        return GatewaySettings(_secrets_dir=SECRETS if SECRETS.is_dir() else None)  # type: ignore[call-arg]  # the environment gives them
    except WrongValues as error:
        wrong = [
            f"{SETTINGS_PREFIX}{str(found['loc'][0]).upper()} "
            + ("is not set" if found["type"] == "missing" else f"is {found['input']!r}: {found['msg']}")
            for found in error.errors()
        ]
        where = "see course_utils/deployment/gateway/settings.py"
        raise ConfigurationError(f"environment: {'; '.join(wrong)}; {where}") from None
