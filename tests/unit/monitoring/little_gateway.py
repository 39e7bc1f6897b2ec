"""``python little_gateway.py PORT``: the routes of the real gateway, for tests; the question says what happens."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import Counter, Histogram, generate_latest

REQUESTS = Counter("little_requests", "Requests", ["status"])
SECONDS = Histogram("little_seconds", "Latency")
STATUSES = {"fail": 500, "unknown": 404}
NOT_GZIP = b"not compressed"
GARBAGE = {"garbage": b"not JSON", "no object": b"[]", "not gzip": NOT_GZIP}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.reply(200, generate_latest() if self.path == "/metrics" else b'{"ready": true}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/feedback":
            is_slow = "RECURSIVE" in (body.get("correction") or "")
            status = 404 if body["id"] == "unknown" else 409 if is_slow else 201
            if status == 201:
                with Path(os.environ["COURSE_FEEDBACK_FILE"]).open("a") as file:
                    file.write(json.dumps(body) + "\n")
            self.reply(status, b"{}")
        else:
            with SECONDS.time():
                status, reply = self.answer(body["question"])
            self.reply(status, reply)

    def answer(self, question: str) -> tuple[int, bytes]:
        time.sleep(1.0 if question == "slow" else 0.0)
        status, valid = STATUSES.get(question, 200), question != "invalid"
        REQUESTS.labels(str(status)).inc()
        query = f"SELECT '{question}'" if valid else "SELEC"
        reply = {"id": "a1", "query": query, "columns": ["x"], "rows": [["x"]], "checks": {"executed": valid}}
        return status, GARBAGE.get(question, json.dumps(reply).encode())

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if body == NOT_GZIP:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
