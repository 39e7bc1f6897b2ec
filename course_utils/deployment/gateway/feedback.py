"""``/v1/feedback``: keep what people say about answers; tomorrow's training rows start here."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from course_utils.deployment.gateway.api_errors import ApiError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]
_LOCK = threading.Lock()


class Feedback(BaseModel):
    """A rating of one answer, and the query that would have been right, if the caller knows it."""

    model_config = ConfigDict(extra="forbid")
    id: Text
    """Of the answer."""
    rating: Literal["up", "down"]
    database: Text | None = None
    question: Text | None = None
    query: Text | None = None
    """What the model wrote."""
    correction: Text | None = None
    comment: Text | None = None


def store_feedback(file: Path | None, feedback: Feedback) -> dict[str, Any]:
    """Add one line to a JSON-lines file; many threads may do so at once.

    Raises:
        ApiError: 404 if there is no file, for feedback is switched off.
    """
    if file is None:
        raise ApiError(404, "feedback is switched off; set COURSE_FEEDBACK_FILE", code="feedback_off")
    row = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **feedback.model_dump()}
    with _LOCK:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return {"id": feedback.id, "stored": True}
