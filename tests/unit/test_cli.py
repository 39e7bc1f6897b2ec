"""The ``course`` command: how it reads paths, refuses, scores and starts fast."""

import errno
import gzip
import json
import shlex
import subprocess
import sys
from unittest.mock import MagicMock

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from course_utils import runner
from course_utils.artifacts import PARAMETERS
from course_utils.cli import app, open_here
from course_utils.files import PROJECT, read_jsonl, write_json, write_jsonl
from tests.sqlite_files import write_database


@pytest.fixture
def course():
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_starts_without_heavy_libraries():
    code = "import sys, course_utils.cli; print(sorted({'torch', 'papermill', 'pandas', 'psutil'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["run", "train", "doctor", "predict", "evaluate", "export", "serve"])
def test_every_command_of_the_contract_explains_itself(course, command):
    result = course(command, "--help")
    assert result.exit_code == 0
    assert "--data" in result.output


def test_without_options_the_course_is_the_notebooks_own():
    assert open_here("smoke", "", "", "").parameters == PARAMETERS


def test_paths_start_at_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    chosen = open_here("laptop", "mine", "model", "out").parameters
    places = {"DATA": str(tmp_path / "mine"), "MODEL": str(tmp_path / "model"), "ARTIFACTS": str(tmp_path / "out")}
    assert chosen == {"PROFILE": "laptop", **places}


def test_a_hub_id_stays_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_here("smoke", "", "someone/some-model", "").parameters["MODEL"] == "someone/some-model"


def test_paths_inside_the_project_name_no_machine(monkeypatch):
    monkeypatch.chdir(PROJECT / "course_utils")
    chosen = open_here("smoke", "../data", "../data/tiny_base", str(PROJECT / "artifacts")).parameters
    assert chosen == PARAMETERS
    assert open_here("laptop", "", "../data/tiny_base", "").parameters["MODEL"] == "data/tiny_base"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "huge"], "PROFILE='huge' is unknown"),
        (["--data", "no-such-folder"], "there is no folder"),
        (["--model", "./no-such-model"], "there is no such model folder"),
        (["--model", "~no-such-user/model"], "there is no such model folder"),
        (["--data", "~no-such-user/data"], "there is no folder"),
        (["--from", "deploy"], "there is no stage 'deploy'"),
    ],
)
def test_what_cannot_work_ends_in_one_sentence(course, tmp_path, arguments, message):
    model = [] if "--model" in arguments else ["--model", str(tmp_path)]
    result = course("run", "--artifacts", tmp_path / "artifacts", *model, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("artifacts/*/notebooks"))


@pytest.mark.parametrize(
    "command",
    [
        "evaluate {file} --data {folder} --instances 2 --artifacts {file}/made",
        "evaluate {file} --data {folder}/{long}",
        "audit {folder}",
        "audit .",
    ],
)
def test_a_place_that_cannot_be_is_named_in_one_sentence(course, predictions, tmp_path, command):
    named = {"file": predictions, "folder": tmp_path, "long": "x" * 300}
    result = course(*(word.format(**named) for word in command.split()))
    assert result.exit_code == 2, result.output
    assert command.split()[-1].format(**named) in result.stderr
    assert "name another place" in result.stderr


