"""The memory estimate with knobs on it: what each choice adds, against the limit of a card."""

from collections.abc import Iterable
from html import escape
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from course_utils.figures import PALETTE
from course_utils.models.catalogue import known_models
from course_utils.setup.memory import METHODS, PARTS, MemoryEstimate, estimate_memory

if TYPE_CHECKING:
    from ipywidgets import Widget

CARDS_GIB = (8, 16, 24, 80)
RANKS, BATCH_SIZES, LENGTHS = (4, 8, 16, 32, 64, 128), (1, 2, 4, 8, 16, 32), (256, 512, 1024, 2048, 4096, 8192)
_GIB = 2**30 / 1e9
_WIDTH, _BAR = 700, 640
"""Of the picture and its longest bar, in units of which 700 fill the page; letters of 20 stay readable on a phone."""
# JupyterLab moves to another cell at an arrow key that no widget stops. Sliders stop it, buttons do not, and ipywidgets
# has no property for that: here arrows go to the button beside.
_KEEP_KEYS = """<img src="data:," alt="" style="display:none" onerror="
    this.closest('.course-calculator').addEventListener('keydown', event => {
        if (!event.key.startsWith('Arrow')) return;
        event.stopPropagation();
        const forward = event.key === 'ArrowRight' || event.key === 'ArrowDown';
        event.target[forward ? 'nextElementSibling' : 'previousElementSibling']?.focus();
    })">"""


def draw_memory(estimate: MemoryEstimate, card_gib: float, what: str) -> str:
    """One stacked bar as SVG, in GiB, with a dashed line where the card ends.

    Args:
        estimate: What to draw.
        card_gib: Memory of the card, in GiB.
        what: What is trained, for the title.
    """
    total, spare = estimate.total_gib, card_gib - estimate.total_gib
    verdict = f"{-spare:.1f} GiB too many for" if spare < 0 else f"leaves {spare:.1f} GiB of"
    title = f"{what}: {total:.1f} GiB, {verdict} a card of {card_gib:g} GiB"
    sizes = [getattr(estimate, part) / _GIB for part in PARTS]
    scale = _BAR / max(total, card_gib)
    starts = [0.0, *accumulate(sizes)]
    limit = card_gib * scale
    lines = [f'<text x="0" y="20" font-weight="bold">{escape(title)}</text>']
    for number, (part, size, start) in enumerate(zip(PARTS, sizes, starts, strict=False)):
        place = f'x="{start * scale:.1f}" y="36" width="{size * scale:.1f}" height="44"'
        lines.append(f'<rect {place} fill="{PALETTE[number]}" stroke="white" stroke-width="2"/>')
        x, y = 235 * (number % 3), 134 + 30 * (number // 3)
        lines.append(f'<rect x="{x}" y="{y - 16}" width="18" height="18" fill="{PALETTE[number]}"/>')
        lines.append(f'<text x="{x + 26}" y="{y}">{number + 1} {part} {size:.1f}</text>')
        if size * scale > 20:
            middle = f'x="{(start + size / 2) * scale:.1f}" y="65" text-anchor="middle"'
            lines.append(f'<text {middle} stroke="white" stroke-width="4" paint-order="stroke">{number + 1}</text>')
    lines.append(f'<path d="M {limit:.1f} 30 V 88" stroke="black" stroke-width="3" stroke-dasharray="7 5"/>')
    anchor = "end" if limit > _WIDTH / 2 else "start"
    lines.append(f'<text x="{limit:.1f}" y="106" text-anchor="{anchor}">card: {card_gib:g} GiB</text>')
    look = 'style="max-width:700px;width:100%;background:white" font-family="sans-serif" font-size="20"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} 174" role="img" {look}>'
    return f"{head}<title>{escape(title)}</title>{''.join(lines)}</svg>"


class MemoryCalculator:
    """Buttons and sliders that move one stacked bar; without a kernel, the picture of the first choice.

    A slider answers when it is let go; each answer is one short text, not a figure.
    """

    def __init__(self) -> None:
        """Start with QLoRA of an 8B on a card of 8 GiB: rank 16, one row of 2,048 tokens, checkpointing."""
        import ipywidgets

        by_size = sorted(known_models().values(), key=lambda known: known.shape.n_parameters)
        models = [(known.hub_id.split("/")[1], known.shape) for known in by_size]

        def slider(name: str, options: Iterable[Any], value: Any) -> "Widget":
            return ipywidgets.SelectionSlider(
                options=options, value=value, description=name, continuous_update=False, layout={"width": "420px"}
            )

        def buttons(name: str, options: Iterable[Any], value: Any) -> "Widget":
            return ipywidgets.ToggleButtons(
                options=options, value=value, description=name, style={"button_width": "auto"}
            )

        self.controls = {
            "method": buttons("method", METHODS, "qlora_4bit"),
            "shape": slider("model", models, dict(models)["Llama-3.1-8B-Instruct"]),
            "rank": slider("LoRA rank", RANKS, 16),
            "batch_size": slider("rows at once", BATCH_SIZES, 1),
            "n_tokens": slider("tokens a row", LENGTHS, 2048),
            "gradient_checkpointing": buttons("checkpoints", [("on", True), ("off", False)], True),
            "card_gib": buttons("card", [(f"{card} GiB", card) for card in CARDS_GIB], CARDS_GIB[0]),
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
        what = f"{chosen['method']} of {self.controls['shape'].label}"
        self.picture.value = draw_memory(estimate_memory(chosen["shape"].n_parameters, **chosen), card_gib, what)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {**self._box._repr_mimebundle_(), "text/html": self.picture.value}
