"""An interactive memory estimate: what each choice adds, compared with the memory of a card."""

from collections.abc import Sequence
from functools import partial
from html import escape
from itertools import accumulate
from typing import Any

from course_utils.figures import PALETTE
from course_utils.models.catalogue import shapes_by_size
from course_utils.setup.memory import METHODS, PARTS, MemoryEstimate, estimate_memory

CARDS_GIB = (8, 16, 24, 80)
RANKS, BATCH_SIZES, LENGTHS = (4, 8, 16, 32, 64, 128), (1, 2, 4, 8, 16, 32), (256, 512, 1024, 2048, 4096, 8192)
_WIDTH, _LONGEST, _BAR = 700, 640, 86
"""Width of the picture, length of the longest bar, and height of a bar with its label, in units of which 700 fill the
page's width. Text of 20 units stays readable on a phone."""
_OUTLINED = 'stroke="white" stroke-width="4" paint-order="stroke"'
# JupyterLab moves to another cell at an arrow key unless a widget stops the event. Sliders do, buttons do not, and
# ipywidgets has no property for it. This handler stops it, and moves the focus to the next or previous button.
_KEEP_KEYS = """<img src="data:," alt="" style="display:none" onerror="
    this.closest('.course-calculator').addEventListener('keydown', event => {
        if (!event.key.startsWith('Arrow')) return;
        event.stopPropagation();
        const forward = event.key === 'ArrowRight' || event.key === 'ArrowDown';
        event.target[forward ? 'nextElementSibling' : 'previousElementSibling']?.focus();
    })">"""


def draw_memory(estimates: Sequence[MemoryEstimate], cards_gib: Sequence[float], title: str) -> str:
    """Draw the parts of each estimate as SVG: one stacked bar per estimate, and a dashed line at each card's memory.

    Bars are in GB of 10**9 bytes; a card of 8 GiB holds 8.6 GB. With a single card, labels say how much is left.
    """
    cards = {card: card * 2**30 / 1e9 for card in cards_gib}
    scale = _LONGEST / max([*cards.values(), *(estimate.total_gb for estimate in estimates)])
    bottom = 34 + _BAR * len(estimates)
    lines, labels = [f'<text x="0" y="20" font-weight="bold">{escape(title)}</text>'], list[str]()
    for row, estimate in enumerate(estimates):
        spare = cards[cards_gib[0]] - estimate.total_gb
        verdict = f", {abs(spare):.1f} GB {'to spare' if spare > 0 else 'too many'}" if len(cards) == 1 else ""
        y = 56 + _BAR * row
        labels.append(f'<text x="0" y="{y}" {_OUTLINED}>{estimate.method}: {estimate.total_gb:.1f} GB{verdict}</text>')
        sizes = [getattr(estimate, part) * scale for part in PARTS]
        for number, (size, start) in enumerate(zip(sizes, [0.0, *accumulate(sizes)], strict=False)):
            box = f'x="{start:.1f}" y="{y + 10}" width="{size:.1f}" height="44"'
            lines.append(f'<rect {box} fill="{PALETTE[number]}" stroke="white" stroke-width="2"/>')
            if size > 20:
                middle = f'x="{start + size / 2:.1f}" y="{y + 39}" text-anchor="middle"'
                lines.append(f"<text {middle} {_OUTLINED}>{number + 1}</text>")
    for card, limit in cards.items():
        x = limit * scale
        lines.append(f'<path d="M {x:.1f} 60 V {bottom + 6}" stroke="black" stroke-width="3" stroke-dasharray="7 5"/>')
        lines.append(f'<text x="{x:.1f}" y="{bottom + 26}" text-anchor="middle">{card:g} GiB</text>')
    for number, part in enumerate(PARTS):
        x, y = 235 * (number % 3), bottom + 58 + 30 * (number // 3)
        lines.append(f'<rect x="{x}" y="{y - 16}" width="18" height="18" fill="{PALETTE[number]}"/>')
        amount = f" {getattr(estimates[0], part):.1f} GB" if len(estimates) == 1 else ""
        lines.append(f'<text x="{x + 26}" y="{y}">{number + 1} {part}{amount}</text>')
    look = 'style="max-width:700px;width:100%;background:white" font-family="sans-serif" font-size="20"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 98}" role="img" {look}>'
    return f"{head}<title>{escape(title)}</title>{''.join([*lines, *labels])}</svg>"


class MemoryCalculator:
    """Buttons and sliders that change one stacked bar; without a kernel, the picture of the initial choice.

    It starts with QLoRA of an 8B model on a card of 8 GiB: rank 16, one row of 2,048 tokens, gradient checkpointing. A
    slider updates the picture when it is released; each update sends a short SVG text, not a figure.
    """

    def __init__(self) -> None:
        import ipywidgets

        models = shapes_by_size()
        words = {"description_width": "7em"}
        slider = partial(ipywidgets.SelectionSlider, continuous_update=False, layout={"width": "420px"}, style=words)
        buttons = partial(ipywidgets.ToggleButtons, style={"button_width": "auto"})
        self.controls = {
            "method": buttons(description="method", options=METHODS, value="qlora"),
            "shape": slider(description="model", options=models.items(), value=models["Llama-3.1-8B-Instruct"]),
            "rank": slider(description="LoRA rank", options=RANKS, value=16),
            "batch_size": slider(description="rows at once", options=BATCH_SIZES, value=1),
            "n_tokens": slider(description="tokens a row", options=LENGTHS, value=2048),
            "gradient_checkpointing": buttons(description="checkpoints", options={"on": True, "off": False}),
            "card_gib": buttons(description="card", options={f"{card} GiB": card for card in CARDS_GIB}),
        }
        self.picture = ipywidgets.HTML()
        self._box = ipywidgets.VBox([*self.controls.values(), self.picture, ipywidgets.HTML(_KEEP_KEYS)])
        self._box.add_class("course-calculator")
        for control in self.controls.values():
            control.observe(self._draw, "value")
        self._draw()

    def _draw(self, _: object = None) -> None:
        chosen = {name: control.value for name, control in self.controls.items()}
        card_gib = chosen.pop("card_gib")
        estimate = estimate_memory(chosen["shape"].n_parameters, **chosen)
        title = f"{self.controls['shape'].label} on a card of {card_gib} GiB"
        self.picture.value = draw_memory([estimate], [card_gib], title)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {**self._box._repr_mimebundle_(), "text/html": self.picture.value}
