"""The real gateway's audit log of admins and refusals, over restarts, and a rotation of keys by deploy/runbook.md."""

import json
import logging
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from course_utils.cli import app
from course_utils.deployment import start_gateway
from course_utils.deployment.gateway import logs
from course_utils.deployment.gateway.logs import MAX_REFUSED, AuditLog, verify_audit
from course_utils.errors import ConfigurationError, DataError
from course_utils.processes import Server
from tests.unit.full_disk import full_disk

KEYS = "/v1/admin/keys"
Tamper = Callable[[list[str]], list[str]]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def status(gateway: Server, key: str, path: str = "/v1/models") -> int:
    return httpx.get(f"{gateway.url}{path}", headers=bearer(key), timeout=10).status_code


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """The audit log of a drill in which both kinds of keys were rotated, and every key that was in use."""
    folder = tmp_path_factory.mktemp("drill")
    log = folder / "audit.jsonl"

    def start(admin_key: str) -> Server:
        files = {"COURSE_KEYS_FILE": str(folder / "keys.sqlite"), "COURSE_AUDIT_FILE": str(log)}
        return start_gateway("http://127.0.0.1:9", folder, settings=files | {"COURSE_API_KEY": admin_key})

    def create(gateway: Server, admin_key: str, name: str) -> dict[str, str]:
        made = httpx.post(f"{gateway.url}{KEYS}", json={"name": name}, headers=bearer(admin_key), timeout=10)
        assert made.status_code == 201
        return dict(made.json())

    with start("first admin") as gateway:
        old = create(gateway, "first admin", "app, until today")
        new = create(gateway, "first admin", "app, from today")
        assert [status(gateway, each["key"]) for each in (old, new)] == [200, 200], "both are valid in the overlap"
        ended = httpx.delete(f"{gateway.url}{KEYS}/{old['id']}", headers=bearer("first admin"), timeout=10)
        assert ended.status_code == 200
        assert [status(gateway, each["key"]) for each in (old, new)] == [401, 200], "the old one ends at once"
        assert status(gateway, new["key"], KEYS) == 403
    with start("second admin") as gateway:
        assert [status(gateway, key, KEYS) for key in ("first admin", "second admin", new["key"])] == [401, 200, 403]
        assert [status(gateway, each["key"]) for each in (old, new)] == [401, 200], "a restart changes nothing"
    return log, {old["key"], new["key"], "first admin", "second admin"}


def test_the_log_says_who_did_what_and_what_was_allowed(drilled: tuple[Path, set[str]]) -> None:
    log, keys = drilled
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [(line["caller"], line["method"], line["route"], line["status"], line["allowed"]) for line in lines]
    user = lines[4]["caller"]
    assert told == [
        ("admin", "POST", KEYS, 201, True),
        ("admin", "POST", KEYS, 201, True),
        ("admin", "DELETE", f"{KEYS}/{{key_id}}", 200, True),
        ("", "GET", "/v1/models", 401, False),
        (user, "GET", KEYS, 403, False),
        ("", "GET", KEYS, 401, False),
        ("admin", "GET", KEYS, 200, True),
        (user, "GET", KEYS, 403, False),
        ("", "GET", "/v1/models", 401, False),
    ]
    assert (lines[2]["about"], user) == (lines[0]["about"], lines[1]["about"])
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert not [key for key in keys if key in log.read_text()]
    assert verify_audit(log) == (9, lines[-1]["hash"])


@pytest.mark.parametrize(
    ("tamper", "first_bad"),
    [
        (lambda lines: [lines[0].replace("POST", "GET"), *lines[1:]], 1),
        (lambda lines: [*lines[:3], *lines[4:]], 4),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3),
        (lambda lines: [*lines[:-1], lines[-1].replace('"allowed": false', '"allowed": true')], 9),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], 6),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines, lines[-1][:40]], 10),
        (lambda lines: [*lines[:6], "[]", *lines[6:]], 7),
        (lambda lines: [*lines[:6], "[" * 100_000, *lines[6:]], 7),
        (lambda lines: [*lines, "\0" * 4000], 10),
    ],
    ids=[
        "changed",
        "removed",
        "swapped",
        "last changed",
        "doubled",
        "first removed",
        "torn",
        "invented",
        "deep",
        "NUL",
    ],
)
def test_the_first_line_that_does_not_fit_is_named_and_a_new_log_begins(
    drilled: tuple[Path, set[str]], tmp_path: Path, caplog: pytest.LogCaptureFixture, tamper: Tamper, first_bad: int
) -> None:
    lines = drilled[0].read_text().splitlines()
    log = tmp_path / "audit.jsonl"
    log.write_text(text := "\n".join(tamper(lines)) + "\n")
    with pytest.raises(DataError, match=f"audit.jsonl:{first_bad}: "):
        verify_audit(log)
    write(log, 2)
    (error,) = (record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    (aside,) = tmp_path.glob("broken-*")
    assert f"COURSE_AUDIT_FILE: {log}:{first_bad}: " in error
    assert str(aside) in error
    assert aside.read_text() == text
    write(log, 1)
    assert (verify_audit(log)[0], len([*tmp_path.iterdir()])) == (3, 2)


@pytest.mark.parametrize("end", [b"\0" * 4000, b""], ids=["NUL", "no end of line"])
def test_a_power_cut_keeps_no_gateway_from_starting(drilled: tuple[Path, set[str]], tmp_path: Path, end: bytes) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_bytes(whole := drilled[0].read_bytes().rstrip() + b"\n" * bool(end) + end)
    settings = {"COURSE_API_KEY": "admin", "COURSE_AUDIT_FILE": str(log)}
    with start_gateway("http://127.0.0.1:9", tmp_path, settings=settings) as gateway:
        assert status(gateway, "admin", KEYS) == 404
        assert "COURSE_AUDIT_FILE" in gateway.read_log()
    assert verify_audit(log)[0] == 1
    (aside,) = tmp_path.glob("broken-*")
    assert aside.read_bytes() == whole


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"COURSE_AUDIT_FILE: .* choose another"):
        AuditLog(tmp_path)


