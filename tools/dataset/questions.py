"""Fill the shapes from a domain and its rows: one question and its query at a time."""

from collections import Counter, defaultdict
from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from random import Random
from string import Formatter

from tools.dataset import wording
from tools.dataset.domains import ColumnSpec
from tools.dataset.shapes import Shape
from tools.dataset.slots import Slots, fill_table
from tools.dataset.world import View, World
from tools.english import plural

_IMPERATIVES = ("List", "Show", "Give", "Find", "Name", "Tell", "Compute", "Return", "Sort", "Count the")


@dataclass(frozen=True)
class Question:
    """One filled shape."""

    question: str
    query: str
    shape: str


def ask(world: World, rng: Random, shape: Shape) -> Question | None:
    """One question of a shape about a random table, or None where that table does not fit.

    Whether it is a good question is for ``judge.py`` to say.
    """
    slots = _slots(world, rng.choice(list(world.views.values())), slots_of(shape), rng)
    for question in rng.sample(shape.questions, len(shape.questions)):
        try:
            words = question.format_map(slots.words)
            return Question(_human(words, rng), shape.query.format_map(slots.sql), shape.name)
        except (KeyError, AttributeError):  # the table cannot fill a slot of this wording or of the query
            continue
    return None


@cache
def slots_of(shape: Shape) -> dict[str, Set[str]]:
    """The slots of a shape's query by the table that fills them: ``""`` for the one asked about, ``up`` and so on."""
    needs: dict[str, set[str]] = defaultdict(set)
    for _, slot, _, _ in Formatter().parse(shape.query):
        owner, _, name = (slot or "").rpartition(".")
        needs[owner].add(name)
        if not owner:
            needs[name]  # adds the key: a slot may name a related table without a column of it
    return dict(needs)


def _human(text: str, rng: Random) -> str:
    """Vary politeness, case and final punctuation as people do."""
    if text.startswith(_IMPERATIVES) and rng.random() < 0.1:
        text = f"Please {text[:1].lower()}{text[1:]}"
    if rng.random() < 0.08:
        text = text.rstrip("?.")
    return text[:1].lower() + text[1:] if rng.random() < 0.06 else text


def _slots(world: World, view: View, needs: dict[str, Set[str]], rng: Random) -> Slots:
    slots = Slots(view, view.table.one, view.table.many)
    fill_table(slots, needs[""], rng)
    if "up" in needs:
        _add_parents(slots, world, needs, rng)
    if "kid" in needs:
        _add_children(slots, world, needs, rng)
    if "boss" in needs:
        _add_boss(slots, rng)
    return slots


def _add_parents(slots: Slots, world: World, needs: dict[str, Set[str]], rng: Random) -> None:
    """``up``, ``up2`` and ``up3``: the table referred to, the one that it refers to, and so on."""
    view, seen = slots.view, frozenset((slots.view.table.name,))
    for role in ("up", "up2", "up3"):
        references = world.parents(view.table, seen)
        if role not in needs or not references:
            return
        reference = rng.choice(references)
        slots.related(role, _referred(world, view, reference, needs[role], rng))
        view, seen = world.views[reference.table], seen | {reference.table}


def _add_children(slots: Slots, world: World, needs: dict[str, Set[str]], rng: Random) -> None:
    """``kid``, a table that refers to this one; ``far``, another one that it refers to; ``far2`` above that."""
    table, children = slots.view.table, world.children(slots.view.table)
    if "far" in needs:
        children = [child for child in children if world.parents(child[0].table, frozenset((table.name,)))]
    if not children:
        return
    view, reference = rng.choice(children)
    kid = Slots(view, view.table.one, view.table.many)
    fill_table(kid, needs["kid"], rng)
    _join(kid, view, reference, slots.view, rng)
    slots.related("kid", kid)
    seen = frozenset((table.name, view.table.name))
    for role in ("far", "far2"):
        references = world.parents(view.table, seen)
        if role not in needs or not references:
            return
        reference = rng.choice(references)
        slots.related(role, _referred(world, view, reference, needs[role], rng))
        view, seen = world.views[reference.table], seen | {reference.table}


def _referred(world: World, view: View, reference: ColumnSpec, needs: Set[str], rng: Random) -> Slots:
    """The slots of the table that a reference points at."""
    parent = world.views[reference.table]
    one = referred_name(reference, parent)
    slots = Slots(parent, one, parent.table.many if one == parent.table.one else plural(one))
    fill_table(slots, needs, rng)
    _join(slots, view, reference, parent, rng)
    texts = [column for column in parent.table.columns if column.kind == "text"]
    if texts:
        asked = rng.choice(texts)
        slots.column("y", asked)
        slots.value("r", rng.choice(parent.values(asked)))
    return slots


def referred_name(reference: ColumnSpec, parent: View) -> str:
    """What a reference calls its row: the table's word, or its own where it has one ("home team", "manager")."""
    if reference.name == f"{parent.table.name}_id":
        return parent.table.one
    return reference.phrase.removesuffix(" id")


def _join(slots: Slots, child: View, reference: ColumnSpec, parent: View, rng: Random) -> None:
    """``on ref``, and ``ref_op ref_size ref_with`` to compare how many rows refer to one."""
    child_name, parent_name = child.table.name, parent.table.name
    sizes = Counter(child.values(reference))
    op, size = rng.choice(wording.OPERATORS), rng.choice(sorted(sizes.values()))
    slots.sql |= {
        "on": f"{child_name}.{reference.name} = {parent_name}.{parent.table.key.name}",
        "ref": reference.name,
        "ref_op": op,
        "ref_size": str(size),
    }
    slots.words["ref_with"] = rng.choice(wording.BY_COUNT[op]).format(k=size)


def _add_boss(slots: Slots, rng: Random) -> None:
    """``boss``: the same table, where its rows refer to others of it."""
    view = slots.view
    references = [c for c in view.table.columns if c.kind == "reference" and c.table == view.table.name]
    if not references:
        return
    reference = rng.choice(references)
    one = referred_name(reference, view)
    boss = Slots(view, one, plural(one))
    boss.sql["ref"] = reference.name
    if label := view.table.label:
        named = dict(zip(view.cells[view.table.key.name], view.cells[label.name], strict=True))
        bosses = sorted({str(named[key]) for key in view.values(reference)} & set(view.names))
        if bosses:
            boss.value("q", rng.choice(bosses))
    slots.related("boss", boss)