@pytest.mark.parametrize("places", [(), ("here", "there")])
def test_a_full_disk_is_one_sentence(course, tmp_path, monkeypatch, places):
    full = MagicMock(side_effect=OSError(errno.ENOSPC, "No space left on device", *places[:1]))
    monkeypatch.setattr(runner, "run_stages", full)
    result = course("run", "--artifacts", tmp_path)
    assert result.exit_code == 2
    assert "free some space" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "another run is at work there; wait for it, or set another ARTIFACTS"),
        (("--launch", "accelerate", "--", "--machine_rank", "1"), "the result of the data stage is missing"),
    ],
)
def test_training_waits_for_a_run_but_machines_train_together(course, tmp_path, options, message):
    begun = tmp_path / "smoke" / "training" / "adapter.safetensors"
    begun.parent.mkdir(parents=True)
    begun.touch()
    with FileLock(tmp_path / "smoke" / "run.lock"):
        result = course("train", "--artifacts", tmp_path, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert begun.exists()


def test_the_command_that_resumes_can_be_pasted(course, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "run_stages", MagicMock(side_effect=KeyboardInterrupt))
    place = tmp_path / 'it\'s "my" $HOME [/b] $(here)'
    result = course("run", "--artifacts", place)
    assert result.exit_code == 130
    for_make = str(place).replace("$", "$$")
    assert shlex.split(result.stdout.split("`")[1]) == ["make", "course", f"ARTIFACTS={for_make}"]


@pytest.mark.parametrize("empty", ["train", "test"])
def test_no_rows_to_ask_or_to_show_is_said_before_a_model_is_loaded(course, tmp_path, empty):
    made = open_here("smoke", "", "", str(tmp_path))
    made.begin("setup").finish({})
    stage = made.begin("data")
    row = {"id": "1", "db_id": "shop", "question": "How many?", "query": "SELECT 1"}
    write_json(stage.folder / "schemas.json", {"shop": "table item: name text"})
    for split in ("train", "test"):
        write_jsonl(stage.folder / f"{split}.jsonl", [row] * (split != empty))
    stage.finish({})
    result = course("predict", "no-such/model", tmp_path / "out.jsonl", "--artifacts", tmp_path)
    assert result.exit_code == 2
    assert f"no {empty} rows; add some, run notebooks/02_data.ipynb" in result.stderr
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("option", ["--first=0", "--first=-235", "--examples=-1"])
def test_a_number_that_means_nothing_is_refused(course, option, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    result = course("predict", "model", "out.jsonl", option)
    assert result.exit_code == 2
    assert "should be greater than or equal to" in result.stderr


def test_serving_before_the_course_has_run_names_the_notebook(course, tmp_path):
    result = course("serve", "--data", tmp_path, "--artifacts", tmp_path)
    assert result.exit_code == 2
    assert "notebooks/05_deployment.ipynb" in result.stderr


@pytest.fixture
def predictions(tmp_path):
    script = "CREATE TABLE item (name TEXT); INSERT INTO item VALUES ('a'), ('b');"
    write_database(tmp_path / "databases" / "shop" / "shop.sqlite", script)
    row = {"db_id": "shop", "question": "How many?", "query": "SELECT count(*) FROM item", "seconds": 0.1}
    predicted = ["SELECT count(name) FROM item", "SELECT name FROM item", "SELECT nothing FROM item", "hello"]
    rows = [{**row, "id": str(number), "predicted": each} for number, each in enumerate(predicted)]
    return write_jsonl(tmp_path / "mine.jsonl", rows)


def test_evaluate_scores_a_file_as_json(course, predictions, tmp_path):
    result = course("evaluate", predictions, "--data", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    scores = json.loads(result.stdout)
    assert (scores["n"], scores["execution_accuracy"], scores["validity"]) == (4, 0.25, 0.5)


def test_evaluate_shows_a_table(course, predictions, tmp_path):
    result = course("evaluate", predictions, "--data", tmp_path)
    assert result.exit_code == 0, result.output
    assert "25.0%" in result.stdout


def test_evaluate_says_what_a_stranger_wrote_without_obeying_it(course, predictions, tmp_path):
    rows = read_jsonl(predictions)
    rows[0] |= {"difficulty": "\x1b[2J\ud800", "predicted": "SELECT '\ud800'"}
    write_jsonl(predictions, rows)
    for option in ("--json", "--clauses"):
        result = course("evaluate", predictions, "--data", tmp_path, option)
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.stdout
    rows[1] |= {"query": 'SELECT "\x1b[2J" . a FROM item'}
    write_jsonl(predictions, rows)
    result = course("evaluate", predictions, "--data", tmp_path)
    assert result.exit_code == 2
    assert r"no such column: \x1b[2J.a" in result.stderr


def test_export_refuses_an_unknown_service_in_a_sentence(course, tmp_path):
    result = course("export", tmp_path / "out", "--for", "nobody", "--data", tmp_path)
    assert result.exit_code == 2
    assert "choose one of openai, together" in result.stderr


def test_evaluate_names_the_line_that_is_wrong(course, predictions, tmp_path):
    predictions.write_text('{"id": "1"}\n')
    result = course("evaluate", predictions, "--data", tmp_path)
    assert result.exit_code == 2
    assert "mine.jsonl:1" in result.stderr


def test_the_doctor_fails_only_on_what_is_wrong(course, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    result = course("doctor", "--data", tmp_path, "--model", tmp_path, "--artifacts", tmp_path)
    assert result.exit_code == 1
    assert "no tokenizer" in result.stdout


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "dataset"
    (folder / "databases" / "shop").mkdir(parents=True)
    (folder / "databases" / "shop" / "schema.sql").write_text("CREATE TABLE shop (name TEXT, city TEXT);")
    row = {"db_id": "shop", "question": "Name all shops.", "query": "SELECT name FROM shop", "empty": True}
    rows = {
        "train": [row],
        "validation": [{**row, "question": "List the cities.", "query": "SELECT city FROM shop"}],
        "test": [{**row, "question": "Who?", "query": "SELECT who FROM shop"}, {**row, "question": "Name  all shops"}],
    }
    for split, lines in rows.items():
        write_jsonl(folder / f"{split}.jsonl", lines)
    return folder


def test_validate_prints_json_and_fails_on_errors(course, dataset):
    result = course("validate", dataset, "--json", "--profile", "")
    assert result.exit_code == 1, result.output
    report = json.loads(result.stdout)
    assert report["n_rejected"] == 2
    assert report["counts"]["execution"]["error"] == report["counts"]["leak-exact"]["error"] == 1


def test_validate_fails_on_what_it_is_told_to(course, dataset):
    write_jsonl(dataset / "test.jsonl", [{"db_id": "shop", "question": "Who?", "query": "SELECT 1"}])
    options = ("validate", dataset, "--profile", "")
    result = course(*options)
    assert result.exit_code == 0
    assert "constant-result" in result.stdout
    assert course(*options, "--fail-on", "warning").exit_code == 1
    assert course(*options, "--fail-on", "nothing").exit_code == 2


@pytest.mark.parametrize("options", [(), ("--json",), ("--fix", "clean")])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no rows"),
        (b"\n\n", "no rows"),
        ('{"db_id": "shop"}\n'.encode("utf-16"), "UTF-16"),
        (gzip.compress(b'{"db_id": "shop"}\n', mtime=0), "archive"),
        (b"PK\x03\x04" + bytes(60), "archive"),
        (None, "no training file"),
    ],
)
def test_validate_refuses_a_file_as_a_whole_in_one_sentence(
    course, dataset, tmp_path, monkeypatch, content, message, options
):
    monkeypatch.chdir(tmp_path)
    (dataset / "train.jsonl").unlink()
    if content is not None:
        (dataset / "train.jsonl").write_bytes(content)
    result = course("validate", dataset, "--profile", "", *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert str(dataset / "train.jsonl" if content is not None else dataset) in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "clean").exists()


def test_validate_reports_the_rows_as_they_are_and_refuses_unknown_engines(course, dataset, tmp_path):
    write_jsonl(dataset / "test.jsonl", [{"db_id": "shop", "question": "Wh\u200bo?", "query": "SELECT name FROM shop"}])
    options = ("validate", dataset, "--profile", "", "--json")
    report = json.loads(course(*options, "--fix", tmp_path / "clean").stdout)
    assert report["counts"]["encoding"] == {"error": 0, "warning": 1, "note": 0}
    assert report["fixed"]["n_fixed"] == 1
    assert course(*options, "--engine", "ray").exit_code == 2


def test_validate_writes_a_cleaned_copy_once(course, dataset, tmp_path):
    (dataset / "test.jsonl").open("a").write('{"db_id": "shop", "question": "How many?", "query": "SELECT 7"}\n')
    result = course("validate", dataset, "--profile", "", "--fix", tmp_path / "clean")
    assert result.exit_code == 1
    assert "5 rows read, 3 accepted" in " ".join(result.stdout.split())
    assert len((tmp_path / "clean" / "rejected.jsonl").read_text().splitlines()) == 2
    assert course("validate", tmp_path / "clean", "--profile", "").exit_code == 0
    again = course("validate", dataset, "--profile", "", "--fix", tmp_path / "clean")
    assert again.exit_code == 2
    assert "there is something already" in again.stderr
