"""Should I fine-tune at all, and how? Rules of thumb as a tree, in which one's own path is lit."""

import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple

from course_utils.errors import ConfigurationError
from course_utils.models.catalogue import known_models
from course_utils.setup.memory import GPU_MARGIN_GIB, Method, estimate_memory
from course_utils.tables import text_table

ROWS = (100, 1_000, 10_001)
"""Examples from which on LoRA, a larger rank, and more than supervised tuning pay; below, show some in the prompt."""
SMALL_CARD_GIB = 7.5
"""A card that is sold with 8 GB reports a little less than 8 GiB."""
N_TOKENS = 2048
"""Of the rows that a model must have room for, as in the course's GPU profiles."""
_WIDTH, _ROW = 640, 112


class Question(NamedTuple):
    """A question of the tree, and its answers as (answer, what follows, why); the first ``n_ending`` end the path."""

    text: str
    n_ending: int
    answers: list[tuple[str, str, str]]


TREE = [Question(**each) for each in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["question"]]


@dataclass(frozen=True)
class Advice:
    """Which answer of each question of ``TREE`` is given, and what the GPU has room for."""

    given: tuple[int, ...]
    room: str

    @property
    def path(self) -> list[tuple[str, str, str, str]]:
        """The questions that are reached: question, answer, what follows and why."""
        ends = (number for number, question in enumerate(TREE, 1) if self.given[number - 1] < question.n_ending)
        taken = zip(TREE[: next(ends, len(TREE))], self.given, strict=False)
        return [(question.text, *question.answers[answer]) for question, answer in taken]

    @property
    def choice(self) -> str:
        """What to do: ``measure``, ``prompt``, ``retrieve``, ``few-shot``, or LoRA of a rank, or more."""
        return self.path[:4][-1][2]

    @property
    def reason(self) -> str:
        """Why."""
        return self.path[:4][-1][3]

    def _repr_html_(self) -> str:
        room = self.room if len(self.path) == len(TREE) else ""
        words = text_table(("question", "answer", "so", "because"), self.path)._repr_html_()
        box = '<div style="flex:1 1 320px;max-width:640px">'
        beside = f"{box}{draw_tree(self)}</div>{box}{words}<p>{escape(room)}</p></div>"
        return f'<div style="display:flex;flex-wrap:wrap;gap:1em">{beside}</div>'


def advise(
    goal: str, n_examples: int, *, can_measure: bool = True, prompting_is_enough: bool = False, gpu_gib: float = 0
) -> Advice:
    """Walk down the tree: prompt, retrieve or fine-tune, then rows and rank, then method and size.

    Fine-tuning changes how a model behaves: format, style, one task done well. It does not reliably add facts; facts
    come into the prompt from a search (retrieval-augmented generation, RAG).

    Args:
        goal: ``"behaviour"`` or ``"knowledge"``: what the model lacks.
        n_examples: Checked examples of a question with the answer that you want.
        can_measure: There is a held-out test set and a number that says how good an answer is.
        prompting_is_enough: A good prompt reaches that number already.
        gpu_gib: Memory of the GPU; 0 without one.

    Raises:
        ConfigurationError: The goal is unknown, or the number of examples is negative.
    """
    if goal not in ("behaviour", "knowledge"):
        raise ConfigurationError(f"goal {goal!r} is unknown; choose 'behaviour' or 'knowledge'")
    if n_examples < 0:
        raise ConfigurationError(f"n_examples is {n_examples}; give 0 or more")
    n_rows = sum(n_examples >= bound for bound in ROWS)
    card = (gpu_gib > 0) + (gpu_gib >= SMALL_CARD_GIB)
    given = (int(can_measure), int(not prompting_is_enough), int(goal == "behaviour"), n_rows, card)
    return Advice(given, _what_fits(gpu_gib))


def _what_fits(gpu_gib: float) -> str:
    """The largest model of the catalogue that each method has room for, and where larger ones are tuned."""
    methods: dict[str, Method] = {"QLoRA": "qlora_4bit", "LoRA": "lora", "full fine-tuning": "full"}
    fitting = {name: _largest(gpu_gib, method) for name, method in methods.items()}
    room = [f"room for {model} by {name}" for name, model in fitting.items() if model]
    service = ["a service tunes larger ones (course export)"] if gpu_gib < SMALL_CARD_GIB else []
    return "; ".join([*room, *service])


def _largest(gpu_gib: float, method: Method) -> str:
    shapes = {known.hub_id.split("/")[1]: known.shape for known in known_models().values()}
    limit = gpu_gib - GPU_MARGIN_GIB
    needs = {n: estimate_memory(s.n_parameters, method, shape=s, n_tokens=N_TOKENS) for n, s in shapes.items()}
    return max(
        (name for name in shapes if needs[name].total_gib <= limit),
        key=lambda name: shapes[name].n_parameters,
        default="",
    )


def draw_tree(advice: Advice) -> str:
    """The tree as SVG: the path dark, all else light; letters of 21 in a width of 640 stay readable on a phone."""
    lines, last = list[str](), (_WIDTH / 2, 0.0)
    halo = 'stroke="white" stroke-width="6" paint-order="stroke"'
    for number, question in enumerate(TREE):
        taken, top = number < len(advice.path), 30 + number * _ROW
        look = 'font-weight="bold"' if taken else 'fill="#666"'
        lines.append(f'<text x="{_WIDTH / 2}" y="{top}" {halo} {look}>{question.text}</text>')
        width = _WIDTH / len(question.answers)
        for place, (answer, follows, _) in enumerate(question.answers):
            middle, y, lit = (place + 0.5) * width, top + 10, taken and place == advice.given[number]
            fill, edge, ink = ("#003c5f", "black", "white") if lit else ("white", "#999", "#444")
            box = f'x="{place * width + 3:.0f}" y="{y}" width="{width - 6:.0f}" height="58" rx="8"'
            lines.append(f'<rect {box} fill="{fill}" stroke="{edge}" stroke-width="2"/>')
            for text, down in ((answer, 25), (follows, 48)):
                lines.append(f'<text x="{middle:.0f}" y="{y + down}" fill="{ink}">{escape(text)}</text>')
            if lit:
                path = f"M {last[0]:.0f} {last[1]:.0f} L {middle:.0f} {y}" if number else ""
                lines.insert(0, f'<path d="{path}" stroke="#003c5f" stroke-width="5"/>')
                last = (middle, y + 58)
    title = " ".join(f"{asked} {answer}." for asked, answer, *_ in advice.path)
    look = 'style="width:100%;background:white" font-family="sans-serif" font-size="21" text-anchor="middle"'
    view = f'viewBox="0 0 {_WIDTH} {len(TREE) * _ROW}" role="img"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {view} {look}><title>{escape(title)}</title>'
    return f"{head}{''.join(lines)}</svg>"
