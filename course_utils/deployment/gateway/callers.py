"""Who calls, by a bearer token: the environment's key, an API key, or a web token that somebody else signed."""

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
"""A ``Host`` that a web page may have, unlike a service of Kubernetes: nobody can register such a name. A page whose
name comes to mean this machine (DNS rebinding) could read whatever is answered without a key. That holds for the short
``name.namespace``, too, which may be anybody's ``name.dev``: ask at ``name``, or at ``name.namespace.svc``."""
_LOOPBACKS = (LOOPBACK, "::1", "localhost")
_SKEW_S = 10
"""By so much the clock of who signs web tokens may differ from this one's."""
Limit = Annotated[int, Field(ge=1, le=10**9, strict=True)] | None


class NewKey(BaseModel, extra="forbid"):
    """A key to make; a limit that is None is none."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"\S", max_length=100)]
    scope: Literal["user", "admin"] = "user"
    requests_per_minute: Limit = 60
    tokens_per_minute: Limit = 100_000
    max_concurrent: Limit = 8
    """Requests at once, per gateway; the other two count over all gateways, where there is Redis."""


class Caller(NewKey):
    """What is known of a key, or of whoever calls by other means; the key itself is not."""

    id: str
    created: str = ""


_ADMIN = Caller(
    id="admin", name="admin", scope="admin", requests_per_minute=None, tokens_per_minute=None, max_concurrent=None
)


class KeyStore:
    """API keys in an SQLite file that several gateways may share; one that is deleted there ends at once.

    The file holds their SHA-256. Slow hashes such as bcrypt protect what can be guessed; these keys are 32 random
    bytes, which nobody guesses at any speed, and a slow hash would take its time with every request.
    """

    def __init__(self, file: Path) -> None:
        try:
            file.touch(mode=0o600)
            self._rows = sqlite3.connect(file, timeout=1, isolation_level=None, check_same_thread=False)
            self._rows.execute("CREATE TABLE IF NOT EXISTS api_key (hash TEXT PRIMARY KEY, id TEXT UNIQUE, known TEXT)")
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"COURSE_KEYS_FILE: {file} cannot be used ({error}); choose another") from error

    def create(self, new: NewKey) -> dict[str, Any]:
        """Make a key: what is known of it, and as ``key`` the key, which is not to be had again."""
        secret, created = f"course_{secrets.token_urlsafe(32)}", datetime.now(UTC).isoformat(timespec="seconds")
        key = Caller(id=f"key-{secrets.token_hex(6)}", created=created, **new.model_dump())
        self._rows.execute("INSERT INTO api_key VALUES (?, ?, ?)", (_sha256(secret), key.id, key.model_dump_json()))
        return {**key.model_dump(), "key": secret}

    def find(self, secret: str) -> Caller | None:
        """What is known of a key, if there is one."""
        found = self._rows.execute("SELECT known FROM api_key WHERE hash = ?", (_sha256(secret),)).fetchone()
        return Caller.model_validate_json(found[0]) if found else None

    def all(self) -> list[Caller]:
        """What is known of every key, the oldest first."""
        found = self._rows.execute("SELECT known FROM api_key ORDER BY rowid")
        return [Caller.model_validate_json(known) for (known,) in found]

    def delete(self, key_id: str) -> bool:
        """End a key; False if there is none."""
        return self._rows.execute("DELETE FROM api_key WHERE id = ?", (key_id,)).rowcount > 0


class Guard:
    """Lets callers in, and everybody where no kind of key is set; ApiError 401 or 403 for the rest."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._keys = KeyStore(settings.keys_file) if settings.keys_file else None
        self._secret, self._settings = settings.api_key.get_secret_value(), settings
        self.is_open = not (self._secret or self._keys or settings.jwt_keys)
        if self.is_open and settings.host not in _LOOPBACKS and not settings.allow_anyone:
            remedy = "set COURSE_API_KEY, or COURSE_ALLOW_ANYONE=1 if every caller may be an admin"
            raise ConfigurationError(f"COURSE_HOST is {settings.host}, where others reach it without a key: {remedy}")
        if settings.jwt_keys and not (settings.jwt_audience and settings.jwt_issuer):
            raise ConfigurationError("COURSE_JWT_KEYS: set COURSE_JWT_AUDIENCE and COURSE_JWT_ISSUER as well")
        self._public_keys = PublicKeys(settings.jwt_keys) if settings.jwt_keys else None

    @property
    def keys(self) -> KeyStore:
        """Where API keys are kept; ApiError 404 where they are not."""
        if self._keys is None:
            raise ApiError(404, "no API keys are kept here; set COURSE_KEYS_FILE", code="keys_off")
        return self._keys

    def user(self, request: Request) -> Caller:
        """Whoever may call at all."""
        if self.is_open and _SITE.search(request.headers.get("Host", "")):
            message = "without keys this answers by its address alone; set COURSE_API_KEY, or ask at http://127.0.0.1"
            raise ApiError(403, message, code="host_refused")
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        caller = self._identify(secret.strip() if scheme.lower() == "bearer" else "")
        if caller is None:
            raise ApiError(401, "send a valid key as 'Authorization: Bearer ...'", code="invalid_api_key")
        NOTES.get()["caller"] = caller.id
        return caller

    async def admin(self, request: Request, _: Annotated[Any, Security(HTTPBearer(auto_error=False))]) -> Caller:
        """An admin, who may do what a user may, and more."""
        caller = self.user(request)
        if caller.scope != "admin":
            raise ApiError(403, "this needs the scope 'admin'", code="insufficient_scope")
        return caller

    def _identify(self, secret: str) -> Caller | None:
        if self.is_open:
            return _ADMIN
        # compare_digest takes the same time wherever the first difference is. Headers are read as Latin-1.
        if self._secret and secrets.compare_digest(secret.encode("latin-1"), self._secret.encode()):
            return _ADMIN
        known = self._keys.find(secret) if self._keys else None
        return known or (_read_token(secret, self._public_keys, self._settings) if self._public_keys else None)


