from collections.abc import Callable
from pathlib import Path

import pytest

from course_utils.data.validation.command import check_severity, choose_settings, run_validation
from course_utils.errors import ConfigurationError


def test_a_profile_brings_its_tokenizer_and_limit_and_an_empty_one_none() -> None:
    settings = choose_settings(None, "smoke", 1)
    assert (settings.max_length, settings.sample) == (512, "smoke")
    assert Path(settings.tokenizers[0].name_or_path).name == "tiny_base"
    assert choose_settings(None, "", 1).tokenizers == ()
    assert choose_settings(["syntax"], "smoke", 2).tokenizers == ()


@pytest.mark.parametrize("name", ["", "errors", "ERROR"])
def test_an_unknown_severity_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="choose from error, warning, note"):
        check_severity(name)


def test_unknown_profiles_and_checks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="PROFILE='huge'"):
        choose_settings(None, "huge", 1)
    with pytest.raises(ConfigurationError, match="check spelling is unknown"):
        choose_settings(["spelling"], "", 1)


def test_the_report_is_about_the_rows_as_they_are(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    row = {"db_id": "shop", "question": "Wh\u200bo is in Turin?", "query": "SELECT name FROM shop"}
    report, repair = run_validation(make_dataset(test=[row]), tmp_path / "out", choose_settings(["encoding"], "", 1))
    assert report.counts["encoding"]["warning"] == 1
    assert repair is not None
    assert repair.report.counts == {}
    assert run_validation(make_dataset(), None, choose_settings(["encoding"], "", 1))[1] is None


def test_lengths_are_counted_of_the_profiles_sample(make_dataset: Callable[..., Path]) -> None:
    row = {"db_id": "shop", "question": "Who is " + "very " * 600 + "big?", "query": "SELECT name FROM shop"}
    folder = make_dataset(test=[{**row, "id": "long"}, {**row, "question": "Who?", "id": "short"}])
    settings = choose_settings(["length"], "smoke", 1)
    assert [f.number for f in run_validation(folder, None, settings)[0].of_check("length")] == [1]
    (folder / "samples").mkdir()
    (folder / "samples" / "smoke.json").write_text('{"train": [], "validation": [], "test": ["short"]}')
    assert run_validation(folder, None, settings)[0].of_check("length") == []
