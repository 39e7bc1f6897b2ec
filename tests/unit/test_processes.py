"""Real child processes: nothing may stay behind, and a failure must explain itself."""

import os
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path

import psutil
import pytest

from course_utils import processes
from course_utils.errors import ServiceError
from course_utils.files import PROJECT
from course_utils.processes import LOOPBACK, Server, choose_port, run_module
from tests.waiting import comes_true

SLEEPER = "import time; time.sleep(60)"


def start(*arguments: str, module: str = "http.server", **options: object) -> Server:
    """Python's own file server, which answers 200 to ``/``."""
    port = str(choose_port(LOOPBACK))
    arguments = (port, "--bind", LOOPBACK, *arguments)
    return Server("file server", module, arguments, url=f"http://{LOOPBACK}:{port}", health="/", **options)  # type: ignore[arg-type]


def write_module(folder: Path, code: str) -> dict[str, str]:
    """Variables under which a child finds ``child.py``."""
    (folder / "child.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def is_gone(pid: int) -> bool:
    return comes_true(lambda: not psutil.pid_exists(pid))


def test_it_runs_inside_the_block_and_is_gone_after_it() -> None:
    with start() as server:
        assert server.is_healthy()
        assert "GET / HTTP" in server.read_log()
    assert not psutil.pid_exists(server.process.pid)
    assert server.read_log() == ""
    server.stop()


def test_it_stops_when_the_block_fails() -> None:
    server = start()
    with pytest.raises(ZeroDivisionError), server:
        _ = 1 / 0
    assert not psutil.pid_exists(server.process.pid)


def test_a_server_that_ends_at_once_shows_its_exit_code_and_log() -> None:
    with pytest.raises(ServiceError, match=r"(?s)the file server ended with exit code 2.*arguments: --nonsense"):
        start("--nonsense")


def test_a_server_that_dies_is_noticed(tmp_path: Path) -> None:
    with start(log=tmp_path / "log") as server:
        server.process.kill()
        server.process.wait()
        assert not server.is_healthy()
    assert "GET / HTTP" in server.read_log()


def test_of_a_long_log_the_end_is_read(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        log.truncate(50_000_000)
    with start(log=tmp_path / "log") as server:
        tracemalloc.start()
        assert server.read_log().endswith("200 -")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 5_000_000


def test_a_server_that_hangs_is_given_up_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_START_TIMEOUT_S", 0.5)
    pid = f"import os, pathlib; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()));"
    with pytest.raises(ServiceError, match=r"not ready after 0\.5 s"):
        start(module="child", settings=write_module(tmp_path, pid + SLEEPER))
    assert not (tmp_path / "pid").exists() or is_gone(int((tmp_path / "pid").read_text()))


def test_what_a_dead_server_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]).pid); sys.exit(3)"
    with pytest.raises(ServiceError, match="exit code 3") as raised:
        start(module="child", settings=write_module(tmp_path, code))
    assert is_gone(int(str(raised.value).splitlines()[-1]))


def test_a_server_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    code = "import runpy, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    code += "runpy.run_module('http.server', run_name='__main__')"
    server = start(module="child", settings=write_module(tmp_path, code), stop_timeout_s=0.2)
    server.stop()
    assert server.process.returncode == -9


def test_finds_the_descendant_that_runs_a_module(tmp_path: Path) -> None:
    code = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'http.server', *sys.argv[1:]]))"
    with start(module="child", settings=write_module(tmp_path, code)) as server:
        child = server.find_process("http.server")
        assert child.parent() == psutil.Process(server.process.pid)
        with pytest.raises(ServiceError, match="no process of the file server runs no_such_module"):
            server.find_process("no_such_module")
    assert is_gone(child.pid)


def test_descendants_that_end_while_one_is_looked_for_are_no_failure(tmp_path: Path) -> None:
    code = "import runpy, subprocess, threading\ndef work():\n    while True:\n        subprocess.run(['true'])\n"
    code += "for _ in range(4):\n    threading.Thread(target=work, daemon=True).start()\n"
    code += "runpy.run_module('http.server', run_name='__main__')"
    with start(module="child", settings=write_module(tmp_path, code)) as server:
        for _ in range(100):
            with pytest.raises(ServiceError, match="no process"):
                server.find_process("no_such_module")


def test_settings_of_this_process_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_API_KEY", "not for the child")
    show = "import os; print(sorted(n for n in os.environ if n.startswith('COURSE_'))); raise SystemExit(1)"
    with pytest.raises(ServiceError, match=r"\['COURSE_MODEL_TIMEOUT_S'\]"):
        start(module="child", settings=write_module(tmp_path, show) | {"COURSE_MODEL_TIMEOUT_S": "3"})


KILLED = f"""
import os, sys
from course_utils.processes import Server
server = Server("server", "http.server", [sys.argv[1], "--bind", "{LOOPBACK}"], url=sys.argv[2], health="/")
print(server.process.pid, flush=True)
os._exit(9)  # as if killed: neither ``with`` nor ``atexit`` has its turn
"""


def test_it_ends_when_its_owner_is_killed() -> None:
    port = choose_port(LOOPBACK)
    command = [sys.executable, "-c", KILLED, str(port), f"http://{LOOPBACK}:{port}"]
    owner = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False)
    assert owner.returncode == 9
    assert is_gone(int(owner.stdout))


def test_zero_gives_a_port_that_can_be_taken_and_goes_to_no_connection() -> None:
    port = choose_port(LOOPBACK)
    assert port < 32_768  # where Linux's begin; those of others do later
    with socket.create_server((LOOPBACK, port)):
        pass


def test_a_port_in_use_says_where_and_what_next() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"127\.0\.0\.1:{port}.*in use.*choose another"):
            choose_port(LOOPBACK, port)


@pytest.mark.parametrize(
    ("host", "port"), [(LOOPBACK, 70000), (LOOPBACK, -1), ("a..b", 0), ("no.such.host.invalid", 0)]
)
def test_what_is_no_port_or_no_host_says_so(host: str, port: int) -> None:
    with pytest.raises(ServiceError, match=rf"{host}:{port}: cannot listen there \(.+\); .*choose another"):
        choose_port(host, port)


def test_a_module_runs_to_its_end_and_says_how_it_ended(tmp_path: Path) -> None:
    assert run_module("this") == 0
    assert run_module("json.tool", "/nowhere", log=tmp_path / "log") != 0
    assert "/nowhere" in (tmp_path / "log").read_text()


def test_a_module_ends_with_the_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[int] = []

    def interrupt(process: "subprocess.Popen[bytes]") -> int:
        waited.append(process.pid)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_module("http.server", "0")
    assert is_gone(waited[0])
