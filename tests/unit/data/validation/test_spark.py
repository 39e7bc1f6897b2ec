import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from course_utils.data.validation.validate import map_on_spark, validate_dataset
from course_utils.errors import MissingExtraError, ServiceError
from course_utils.files import write_jsonl
from course_utils.finding import Finding

Row = dict[str, Any]


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingExtraError, match=r"install\.py --set dev"):
        map_on_spark([], list)


def test_a_java_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that complains and leaves, as one that is too old does."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ServiceError, match="Spark does not start"):
        map_on_spark([], list)


@pytest.mark.slow
def test_the_command_finds_on_spark_what_it_finds_here(
    splits: dict[str, list[Row]], databases: dict[str, Path], tmp_path: Path
) -> None:
    if not shutil.which("java"):
        pytest.skip("there is no Java, which Spark needs; install one, such as Debian's openjdk-17-jre-headless")
    for split, rows in splits.items():
        write_jsonl(tmp_path / f"{split}.jsonl", rows)
    for name, database in databases.items():
        (tmp_path / "databases" / name).mkdir(parents=True)
        shutil.copy(database, tmp_path / "databases" / name)
    command = [sys.executable, "-m", "course_utils.cli", "validate", str(tmp_path), "--profile", "", "--json"]
    # In a process of its own: Spark's Java outlives its session.
    done = subprocess.run([*command, "--engine", "spark"], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    found = [Finding(**finding) for finding in json.loads(done.stdout)["findings"]]
    assert found == validate_dataset(tmp_path, tmp_path).findings
    wanted = "schema syntax execution empty-result enormous-result personal-data exact-duplicate leak-exact diversity"
    assert {finding.check for finding in found} >= {*wanted.split()}
