"""Should I fine-tune at all, and how? Rules of thumb as a tree, in which one's own path is lit."""

from dataclasses import dataclass
from html import escape

from course_utils.errors import ConfigurationError
from course_utils.models.catalogue import known_models
from course_utils.setup.memory import GPU_MARGIN_GIB, Method, estimate_memory
from course_utils.tables import text_table

ROWS = (100, 1_000, 10_000)
"""Examples: below the first show some in the prompt, from the last on more than supervised tuning may pay."""
SMALL_CARD_GIB = 7.5
"""A card that is sold with 8 GB reports a little less than 8 GiB."""
N_TOKENS = 2048
"""Of the rows that a model must have room for, as in the course's GPU profiles."""
GO_ON = "go on"
_WIDTH, _ROW = 640, 112


@dataclass(frozen=True)
class Step:
    """A question, its answers as (answer, what follows, why), and which of them is given."""

    question: str
    answers: tuple[tuple[str, str, str], ...]
    given: int
    n_ending: int = 1
    """How many of the answers, from the first, end the path."""


@dataclass(frozen=True)
class Advice:
    """All steps of the tree; ``n_taken`` are on the path."""

    steps: tuple[Step, ...]
    n_taken: int

    @property
    def taken(self) -> list[tuple[str, str, str, str]]:
        """The path: question, answer, what follows and why."""
        return [(step.question, *step.answers[step.given]) for step in self.steps[: self.n_taken]]

    @property
    def choice(self) -> str:
        """What to do: ``measure``, ``prompt``, ``retrieve``, ``few-shot``, or LoRA of a rank, or more."""
        return self.taken[:4][-1][2]

    @property
    def reason(self) -> str:
        """Why."""
        return self.taken[:4][-1][3]

    def _repr_html_(self) -> str:
        words = text_table(("question", "answer", "so", "because"), self.taken)._repr_html_()
        box = '<div style="flex:1 1 320px;max-width:640px">'
        return f'<div style="display:flex;flex-wrap:wrap;gap:1em">{box}{draw_tree(self)}</div>{box}{words}</div></div>'


def advise(
    goal: str, n_examples: int, *, can_measure: bool = True, prompting_is_enough: bool = False, gpu_gib: float = 0
) -> Advice:
    """Walk down the tree: prompt, retrieve or fine-tune, then rows and rank, then method and size.

    Fine-tuning changes how a model behaves: format, style, one task done well. It does not reliably
    add facts; facts come into the prompt from a search (retrieval-augmented generation, RAG).

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
    few, best, most = ROWS
    service = "; a service tunes larger ones (course export)"
    steps = (
        _step(
            "Can you measure success?", can_measure, ("no", "yes"), "measure", "else nobody can say if tuning helped"
        ),
        _step(
            "Is a good prompt enough?",
            not prompting_is_enough,
            ("yes", "no"),
            "prompt",
            "a prompt has nothing to train, serve or age",
        ),
        _step(
            "What does the model lack?",
            goal == "behaviour",
            ("facts", "behaviour"),
            "retrieve",
            "facts belong in the prompt, found by a search: current, and open to checking",
        ),
        Step(
            "How many checked examples?",
            (
                (f"under {few:,}", "few-shot", "too few to learn from: show some in the prompt"),
                (f"to {best:,}", "LoRA, rank 8", "enough for LoRA; watch validation loss for overfitting"),
                (f"to {most:,}", "LoRA, rank 16", "the range where LoRA does best"),
                ("more", "+ DPO, or full", "preference tuning (DPO) or full fine-tuning may pay too"),
            ),
            (n_examples >= few) + (n_examples >= best) + (n_examples > most),
        ),
        Step(
            "How much GPU memory?",
            (
                ("none", "CPU, or API", f"LoRA of SmolLM2-135M takes minutes on a CPU{service}"),
                ("under 8 GB", "QLoRA, or API", f"{_what_fits(gpu_gib)}{service}"),
                ("8 GB or more", "QLoRA or LoRA", _what_fits(gpu_gib)),
            ),
            (gpu_gib > 0) + (gpu_gib >= SMALL_CARD_GIB),
            n_ending=0,
        ),
    )
    return Advice(steps, next((i for i, step in enumerate(steps, 1) if step.given < step.n_ending), len(steps)))


def _step(question: str, goes_on: bool, answers: tuple[str, str], end: str, why: str) -> Step:
    return Step(question, ((answers[0], end, why), (answers[1], GO_ON, why)), int(goes_on))


def _what_fits(gpu_gib: float) -> str:
    """The largest model of the catalogue that each method has room for."""
    methods: dict[str, Method] = {"QLoRA": "qlora_4bit", "LoRA": "lora", "full": "full"}
    fitting = {name: _largest(gpu_gib, method) for name, method in methods.items()}
    return "; ".join(f"{name} has room for {model}" for name, model in fitting.items() if model)


def _largest(gpu_gib: float, method: Method) -> str:
    sizes = {known.hub_id.split("/")[1]: known.shape for known in known_models().values()}
    wanted = {
        name: estimate_memory(shape.n_parameters, method, shape=shape, n_tokens=N_TOKENS).total_gib + GPU_MARGIN_GIB
        for name, shape in sizes.items()
    }
    return max(
        (name for name in sizes if wanted[name] <= gpu_gib), key=lambda name: sizes[name].n_parameters, default=""
    )


def draw_tree(advice: Advice) -> str:
    """The tree as SVG: the path dark, all else light; letters of 21 in a width of 640 stay readable on a phone."""
    lines, last = list[str](), (_WIDTH / 2, 0.0)
    halo = 'stroke="white" stroke-width="6" paint-order="stroke"'
    for number, step in enumerate(advice.steps):
        taken, top = number < advice.n_taken, 30 + number * _ROW
        look = 'font-weight="bold"' if taken else 'fill="#666"'
        lines.append(f'<text x="{_WIDTH / 2}" y="{top}" {halo} {look}>{step.question}</text>')
        width = _WIDTH / len(step.answers)
        for place, (answer, follows, _) in enumerate(step.answers):
            middle, y, lit = (place + 0.5) * width, top + 10, taken and place == step.given
            fill, edge, ink = ("#003c5f", "black", "white") if lit else ("white", "#999", "#444")
            box = f'x="{place * width + 3:.0f}" y="{y}" width="{width - 6:.0f}" height="58" rx="8"'
            lines.append(f'<rect {box} fill="{fill}" stroke="{edge}" stroke-width="2"/>')
            for text, down in ((answer, 25), (follows, 48)):
                lines.append(f'<text x="{middle:.0f}" y="{y + down}" fill="{ink}">{escape(text)}</text>')
            if lit:
                path = f"M {last[0]:.0f} {last[1]:.0f} L {middle:.0f} {y}" if number else ""
                lines.insert(0, f'<path d="{path}" stroke="#003c5f" stroke-width="5"/>')
                last = (middle, y + 58)
    title = " ".join(f"{question} {answer}." for question, answer, *_ in advice.taken)
    look = 'style="width:100%;background:white" font-family="sans-serif" font-size="21" text-anchor="middle"'
    view = f'viewBox="0 0 {_WIDTH} {len(advice.steps) * _ROW}" role="img"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {view} {look}><title>{escape(title)}</title>'
    return f"{head}{''.join(lines)}</svg>"
