import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.tasks import LABELS, PRIORITIES, parse_triage, ticket_triage

ROW = {"id": "t1", "text": " The app is down!\n", "label": "outage", "priority": "urgent"}
ANSWER = {"label": "outage", "priority": "urgent"}
TASK = ticket_triage()


def test_the_prompt_names_the_closed_sets_and_holds_the_ticket() -> None:
    system, user = TASK.to_messages(ROW)
    assert user == {"role": "user", "content": "The app is down!"}
    assert system["role"] == "system"
    assert all(name in system["content"] for name in (*LABELS, *PRIORITIES))


@pytest.mark.parametrize(
    "reply",
    [
        '{"label": "outage", "priority": "urgent"}',
        '{"priority":"urgent","label":"outage"}\n',
        'Sure, here it is:\n```json\n{\n  "label": "outage",\n  "priority": "urgent"\n}\n```\nAnything else?',
        '<think>{"label": "bug", "priority": "low"}?</think>{"label": "outage", "priority": "urgent"}',
        '{"reason": "cannot sell", "label": "outage", "priority": "urgent", "sure": 0.9}',
        '{"note": 1} {"label": "outage", "priority": "urgent"} {"label": "bug", "priority": "low"}',
        '{"result": {"label": "outage", "priority": "urgent"}}',
        '{"label": "outage", "priority": "urgent", "meta": {"sure": 0.9}}',
        '{"reason": "the {app} is down", "label": "outage", "priority": "urgent"}',
    ],
)
def test_reading_is_tolerant(reply: str) -> None:
    assert json.loads(TASK.read_reply(reply)) == ANSWER


@pytest.mark.parametrize(
    "reply",
    ["", "outage, urgent", '{"label": "outage"}', '{"label": "outage", "priority": 3}', '["outage", "urgent"]',
     '{"label": "outage", "priority": "urgent"', "{1, [2]}", "{'label': '\\d'}", "{" * 5000, '{"a": ' * 5000],
)  # fmt: skip
def test_what_cannot_be_read_stays_as_it_is(reply: str) -> None:
    assert parse_triage(reply) is None
    assert TASK.read_reply(reply) == reply.strip()


@given(st.sampled_from(LABELS), st.sampled_from(PRIORITIES))
def test_a_target_reads_back(label: str, priority: str) -> None:
    row = {**ROW, "label": label, "priority": priority}
    assert parse_triage(TASK.to_target(row)) == {"label": label, "priority": priority}
    assert TASK.read_reply(TASK.to_target(row)) == TASK.to_target(row)


@given(st.text())
def test_reading_any_text_twice_changes_nothing(reply: str) -> None:
    assert TASK.read_reply(TASK.read_reply(reply)) == TASK.read_reply(reply)


def test_what_is_read_can_be_written_to_a_file() -> None:
    assert TASK.read_reply('{"label": "\\ud800", "priority": "low"}').encode("utf-8")
