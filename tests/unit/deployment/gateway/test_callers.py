import asyncio
import base64
import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from course_utils.deployment.gateway.callers import Guard, KeyStore, NewKey
from course_utils.deployment.gateway.settings import GatewaySettings
from course_utils.errors import ConfigurationError
from tests.unit.deployment.gateway.conftest import MakeClient, TestClient

ADMIN = "the environment's key"
RSA = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
ALGORITHMS = {"r": ("RS256", RSA), "e": ("ES256", CURVE), "o": ("EdDSA", EDWARDS)}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def status(client: TestClient, key: str, path: str = "/v1/models") -> int:
    return client.get(path, headers=bearer(key)).status_code


def jwks(*kids: str) -> str:
    public = {kid: jwt.get_algorithm_by_name(ALGORITHMS[kid[0]][0]) for kid in kids}
    keys = [json.loads(public[kid].to_jwk(ALGORITHMS[kid[0]][1].public_key())) | {"kid": kid} for kid in kids]
    return json.dumps({"keys": keys})


def sign(kid: str = "r", key: Any = None, algorithm: str = "", **changes: Any) -> str:
    known, private = ALGORITHMS.get(kid[0], ("RS256", RSA))
    claims = {"sub": "ana@example.org", "aud": "course", "iss": "https://issuer", "exp": time.time() + 60}
    claims = {name: value for name, value in (claims | {"scope": "user"} | changes).items() if value is not None}
    return jwt.encode(claims, key or private, algorithm or known, headers={"kid": kid})


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    file = tmp_path / "jwks.json"
    file.write_text(jwks("r", "e", "o"), "utf-8")
    return file


@pytest.fixture
def client(make_client: MakeClient, jwks_file: Path) -> TestClient:
    return make_client(jwt_keys=jwks_file, jwt_audience="course", jwt_issuer="https://issuer")


# API keys


def test_a_key_is_shown_once_and_kept_as_a_hash(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(ADMIN, api_key=ADMIN, keys_file=tmp_path / "keys.sqlite")
    made = client.post("/v1/admin/keys", json={"name": "ana", "requests_per_minute": 5}).json()
    secret = made.pop("key")
    assert client.get("/v1/admin/keys").json()["data"] == [made]
    assert made.keys() >= {"id", "name", "scope", "created", "requests_per_minute", "tokens_per_minute"}
    assert (made["scope"], made["requests_per_minute"], len(secret)) == ("user", 5, 50)
    assert secret.encode() not in (tmp_path / "keys.sqlite").read_bytes()
    assert (tmp_path / "keys.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("journal", ["delete", "wal"])  # tools that replicate the file switch to WAL
def test_a_key_counts_in_every_gateway_until_it_is_deleted(
    make_client: MakeClient, tmp_path: Path, journal: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "keys.sqlite")) as keys:
        keys.execute(f"PRAGMA journal_mode = {journal}")
    here, there = (make_client(ADMIN, api_key=ADMIN, keys_file=tmp_path / "keys.sqlite") for _ in range(2))
    made = here.post("/v1/admin/keys", json={"name": "ana"}).json()
    assert status(here, made["key"]) == status(there, made["key"]) == 200
    assert there.delete(f"/v1/admin/keys/{made['id']}").json() == {"id": made["id"], "deleted": True}
    assert status(here, made["key"]) == 401
    gone = here.delete(f"/v1/admin/keys/{made['id']}")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "unknown_key")


