"""From what users say of answers to the next version of the dataset, past those who would teach the model nonsense.

Users who know the right answers are simulated: they rate what the service gave them, by executing both.
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
N_REPLAYED = 1
"""Old rows beside each new one where the current model trains on, by other queries: without any it forgets."""
N_VALIDATED = 64
"""Old rows to validate on beside the new ones, at most: training measures the loss of all several times."""
ACCEPTED = "accepted"


def rate_answers(records: Iterable[TrafficRecord], rows: Iterable[Row], dataset: Path) -> list[Row]:
    """Compare each answer with the right one by executing both, and rate it as ``/v1/feedback`` takes it.

    One that does not execute is wrong. Each comes with the ``query`` that was answered, and what is wrong with a
    ``correction``: here the query of the dataset, in production an expert's. ``rows`` are the questions that were sent,
    ``dataset`` the folder that holds the databases. Records without a reply are passed over, for their users saw
    nothing to rate.
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
    """Send each rating to the gateway's ``/v1/feedback``, and say how many were accepted: all.

    Without its correction where that one alone is refused, as a query is that runs for longer than users' may there.

    Raises:
        ServiceError: The gateway does not answer or refuses one.
    """
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, timeout=10.0, trust_env=False, headers=headers) as client:
        for n_sent, rating in enumerate(ratings):
            try:
                reply = client.post("/v1/feedback", json=rating)
                if reply.status_code == httpx.codes.CONFLICT:
                    logger.warning("%s: its correction is left out: %s", rating["id"], reply.text)
                    reply = client.post("/v1/feedback", json={**rating, "correction": None})
                reply.raise_for_status()
            except httpx.HTTPError as error:
                raise ServiceError(f"{url}/v1/feedback: {error}; {n_sent} ratings were accepted before") from error
    return len(ratings)


def judge_corrections(feedback: Iterable[Row], current: Course) -> list[Row]:
    """Every row of ``feedback.jsonl`` with a ``decision``: ``ACCEPTED``, or the reason why it teaches nothing.

    A thumb up holds the answer's own ``query`` to be right; that stands in for the ``correction`` then. What the data
    answers already decides about a correction, not the other way round. The answer to a new question needs
    ``MIN_USERS`` callers, or a reviewer; what is reviewed counts no more, nor what a caller said before. Answers are
    compared by executing them; of queries with one answer, the one that most wrote is accepted.

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
    """The dataset with the accepted answers, in a folder that its content names, and in DVC's store if DVC is on PATH.

    A fifth of them is to test on, a tenth to validate: on old words alone, the weights before training would look best.
    Its ``manifest.json`` says which version it came from. The current profile takes the new rows and ``N_REPLAYED``
    times as many old ones to train the current model further, all old ones where none is new; and ``N_VALIDATED`` old
    ones to validate on. Preference pairs about its databases go along.

    Raises:
        ArtifactError: The data stage has not run.
    """
    accepted = [row for row in judged if row["decision"] == ACCEPTED]
    new = [{"db_id": row["database"], "question": row["question"], "query": row["correction"]} for row in accepted]
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
    """Keep the version in DVC's store too, where DVC is installed: ``dvc push`` there shares it."""
    if dvc := shutil.which("dvc"):
        config = version.parent / ".dvc" / "config"
        config.parent.mkdir(exist_ok=True)
        if not config.exists():  # what `dvc init` writes; reports and looks for updates would outlive the command
            config.write_text("[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n", "utf-8")
        command = [dvc, "add", "--quiet", version.name]
        added = subprocess.run(command, cwd=version.parent, capture_output=True, text=True)
        if added.returncode:
            logger.warning("%s: not tracked, for `dvc add` failed: %s", version, added.stderr.strip())
    return version
