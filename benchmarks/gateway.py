"""What does the gateway cost? The same requests go directly to a model server and through the gateway, by turns.

The gateway checks a key, counts its requests and tokens and writes its log, as in production. It is measured with two
kinds of model servers: one that takes 10 to 30 ms but no processor time, so that all added time is the gateway's, and
llama.cpp with the tiny model and with the model of `laptop`. It runs as one process, and as two that share the clients,
as in compose.yaml. Finally it answers from its cache alone.

The worst case is a server that takes exactly 20 ms for each reply: clients that wait equally long ask again at the same
time, so all requests arrive at once, and each waits for those that are served before it. The replies of real models
differ in length, which spreads their clients out.

Processor seconds are the gateway's own and also valid on a busy machine; waits and rates depend on what else runs.
llama.cpp uses all its cores while it has work. On shared cores every second of the gateway is taken from the model,
which tells nothing about a model server on a machine of its own. So llama.cpp is measured a second time on a core of
its own, bare and through the gateway; clients and gateway share the other cores.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from benchmarks.http_load import send_repeatedly
from course_utils.deployment import convert_to_gguf, start_gateway, start_model_server
from course_utils.figures import course_style, new_axes
from course_utils.files import PROJECT
from course_utils.processes import LOOPBACK, Server, choose_port
from course_utils.profiles import get_profile
from course_utils.setup import probe_machine
from tests.stack.conftest import build_databases

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_CLIENTS = 16
N_ROUNDS, ROUND_S = 5, 3.0
LONG_ROUND_S = 15.0
"""For a model that needs a second a reply: enough of them for a p99."""
SYNTHETIC_MS = 20
SCHEMA = "CREATE TABLE singer (name text, age integer, country text); CREATE TABLE concert (year integer, hall text);"
MANY = 10**9
TARGETS = {"p50_ms": 3.0, "p99_ms": 10.0, "throughput": 0.95, "hit_p99_ms": 5.0, "hits_per_core_s": 1500.0}
NOTES = Path(__file__).with_suffix(".md")
PATH = "/v1/chat/completions"
LLAMA_CPP = "llama.cpp, tiny model"
ADMIN = "for this run alone"


def measure() -> dict[str, Any]:
    """Measure both model servers and the cache; write ``gateway.md``.

    Returns:
        The machine, the targets, for each model server both sides, and the cache's hits.
    """
    with tempfile.TemporaryDirectory() as folder:
        gguf = convert_to_gguf(PROJECT / "data" / "tiny_base", Path(folder) / "tiny.gguf", "f16")
        laptops = convert_to_gguf(get_profile("laptop").base_model, Path(folder) / "laptop.gguf", "f16")
        databases = build_databases(Path(folder) / "databases")
        with (
            synthetic_model(width_ms=SYNTHETIC_MS) as synthetic,
            synthetic_model() as in_step,
            start_model_server(gguf) as real,
            start_model_server(laptops) as large,
        ):
            result = {
                "machine": asdict(probe_machine()),
                "load_average": round(os.getloadavg()[0], 1),
                "targets": TARGETS,
                "n_clients": N_CLIENTS,
                "model_servers": {
                    f"synthetic, {SYNTHETIC_MS // 2} to {3 * SYNTHETIC_MS // 2} ms a reply": _compare(
                        synthetic, databases
                    ),
                    "the same, two gateways": _compare(synthetic, databases, n_gateways=2),
                    f"synthetic, {SYNTHETIC_MS} ms each, clients in step": _compare(in_step, databases),
                    LLAMA_CPP: _compare(real, databases),
                    "llama.cpp, laptop's model": _compare(large, databases, round_s=LONG_ROUND_S),
                    "llama.cpp on a core of its own": _compare_apart(gguf, databases),
                },
                "hits": _hits(synthetic.url, databases),
            }
    NOTES.write_text(to_markdown(result), "utf-8")
    return result


@contextmanager
def synthetic_model(milliseconds: int = SYNTHETIC_MS, n_slots: int = 0, width_ms: int = 0) -> Iterator[Server]:
    """A model server that answers whatever it is asked the same, after some time (``benchmarks.synthetic_model``)."""
    port = choose_port(LOOPBACK)
    arguments = [str(port), str(milliseconds), str(n_slots), str(width_ms)]
    url = f"http://{LOOPBACK}:{port}"
    with Server("synthetic model", "benchmarks.synthetic_model", arguments, url=url, health="/health") as server:
        yield server


@contextmanager
def _gateways(
    n: int, model_url: str, databases: Path, **settings: str
) -> Iterator[tuple[list[Server], dict[str, str]]]:
    """Gateways as in service, and the headers of a caller with a key."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        settings |= {"COURSE_API_KEY": ADMIN, "COURSE_KEYS_FILE": f"{folder}/keys.sqlite"}
        gateways = [
            opened.enter_context(
                start_gateway(model_url, databases, settings=settings | {"COURSE_LOG_FILE": f"{folder}/{number}.jsonl"})
            )
            for number in range(n)
        ]
        limits = {"requests_per_minute": MANY, "tokens_per_minute": MANY, "max_concurrent": N_CLIENTS}
        url, headers = f"{gateways[0].url}/v1/admin/keys", {"Authorization": f"Bearer {ADMIN}"}
        made = httpx.post(url, json={"name": "load"} | limits, headers=headers).json()
        yield gateways, {"Authorization": f"Bearer {made['key']}"}


