"""Start and stop real processes: nothing may stay behind, and a failure must explain itself."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from course_utils.artifacts import PROJECT
from course_utils.errors import ServiceError
from course_utils.monitoring.service import start_server

LITTLE_GATEWAY = [sys.executable, str(Path(__file__).with_name("little_gateway.py"))]
SPAWN = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
"""What a server does that leaves a process of its own behind."""


def test_a_server_is_ready_inside_the_block_and_gone_after_it(tmp_path: Path) -> None:
    url_file = tmp_path / "url"
    command = [*LITTLE_GATEWAY, "--url-file", str(url_file)]
    with start_server(command, url_file=url_file, log=tmp_path / "log", timeout_s=30) as server:
        assert server.readiness() == {"ready": True}
        assert psutil.pid_exists(server.process.pid)
    assert server.readiness() == {"ready": False, "gateway": "no answer (ConnectError)"}
    assert not psutil.pid_exists(server.process.pid)
    server.stop()


def test_it_stops_when_the_block_fails(tmp_path: Path) -> None:
    url_file = tmp_path / "url"
    command = [*LITTLE_GATEWAY, "--url-file", str(url_file)]
    server = start_server(command, url_file=url_file, log=tmp_path / "log", timeout_s=30)
    with pytest.raises(ZeroDivisionError), server:
        _ = 1 / 0
    assert not psutil.pid_exists(server.process.pid)


def test_a_server_that_ends_shows_its_exit_code_and_log(tmp_path: Path) -> None:
    command = [*LITTLE_GATEWAY, "--url-file", str(tmp_path / "url"), "--fault", "ends"]
    with pytest.raises(ServiceError, match=r"exit code 1(.|\n)*reading the model\nthe model file is broken"):
        start_server(command, url_file=tmp_path / "url", log=tmp_path / "log", timeout_s=30)


def test_a_server_that_hangs_is_given_up_and_ended(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    command = [*LITTLE_GATEWAY, "--url-file", str(tmp_path / "url"), "--fault", "hangs"]
    with pytest.raises(ServiceError, match=r"not ready after 0\.1 s"):
        start_server(command, url_file=tmp_path / "url", log=tmp_path / "log", timeout_s=0.1)
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are POSIX")
def test_processes_of_a_server_that_died_are_ended_too(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SPAWN + "print('dead', flush=True); raise SystemExit(3)"]
    with pytest.raises(ServiceError, match="exit code 3"):
        start_server(command, url_file=tmp_path / "url", log=tmp_path / "log", timeout_s=30)
    time.sleep(0.1)
    sleepers = [
        p for p in psutil.process_iter(["cmdline"]) if "import time; time.sleep(60)" in (p.info["cmdline"] or ())
    ]
    assert not sleepers


def test_an_old_address_is_not_taken_for_the_new_one(tmp_path: Path, little_gateway: str) -> None:
    (tmp_path / "url").write_text(little_gateway)
    command = [*LITTLE_GATEWAY, "--url-file", str(tmp_path / "url"), "--fault", "ends"]
    with pytest.raises(ServiceError, match="exit code 1"):
        start_server(command, url_file=tmp_path / "url", log=tmp_path / "log", timeout_s=30)


def test_find_process_of_the_stack(tmp_path: Path) -> None:
    little_gateway = [*LITTLE_GATEWAY, "--url-file", str(tmp_path / "url")]
    command = [sys.executable, "-c", f"import subprocess, sys; sys.exit(subprocess.call({little_gateway}))"]
    with start_server(command, url_file=tmp_path / "url", log=tmp_path / "log", timeout_s=30) as server:
        child = server.find_process("little_gateway.py")
        assert child.parent() == psutil.Process(server.process.pid)
        with pytest.raises(ServiceError, match="no process runs no_such_module"):
            server.find_process("no_such_module")
    child.wait(timeout=5)


def test_settings_of_this_process_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_API_KEY", "not for the child")
    show = "import os; print(sorted(n for n in os.environ if n.startswith('COURSE_'))); raise SystemExit(1)"
    with pytest.raises(ServiceError, match=r"\['COURSE_MODEL_TIMEOUT_S'\]"):
        start_server(
            [sys.executable, "-c", show],
            url_file=tmp_path / "url",
            log=tmp_path / "log",
            settings={"COURSE_MODEL_TIMEOUT_S": "3"},
        )


KILLED = """
import os, sys
from pathlib import Path
from course_utils.monitoring.service import start_server
folder = Path(sys.argv[1])
server = start_server(sys.argv[2:], url_file=folder / "url", log=folder / "log")
(folder / "pid").write_text(str(server.process.pid))
os._exit(9)  # as if killed: neither ``with`` nor ``atexit`` has its turn
"""


def test_it_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    command = [*LITTLE_GATEWAY, "--url-file", str(tmp_path / "url"), "--stop-with-parent"]
    owner = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), *command], cwd=PROJECT, check=False)
    assert owner.returncode == 9
    deadline = time.monotonic() + 10
    while psutil.pid_exists(int((tmp_path / "pid").read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
