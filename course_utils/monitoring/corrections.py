"""Turn users' feedback into the next version of the dataset, without the feedback that would teach errors.

Users who know the right answers are simulated: they execute the service's query and the right one, and compare.
"""

import logging
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from random import Random

from course_utils.artifacts import Course
from course_utils.errors import ServiceError
from course_utils.feedback_rows import agree, believed, gather_answers, held_right, most_held, reviewed, topic
from course_utils.files import SPLITS, Row, hash_of, link_file, portable, read_jsonl, write_json, write_jsonl, writing
from course_utils.monitoring.service import TrafficRecord
from course_utils.sql import find_database, folder_name, list_databases

logger = logging.getLogger(__name__)
N_REPLAYED = 3
"""Old rows, with other queries, to train on beside each new row, because the model forgets without them."""
N_VALIDATED = 64
"""Old rows, at most, to validate on beside the new ones; few, because training measures their loss several times."""
ACCEPTED = "accepted"


def rate_answers(records: Iterable[TrafficRecord], rows: Iterable[Row], dataset: Path) -> list[Row]:
    """Rate each answer by executing it and the right query; return the ratings in the form of ``/v1/feedback``.

    An answer that does not execute is wrong. A rating holds the ``query`` that was answered and, if it is wrong, a
    ``correction``: here the dataset's query, in production an expert's. ``rows`` are the questions that were sent,
    ``dataset`` is the folder of the databases. Records without a reply are skipped, because their users saw nothing to
    rate.
    """
    gold = {row["id"]: row["query"] for row in rows}
    ratings = []
    for record in records:
        if record.outcome not in ("answered", "invalid SQL") or record.id not in gold:
            continue
        is_right = agree(gold[record.id], record.predicted, find_database(dataset, record.db_id, dataset))
        about = {"id": record.answer_id, "database": record.db_id, "question": record.question}
        about |= {"query": record.predicted} if record.predicted else {}
        verdict = {"rating": "up"} if is_right else {"rating": "down", "correction": gold[record.id]}
        ratings.append(about | verdict)
    return ratings


def send_feedback(url: str, ratings: Sequence[Row], *, key: str = "") -> int:
    """Send each rating to the gateway's ``/v1/feedback`` and return their number.

    If a correction is refused, for example because it runs longer than users' queries may, the rating is sent alone.

    Raises:
        ServiceError: The gateway does not answer or refuses a rating; the message says how many it accepted before.
    """
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, timeout=10.0, trust_env=False, headers=headers) as client:
        for n_sent, rating in enumerate(ratings):
            try:
                reply = client.post("/v1/feedback", json=rating)
                if reply.status_code == httpx.codes.CONFLICT:
                    logger.warning("rating of %s: its correction is refused and left out: %s", rating["id"], reply.text)
                    reply = client.post("/v1/feedback", json={**rating, "correction": None})
                reply.raise_for_status()
            except httpx.HTTPError as error:
                raise ServiceError(f"{url}/v1/feedback: {error}; {n_sent} ratings were accepted before") from error
    return len(ratings)


def judge_corrections(feedback: Iterable[Row], current: Course) -> list[Row]:
    """Return every row of ``feedback.jsonl`` with a ``decision``: ``ACCEPTED``, or the reason why it teaches nothing.

    A thumb up takes the answer's own ``query`` as the ``correction``. For a question that the data holds, the data
    decides whether a correction is right. For a new question, an answer needs ``MIN_USERS`` callers or a reviewer; a
    reviewed row does not count, nor a caller's earlier rows on the same question. Answers are compared by executing
    them; of queries with the same answer, the one that most callers wrote is accepted.

    Raises:
        ArtifactError: The data stage has not run.
    """
    folder = current.folder("data")
    databases, find = list_databases(folder), partial(find_database, folder, build_in=folder)
    splits = {split: read_jsonl(current.output("data", f"{split}.jsonl")) for split in SPLITS}
    known = {topic(row["db_id"], row): (split, row["query"]) for split, rows in splits.items() for row in rows}
    judged = [dict(row, correction=held_right(row), decision="no correction") for row in feedback]
    decided, new = reviewed(judged), []
    for row in (row for row in judged if row.get("question") and row.get("correction")):
        split, query = known.get(topic(row.get("database") or "", row), ("", ""))
        if folder_name(row.get("database") or "") not in databases:  # a thumb up comes without one, or with any name
            row["decision"] = "no such database"
        elif split == "train":
            row["decision"] = (
                "known" if agree(query, row["correction"], find(row["database"])) else "contradicts the data"
            )
        elif split:
            row["decision"] = "asks what the model is tested on"
        elif row.get("row_id") in decided:
            row["decision"] = "left to a reviewer"
        else:
            row["decision"] = "repeated"
            new.append(row)
    for answers in gather_answers(new, find).values():
        verdict = ACCEPTED if len(several := believed(answers)) == 1 else "users disagree"
        for rows in answers:
            most_held(rows)["decision"] = verdict if rows in several else "one user alone"
    return judged


