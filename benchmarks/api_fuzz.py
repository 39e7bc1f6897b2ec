"""Does the gateway do what its OpenAPI schema says? Schemathesis sends it thousands of requests, some without a key.

``python -m benchmarks.api_fuzz`` takes some minutes and writes ``api_fuzz.md``; uv installs Schemathesis from PyPI into
an environment of its own. Failures are: a 5xx status, a response that the schema does not describe, an invalid request
that is accepted, a valid request that is refused, and a request without a key that is accepted.

The gateway is tested twice: with a model that answers everything, and with llama.cpp and the course's tiny model. The
latter refuses some conversations itself, such as two assistant turns in a row, so a refusal counts only with the first.
"""

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from benchmarks.gateway import ADMIN, synthetic_model
from course_utils.deployment import convert_to_gguf, start_gateway, start_model_server
from course_utils.files import PROJECT, read_json
from tests.stack.conftest import build_databases

FUZZER = "schemathesis==4.32.5"
N_EXAMPLES, SEED = 150, 1
NOTES = Path(__file__).with_suffix(".md")
GUESSED = "0"
"""The shortest name that can be made up: what is called so is found by chance."""


def main() -> None:
    """Ask both gateways, write api_fuzz.md, and end with 1 if anything failed."""
    with_key = ["--header", f"Authorization: Bearer {ADMIN}"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gguf = convert_to_gguf(PROJECT / "data" / "tiny_base", folder / "model.gguf", "f16")
        with synthetic_model() as synthetic, start_model_server(gguf) as real:
            runs = {
                "without a key": fuzz(synthetic.url, folder / "1"),
                "with a key": fuzz(synthetic.url, folder / "2", *with_key),
                "with a key, llama.cpp behind": fuzz(
                    real.url, folder / "3", *with_key, "--exclude-checks", "positive_data_acceptance"
                ),
            }
    NOTES.write_text(to_markdown(runs), "utf-8")
    sys.exit(any(run["failures"] or run["errors"] or not run["complete"] for run in runs.values()))


def fuzz(model_url: str, folder: Path, *options: str) -> dict[str, Any]:
    """Run Schemathesis against a gateway of its own; its report."""
    databases = build_databases(folder / "databases")
    (databases / "music").rename(databases / GUESSED)
    (databases / GUESSED / "music.sqlite").rename(databases / GUESSED / f"{GUESSED}.sqlite")
    settings = {
        "COURSE_API_KEY": ADMIN,
        "COURSE_KEYS_FILE": str(folder / "keys.sqlite"),
        "COURSE_FEEDBACK_FILE": str(folder / "feedback.jsonl"),
        "COURSE_LOG_FILE": str(folder / "log.jsonl"),
        "COURSE_AUDIT_FILE": str(folder / "audit.jsonl"),
        "COURSE_MODELS": json.dumps({GUESSED: {"url": model_url}}),
        "COURSE_MAX_TOKENS": "24",
    }
    report = folder / "report.json"
    with start_gateway(model_url, databases, settings=settings) as gateway:
        run = ["tool", "run", "--from", FUZZER, "schemathesis", "run", f"{gateway.url}/openapi.json", *options]
        run += ["--url", gateway.url, "--max-examples", str(N_EXAMPLES), "--seed", str(SEED), "--continue-on-failure"]
        run += ["--report", "json", "--report-json-path", str(report)]
        subprocess.run([str(Path(sys.executable).with_name("uv")), *run], cwd=folder, check=False)
    found: dict[str, Any] = read_json(report)
    return found


def to_markdown(runs: dict[str, dict[str, Any]]) -> str:
    """A table of the runs and a list of what failed."""
    lines = ["# Does the gateway do what its schema says?", ""]
    lines += [f"Written by `python -m benchmarks.api_fuzz` on {datetime.now(UTC):%d %B %Y}, with {FUZZER}.", ""]
    lines += ["| | operations | requests | failures | seconds |", "|---|---|---|---|---|"]
    for name, run in runs.items():
        n_asked, n_failed = run["test_cases"]["generated"], run["test_cases"]["with_failures"]
        lines.append(
            f"| {name} | {run['operations']['tested']} | {n_asked:,} | {n_failed} | {run['running_time']:.0f} |"
        )
    found = [f"- {name}: {failure}" for name, run in runs.items() for failure in (*run["failures"], *run["errors"])]
    return "\n".join([*lines, "", *found, ""]).rstrip() + "\n"


if __name__ == "__main__":
    typer.run(main)
