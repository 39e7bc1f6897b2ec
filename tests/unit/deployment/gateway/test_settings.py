from pathlib import Path

import pytest

from course_utils.deployment.gateway.settings import Settings
from course_utils.errors import ConfigurationError


def environment(folder: Path, **variables: str) -> dict[str, str]:
    return {"COURSE_MODEL_URL": "http://127.0.0.1:8081", "COURSE_DATABASES": str(folder), **variables}


def test_reads_every_setting(tmp_path: Path) -> None:
    given = environment(
        tmp_path,
        COURSE_API_KEY="key",
        COURSE_PORT="9000",
        COURSE_MODEL_TIMEOUT_S="1.5",
        COURSE_FEEDBACK_FILE=str(tmp_path / "feedback.jsonl"),
    )
    settings = Settings.from_environment(given)
    assert (settings.port, settings.model_timeout_s) == (9000, 1.5)
    assert settings.databases == tmp_path
    assert settings.feedback_file == tmp_path / "feedback.jsonl"
    assert settings.api_key == "key"


def test_has_no_default_secret(tmp_path: Path) -> None:
    assert not Settings.from_environment(environment(tmp_path)).api_key


def test_repr_masks_the_key(tmp_path: Path) -> None:
    settings = Settings.from_environment(environment(tmp_path, COURSE_API_KEY="sesame-open"))
    assert "sesame" not in repr(settings)
    assert "'***'" in repr(settings)


@pytest.mark.parametrize(
    "url", ["http://model:8081", "http://model:8081/", "http://model:8081/v1", "http://model:8081/v1/"]
)
def test_model_url_may_end_as_openai_clients_write_it(tmp_path: Path, url: str) -> None:
    assert Settings.from_environment(environment(tmp_path, COURSE_MODEL_URL=url)).model_url == "http://model:8081"


def test_reports_every_mistake_at_once() -> None:
    given = {
        "COURSE_MODEL_URL": "model:8081",
        "COURSE_PORT": "none",
        "COURSE_MODEL_TIMEOUT_S": "-1",
        "COURSE_MAX_ROWS": "0",
    }
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_environment(given)
    for name in (*given, "COURSE_DATABASES is not set"):
        assert name in str(raised.value)