def write_version(judged: Sequence[Row], current: Course, versions: Path) -> Path:
    """Write the dataset with the accepted answers to a folder named by its content, and to DVC's store if installed.

    A fifth of the new rows is for testing, and a tenth for validation, because on old rows alone the weights before
    training would look best. ``manifest.json`` names the version that it extends. The current profile trains on the new
    rows and ``N_REPLAYED`` times as many old ones, or on all old ones if none is new, and validates on ``N_VALIDATED``
    old ones besides. Preference pairs about its databases go along.

    Raises:
        ArtifactError: The data stage has not run.
    """
    accepted = [row for row in judged if row["decision"] == ACCEPTED]
    new = [
        {"db_id": folder_name(row["database"]), "question": row["question"], "query": row["correction"]}
        for row in accepted
    ]
    new = [{"id": f"feedback-{hash_of(row)[:12]}", **row, "source": "feedback"} for row in sorted(new, key=hash_of)]
    added = {"train": [row for n, row in enumerate(new) if n % 10 not in (0, 1, 5)]}
    added |= {"validation": new[1::10], "test": new[::5]}
    old = {split: read_jsonl(current.output("data", f"{split}.jsonl")) for split in SPLITS}
    splits = {split: [{k: row[k] for k in row if k != "seen"} for row in old[split]] + added[split] for split in SPLITS}
    databases = {file: sha for file, sha in current.manifest("data").outputs.items() if file.startswith("databases/")}
    known, file = list_databases(current.folder("data")), current.data / "preferences.jsonl"
    pairs = read_jsonl(file) if file.is_file() else []
    pairs = [pair for pair in pairs if folder_name(str(pair.get("db_id"))) in known]
    if (folder := versions / hash_of([splits, databases, *pairs])[:12]).is_dir():
        return _track(folder)
    covered = {row["query"] for row in added["train"]}
    others = [row for row in old["train"] if row["query"] not in covered]
    n_replayed = N_REPLAYED * len(added["train"]) or len(others)
    replayed = {"train": Random(0).sample(others, min(len(others), n_replayed))}
    replayed["validation"] = Random(0).sample(old["validation"], min(len(old["validation"]), N_VALIDATED))
    taken = splits | {split: rows + added[split] for split, rows in replayed.items()}
    with writing(folder) as unfinished:
        shutil.copytree(current.output("data", "databases"), unfinished / "databases", copy_function=link_file)
        for name, rows in {**splits, **({"preferences": pairs} if pairs else {})}.items():
            write_jsonl(unfinished / f"{name}.jsonl", rows)
        ids = {split: [row["id"] for row in rows] for split, rows in taken.items()}
        write_json(unfinished / "samples" / f"{current.profile.name}.json", ids)
        counts = {f"n_new_{split}": len(rows) for split, rows in added.items()}
        write_json(unfinished / "manifest.json", {"version": folder.name, "parent": portable(current.data), **counts})
    return _track(folder)


def _track(version: Path) -> Path:
    """Add the version to DVC's store if ``dvc`` is on PATH; ``dvc push`` in that folder shares it."""
    if dvc := shutil.which("dvc"):
        config = version.parent / ".dvc" / "config"
        config.parent.mkdir(exist_ok=True)
        if not config.exists():  # as `dvc init` does; analytics and update checks would outlive the command
            config.write_text("[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n", "utf-8")
        command = [dvc, "add", "--quiet", version.name]
        added = subprocess.run(command, cwd=version.parent, capture_output=True, text=True)
        if added.returncode:
            logger.warning("%s: not tracked, because `dvc add` failed: %s", version, added.stderr.strip())
    return version
