import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from course_utils.cli import app
from course_utils.errors import DataError
from course_utils.evaluation.tickets import NO_CLASS, score_tickets, tickets_table
from course_utils.files import write_jsonl
from course_utils.tasks import ticket_triage

TASK = ticket_triage()
GOLD = [("bug", "normal"), ("bug", "high"), ("outage", "urgent"), ("how_to", "low")]
REPLIES = [
    '{"label": "bug", "priority": "normal"}',
    'I think: {"label": "bug", "priority": "urgent"}',
    '{"label": "hardware", "priority": "urgent"}',
    "how_to",
]


def rows() -> list[dict[str, object]]:
    return [
        {"id": str(i), "label": label, "priority": priority, "predicted": TASK.read_reply(reply)}
        for i, ((label, priority), reply) in enumerate(zip(GOLD, REPLIES, strict=True))
    ]


def test_scores_worked_by_hand() -> None:
    scores = score_tickets(rows())
    assert json.loads(json.dumps(scores)) == scores
    assert (scores["n"], scores["accuracy"], scores["valid_json"]) == (4, 0.25, 0.75)
    label = scores["label"]
    assert label["accuracy"] == 0.5
    assert label["by_class"]["bug"] == {"precision": 1, "recall": 1, "f1-score": 1, "support": 2}
    assert label["by_class"]["how_to"]["precision"] == 0, "nobody said it"
    # bug 2 of 2 found and right, outage and how_to missed, hardware said for nothing
    assert label["by_class"]["macro avg"]["f1-score"] == 1 / 4
    confused = {
        (wanted, found): n
        for wanted, line in zip(label["classes"], label["confusion"], strict=True)
        for found, n in zip(label["classes"], line, strict=True)
        if n
    }
    assert confused == {("bug", "bug"): 2, ("outage", "hardware"): 1, ("how_to", NO_CLASS): 1}


def test_the_support_of_the_table_counts_tickets() -> None:
    for answered in (rows(), rows()[:2]):  # scikit-learn reports other averages where all replies name a class
        table = tickets_table(score_tickets(answered))
        supports = [float(line[table.columns.index("support")]) for line in table.rows]
        assert all(support.is_integer() for support in supports), table.rows


@pytest.mark.parametrize("label", ["Bug", "bugs", "bug ", "spam"])
def test_values_are_taken_strictly(label: str) -> None:
    row = rows()[0] | {"predicted": json.dumps({"label": label, "priority": "normal"})}
    scores = score_tickets([row])
    assert (scores["accuracy"], scores["priority"]["accuracy"], scores["valid_json"]) == (0, 1, 1)
    assert scores["label"]["confusion"][scores["label"]["classes"].index("bug")][-1] == 1, "as no class"


def test_wrong_rows_are_all_named() -> None:
    wrong = [rows()[0] | {"label": "spam", "place": "mine.jsonl:7"}, rows()[1] | {"priority": "soon"}]
    with pytest.raises(DataError, match=r"(?s)mine.jsonl:7: label 'spam'.*\n1: priority 'soon'"):
        score_tickets(wrong)
    with pytest.raises(DataError, match="at least one row"):
        score_tickets([])


def test_the_command_scores_a_file_of_tickets(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "tickets.jsonl", rows())
    done = CliRunner().invoke(app, ["evaluate", str(file), "--tickets", "--json"])
    assert json.loads(done.output) == score_tickets(rows())
    assert "accuracy: 25.0%" in tickets_table(json.loads(done.output)).caption
    assert "25.0%" in CliRunner().invoke(app, ["evaluate", str(file), "--tickets"]).output
    write_jsonl(file, [{"id": "1", "label": "bug", "predicted": ""}])
    assert CliRunner().invoke(app, ["evaluate", str(file), "--tickets"]).exit_code == 2