def _compare(
    model: Server, databases: Path, n_gateways: int = 1, round_s: float = ROUND_S
) -> dict[str, dict[str, float]]:
    """Rounds in turns, so that both sides meet the same machine; the median round of each counts."""
    with _gateways(n_gateways, model.url, databases) as (gateways, headers):
        sides: dict[str, Callable[[], dict[str, float]]] = {
            "bare": lambda: _round([model.url], {}, {"model_cpu_ms": [model]}, seconds=round_s),
            "gateway": lambda: _round([each.url for each in gateways], headers, {"cpu_ms": gateways}, seconds=round_s),
        }
        rounds: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for _ in range(1 + N_ROUNDS):
            for side, run in sides.items():
                rounds[side].append(run())
    return {side: _median(found[1:]) for side, found in rounds.items()}  # the first round also opens connections


def _compare_apart(gguf: Path, databases: Path) -> dict[str, dict[str, float]]:
    """Compare with llama.cpp on the last core and all else on the others, which Linux alone can."""
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {max(cores)})  # the model server inherits it
        with start_model_server(gguf) as server:
            os.sched_setaffinity(0, cores - {max(cores)})
            return _compare(server, databases)
    finally:
        os.sched_setaffinity(0, cores)


def _hits(model_url: str, databases: Path) -> dict[str, float]:
    with _gateways(1, model_url, databases, COURSE_CACHE_S="3600") as (gateways, headers):
        of = {"cpu_ms": gateways}
        found = [_round([gateways[0].url], headers, of) for _ in range(1 + N_ROUNDS)]
        alone = [_round([gateways[0].url], headers, of, n_clients=1) for _ in range(N_ROUNDS)]
    return _median(found[1:]) | {f"{name}_of_one_client": value for name, value in _median(alone).items()}