def _read_token(token: str, keys: "PublicKeys", settings: GatewaySettings) -> Caller | None:
    """Who a web token (RFC 7519) is for; None if it is not valid now, ApiError 403 if it gives no scope.

    It names one of the public keys by ``kid``, and that key alone says how it signs. What the token says of it, be it
    ``none`` or the public key taken for a shared secret, does not count.
    """
    try:
        key = keys.read()[jwt.get_unverified_header(token)["kid"]]
        named: Any = {"audience": settings.jwt_audience, "issuer": settings.jwt_issuer, "leeway": _SKEW_S}
        claims = jwt.decode(token, key, algorithms=[key.algorithm_name], options={"require": ["exp", "sub"]}, **named)
    except (jwt.PyJWTError, KeyError, ValueError, RecursionError):
        return None
    given = claims["scope"].split() if isinstance(claims.get("scope"), str) else []
    if not {"user", "admin"} & {*given}:
        raise ApiError(403, "this needs the scope 'user'", code="insufficient_scope")
    # Whom it is for may be a name or an address, which have no place in a log.
    known_as = f"jwt-{_sha256(claims['sub'])[:12]}"
    return Caller(id=known_as, name=known_as, scope="admin" if "admin" in given else "user")


class PublicKeys:
    """A JWKS file's keys by their ``kid``, read again when it changes, so that keys can rotate.

    Half a file, which is no JSON, is on its way: until the rest comes, the last keys count. That lets nobody new in,
    and if a key was to end thereby, the log says that it has not. Any other fault ends all keys, for it may be meant.

    Raises:
        ConfigurationError: The file has no usable keys to begin with.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen, self._keys = self._look(), _read_public_keys(file)

    def _look(self) -> tuple[int, int] | None:
        with suppress(OSError):
            return (found := self._file.stat()).st_mtime_ns, found.st_size
        return None

    def read(self) -> dict[str, jwt.PyJWK]:
        """The keys that count now; of a change that cannot be used the log tells once."""
        if (found := self._look()) != self._seen:
            self._seen = found
            try:
                self._keys = _read_public_keys(self._file)
            except ConfigurationError as error:
                is_half = isinstance(error.__cause__, JSONDecodeError | UnicodeDecodeError)
                self._keys = self._keys if is_half else {}
                logger.warning("%s; %s", error, "the last ones count" if is_half else "nobody gets in by a token")
        return self._keys


def _read_public_keys(file: Path) -> dict[str, jwt.PyJWK]:
    """Those for something else than signatures, or of a kind that is not known here, do not count (RFC 7517, 5)."""
    try:
        described = read_json(file)["keys"]
        if any("d" in key or key.get("kty") == "oct" for key in described):
            raise ValueError("whoever can check by a shared secret or a private key can also sign by it")
        signing = {key["kid"]: key for key in described if key.get("use", "sig") == "sig"}
        return {str(key.key_id): key for key in jwt.PyJWKSet([*signing.values()])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError, jwt.PyJWTError) as error:
        raise ConfigurationError(f"COURSE_JWT_KEYS: {file} needs public keys, each with a kid ({error!r})") from error


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
