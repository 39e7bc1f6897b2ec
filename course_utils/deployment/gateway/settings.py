"""Settings of the gateway: ``name`` is read from the environment variable or secret file ``COURSE_NAME``."""

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
"""Folder of a container's secrets: a file named like a variable holds its value; the variable itself has priority."""


def _base_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    if not (parts := urlsplit(text)).hostname or parts.port == 0:  # .port raises ValueError beyond 65535
        raise ValueError("it must name a host; a port, if given, must be from 1 to 65535")
    return text.rstrip("/").removesuffix("/v1")


def _has_name(url: AnyUrl) -> AnyUrl:
    if not re.fullmatch("/[^/]+", url.path or ""):
        raise ValueError("it must end with /db_id; in a password, write %2F for / and %40 for @")
    return url


def _expand(path: str | Path) -> Path:
    # os.path: Path.expanduser raises RuntimeError for ~name of an unknown user. Symbolic links are not resolved,
    # because their target may change while the gateway runs.
    return Path(os.path.expanduser(os.path.expandvars(path)))  # noqa: PTH111


BaseUrl = Annotated[str, AfterValidator(_base_url)]
PostgresUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["postgres", "postgresql"]), AfterValidator(_has_name)]
File = Annotated[Path, BeforeValidator(_expand)]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{0,80}$")]
"""A model's version, in characters that a header can hold: responses name it in ``X-Model-Version``."""


@dataclass(frozen=True)
class ModelRoute:
    """The server of a model, and fields that are set in the body of each request to it."""

    url: BaseUrl
    body: dict[str, Any] = field(default_factory=dict)


class GatewaySettings(BaseSettings):
    """Settings of one gateway process."""

    model_config = SettingsConfigDict(
        env_prefix=SETTINGS_PREFIX, env_ignore_empty=True, frozen=True, str_strip_whitespace=True, allow_inf_nan=False
    )

    model_url: BaseUrl
    """Base URL of an OpenAI-compatible server (llama.cpp, Ollama, vLLM), with or without ``/v1``."""
    databases: Annotated[DirectoryPath, BeforeValidator(_expand)]
    """Folder with ``<db_id>/<db_id>.sqlite``."""
    postgres_url: Secret[PostgresUrl] | None = None
    """A further database: ``postgresql://role:password@host/db_id``; ``deploy/postgres_reader.sql`` makes the role."""
    api_key: SecretStr = Field(SecretStr(""), min_length=1, validate_default=False)
    """Bearer token of an admin, not blank. If this and the next two are unset, every caller is an admin."""
    keys_file: File | None = None
    """SQLite file of API keys; it is created if it is missing."""
    jwt_keys: File | None = None
    """JWKS file of the public keys that verify web tokens (JWT); it requires the next two."""
    jwt_audience: str = ""
    """The ``aud`` that a web token must have."""
    jwt_issuer: str = ""
    """The ``iss`` that a web token must have."""
    allow_anyone: bool = False
    """Whether other machines may reach the gateway if `api_key`, `keys_file` and `jwt_keys` are unset."""
    model_name: str = MODEL_NAME
    """Name of the model at `model_url`, in requests to the gateway and to its server."""
    models: Json[dict[str, ModelRoute]] = "{}"  # type: ignore[assignment]  # defaults are read as well
    """Further models by name, as JSON: ``{"base": {"url": ..., "body": {"lora": [{"id": 0, "scale": 0}]}}}``."""
    model_version: Version = ""
    """Version of the models. It is part of the cache's key: change it with a model, or old replies are served."""
    cache_s: PositiveInt | None = None
    """Seconds for which a reply at temperature 0 is cached; None switches the cache off."""
    redis_url: Secret[RedisDsn] | None = None
    """Redis, in which several gateways share cached replies and callers' usage; None keeps both in memory."""
    max_concurrent: PositiveInt = 32
    """Requests that each model server is sent at the same time."""
    max_queue: PositiveInt = 128
    """Requests that may wait for each model server, and queries for the databases; further ones get 503."""
    host: str = LOOPBACK
    port: Annotated[PositiveInt, Field(le=65535)] = 8000
    model_timeout_s: PositiveFloat = 60.0
    """Seconds for one request to a model server, streams included. It may wait in the queue for as long before."""
    query_timeout_s: PositiveFloat = 5.0
    """Seconds for one query. It may wait for a free place for as long before."""
    max_rows: PositiveInt = 100
    """Maximum number of rows of a result."""
    max_tokens: PositiveInt = 256
    """Maximum number of tokens of a reply."""
    max_body_bytes: PositiveInt = 65_536
    """Maximum size of a request's body. A token is at least one byte, so this bounds the prompt as well."""
    log_file: File | None = None
    """JSON-lines file of requests and warnings; each gateway needs its own. None writes them to stderr."""
    log_questions: bool = False
    """Whether questions are logged; e-mail addresses and long numbers in them are masked."""
    audit_file: File | None = None
    """JSON-lines file of admins' requests and of refusals; each gateway needs its own. `course audit` verifies it."""
    feedback_file: File | None = None
    """JSON-lines file to which ratings are appended; None switches feedback off."""
    max_feedback_bytes: PositiveInt = 10_000_000
    """Maximum size of `feedback_file`; each key or token but `api_key` may fill a tenth. Move a full one away."""

    @property
    def drain_s(self) -> int:
        """Seconds that running requests have at shutdown, for a reply of the model and its query; others get 503.

        A supervisor must not kill the gateway earlier: ``deploy/`` sets this for Docker and Kubernetes, and
        ``start_gateway`` for ``Server``.
        """
        return ceil(self.model_timeout_s + 2 * self.query_timeout_s)


def read_settings() -> GatewaySettings:
    """Read every setting from the environment.

    Raises:
        ConfigurationError: Variables are missing or invalid, and the message lists all of them; or a secret is not a
            text file.
    """
    try:
        with warnings.catch_warnings(action="error", category=UserWarning):  # or a broken secret is ignored
            return GatewaySettings(_secrets_dir=SECRETS if SECRETS.is_dir() else None)  # type: ignore[call-arg]  # the environment gives them
    except SettingsError as error:
        raise ConfigurationError(f"{SECRETS}: {error} ({error.__cause__}); each secret must be a text file") from None
    except WrongValues as error:
        wrong = "; ".join(_describe(str(found["loc"][0]), found) for found in error.errors())
        raise ConfigurationError(f"environment: {wrong}; see course_utils/deployment/gateway/settings.py") from None


def _describe(name: str, found: Any) -> str:
    if found["type"] == "missing":
        return f"{SETTINGS_PREFIX}{name.upper()} is not set"
    is_secret = "Secret" in str(GatewaySettings.model_fields[name].annotation)
    return f"{SETTINGS_PREFIX}{name.upper()} is {'wrong' if is_secret else repr(str(found['input']))}: {found['msg']}"
