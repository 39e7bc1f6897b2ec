"""The calculator answers every knob, at once, with the estimate's own numbers."""

import re
import time
import xml.etree.ElementTree as ET

import pytest

from course_utils.models.catalogue import known_models
from course_utils.setup.calculator import CARDS_GIB, MemoryCalculator, draw_memory
from course_utils.setup.memory import METHODS, PARTS, estimate_memory

SVG = "{http://www.w3.org/2000/svg}"


def title_of(picture: str) -> str:
    return ET.fromstring(picture).findtext(f"{SVG}title") or ""


def test_it_begins_with_an_8b_by_qlora_on_a_small_card() -> None:
    title = title_of(MemoryCalculator().picture.value)
    assert title.startswith("qlora_4bit of Llama-3.1-8B-Instruct: ")
    assert title.endswith("a card of 8 GiB")


@pytest.mark.parametrize(
    ("control", "value"),
    [
        ("method", "full"),
        ("shape", known_models()["Qwen/Qwen3-0.6B"].shape),
        ("rank", 64),
        ("batch_size", 8),
        ("n_tokens", 8192),
        ("gradient_checkpointing", False),
        ("card_gib", 80),
    ],
)
def test_every_knob_moves_the_bar_within_100_ms(control: str, value: object) -> None:
    calculator = MemoryCalculator()
    before = calculator.picture.value
    began = time.perf_counter()
    calculator.controls[control].value = value
    assert time.perf_counter() - began < 0.1
    assert calculator.picture.value != before


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("card_gib", CARDS_GIB)
def test_the_bar_is_the_estimate_to_scale_against_the_card(method: str, card_gib: int) -> None:
    estimate = estimate_memory(7e9, method)  # type: ignore[arg-type]
    picture = ET.fromstring(draw_memory(estimate, card_gib, "a 7B <by hand>"))
    bars = [float(bar.attrib["width"]) for bar in picture.iter(f"{SVG}rect") if bar.attrib["height"] == "44"]
    limit = float(picture.find(f"{SVG}path").attrib["d"].split()[1])  # type: ignore[union-attr]
    assert len(bars) == len(PARTS)
    assert sum(bars) / limit == pytest.approx(estimate.total_gib / card_gib, rel=0.01)
    words = " ".join("".join(text.itertext()) for text in picture.iter(f"{SVG}text"))
    assert "a 7B <by hand>" in words
    assert ("too many" in words) == (estimate.total_gib > card_gib)
    for part in PARTS:
        assert re.search(rf"{part} {getattr(estimate, part) * 1e9 / 2**30:.1f}", words)


def test_without_a_kernel_there_is_a_picture() -> None:
    bundle = MemoryCalculator()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"].startswith("<svg")


def test_a_slider_answers_when_it_is_let_go() -> None:
    sliders = [each for each in MemoryCalculator().controls.values() if hasattr(each, "continuous_update")]
    assert len(sliders) == 4
    assert not any(slider.continuous_update for slider in sliders)
