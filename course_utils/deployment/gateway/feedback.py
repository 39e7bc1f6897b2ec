"""``/v1/feedback``: keep what people say about answers; tomorrow's training rows start here."""

import asyncio
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from course_utils.deployment.gateway.api_errors import ApiError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]


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


class FeedbackStore:
    """A JSON-lines file that many requests add to."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._lock = threading.Lock()

    async def add(self, feedback: Feedback) -> dict[str, Any]:
        """Add one line.

        Raises:
            ApiError: 404 if feedback is switched off.
        """
        if self.file is None:
            raise ApiError(404, "feedback is switched off; set COURSE_FEEDBACK_FILE", code="feedback_off")
        row = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **feedback.model_dump()}
        await asyncio.to_thread(self._append, self.file, json.dumps(row, ensure_ascii=False) + "\n")
        return {"id": feedback.id, "stored": True}

    def _append(self, file: Path, line: str) -> None:
        with self._lock:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="utf-8") as stream:
                stream.write(line)
