"""One table to choose a base model by: the cards' facts, the memory it takes, and what was measured."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

from course_utils.data.bases.facts import BASES, Base
from course_utils.data.bases.measure import BaseMeasurement

METHODS = {"full": "full, 16 bit (GiB)", "lora": "LoRA, 16 bit (GiB)", "qlora_4bit": "QLoRA, 4 bit (GiB)"}
"""The ways to fine-tune that the table has memory for, under the names of ``setup.memory.METHODS``."""
_FACTS = ("parameters", "layers × hidden", "heads (kv)", "vocabulary", "context", "licence", "template")
_MEASURED = ("bits per byte", "perplexity", "tokens a prompt", "tokens a query")
NOT_KNOWN = ""


@dataclass(frozen=True)
class BaseTable:
    """Rows by model, cells by column; an empty cell is not known or not measured."""

    columns: tuple[str, ...]
    rows: dict[str, dict[str, str]] = field(repr=False)
    links: dict[str, str] = field(repr=False)
    notes: dict[str, str] = field(default_factory=dict, repr=False)

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in ("", *self.columns))
        body = "".join(self._line(name) for name in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _line(self, name: str) -> str:
        shown = escape(name.rpartition("/")[2])
        note = escape(self.notes.get(name, ""))
        title = f'<a href="{escape(self.links[name])}" title="{note}">{shown}</a>' if name in self.links else shown
        cells = "".join(
            f'<td style="text-align:left;white-space:nowrap">{escape(self.rows[name].get(column, NOT_KNOWN))}</td>'
            for column in self.columns
        )
        return f'<tr><th style="text-align:left;white-space:nowrap">{title}</th>{cells}</tr>'


def compare_bases(
    bases: Iterable[Base] | None = None,
    *,
    memory_gib: Callable[[Base, str], float] | None = None,
    measured: Mapping[str, BaseMeasurement] | None = None,
    facts: bool = True,
) -> BaseTable:
    """Put base models side by side.

    Args:
        bases: All of ``BASES`` if left out.
        memory_gib: Memory of fine-tuning a base by one of ``METHODS``, in GiB; the data room knows none, so pass
            the setup room's estimator. No such columns if left out.
        measured: By Hub id or any other name; a name that is no base gets a row of its own. No such columns
            if left out.
        facts: Whether to show the cards' facts.
    """
    chosen = list(BASES.values() if bases is None else bases)
    measured = measured or {}
    columns = (_FACTS if facts else ()) + (tuple(METHODS.values()) if memory_gib else ())
    rows = {base.hub_id: (_facts(base) if facts else {}) for base in chosen}
    if memory_gib:
        for base in chosen:
            rows[base.hub_id] |= {title: f"{memory_gib(base, method):.1f}" for method, title in METHODS.items()}
    for name, measurement in measured.items():
        rows.setdefault(name, {}).update(_measures(measurement))
    links = {base.hub_id: base.card for base in chosen}
    notes = {base.hub_id: base.note for base in chosen}
    return BaseTable(columns + (_MEASURED if measured else ()), rows, links, notes)


def _facts(base: Base) -> dict[str, str]:
    values = (
        base.size,
        f"{base.n_layers} × {base.hidden_size}",
        f"{base.n_heads} ({base.n_kv_heads})",
        f"{base.vocab_size:,}",
        f"{base.context:,}",
        base.licence + (", gated" if base.gated else ""),
        base.template,
    )
    return dict(zip(_FACTS, values, strict=True))


def _measures(measured: BaseMeasurement) -> dict[str, str]:
    values = (
        f"{measured.bits_per_byte:.2f}",
        f"{measured.perplexity:.2f}",
        f"{measured.tokens_per_prompt:.0f}",
        f"{measured.tokens_per_query:.1f}",
    )
    return dict(zip(_MEASURED, values, strict=True))
