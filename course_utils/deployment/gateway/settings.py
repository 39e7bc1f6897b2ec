"""What the gateway can be told, each from a ``COURSE_*`` environment variable, or a secret file, of its name."""

import os
import re
import warnings
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, DirectoryPath, Json, PositiveFloat, PositiveInt, Secret, SecretStr
from pydantic import ValidationError as WrongValues
from pydantic.fields import Field
from pydantic.networks import AnyUrl, RedisDsn, UrlConstraints
from pydantic.types import StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from course_utils.deployment.stack import MODEL_NAME
from course_utils.errors import ConfigurationError
from course_utils.processes import LOOPBACK, SETTINGS_PREFIX

SECRETS = Path("/run/secrets")
"""Where containers find their secrets: a file of a variable's name holds its value, and the variable goes before it."""


def _base_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    if not (parts := urlsplit(text)).hostname or parts.port == 0:  # of a port beyond 65535 it says so itself
        raise ValueError("it must name a host, and a port from 1 on if it names one")
    return text.rstrip("/").removesuffix("/v1")


def _has_name(url: AnyUrl) -> AnyUrl:
    if not re.fullmatch("/[^/]+", url.path or ""):
        raise ValueError("it must end with /db_id, and have %2F for / and %40 for @ in a password")
    return url


def _expand(path: str | Path) -> Path:
    # Path.expanduser would raise RuntimeError at ~ before the name of nobody here. A link stays one: it may be changed.
    return Path(os.path.expanduser(os.path.expandvars(path)))  # noqa: PTH111


BaseUrl = Annotated[str, AfterValidator(_base_url)]
PostgresUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["postgres", "postgresql"]), AfterValidator(_has_name)]
File = Annotated[Path, BeforeValidator(_expand)]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{0,80}$")]
"""Of a model, as a header can have it: each answer names the one that gave it."""


@dataclass(frozen=True)
class ModelRoute:
    """A further model: the server that has it, and what each request to that server says besides."""

    url: BaseUrl
    body: dict[str, Any] = field(default_factory=dict)


class GatewaySettings(BaseSettings):
    """Settings of one gateway process."""

    model_config = SettingsConfigDict(
        env_prefix=SETTINGS_PREFIX, env_ignore_empty=True, frozen=True, str_strip_whitespace=True, allow_inf_nan=False
    )

    model_url: BaseUrl
    """Any OpenAI-compatible server: llama.cpp, Ollama, vLLM."""
    databases: Annotated[DirectoryPath, BeforeValidator(_expand)]
    """Folder with ``<db_id>/<db_id>.sqlite``."""
    postgres_url: Secret[PostgresUrl] | None = None
    """One more database: ``postgresql://role:password@host/db_id``; ``deploy/postgres_reader.sql`` makes the role."""
    api_key: SecretStr = Field(SecretStr(""), min_length=1, validate_default=False)
    """An admin's bearer token. Without it and the next two everybody is one; what is given and blank is a mistake."""
    keys_file: File | None = None
    """SQLite file of API keys, which is made when it is missing."""
    jwt_keys: File | None = None
    """JWKS file with the public keys of those who sign web tokens, which must name the next two."""
    jwt_audience: str = ""
    jwt_issuer: str = ""
    allow_anyone: bool = False
    """Whether it may listen where other machines reach it without `api_key`, `keys_file` and `jwt_keys`."""
    model_name: str = MODEL_NAME
    """What the model server calls the model."""
    models: Json[dict[str, ModelRoute]] = "{}"  # type: ignore[assignment]  # defaults are read as well
    """Further models by name, such as ``{"base": {"url": ..., "body": {"lora": [{"id": 0, "scale": 0}]}}}``."""
    model_version: Version = ""
    """Part of what the cache remembers replies by: change it with a model."""
    cache_s: PositiveInt | None = None
    """Seconds that a reply serves the same request at temperature 0 again; None asks the model every time."""
    redis_url: Secret[RedisDsn] | None = None
    """Where several gateways share replies and what callers have used; None keeps both in memory."""
    max_concurrent: PositiveInt = 32
    """Requests at each model server at once."""
    max_queue: PositiveInt = 128
    """Requests that may wait for that."""
    host: str = LOOPBACK
    port: Annotated[PositiveInt, Field(le=65535)] = 8000
    model_timeout_s: PositiveFloat = 60.0
    """Seconds that one request may take at the model server, streams included."""
    query_timeout_s: PositiveFloat = 5.0
    max_rows: PositiveInt = 100
    """Rows of a result at most."""
    max_tokens: PositiveInt = 256
    """Tokens of a reply at most."""
    max_body_bytes: PositiveInt = 65_536
    """Of a request; a token is a byte at least, so this bounds the prompt as well."""
    log_file: File | None = None
    """JSON-lines file of requests and warnings, one for each gateway; None writes them to stderr."""
    log_questions: bool = False
    """Whether requests are logged with their questions, e-mail addresses and long numbers masked."""
    audit_file: File | None = None
    """JSON-lines file of what admins did and what was refused, one for each gateway; `course audit` verifies it."""
    feedback_file: File | None = None
    """JSON-lines file to add ratings to; None switches feedback off."""
    max_feedback_bytes: PositiveInt = 10_000_000
    """Of that file, a tenth for each key or token but `api_key`: a full one takes no more until somebody moves it."""

    @property
    def drain_s(self) -> int:
        """Seconds that requests have to end at shutdown: what is at a model ends there, and its query after it.

        What still waits then gets 503. Whoever stops the gateway must not insist before: Docker and Kubernetes are
        told so in ``deploy/``, and ``start_gateway`` tells ``Server``.
        """
        return ceil(self.model_timeout_s + 2 * self.query_timeout_s)


def read_settings() -> GatewaySettings:
    """Read every setting from the environment.

    Raises:
        ConfigurationError: Variables are missing or have a value that does not fit; lists all of them. Or a secret is
            no file of text.
    """
    try:
        with warnings.catch_warnings(action="error", category=UserWarning):  # such a secret would be passed over
            return GatewaySettings(_secrets_dir=SECRETS if SECRETS.is_dir() else None)  # type: ignore[call-arg]  # the environment gives them
    except SettingsError as error:
        raise ConfigurationError(f"{SECRETS}: {error} ({error.__cause__}); each secret is a file of text") from None
    except WrongValues as error:
        wrong = "; ".join(_describe(str(found["loc"][0]), found) for found in error.errors())
        raise ConfigurationError(f"environment: {wrong}; see course_utils/deployment/gateway/settings.py") from None


def _describe(name: str, found: Any) -> str:
    if found["type"] == "missing":
        return f"{SETTINGS_PREFIX}{name.upper()} is not set"
    is_secret = "Secret" in str(GatewaySettings.model_fields[name].annotation)
    return f"{SETTINGS_PREFIX}{name.upper()} is {'wrong' if is_secret else repr(str(found['input']))}: {found['msg']}"
