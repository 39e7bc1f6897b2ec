"""The calculator answers every knob, at once, with the estimate's own numbers."""

import time
import xml.etree.ElementTree as ET

import pytest

from course_utils.models.catalogue import known_models
from course_utils.setup.calculator import CARDS_GIB, MemoryCalculator, draw_memory
from course_utils.setup.memory import METHODS, PARTS, Method, estimate_memory

SVG = "{http://www.w3.org/2000/svg}"


def title_of(picture: str) -> str:
    return ET.fromstring(picture).findtext(f"{SVG}title") or ""


def words_of(picture: str) -> str:
    return " ".join("".join(text.itertext()) for text in ET.fromstring(picture).iter(f"{SVG}text"))


def test_it_begins_with_an_8b_by_qlora_on_a_small_card() -> None:
    words = words_of(MemoryCalculator().picture.value)
    assert words.startswith("Llama-3.1-8B-Instruct on a card of 8 GiB")
    assert "qlora: 8.2 GB, 0.4 GB to spare" in words


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


def bars_and_limits(picture: str) -> tuple[list[float], list[float]]:
    """Widths of the parts of all bars, and where the cards end."""
    drawn = ET.fromstring(picture)
    bars = [float(bar.attrib["width"]) for bar in drawn.iter(f"{SVG}rect") if bar.attrib["height"] == "44"]
    return bars, [float(path.attrib["d"].split()[1]) for path in drawn.iter(f"{SVG}path")]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("card_gib", CARDS_GIB)
def test_a_bar_is_the_estimate_to_scale_against_the_card(method: Method, card_gib: int) -> None:
    estimate = estimate_memory(7e9, method)
    picture = draw_memory([estimate], [card_gib], "a 7B <by hand>")
    bars, (limit,) = bars_and_limits(picture)
    assert len(bars) == len(PARTS)
    assert sum(bars) / limit == pytest.approx(estimate.total_gib / card_gib, rel=0.01)
    words = words_of(picture)
    assert "a 7B <by hand>" in words
    assert ("too many" in words) == (estimate.total_gib > card_gib)
    assert all(f"{part} {getattr(estimate, part):.1f} GB" in words for part in PARTS)


def test_bars_of_several_methods_have_one_scale() -> None:
    estimates = [estimate_memory(7e9, method) for method in METHODS]
    picture = draw_memory(estimates, (8, 16, 24), "A 7B")
    bars, limits = bars_and_limits(picture)
    assert limits == pytest.approx([limits[0], 2 * limits[0], 3 * limits[0]], rel=0.01)
    for row, estimate in enumerate(estimates):
        total = sum(bars[row * len(PARTS) : (row + 1) * len(PARTS)])
        assert total / limits[0] == pytest.approx(estimate.total_gib / 8, rel=0.02)
        assert f"{estimate.method}: {estimate.total_gb:.1f} GB" in words_of(picture)


def test_without_a_kernel_there_is_a_picture() -> None:
    bundle = MemoryCalculator()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"].startswith("<svg")


def test_a_slider_answers_when_it_is_let_go() -> None:
    sliders = [each for each in MemoryCalculator().controls.values() if hasattr(each, "continuous_update")]
    assert len(sliders) == 4
    assert not any(slider.continuous_update for slider in sliders)
