"""How well do the SQL workers hold, and what do they cost?

Every hostile statement of the tests runs with a limit of one second; a gateway answers a hundred of them at once; and
the course's own test queries run in workers and, for comparison, in this process (``in_process_sql``).
"""

import logging
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gateway_attack import HONEST, MANY, ask, attacked_gateway, besiege
from benchmarks.sql_attack import attack, fingerprint
from benchmarks.sql_cost import measure_cost
from course_utils.figures import course_style, new_axes
from course_utils.files import PROJECT
from course_utils.setup import probe_machine
from tests.unit.sql.hostile import build_database, statements
from tests.unit.sql.hostile_loads import LOADS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIMIT_S = 1.0
GATEWAY_LIMIT_S = 0.3
N_SHOWN = 5
PREDICTIONS = PROJECT / "artifacts" / "smoke" / "evaluation" / "predictions" / "tuned.jsonl"
"""Of a run of the course; without one, a row's prediction is another row's query."""
TARGETS = {"seconds over the limit": 0.5, "MiB": 300}


def measure() -> dict[str, Any]:
    """Attack, siege and cost.

    Returns:
        The machine; outcomes and worst cases of the attack; statuses and waits of the siege; milliseconds a query.
    """
    predictions = PREDICTIONS if PREDICTIONS.is_file() else None
    with tempfile.TemporaryDirectory() as folder:
        return {
            "machine": asdict(probe_machine()),
            "attack": _attack(Path(folder) / "attack"),
            "siege": _besiege(Path(folder) / "siege"),
            "other_queries": "a model's predictions" if predictions else "another row's query",
            "cost": measure_cost(Path(folder) / "cost", predictions),
        }


def _attack(folder: Path) -> dict[str, Any]:
    chosen, database = statements(), build_database(folder / "hostile.sqlite")
    before = fingerprint(folder)
    done = list(attack(database, chosen, LIMIT_S))
    slowest = sorted(done, key=lambda one: one.seconds, reverse=True)[:N_SHOWN]
    return {
        "n_statements": len(done),
        "limit_s": LIMIT_S,
        "outcomes": dict(Counter(one.outcome for one in done).most_common()),
        "worst_over_limit_s": round(slowest[0].seconds - LIMIT_S, 3),
        "worst_mib": round(max(one.peak_mib for one in done), 1),
        "n_with_temporary_files": sum(one.spilled for one in done),
        "files_changed_or_left": sorted(dict(before.items() ^ fingerprint(folder).items())),
        "slowest": [asdict(one) | {"statement": chosen[one.name][:100]} for one in slowest],
        "seconds": [round(one.seconds, 3) for one in done],
        "mib": [round(one.peak_mib, 1) for one in done],
    }


def _besiege(folder: Path) -> dict[str, Any]:
    loads = list(statements(LOADS).values())
    logging.getLogger("httpx").setLevel(logging.WARNING)  # httpx logs every request at INFO
    with attacked_gateway(loads, folder, GATEWAY_LIMIT_S) as client:
        ask(client, HONEST)  # the first question makes the gateway read the schema
        before = fingerprint(folder)
        siege = besiege(client, [i * len(loads) // MANY for i in range(MANY)])
    return {
        "n_questions": MANY,
        "limit_s": GATEWAY_LIMIT_S,
        "seconds": round(siege.seconds, 2),
        "n_by_status": siege.n_by_status,
        "worst_health_s": {path: round(max(waits), 3) for path, waits in siege.health_s.items()},
        "honest_question_s": round(siege.honest_s, 3),
        "files_changed_or_left": sorted(dict(before.items() ^ fingerprint(folder).items())),
    }


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """Every statement's seconds and memory, with the targets, and the cost of judging in the title."""
    found, ratio = result["attack"], result["cost"]["judge other queries"]["cpu_ratio"]
    axes = new_axes(f"No statement takes more than its share; judging costs {ratio:.2f} of what it did", height=3.6)
    axes.plot(found["seconds"], found["mib"], ".", alpha=0.4, label=f"{found['n_statements']} hostile statements")
    axes.axvline(found["limit_s"] + TARGETS["seconds over the limit"], linestyle="--", color="0.4", label="targets")
    axes.axhline(TARGETS["MiB"], linestyle="--", color="0.4")
    axes.set(xlabel=f"seconds, with a limit of {found['limit_s']:g} s", ylabel="peak memory of a worker, MiB")
    axes.set_ylim(0, 1.1 * TARGETS["MiB"])
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.9))
    return axes
