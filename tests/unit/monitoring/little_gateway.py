"""``python -m``, and a port: the routes of the real gateway, for tests; the question says what happens."""

import json
import os
import sys
import time
from http.server import ThreadingHTTPServer
from pathlib import Path

from prometheus_client import Counter, Histogram, generate_latest

from tests.http_servers import JsonHandler

REQUESTS = Counter("little_requests", "Requests", ["status"])
SECONDS = Histogram("little_seconds", "Latency")
STATUSES = {"fail": 500, "unknown": 404}
NOT_GZIP = b"not compressed"
GARBAGE = {"garbage": b"not JSON", "no object": b"[]", "not gzip": NOT_GZIP}


class Handler(JsonHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(generate_latest() if self.path == "/metrics" else {"ready": True})

    def do_POST(self) -> None:
        body = self.read_json()
        if self.path == "/v1/feedback":
            is_slow = "RECURSIVE" in (body.get("correction") or "")
            status = 404 if body["id"] == "unknown" else 409 if is_slow else 201
            if status == 201:
                with Path(os.environ["COURSE_FEEDBACK_FILE"]).open("a") as file:
                    file.write(json.dumps(body) + "\n")
            self.answer({}, status)
        else:
            with SECONDS.time():
                status, reply = self.predict(body["question"])
            self.answer(reply, status, **({"Content_Encoding": "gzip"} if reply == NOT_GZIP else {}))

    def predict(self, question: str) -> tuple[int, object]:
        time.sleep(1.0 if question == "slow" else 0.0)
        status, valid = STATUSES.get(question, 200), question != "invalid"
        REQUESTS.labels(str(status)).inc()
        query = f"SELECT '{question}'" if valid else "SELEC"
        reply = {"id": "a1", "query": query, "columns": ["x"], "rows": [["x"]], "checks": {"executed": valid}}
        return status, GARBAGE.get(question, reply)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
