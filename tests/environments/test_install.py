"""The installer: what it says when it cannot go on, and that it does only what is missing."""

import ast
import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from requirements import install

SCRIPT = Path(install.__file__)

# What pip 23.2 and uv 0.13 printed when a lock's hash was changed, a proxy refused, a version did not exist, and a
# disk of 3 MB was full; hosts and folders shortened.
OUTPUTS = {
    "uv, wrong hash": (
        "error: Failed to download `six==1.17.0`\n  cause: Hash mismatch for `six==1.17.0`\n\n         Expected:\n",
        ("six==1.17.0", "damaged"),
    ),
    "pip, wrong hash": (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package\n",
        ("the course", "damaged"),
    ),
    "uv, no network": (
        "error: Request failed after 3 retries in 8.9s\n  cause: Failed to fetch: https://index.example/simple/six/\n"
        "  cause: client error (Connect)\n  cause: tcp connect error\n  cause: Connection refused (os error 111)\n",
        ("(six)", "check the network"),
    ),
    "pip, no network": (
        "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'ProxyError('Cannot connect to "
        "proxy.')': /simple/torch/\nERROR: Could not find a version that satisfies the requirement torch==2.13.0 "
        "(from versions: none)\nERROR: No matching distribution found for torch==2.13.0\n",
        ("torch", "check the network"),
    ),
    "pip, no such build": (
        "ERROR: Could not find a version that satisfies the requirement torch==2.12.99 (from versions: 2.12.1)\n"
        "ERROR: No matching distribution found for torch==2.12.99\n",
        ("There is no build", "another Python"),
    ),
    "uv, full disk": (
        "error: Failed to install: sympy-1.14.0-py3-none-any.whl (sympy==1.14.0)\n  cause: failed to copy file from a "
        "to b: No space left on device (os error 28)\n",
        ("sympy==1.14.0", "disk is full"),
    ),
    "uv, build error": (
        "error: Failed to build `course-utils`\n  cause: OSError: Readme file does not exist: README.md\n"
        "hint: Build failures usually indicate a problem with the package\n",
        ("Readme file does not exist",),
    ),
    "uv, no compiler": (
        "error: Failed to build `libgguf==0.2.2`\n  cause: The build backend returned an error\n         [stderr]\n"
        "         CMake Error: CMAKE_CXX_COMPILER not set, after EnableLanguage\n"
        "         *** CMake configuration failed\n",
        ("libgguf==0.2.2", "no wheel", "apt install g++"),
    ),
    "nothing": ("", ("it printed nothing",)),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_failed_tool_becomes_one_sentence_that_says_what_to_do(name):
    output, expected = OUTPUTS[name]
    sentence = install.explain(output, "the course")
    assert all(part in sentence for part in expected)
    assert "\n" not in sentence
    assert sentence.endswith(".")


def test_old_pythons_can_read_the_script():
    ast.parse(SCRIPT.read_text(), feature_version=(3, 8))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names


def test_no_neighbour_hides_a_standard_module():
    # Run as a script, its folder comes first on the path.
    assert {path.stem for path in SCRIPT.parent.glob("*.py")}.isdisjoint(sys.stdlib_module_names)


@pytest.mark.parametrize("version", [(3, 8, 1), (3, 10, 13), (3, 14, 0)])
def test_a_wrong_python_is_named_with_the_way_out(version):
    with pytest.raises(install.InstallError, match=r"3\.11-3\.13 is needed, this is 3\.\d+\.\d+; .*make PYTHON="):
        install.check_machine("Linux", version)


def test_windows_is_sent_to_wsl(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(install.platform, "system", lambda: "Windows")
    assert install.main(["--venv", str(tmp_path / ".venv")]) == 1
    assert "Windows needs WSL" in capsys.readouterr().err
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 13, 9)])
def test_the_range_is_accepted(version):
    install.check_machine("Darwin", version)


@pytest.mark.parametrize(
    ("wanted", "flavour", "sets"),
    [
        (["auto"], "cpu", ["course"]),
        (["auto"], "cuda", ["gpu"]),
        (["auto", "dev"], "cpu", ["dev"]),
        (["auto", "dev"], "cuda", ["dev", "gpu"]),
    ],
)
def test_sets_follow_the_machine(wanted, flavour, sets):
    assert install.choose_sets(wanted, flavour) == sets


def test_a_full_disk_is_noticed_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(install, "DISK_GIB", {"cpu": 10**9, "cuda": 10**9})
    folder = tmp_path / ".venv"
    assert install.main(["--venv", str(folder)]) == 1
    assert "free some space" in capsys.readouterr().err
    assert not folder.exists()


