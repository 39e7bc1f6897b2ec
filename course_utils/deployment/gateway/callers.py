"""Identify callers by a bearer token: the environment's key, an API key, or a web token (JWT) of another service."""

import hashlib
import logging
import re
import secrets
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from json import JSONDecodeError
from pathlib import Path
from typing import Annotated, Any, Literal

import jwt
from fastapi import Request, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field, StringConstraints

from course_utils.deployment.gateway.api_errors import ApiError
from course_utils.deployment.gateway.metrics import NOTES
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.errors import ConfigurationError
from course_utils.files import read_json
from course_utils.processes import LOOPBACK

logger = logging.getLogger(__name__)
_SITE = re.compile(r"^(?!.*\.svc(\.cluster\.local)?\.?(:\d+)?$).*\.[a-z][\w-]*\.?(:\d+)?$", re.IGNORECASE)
"""A ``Host`` that a web page may have. If its name is made to point to this machine (DNS rebinding), the page could
read whatever is answered without a key. ``name.namespace.svc`` is none, because nobody can register the name of a
Kubernetes service; the short ``name.namespace`` is one, because it may be a site such as ``name.dev``."""
_LOOPBACKS = (LOOPBACK, "::1", "localhost")
_SKEW_S = 10
"""Seconds by which the clock of a token's issuer may differ from this machine's."""
_RETRY_S = 5
Limit = Annotated[int, Field(ge=1, le=10**9, strict=True)] | None


class NewKey(BaseModel, extra="forbid", use_attribute_docstrings=True):
    """An API key to create; a limit of None means no limit."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"\S", max_length=100)]
    scope: Literal["user", "admin"] = "user"
    requests_per_minute: Limit = 60
    tokens_per_minute: Limit = 100_000
    max_concurrent: Limit = 8
    """Requests at once at each gateway; with Redis, the other two limits count over all gateways."""


class Caller(NewKey):
    """Whoever holds a key or a web token: id, scope and limits, without the secret."""

    id: str
    created: str = ""


_ADMIN = Caller(
    id="admin", name="admin", scope="admin", requests_per_minute=None, tokens_per_minute=None, max_concurrent=None
)


class KeyStore:
    """API keys in an SQLite file that several gateways may share; a key that is deleted there is refused at once.

    The file holds the keys' SHA-256. A slow hash such as bcrypt protects secrets that can be guessed; a key of 32
    random bytes cannot be guessed, and a slow hash would delay every request.
    """

    def __init__(self, file: Path) -> None:
        try:
            file.touch(mode=0o600)
            self._rows = sqlite3.connect(file, timeout=1, isolation_level=None, check_same_thread=False)
            self._rows.execute("CREATE TABLE IF NOT EXISTS api_key (hash TEXT PRIMARY KEY, id TEXT UNIQUE, known TEXT)")
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"COURSE_KEYS_FILE: {file} cannot be used ({error}); choose another") from error

    def create(self, new: NewKey) -> dict[str, Any]:
        """Create a key; return the fields of its ``Caller`` and the secret as ``key``, of which only a hash is kept."""
        secret, created = f"course_{secrets.token_urlsafe(32)}", datetime.now(UTC).isoformat(timespec="seconds")
        key = Caller(id=f"key-{secrets.token_hex(6)}", created=created, **new.model_dump())
        self._run("INSERT INTO api_key VALUES (?, ?, ?)", _sha256(secret), key.id, key.model_dump_json())
        return {**key.model_dump(), "key": secret}

    def find(self, secret: str) -> Caller | None:
        """The caller that holds a key; None if there is no such key."""
        found = self._run("SELECT known FROM api_key WHERE hash = ?", _sha256(secret)).fetchone()
        return Caller.model_validate_json(found[0]) if found else None

    def all(self) -> list[Caller]:
        """The holders of all keys, the oldest key first."""
        found = self._run("SELECT known FROM api_key ORDER BY rowid")
        return [Caller.model_validate_json(known) for (known,) in found]

    def delete(self, key_id: str) -> bool:
        """Delete a key by its id; False if there is none."""
        return self._run("DELETE FROM api_key WHERE id = ?", key_id).rowcount > 0

    def _run(self, statement: str, *values: str) -> sqlite3.Cursor:
        """Run a statement; ApiError 503 while the disk is full or another program has locked the file."""
        try:
            return self._rows.execute(statement, values)
        except sqlite3.Error as error:
            logger.warning("COURSE_KEYS_FILE cannot be used now: %r", error)
            message = "the keys cannot be read or written now"
            raise ApiError(503, message, code="keys_failed", retry_after_s=_RETRY_S) from error


class Guard:
    """Lets in who has a valid key or token, or everybody if no kind of key is set; ApiError 401 or 403 for others."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._keys = KeyStore(settings.keys_file) if settings.keys_file else None
        self._secret, self._settings = settings.api_key.get_secret_value(), settings
        self.is_open = not (self._secret or self._keys or settings.jwt_keys)
        if self.is_open and settings.host not in _LOOPBACKS and not settings.allow_anyone:
            remedy = "set COURSE_API_KEY, or COURSE_ALLOW_ANYONE=1 if every caller may be an admin"
            raise ConfigurationError(f"COURSE_HOST is {settings.host}, which others reach, and no key is set: {remedy}")
        if settings.jwt_keys and not (settings.jwt_audience and settings.jwt_issuer):
            raise ConfigurationError("COURSE_JWT_KEYS: set COURSE_JWT_AUDIENCE and COURSE_JWT_ISSUER as well")
        self._public_keys = PublicKeys(settings.jwt_keys) if settings.jwt_keys else None

    @property
    def keys(self) -> KeyStore:
        """The store of API keys; ApiError 404 without ``keys_file``."""
        if self._keys is None:
            raise ApiError(404, "no API keys are kept here; set COURSE_KEYS_FILE", code="keys_off")
        return self._keys

    def user(self, request: Request) -> Caller:
        """The caller of a request, user or admin."""
        if self.is_open and _SITE.search(request.headers.get("Host", "")):
            message = "without keys, ask at an IP address or a host name without dots, or set COURSE_API_KEY"
            raise ApiError(403, message, code="host_refused")
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        caller = self._identify(secret.strip() if scheme.lower() == "bearer" else "")
        if caller is None:
            raise ApiError(401, "send a valid API key as 'Authorization: Bearer KEY'", code="invalid_api_key")
        NOTES.get()["caller"] = caller.id
        return caller

    async def admin(self, request: Request, _: Annotated[Any, Security(HTTPBearer(auto_error=False))]) -> Caller:
        """The caller of a request, who must be an admin."""
        caller = self.user(request)
        if caller.scope != "admin":
            raise ApiError(403, "this needs the scope 'admin'; use an admin's key", code="insufficient_scope")
        return caller

    def _identify(self, secret: str) -> Caller | None:
        if self.is_open:
            return _ADMIN
        # compare_digest takes the same time wherever the first difference is. Starlette reads headers as Latin-1.
        if self._secret and secrets.compare_digest(secret.encode("latin-1"), self._secret.encode()):
            return _ADMIN
        known = self._keys.find(secret) if self._keys else None
        return known or (_read_token(secret, self._public_keys, self._settings) if self._public_keys else None)


