"""Advise whether and how to fine-tune: rules of thumb as a decision tree, drawn with the reader's path highlighted."""

from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from course_utils.errors import ConfigurationError
from course_utils.files import read_toml
from course_utils.models.catalogue import shapes_by_size
from course_utils.setup.memory import GPU_MARGIN_GIB, Method, estimate_memory
from course_utils.tables import text_table

ROWS = (100, 1_000, 10_000)
"""Numbers of examples at which the advice changes, in the tree's labels as ``{0}``, ``{1}`` and ``{2}``."""
SMALL_CARD_GIB = 7.5
"""Least memory of a card that counts as 8 GB, because such cards report a little less than 8 GiB."""
N_TOKENS = 2048
"""Tokens of the rows that must fit, as in the course's GPU profiles."""


class Question(NamedTuple):
    """A question of the tree, its answers as (answer, advice, reason), of which the first ``n_ending`` end the path."""

    text: str
    n_ending: int
    answers: list[tuple[str, ...]]


TREE = [
    Question(text, n_ending, [tuple(part.format(*ROWS) for part in answer) for answer in answers])
    for text, n_ending, answers in map(dict.values, read_toml(__file__)["question"])
]


@dataclass(frozen=True)
class Advice:
    """The advice and its reason; ``choice`` is an answer's advice in ``advisor.toml``, such as ``few-shot``."""

    choice: str
    reason: str
    path: list[tuple[str, ...]]
    """The questions of ``TREE`` that were asked, as (question, answer, advice, reason)."""
    room: str
    """The largest models that fit on the GPU; empty if the path ends before the question about memory."""

    def _repr_html_(self) -> str:
        words = text_table(("question", "answer", "so", "because"), self.path)._repr_html_()
        return f"{draw_tree(self)}{words}<p>{escape(self.room)}</p>"


def advise(
    goal: str, n_examples: int, *, can_measure: bool = True, prompting_is_enough: bool = False, gpu_gib: float = 0
) -> Advice:
    """Walk down the tree: prompt, retrieve or fine-tune; then the rank for the number of rows; then method and size.

    Fine-tuning changes how a model behaves: format, style, one task done well. It does not reliably add facts; a search
    should put those into the prompt (retrieval-augmented generation, RAG).

    ``goal`` is what the model lacks, ``"behaviour"`` or ``"knowledge"``; ``n_examples`` counts checked questions with
    the answer that you want. ``can_measure`` takes a held-out test set and a metric; ``prompting_is_enough`` if a good
    prompt alone reaches the score that you need. ``gpu_gib`` is 0 without a GPU.

    Raises:
        ConfigurationError: The goal is unknown, or the number of examples is negative.
    """
    if goal not in ("behaviour", "knowledge"):
        raise ConfigurationError(f"goal {goal!r} is unknown; choose 'behaviour' or 'knowledge'")
    if n_examples < 0:
        raise ConfigurationError(f"n_examples is {n_examples}; give 0 or more")
    n_rows, card = sum(n_examples >= bound for bound in ROWS), (gpu_gib > 0) + (gpu_gib >= SMALL_CARD_GIB)
    given = (int(can_measure), int(not prompting_is_enough), int(goal == "behaviour"), n_rows, card)
    ends = (number for number, question in enumerate(TREE, 1) if given[number - 1] < question.n_ending)
    taken = zip(TREE[: next(ends, len(TREE))], given, strict=False)
    path = [(question.text, *question.answers[answer]) for question, answer in taken]
    *_, choice, reason = path[:4][-1]
    return Advice(choice, reason, path, _what_fits(gpu_gib) if len(path) == len(TREE) else "")


def _what_fits(gpu_gib: float) -> str:
    """The largest model of the catalogue that fits with each method; on small cards also a way to tune larger ones."""
    methods: dict[str, Method] = {"QLoRA": "qlora", "LoRA": "lora", "full fine-tuning": "full"}
    room = []
    for name, method in methods.items():
        fitting = ""
        for model, shape in shapes_by_size().items():
            estimate = estimate_memory(shape.n_parameters, method, shape=shape, n_tokens=N_TOKENS)
            fitting = model if estimate.total_gib <= gpu_gib - GPU_MARGIN_GIB else fitting
        room += [f"room for {fitting} by {name}"] if fitting else []
    return "; ".join([*room, *(["a service tunes larger ones (course export)"] if gpu_gib < SMALL_CARD_GIB else [])])


def draw_tree(advice: Advice) -> str:
    """Draw the tree as HTML, which wraps on a phone: a row of boxes per question, with the answers on the path dark."""
    rows = []
    for number, question in enumerate(TREE):
        taken, boxes = number < len(advice.path), []
        for answer, follows, _ in question.answers:
            lit = taken and answer == advice.path[number][1]
            look = "font-weight:bold;background:#003c5f;color:white" if lit else "background:white;color:#444"
            frame = f"flex:1;padding:6px;border:2px solid #999;border-radius:8px;{look}"
            boxes.append(f'<div style="{frame}">{escape(answer)}<br/>{escape(follows)}</div>')
        rows.append(f'<p style="margin:12px 0 4px;opacity:{1 if taken else 0.6}">{escape(question.text)}</p>')
        rows.append(f'<div style="display:flex;gap:6px;text-align:center">{"".join(boxes)}</div>')
    return f'<div style="max-width:640px">{"".join(rows)}</div>'