def _round(
    urls: list[str],
    headers: dict[str, str],
    watched: Mapping[str, Sequence[Server]],
    n_clients: int = N_CLIENTS,
    seconds: float = ROUND_S,
) -> dict[str, float]:
    """Rate and waits of some seconds, and what each request took of the processor time of the ``watched``."""
    bodies, before, began = [_body(number) for number in range(64)], _cpu_s(watched), time.perf_counter()
    targets = [url + PATH for url in urls]
    taken = sorted(send_repeatedly(*targets, bodies=bodies, n_clients=n_clients, seconds=seconds, headers=headers))
    took, n = time.perf_counter() - began, len(taken)
    found = {"per_s": n / took, "p50_ms": 1000 * taken[n // 2], "p99_ms": 1000 * taken[n * 99 // 100]}
    return found | {name: 1000 * (after - before[name]) / n for name, after in _cpu_s(watched).items()}


def _cpu_s(watched: Mapping[str, Sequence[Server]]) -> dict[str, float]:
    def taken(server: Server) -> float:
        return float(sum(psutil.Process(server.process.pid).cpu_times()[:2]))

    return {name: sum(map(taken, servers)) for name, servers in watched.items()}


def _body(number: int) -> dict[str, Any]:
    messages = [{"role": "system", "content": SCHEMA}, {"role": "user", "content": f"How many singers are {number}?"}]
    return {"messages": messages, "temperature": 0, "max_tokens": 12}


def _median(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(each[name] for each in rounds), 3) for name in rounds[0]}


def to_markdown(result: dict[str, Any]) -> str:
    """A table of both sides and what lies between them, and one of the cache."""
    machine, targets, hits = result["machine"], result["targets"], result["hits"]
    lines = ["# What the gateway costs", ""]
    lines += ["Written by `python -m benchmarks gateway`, which says how it is measured.", ""]
    lines += [f"Machine: {machine['cpu']}, {machine['n_cores']} cores. {result['n_clients']} clients at once."]
    lines += [f"Load average before: {result['load_average']}; much above 0, waits and rates say little.", ""]
    lines += [
        "| model server | | requests/s | p50, ms | p99, ms | gateway's processor time, ms |",
        "|---|---|---|---|---|---|",
    ]
    for name, sides in result["model_servers"].items():
        bare, through = sides["bare"], sides["gateway"]
        for side, of in sides.items():
            cpu = f"{of['cpu_ms']:.2f}" if "cpu_ms" in of else ""
            lines.append(f"| {name} | {side} | {of['per_s']:.0f} | {of['p50_ms']:.1f} | {of['p99_ms']:.1f} | {cpu} |")
        added = [f"{through[key] - bare[key]:+.1f} (goal {targets[key]:g})" for key in ("p50_ms", "p99_ms")]
        share = f"{through['per_s'] / bare['per_s']:.0%} (goal {targets['throughput']:.0%})"
        lines.append(f"| | **between them** | {share} | {added[0]} | {added[1]} | |")
    bare = next(iter(result["model_servers"].values()))["bare"]
    left_ms = 1000 * result["n_clients"] / bare["per_s"] * (1 / targets["throughput"] - 1)
    if shared := result["model_servers"].get(LLAMA_CPP):
        model_ms, ours_ms = shared["bare"]["model_cpu_ms"], shared["gateway"]["cpu_ms"]
        lines += [
            "",
            f"llama.cpp takes {model_ms:.1f} ms of processor time for a request and the gateway {ours_ms:.1f}: where",
        ]
        lines += [
            f"both share busy cores, {model_ms / (model_ms + ours_ms):.0%} of the bare rate is what those can give."
        ]
    lines += ["", "Each client waits for its answer before it asks again, so a rate says what a mean wait says: of the"]
    lines += [f"first server's, {targets['throughput']:.0%} leaves {left_ms:.1f} ms for all that the gateway does."]
    lines += ["", "## A reply from the cache, with a key", "", "| | found | goal |", "|---|---|---|"]
    per_core = 1000 / hits["cpu_ms"]
    lines += [
        f"| replies/s for each core that the gateway has, by its processor time | {per_core:.0f} "
        f"| {targets['hits_per_core_s']:.0f} |",
        f"| replies/s with {result['n_clients']} clients, who share the cores with it | {hits['per_s']:.0f} | |",
        f"| p50 of one client, ms | {hits['p50_ms_of_one_client']:.1f} | |",
        f"| p99 of one client, ms | {hits['p99_ms_of_one_client']:.1f} | {targets['hit_p99_ms']:g} |",
        "",
    ]
    return "\n".join(lines)


@course_style
def plot(result: dict[str, Any]) -> "Axes":
    """The median wait on both sides, for each model server."""
    axes = new_axes("What the gateway adds to the wait", height=2.6)
    names = list(result["model_servers"])
    for offset, side in ((-0.15, "bare"), (0.15, "gateway")):
        waits = [result["model_servers"][name][side]["p50_ms"] for name in names]
        axes.plot(waits, [place + offset for place in range(len(names))], "o", label=side)
    axes.set_yticks(range(len(names)), names)
    axes.set(xscale="log", xlabel=f"median wait of {result['n_clients']} clients at once, ms")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend()
    return axes