def test_keys_that_cannot_be_read_or_written_now_are_503(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(ADMIN, api_key=ADMIN, keys_file=tmp_path / "keys.sqlite")
    made = client.post("/v1/admin/keys", json={"name": "ana"}).json()
    refused = []
    with closing(sqlite3.connect(tmp_path / "keys.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")
        refused.append(client.get("/v1/models", headers=bearer(made["key"])))
        refused.append(client.post("/v1/admin/keys", json={"name": "ben"}))
        other.rollback()
    assert [(each.status_code, each.json()["error"]["code"]) for each in refused] == [(503, "keys_failed")] * 2
    assert all(int(each.headers["Retry-After"]) > 0 for each in refused)
    assert status(client, made["key"]) == 200


def test_without_a_keys_file_admins_learn_what_to_set(make_client: MakeClient) -> None:
    client = make_client(ADMIN, api_key=ADMIN)
    refused = (client.get("/v1/admin/keys"), client.post("/v1/admin/keys", json={"name": "ana"}))
    assert {response.status_code for response in refused} == {404}
    assert all("COURSE_KEYS_FILE" in response.json()["error"]["message"] for response in refused)


def test_users_are_no_admins(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(ADMIN, api_key=ADMIN, keys_file=tmp_path / "keys.sqlite")
    made = [client.post("/v1/admin/keys", json={"name": "x", "scope": scope}).json() for scope in ("user", "admin")]
    user, admin = (each["key"] for each in made)
    for path in ("/v1/admin/keys", "/metrics"):
        refused = client.get(path, headers=bearer(user))
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insufficient_scope")
        assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
        assert status(client, admin, path) == 200


@pytest.mark.parametrize("key", ["", "wrong", "course_", "x" * 5000, "a.b.c", "\xff", ADMIN + "x"])
def test_other_keys_are_refused(make_client: MakeClient, tmp_path: Path, key: str) -> None:
    client = make_client(api_key=ADMIN, keys_file=tmp_path / "keys.sqlite")
    for path in ("/v1/models", "/v1/admin/keys", "/metrics"):
        refused = client.get(path, headers={"Authorization": f"Bearer {key}".encode("latin-1")} if key else {})
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_key_may_have_any_letters_and_is_sent_as_utf_8(make_client: MakeClient) -> None:
    client = make_client(api_key="Schlüssel 鍵")
    for encoding, wanted in (("utf-8", 200), ("utf-16", 401)):
        headers = {"Authorization": b"Bearer " + "Schlüssel 鍵".encode(encoding).replace(b"\0", b"")}
        assert client.get("/v1/models", headers=headers).status_code == wanted


HERE = ["127.0.0.1:8000", "localhost", "[::1]:8000", "gateway:8000", "192.168.0.7", "testserver"]
HERE += ["gateway.course.svc", "gateway.course.svc:8000", "Gateway.course.svc.cluster.local.:80"]  # in Kubernetes
ELSEWHERE = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "a.localhost:1",
    "[::1].evil:8000",
    "EVIL.Example.",
    "svc.evil",
    "gateway.svc.evil.example",
    "gateway.svc.cluster.local.evil.example",
    "cluster.local",
    "gateway.course",  # a service in a namespace, or the site of anybody who has the name
]


def test_without_a_key_no_web_page_asks_by_its_own_name(make_client: MakeClient) -> None:
    """DNS rebinding: a site's name is made to point to this machine, so that its page may read the answers."""
    client = make_client()
    for host, wanted in [*((host, 200) for host in HERE), *((host, 403) for host in ELSEWHERE)]:
        for path in ("/v1/models", "/metrics"):
            assert client.get(path, headers={"Host": host}).status_code == wanted, (host, path)
    guarded = make_client(ADMIN, api_key=ADMIN)
    assert guarded.get("/v1/models", headers={"Host": "api.example.org"}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "gateway"])
def test_without_a_key_only_this_machine_gets_in_unless_somebody_says_so(make_client: MakeClient, host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"COURSE_HOST is .*COURSE_API_KEY.*COURSE_ALLOW_ANYONE"):
        make_client(host=host)
    for settings in ({"api_key": ADMIN}, {"allow_anyone": True}):
        assert make_client(ADMIN, host=host, **settings).get("/v1/models").is_success
    for loopback in ("127.0.0.1", "::1", "localhost"):
        assert make_client(host=loopback).get("/v1/models").is_success


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"scope": "root"}, {"max_concurrent": 0}, {"tokens_per_minute": True}, {"id": "me"}]
)
def test_a_wrong_key_is_not_made(make_client: MakeClient, tmp_path: Path, wrong: dict[str, Any]) -> None:
    client = make_client(keys_file=tmp_path / "keys.sqlite", api_key=ADMIN, key=ADMIN)
    assert client.post("/v1/admin/keys", json={"name": "x"} | wrong).status_code == 422
    assert client.get("/v1/admin/keys").json()["data"] == []


def test_keys_are_off_without_a_file(make_client: MakeClient) -> None:
    assert make_client().get("/v1/admin/keys").status_code == 404


def test_invented_keys_are_not_stored(tmp_path: Path) -> None:
    settings = GatewaySettings(model_url="http://x", databases=tmp_path, keys_file=tmp_path / "keys.sqlite")
    guard, before = Guard(settings), (tmp_path / "keys.sqlite").read_bytes()
    KeyStore(tmp_path / "other.sqlite").create(NewKey(name="x"))
    assert not any(guard._identify(f"course_{number}") for number in range(10_000))
    assert (tmp_path / "keys.sqlite").read_bytes() == before


