"""Counters and quantiles against ``prometheus_client`` and a real Prometheus server."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server

from course_utils.errors import ServiceError
from course_utils.processes import LOOPBACK, choose_port
from course_utils.prometheus import histogram_quantile, parse_metrics, scrape
from tests.programs import run_program
from tests.waiting import comes_true

SLOW, EDGES, QUANTILES = 7.0, (0.05, 0.1, 0.25, 1.0, 2.5), (0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0)


def make_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    seconds = Histogram("latency_seconds", "Latency", ["route"], buckets=EDGES, registry=registry)
    for value in [0.02, 0.03, 0.07, 0.08, 0.09, 0.2, 0.2, 0.3, 0.9, 1.5]:
        seconds.labels("sql").observe(value)
    for value in [0.07, 0.2, 2.0, SLOW]:
        seconds.labels("chat").observe(value)
    late = Histogram("late_seconds", "First bucket empty", buckets=EDGES, registry=registry)
    late.observe(0.3)
    Histogram("idle_seconds", "No observation", buckets=EDGES, registry=registry)
    return registry


@pytest.fixture(scope="module")
def registry() -> CollectorRegistry:
    return make_registry()


@pytest.fixture(scope="module")
def page(registry: CollectorRegistry) -> Iterator[str]:
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def query(page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], float]]:
    """Ask a real Prometheus, which scrapes ``page``, for one number."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: apt-get install prometheus)")
    folder, port = tmp_path_factory.mktemp("prometheus"), choose_port(LOOPBACK)
    address = f"{LOOPBACK}:{port}"
    target = page.removeprefix("http://")
    scrape_config = {"job_name": "page", "scrape_interval": "200ms", "static_configs": [{"targets": [target]}]}
    (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape_config]}))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]

    def ask(expression: str) -> float:
        reply = httpx.get(f"http://{address}/api/v1/query", params={"query": expression}, trust_env=False)
        (sample,) = reply.json()["data"]["result"]
        return float(sample["value"][1])

    def is_scraped() -> bool:
        with suppress(httpx.HTTPError, ValueError, KeyError):
            return ask("latency_seconds_count{route='chat'}") == 4
        return False

    with run_program([*command, f"--web.listen-address={address}"], port, folder):
        assert comes_true(is_scraped, 30), (folder / "prometheus.log").read_text()
        yield ask


@pytest.mark.parametrize("name", ["latency_seconds", "late_seconds", "idle_seconds"])
def test_quantiles_equal_those_of_prometheus(page: str, query: Callable[[str], float], name: str) -> None:
    buckets = scrape(page).buckets(name)
    for q in QUANTILES:
        wanted = query(f"histogram_quantile({q}, sum by (le) ({name}_bucket))")
        found = histogram_quantile(q, buckets)
        assert found == pytest.approx(wanted, rel=1e-12, nan_ok=True), f"{name}, q={q}"


def test_quantiles_of_one_label_equal_those_of_prometheus(page: str, query: Callable[[str], float]) -> None:
    buckets = scrape(page).buckets("latency_seconds", route="sql")
    for q in QUANTILES:
        wanted = query(f"histogram_quantile({q}, latency_seconds_bucket{{route='sql'}})")
        assert histogram_quantile(q, buckets) == pytest.approx(wanted, rel=1e-12)


def test_a_quantile_cannot_exceed_the_highest_finite_bound() -> None:
    assert histogram_quantile(0.99, [(1.0, 0.0), (2.0, 0.0), (math.inf, 100.0)]) == 2.0


@pytest.mark.parametrize("buckets", [[], [(math.inf, 3.0)], [(1.0, 0.0), (math.inf, 0.0)]])
def test_buckets_without_an_answer(buckets: list[tuple[float, float]]) -> None:
    assert math.isnan(histogram_quantile(0.5, buckets))


def test_difference_counts_what_happened_between_two_pages() -> None:
    registry = CollectorRegistry()
    requests = Counter("requests", "Requests", ["status", "route"], registry=registry)
    in_flight = Gauge("in_flight", "Now", registry=registry)
    requests.labels("200", "sql").inc(5)
    before = parse_metrics(generate_latest(registry).decode(), 100.0)
    requests.labels("200", "sql").inc(3)
    requests.labels("200", "chat").inc(2)
    requests.labels("500", "sql").inc()
    in_flight.set(4)
    gained = parse_metrics(generate_latest(registry).decode(), 110.0) - before
    assert gained.total("requests_total") == 6
    assert gained.by_label("requests_total", "status") == {"200": 5.0, "500": 1.0}
    assert gained.by_label("requests_total", "status", route="sql") == {"200": 3.0, "500": 1.0}
    assert gained.rate("requests_total", status="200") == pytest.approx(0.5)


def test_a_counter_that_fell_started_again_from_zero() -> None:
    pages = [parse_metrics(f"# TYPE requests_total counter\nrequests_total {value}\n", value) for value in (50.0, 7.0)]
    assert (pages[1] - pages[0]).total("requests_total") == 7.0


def test_a_page_that_cannot_be_read_names_its_address(page: str) -> None:
    url = f"http://{LOOPBACK}:{choose_port(LOOPBACK)}"
    with pytest.raises(ServiceError, match=f"{url}/metrics: cannot be read"):
        scrape(url)
