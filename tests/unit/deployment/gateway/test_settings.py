import os
import traceback
from pathlib import Path

import pytest

from course_utils.deployment import start_gateway
from course_utils.deployment.gateway import settings as gateway_settings
from course_utils.deployment.gateway.settings import read_settings
from course_utils.errors import ConfigurationError


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The two required variables, and no other of the gateway's."""
    for name in [name for name in os.environ if name.startswith("COURSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COURSE_MODEL_URL", "http://127.0.0.1:8081")
    monkeypatch.setenv("COURSE_DATABASES", str(tmp_path))
    return monkeypatch


def test_reads_every_setting(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {"API_KEY": "key", "PORT": "9000", "MODEL_TIMEOUT_S": "1.5", "FEEDBACK_FILE": "~/feedback.jsonl"}
    for name, value in given.items():
        environment.setenv(f"COURSE_{name}", value)
    environment.setenv("COURSE_MODEL_NAME", "")
    settings = read_settings()
    assert (settings.port, settings.model_timeout_s, settings.model_name) == (9000, 1.5, "course")
    assert (settings.databases, settings.feedback_file) == (tmp_path, Path("~/feedback.jsonl").expanduser())
    assert settings.api_key.get_secret_value() == "key"


@pytest.mark.parametrize(
    ("given", "drain_s"),
    [({}, 70), ({"MODEL_TIMEOUT_S": "300", "QUERY_TIMEOUT_S": "10"}, 320), ({"MODEL_TIMEOUT_S": ""}, 70)],
)
def test_who_starts_a_gateway_waits_for_what_it_still_answers(
    environment: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str], drain_s: int
) -> None:
    variables = {f"COURSE_{name}": value for name, value in given.items()}
    with start_gateway("http://127.0.0.1:9", tmp_path, settings=variables) as gateway:
        assert drain_s < gateway.stop_timeout_s <= drain_s + 15
    for name, value in variables.items():
        environment.setenv(name, value)
    assert read_settings().drain_s == drain_s


def test_a_path_may_begin_with_the_name_of_an_unknown_user(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("COURSE_LOG_FILE", "~nobody-here/requests.jsonl")
    assert read_settings().log_file == Path("~nobody-here/requests.jsonl")
    environment.setenv("COURSE_DATABASES", "~nobody-here")
    with pytest.raises(ConfigurationError, match=r"COURSE_DATABASES is '~nobody-here'"):
        read_settings()


def test_a_path_may_contain_a_variable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HOSTNAME", "gateway-7")
    environment.setenv("COURSE_AUDIT_FILE", "/var/audit-$HOSTNAME.jsonl")
    assert read_settings().audit_file == Path("/var/audit-gateway-7.jsonl")


def test_a_secret_may_be_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "COURSE_API_KEY").write_text("from a file\n", "utf-8")
    environment.setattr(gateway_settings, "SECRETS", tmp_path)
    assert read_settings().api_key.get_secret_value() == "from a file"
    environment.setenv("COURSE_API_KEY", "from the environment")
    assert read_settings().api_key.get_secret_value() == "from the environment"


@pytest.mark.parametrize("written", [b"", b" \n", b"\xff\xfe", None], ids=["empty", "blank", "binary", "a folder"])
def test_an_empty_or_unreadable_secret_is_refused(
    environment: pytest.MonkeyPatch, tmp_path: Path, written: bytes | None
) -> None:
    file = tmp_path / "COURSE_API_KEY"
    file.mkdir() if written is None else file.write_bytes(written)
    environment.setattr(gateway_settings, "SECRETS", tmp_path)
    with pytest.raises(ConfigurationError, match=r"COURSE_API_KEY|api_key"):
        read_settings()


def test_a_key_of_blanks_is_refused_and_an_empty_variable_is_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("COURSE_API_KEY", "")
    assert not read_settings().api_key.get_secret_value()
    environment.setenv("COURSE_API_KEY", "  ")
    with pytest.raises(ConfigurationError, match="COURSE_API_KEY is wrong"):
        read_settings()


def test_has_no_default_secret() -> None:
    assert not read_settings().api_key.get_secret_value()


def test_repr_masks_the_key(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("COURSE_API_KEY", "sesame-open")
    assert "sesame" not in repr(read_settings())
    assert "**" in repr(read_settings())


@pytest.mark.parametrize(
    "url", ["http://model:8081", "http://model:8081/", "http://model:8081/v1", "http://model:8081/v1/"]
)
def test_model_url_may_end_as_openai_clients_write_it(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("COURSE_MODEL_URL", url)
    assert read_settings().model_url == "http://model:8081"


@pytest.mark.parametrize("url", ["http://", "http://:80", "http://model:80810", "http://model:0", "http://[::1"])
def test_an_impossible_address_is_refused(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("COURSE_MODEL_URL", url)
    environment.setenv("COURSE_MODELS", f'{{"base": {{"url": "{url}"}}}}')
    environment.setenv("COURSE_PORT", "70000")
    with pytest.raises(ConfigurationError, match=r"COURSE_MODEL_URL is .*COURSE_MODELS is .*COURSE_PORT is '70000'"):
        read_settings()


@pytest.mark.parametrize("name", ["POSTGRES_URL", "REDIS_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "host/db",
        "mysql://role:sesame@host/db",
        "{scheme}+driver://role:sesame@host/1",
        "{scheme}://role:sesame/1@host/1",
        "{scheme}://role:sesame@host:port/1",
    ],
)
def test_a_malformed_address_is_refused_without_a_word_of_it(
    environment: pytest.MonkeyPatch, name: str, url: str
) -> None:
    environment.setenv(f"COURSE_{name}", url.format(scheme={"POSTGRES_URL": "postgresql", "REDIS_URL": "redis"}[name]))
    with pytest.raises(ConfigurationError, match=f"COURSE_{name} is wrong: ") as raised:
        read_settings()
    assert "sesame" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "url",
    ["postgresql://role:p%40%2F@host/db", "postgres://role@[::1]:5432/db?sslmode=require", "postgresql://host/db"],
)
def test_an_address_is_taken_as_it_is(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("COURSE_POSTGRES_URL", url)
    assert str(read_settings().postgres_url.get_secret_value()) == url


@pytest.mark.parametrize("rest", ["host", "host/", "host/a/b", "12/3@host/db"])
def test_an_address_without_one_database_is_refused(environment: pytest.MonkeyPatch, rest: str) -> None:
    environment.setenv("COURSE_POSTGRES_URL", f"postgresql://{rest}")
    with pytest.raises(ConfigurationError, match=r"COURSE_POSTGRES_URL is wrong: .*must end with /db_id"):
        read_settings()


def test_reports_every_wrong_variable_at_once_and_no_secret(environment: pytest.MonkeyPatch) -> None:
    given = {
        "COURSE_MODEL_URL": "model:8081",
        "COURSE_PORT": "none",
        "COURSE_MODEL_TIMEOUT_S": "-1",
        "COURSE_QUERY_TIMEOUT_S": "inf",
        "COURSE_MAX_ROWS": "0",
    }
    for name, value in given.items():
        environment.setenv(name, value)
    environment.setenv("COURSE_API_KEY", "sesame-open")
    environment.delenv("COURSE_DATABASES")
    with pytest.raises(ConfigurationError) as raised:
        read_settings()
    for part in (*(f"{name} is {value!r}" for name, value in given.items()), "COURSE_DATABASES is not set"):
        assert part in str(raised.value)
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize("version", ["versión", "1\n2", "a b", "x" * 81])
def test_a_version_that_no_header_can_have_is_refused(environment: pytest.MonkeyPatch, version: str) -> None:
    environment.setenv("COURSE_MODEL_VERSION", version)
    with pytest.raises(ConfigurationError, match="COURSE_MODEL_VERSION"):
        read_settings()