def test_a_file_that_holds_no_keys(make_client: MakeClient, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("this is not a database, whatever its name says" * 30)
    with pytest.raises(ConfigurationError, match=r"COURSE_KEYS_FILE: .*keys cannot be used"):
        make_client(keys_file=tmp_path / "keys")


# Web tokens


@pytest.mark.parametrize(
    "changes", [{"exp": 10**30}, {"iat": -1}, {"sub": "\ud800"}, {"nbf": 0}, {"aud": ["x", "course"]}]
)
def test_an_odd_token_that_is_signed_is_let_in(client: TestClient, changes: dict[str, Any]) -> None:
    assert status(client, sign(**changes)) == 200


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_may_come_from_a_clock_that_is_some_seconds_ahead(client: TestClient, claim: str) -> None:
    assert [status(client, sign(**{claim: time.time() + ahead_s})) for ahead_s in (5, 15)] == [200, 401]


@pytest.mark.parametrize("kid", ["r", "e", "o"])
def test_a_token_may_be_signed_by_any_kind_of_key(client: TestClient, kid: str) -> None:
    assert status(client, sign(kid)) == 200
    assert status(client, sign(kid), "/metrics") == 403
    assert status(client, sign(kid, scope="openid admin"), "/metrics") == 200


def public_pem() -> bytes:
    return RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def hmac_by_the_public_key() -> str:
    """By hand, because PyJWT refuses to sign with a public key."""
    header, payload = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "r"}, jwt.decode(sign(), options={"verify_signature": False}))
    )
    signed = jwt.get_algorithm_by_name("HS256").sign(header + b"." + payload, public_pem())
    return b".".join((header, payload, base64.urlsafe_b64encode(signed).rstrip(b"="))).decode()


def tamper(token: str) -> str:
    header, _, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"scope": "admin"}
    return ".".join((header, base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode(), signature))


STRANGER = rsa.generate_private_key(65537, 2048)


def public_jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    return dict(json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(key.public_key())))