def write(file: Path, n_lines: int) -> None:
    """Act as a gateway that starts, logs ``n_lines`` requests of an admin, and ends."""
    log = AuditLog(file)
    for _ in range(n_lines):
        log.handle(logging.makeLogRecord({"notes": {"route": KEYS, "status": 200, "caller": "admin"}}))
    log.close()


def test_a_full_file_gets_a_number_and_its_chain_goes_on_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logs, "_MAX_BYTES", 1000)
    monkeypatch.setattr(logs, "_N_AUDIT_FILES", 5)
    log = tmp_path / "audit.jsonl"
    for n_lines in (1, 6, 0, 8):
        write(log, n_lines)
    files = sorted(tmp_path.iterdir())
    assert [len(file.read_text().splitlines()) for file in files] == [3, 4, 4, 4]
    assert verify_audit(log)[0] == 15
    log.write_bytes(b"")  # as if it ended between two files
    write(log, 1)
    assert verify_audit(log)[0] == 13
    for _ in range(20):
        write(log, 1)
    assert len([*tmp_path.iterdir()]) == 6, "the oldest one goes"
    assert verify_audit(log)[0] == 4 * 5 + 1
    assert not caplog.records

    for changed in (2, 4):
        older = tmp_path / f"audit.jsonl.{changed}"
        kept = older.read_text()
        older.write_text(kept.replace("admin", "nobody", 1))
        with pytest.raises(DataError, match=rf"audit\.jsonl\.{changed}:1: "):
            verify_audit(log)
        older.write_text(kept)
    (tmp_path / "audit.jsonl.3").unlink()
    with pytest.raises(DataError, match=r"audit\.jsonl\.2:1: "):
        verify_audit(log)


def test_the_start_keeps_no_more_than_a_line_in_memory(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    write(log, 5000)
    tracemalloc.start()
    AuditLog(log).close()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < log.stat().st_size / 10


def test_the_command_counts_what_is_whole_and_refuses_the_rest(drilled: tuple[Path, set[str]], tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["audit", str(drilled[0])])
    assert said.exit_code == 0
    assert "9 lines, none changed" in said.output
    log = tmp_path / "audit.jsonl"
    log.write_text("{}\n")
    refused = CliRunner().invoke(app, ["audit", str(log)])
    assert refused.exit_code == 2
    assert "audit.jsonl:1: " in refused.output


def test_refusals_do_not_fill_the_disk_and_hide_no_action(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")

    def happen(minute: int, **notes: object) -> None:
        log.handle(logging.makeLogRecord({"created": 60.0 * minute + 1, "notes": notes}))

    for minute in (1, 2):
        for _ in range(3 * MAX_REFUSED):
            happen(minute, route="/v1/models", status=401)
        happen(minute, route=KEYS, status=201, caller="admin")
    log.close()
    kept = [json.loads(line)["status"] for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert kept == ([401] * MAX_REFUSED + [201]) * 2
    assert verify_audit(tmp_path / "audit.jsonl")[0] == len(kept)


def test_a_full_disk_costs_lines_and_not_the_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # as ``log_to`` has it
    file = tmp_path / "audit.jsonl"
    log = AuditLog(file)

    def happen() -> None:
        for _ in range(3):
            log.handle(logging.makeLogRecord({"notes": {"route": KEYS, "status": 200, "caller": "admin"}}))

    happen()
    with full_disk(file, left=100):
        happen()
    happen()
    log.close()
    assert verify_audit(file)[0] == 6
    AuditLog(file).close()