@pytest.fixture
def installed(tmp_path):
    """An environment whose stamp says that the dev set is there."""
    folder = tmp_path / ".venv"
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv --clear {folder}\n")
    (folder / "course-install.txt").write_text(install.fingerprint("cpu", "dev"))
    return folder


@pytest.fixture
def steps(monkeypatch):
    """Commands that would have run."""
    commands = []
    monkeypatch.setattr(install, "run_step", lambda what, command: commands.append(command))
    monkeypatch.setattr(install, "torch_version", lambda *_: "2.13.0")
    monkeypatch.setattr(install, "make_environment", lambda folder, needed_gib: Path("python"))
    return commands


def test_an_interrupted_installation_is_mended_and_a_changed_lock_needs_no_mending(installed, steps, monkeypatch):
    stamp, arguments = installed / "course-install.txt", ["--torch", "cpu", "--venv", str(installed), "--set", "dev"]
    stamp.write_text("an older lock's")
    assert install.main(arguments) == 0
    assert steps
    assert not any("--reinstall" in command for command in steps)
    stamp.write_text("an older lock's")
    with monkeypatch.context() as stopped:
        stopped.setattr(install, "install_into", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        assert install.main(arguments) == 1
    assert not stamp.exists()
    assert install.main(arguments) == 0
    assert any("--reinstall" in command for command in steps)
    assert stamp.read_text() == install.fingerprint("cpu", "dev")


def test_a_new_environment_takes_what_uv_has_built_before(steps, tmp_path):
    """--reinstall would build pyspark again for every clone, and leave 1.4 GB in uv's cache each time."""
    (tmp_path / ".venv").mkdir()
    assert install.main(["--torch", "cpu", "--venv", str(tmp_path / ".venv"), "--set", "dev"]) == 0
    assert steps
    assert not any("--reinstall" in command for command in steps)


@pytest.mark.parametrize("wanted", [["course"], ["dev"], ["auto", "dev"]])
def test_what_is_installed_starts_no_tool(installed, monkeypatch, capsys, wanted):
    monkeypatch.setattr(subprocess, "run", pytest.fail)
    monkeypatch.setattr(install.urllib.request, "urlopen", pytest.fail)
    assert install.main(["--torch", "cpu", "--venv", str(installed), "--set", *wanted]) == 0
    assert capsys.readouterr().out == ""


def test_a_changed_lock_or_torch_build_installs_again(tmp_path, monkeypatch):
    before = install.fingerprint("cpu", "course")
    assert install.fingerprint("cuda", "course") != before
    (tmp_path / "requirements").mkdir()
    (tmp_path / "pyproject.toml").write_bytes((install.ROOT / "pyproject.toml").read_bytes())
    lock = (install.ROOT / "requirements" / "course.txt").read_text()
    (tmp_path / "requirements" / "course.txt").write_text(lock)
    versions = (install.ROOT / "requirements" / "all.txt").read_text()
    (tmp_path / "requirements" / "all.txt").write_text(versions)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    assert install.fingerprint("cpu", "course") == before
    (tmp_path / "requirements" / "course.txt").write_text(lock + "\n")
    assert install.fingerprint("cpu", "course") != before
    on_gpu = install.fingerprint("cuda", "course")
    (tmp_path / "requirements" / "all.txt").write_text(versions.replace("torchvision==0", "torchvision==9"))
    assert install.fingerprint("cuda", "course") != on_gpu


@pytest.mark.parametrize(
    ("here", "flavour", "installs"),
    [
        ("", "cpu", True),
        ("2.13.0+cpu", "cpu", False),
        ("2.13.0+cu130", "cpu", False),
        ("2.13.0+cpu", "cuda", True),
        ("2.12.0", "cuda", True),
    ],
)
def test_torch_is_installed_only_where_it_is_missing_or_the_wrong_build(steps, monkeypatch, here, flavour, installs):
    monkeypatch.setattr(install, "torch_version", lambda *_: here)
    monkeypatch.setattr(install, "torch_index_answers", lambda: False)
    install.install_torch(Path("python"), flavour)
    assert bool(steps) == installs
    if installs:
        *before, command = steps
        assert "pip" in command
        assert "uv" not in command
        assert [each for each in command if "==" in each] == install.torch_requirements(flavour)
        assert [{"uninstall", *install.COMPILED_FOR_TORCH} <= set(each) for each in before] == [True]


def test_on_a_gpu_torchvision_comes_in_torchs_build():
    assert [each.split("==")[0] for each in install.torch_requirements("cuda")] == ["torch", "torchvision"]
    assert install.torch_requirements("cpu") == install.torch_requirements("cuda")[:1]


@pytest.mark.parametrize(
    ("flavour", "driver", "backend"), [("cpu", False, "cpu"), ("cuda", True, "auto"), ("cuda", False, None)]
)
def test_uv_chooses_the_build_where_pytorchs_index_answers(steps, monkeypatch, flavour, driver, backend):
    monkeypatch.setattr(install, "torch_version", lambda *_: "")
    monkeypatch.setattr(install, "torch_index_answers", lambda: True)
    monkeypatch.setattr(install, "has_nvidia_gpu", lambda: driver)
    install.install_torch(Path("python"), flavour)
    command = steps[-1]
    assert ("--torch-backend" in command) == ("uv" in command) == (backend is not None)
    assert backend is None or command[command.index("--torch-backend") + 1] == backend


@pytest.mark.parametrize("flavour", ["cpu", "cuda"])
def test_half_a_torch_is_no_torch(tmp_path, monkeypatch, flavour):
    names = [requirement.split("==")[0] for requirement in install.torch_requirements(flavour)]
    for name in names:
        (tmp_path / f"{name}.py").write_text("__version__ = '2.13.0'")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert install.torch_version(Path(sys.executable), names) == "2.13.0"
    (tmp_path / f"{names[-1]}.py").write_text("raise RuntimeError('compiled for another torch')")
    assert install.torch_version(Path(sys.executable), names) == ""


def test_a_missing_venv_module_names_the_debian_package(tmp_path, monkeypatch):
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(install.InstallError, match=r"apt install python3\.\d+-venv"):
        install.make_environment(tmp_path / ".venv", 0)


def test_a_broken_environment_is_made_again(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(install, "run_step", lambda what, command: steps.append(command))
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(tmp_path / "removed")
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    install.make_environment(tmp_path / ".venv", 0)
    assert "--clear" in steps[0]


@pytest.mark.parametrize("named", ["", "bin"])
def test_a_folder_of_other_files_is_not_emptied(tmp_path, monkeypatch, capsys, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("mine")  # /usr and conda's environments have one, too
    assert install.main(["--torch", "cpu", "--venv", named]) == 1
    assert "is no virtual environment" in capsys.readouterr().err
    assert (tmp_path / "bin" / "python").read_text() == "mine"


def test_without_standard_output_it_installs_as_well(installed, steps, monkeypatch):
    (installed / "course-install.txt").write_text("an older lock's")
    monkeypatch.setattr(sys, "stdout", None)  # as Python sets it where the file is closed
    assert install.main(["--torch", "cpu", "--venv", str(installed), "--set", "dev"]) == 0
    assert steps


def test_the_command_that_it_ends_with_can_be_pasted(steps, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "Ana's $course"
    folder.mkdir()
    (folder / "activate").write_text("echo active")
    monkeypatch.setattr(install, "make_environment", lambda *_: folder / "python")
    assert install.main(["--torch", "cpu", "--venv", str(folder)]) == 0
    command = capsys.readouterr().out.splitlines()[-1].partition(": ")[2]
    assert subprocess.run(["bash", "-c", command], capture_output=True, text=True).stdout == "active\n"


def test_a_moved_or_copied_environment_is_made_again(tmp_path, monkeypatch):
    """Its programs would start the Python, and with it the course, of the folder where it was made."""
    steps = []
    here, there = tmp_path / "Ana's course" / ".venv", tmp_path / "copy" / ".venv"
    for folder in (here, there):
        folder.parent.mkdir()
        assert not install.is_in_place(folder)
    assert install.make_environment(here, 0) == here / "bin" / "python"
    (here / "course-install.txt").write_text(install.fingerprint("cpu", "dev"))
    assert install.is_in_place(here)
    shutil.copytree(here, there, symlinks=True)
    assert not install.is_in_place(there)
    monkeypatch.setattr(install, "install_into", lambda *_, **__: steps.append("install"))
    for folder in (here, there):
        assert install.main(["--torch", "cpu", "--venv", str(folder), "--set", "dev"]) == 0
    assert steps == ["install"]
    assert install.is_in_place(there)


def test_an_environment_whose_python_is_gone_is_installed_again(installed, steps):
    (installed / "bin" / "python").unlink()
    assert install.main(["--torch", "cpu", "--venv", str(installed), "--set", "dev"]) == 0
    assert steps


def test_two_installations_take_turns(installed):
    command = [sys.executable, "-u", str(SCRIPT), "--torch", "cpu", "--venv", str(installed), "--set", "dev"]
    with SCRIPT.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
            assert "Another installation is at work" in waiting.stdout.readline()
            assert waiting.poll() is None
            fcntl.flock(other, fcntl.LOCK_UN)
            assert waiting.wait(60) == 0