def headed(key: rsa.RSAPrivateKey, payload: bytes = b"", **headers: Any) -> str:
    """A token with any header and payload, signed by hand, for PyJWT refuses some of these."""
    claims = payload or json.dumps(jwt.decode(sign(), options={"verify_signature": False})).encode()
    head = json.dumps({"alg": "RS256", "kid": "r", **headers}).encode()
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (head, claims))
    signature = jwt.get_algorithm_by_name("RS256").sign(signed, key)
    return b".".join((signed, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()


ATTACKS = {
    "none": lambda: jwt.encode(jwt.decode(sign(), options={"verify_signature": False}), "", "none", {"kid": "r"}),
    "public key as a secret": hmac_by_the_public_key,
    "another kind's kid": lambda: sign("e", RSA, "RS256"),
    "another algorithm of that kind": lambda: sign("r", RSA, "PS512"),
    "expired": lambda: sign(exp=time.time() - 60),
    "for ever": lambda: sign(exp=None),
    "not yet": lambda: sign(nbf=time.time() + 60),
    "for another": lambda: sign(aud="other"),
    "for nobody": lambda: sign(aud=None),
    "from another": lambda: sign(iss="https://evil"),
    "of nobody": lambda: sign(sub=None),
    "unknown kid": lambda: sign("x"),
    "no kid": lambda: jwt.encode({"sub": "x"}, RSA, "RS256"),
    "a stranger's key": lambda: sign(key=STRANGER),
    "more rights": lambda: tamper(sign()),
    "its own key in the header": lambda: headed(STRANGER, jwk=public_jwk(STRANGER), jku="https://evil/jwks"),
    "a path for a kid": lambda: headed(STRANGER, kid="../../../../dev/null"),
    "SQL for a kid": lambda: headed(STRANGER, kid="r' OR '1'='1"),
    "a list for a kid": lambda: headed(STRANGER, kid=["r"]),
    "unknown critical header": lambda: headed(RSA, crit=["x"], x=1),
    "payload apart": lambda: headed(RSA, b64=False, crit=["b64"]),
    "a token in a token": lambda: headed(RSA, payload=sign().encode(), cty="JWT"),
    "a list for claims": lambda: headed(RSA, payload=b'["admin"]'),
    "endless": lambda: sign(exp=float("inf")),
    "no number": lambda: sign(exp=float("nan")),
    "from the future": lambda: sign(iat=time.time() + 3600),
    "a number for a subject": lambda: sign(sub=7),
    "many parts": lambda: sign() + "." + sign(),
    "deep header": lambda: base64.urlsafe_b64encode(b'{"kid":' + b"[" * 8000).decode() + ".e30.e30",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_forged_token_is_refused(client: TestClient, attack: Callable[[], str]) -> None:
    refused = client.get("/v1/models", headers=bearer(attack()))
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


NO_SCOPES = [None, "", "openid", "useradmin", 7, ["admin"], ["of an admin "], {"role": " admin "}]


@pytest.mark.parametrize("scope", NO_SCOPES)
def test_a_token_without_a_scope_of_ours_is_403(client: TestClient, scope: object) -> None:
    assert status(client, sign(scope=scope)) == 403


def test_keys_rotate_while_the_gateway_runs(client: TestClient, jwks_file: Path) -> None:
    assert [status(client, sign("r")), status(client, sign("r2"))] == [200, 401]
    for number, (kids, wanted) in enumerate([(("r", "r2"), [200, 200]), (("r2",), [401, 200])]):
        jwks_file.write_text(jwks(*kids), "utf-8")
        os.utime(jwks_file, ns=(0, number))
        assert [status(client, sign("r")), status(client, sign("r2"))] == wanted


@pytest.mark.parametrize(
    ("text", "wanted"), [(jwks("r", "r2")[:-9], 200), ("", 200), ('{"keys": []}', 401), ("[1]", 401), (None, 401)]
)
def test_an_unusable_jwks_file_is_logged_once_and_half_of_one_ends_no_key(
    client: TestClient, jwks_file: Path, caplog: pytest.LogCaptureFixture, text: str | None, wanted: int
) -> None:
    jwks_file.write_text(text or "", "utf-8") if text is not None else jwks_file.unlink()
    assert [status(client, sign("r")) for _ in range(3)] == [wanted] * 3
    assert [status(client, sign("r2")), status(client, sign(key=STRANGER))] == [401, 401]
    (told,) = (record.getMessage() for record in caplog.records if "COURSE_JWT_KEYS" in record.getMessage())
    assert ("the previous keys stay valid" in told) == (wanted == 200)
    jwks_file.write_text(jwks("r2"), "utf-8")
    assert [status(client, sign("r")), status(client, sign("r2"))] == [401, 200]


def test_keys_for_other_uses_are_ignored(client: TestClient, jwks_file: Path) -> None:
    """As an identity provider lists them: one for encryption, one of an unknown type."""
    (known,) = json.loads(jwks("r"))["keys"]
    strange = [known | {"kid": "x", "use": "enc", "alg": "RSA-OAEP"}, {"kty": "AKP", "kid": "y", "alg": "ML-DSA-44"}]
    jwks_file.write_text(json.dumps({"keys": [*strange, known | {"use": "sig"}]}), "utf-8")
    os.utime(jwks_file, ns=(0, 7))
    assert [status(client, sign(kid)) for kid in ("r", "x")] == [200, 401]


@pytest.mark.parametrize("missing", ["jwt_audience", "jwt_issuer"])
def test_public_keys_need_an_audience_and_an_issuer(make_client: MakeClient, jwks_file: Path, missing: str) -> None:
    settings = {"jwt_audience": "course", "jwt_issuer": "https://issuer"} | {missing: ""}
    with pytest.raises(ConfigurationError, match="set COURSE_JWT_AUDIENCE and COURSE_JWT_ISSUER"):
        make_client(jwt_keys=jwks_file, **settings)


def with_more(**changes: str) -> str:
    return json.dumps({"keys": [json.loads(jwks("r"))["keys"][0] | changes]})


NO_OBJECT = '{"keys": [1]}'
PRIVATE = json.dumps({"keys": [json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(RSA)) | {"kid": "r"}]})
SHARED_SECRET = '{"keys": [{"kty": "oct", "kid": "s", "k": "c2VjcmV0"}]}'


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '{"keys": []}', NO_OBJECT, SHARED_SECRET, PRIVATE, with_more(alg="none"), with_more(use="enc")],
    ids=["nothing", "no keys", "a list", "no key", "no object", "shared", "private", "alg none", "to encrypt by"],
)
def test_a_file_without_public_keys(make_client: MakeClient, jwks_file: Path, text: str) -> None:
    jwks_file.write_text(text, "utf-8")
    os.utime(jwks_file)
    with pytest.raises(ConfigurationError, match="COURSE_JWT_KEYS"):
        make_client(jwt_keys=jwks_file, jwt_audience="course", jwt_issuer="https://issuer")


def test_the_subject_of_a_token_is_not_logged(jwks_file: Path, tmp_path: Path) -> None:
    settings = GatewaySettings(
        model_url="http://x", databases=tmp_path, jwt_keys=jwks_file, jwt_audience="course", jwt_issuer="https://issuer"
    )
    caller = asyncio.run(_identify(Guard(settings), sign()))
    assert caller is not None
    assert "ana" not in caller.model_dump_json()


async def _identify(guard: Guard, token: str) -> Any:
    return guard._identify(token)
