"""The profile explorer answers a click, and its table says what the profile says."""

import pytest

from course_utils.errors import ConfigurationError
from course_utils.profiles import PROFILES, get_profile
from course_utils.setup import describe_profile, explore_profiles


@pytest.mark.parametrize("name", PROFILES)
def test_a_click_shows_the_chosen_profile(name: str) -> None:
    box = explore_profiles()
    (menu, button), shown = box.children[0].children, box.children[1]
    assert button.description == "Show profile"
    assert get_profile(name).base_model not in shown.value
    menu.value = name
    button.click()
    assert get_profile(name).base_model in shown.value
    assert f"<h4>{name}</h4>" in shown.value


def test_every_profile_is_on_the_menu() -> None:
    menu = explore_profiles("gpu_16gb").children[0].children[0]
    assert list(menu.options) == list(PROFILES)
    assert menu.value == "gpu_16gb"
    with pytest.raises(ConfigurationError, match="unknown"):
        explore_profiles("huge")


def test_descriptions_have_the_same_lines_and_no_gaps() -> None:
    described = [describe_profile(profile) for profile in PROFILES.values()]
    assert len({tuple(lines) for lines in described}) == 1
    assert all(value for lines in described for value in lines.values())
    assert described[0]["base model"] == "data/tiny_base"
    assert describe_profile(get_profile("laptop"))["parameters"] == "134.5 million"
    assert describe_profile(get_profile("gpu_16gb"))["weights while training"] == "4 bits"


def test_an_unknown_model_is_said_to_be_unknown() -> None:
    from dataclasses import replace

    lines = describe_profile(replace(get_profile("laptop"), base_model="someone/something"))
    assert lines["parameters"] == "unknown"
    assert lines["memory, longest rows"] == "unknown"