def _read_token(token: str, keys: "PublicKeys", settings: GatewaySettings) -> Caller | None:
    """The caller whom a web token (RFC 7519) names; None if it is not valid now, ApiError 403 if it gives no scope.

    The token names a public key by ``kid``, and that key alone determines the algorithm. A token with another ``alg``
    is refused: an attacker would write ``none``, or an HMAC with the public key as the shared secret.
    """
    try:
        key = keys.read()[jwt.get_unverified_header(token)["kid"]]
        named: Any = {"audience": settings.jwt_audience, "issuer": settings.jwt_issuer, "leeway": _SKEW_S}
        claims = jwt.decode(token, key, algorithms=[key.algorithm_name], options={"require": ["exp", "sub"]}, **named)
    except (jwt.PyJWTError, KeyError, ValueError, RecursionError):
        return None
    given = claims["scope"].split() if isinstance(claims.get("scope"), str) else []
    if not {"user", "admin"} & {*given}:
        raise ApiError(403, "this needs the scope 'user', in the token's claim 'scope'", code="insufficient_scope")
    # The subject may be a person's name or e-mail address, which must not be logged.
    known_as = f"jwt-{_sha256(claims['sub'])[:12]}"
    return Caller(id=known_as, name=known_as, scope="admin" if "admin" in given else "user")


class PublicKeys:
    """The keys of a JWKS file by their ``kid``, read again when the file changes, so that keys can rotate.

    A file that is not JSON counts as half written: the previous keys stay valid. That admits nobody new, and the log
    says it, in case a key was to be withdrawn. Any other fault ends all keys, because it may be intended.

    Raises:
        ConfigurationError: The file has no usable keys at the start.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen, self._keys = self._look(), _read_public_keys(file)

    def _look(self) -> tuple[int, int] | None:
        with suppress(OSError):
            return (found := self._file.stat()).st_mtime_ns, found.st_size
        return None

    def read(self) -> dict[str, jwt.PyJWK]:
        """The keys that are valid now; an unusable change of the file is logged once."""
        if (found := self._look()) != self._seen:
            self._seen = found
            try:
                self._keys = _read_public_keys(self._file)
            except ConfigurationError as error:
                is_half = isinstance(error.__cause__, JSONDecodeError | UnicodeDecodeError)
                self._keys = self._keys if is_half else {}
                logger.warning("%s; %s", error, "the previous keys stay valid" if is_half else "no web token is valid")
        return self._keys


def _read_public_keys(file: Path) -> dict[str, jwt.PyJWK]:
    """The keys that are for signatures and of a known type; RFC 7517, section 5, has others ignored."""
    try:
        described = read_json(file)["keys"]
        if any("d" in key or key.get("kty") == "oct" for key in described):
            raise ValueError("a shared secret or a private key must not be here: with it, anybody can sign")
        signing = {key["kid"]: key for key in described if key.get("use", "sig") == "sig"}
        return {str(key.key_id): key for key in jwt.PyJWKSet([*signing.values()])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError, jwt.PyJWTError) as error:
        raise ConfigurationError(f"COURSE_JWT_KEYS: {file} needs public keys, each with a kid ({error!r})") from error


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
