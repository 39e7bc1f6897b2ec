"""HTTP servers of a test's own, of which a test writes no more than what they answer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from course_utils.processes import LOOPBACK


class LocalServer(ThreadingHTTPServer):
    """A server on a free port, whose attributes a test sets and its handler reads (as ``self.server.name``)."""

    request_queue_size = 256

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}"


class JsonHandler(BaseHTTPRequestHandler):
    """Reads a request's JSON, answers with a length, and prints nothing."""

    server: Any
    disable_nagle_algorithm = True  # a body would wait 40 ms until its head has been acknowledged

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def read_json(self) -> Any:
        return json.loads(self.read_body())

    def answer(self, body: object, status: int = 200, **headers: str) -> None:
        """Send bytes as they are and all else as JSON; ``X_Name="value"`` is the header ``X-Name: value``."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content_Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def say(self, content: str | None, **more: object) -> None:
        """Answer as a model server does whose model has written ``content``; ``more`` goes beside the choices."""
        self.answer({"choices": [{"message": {"role": "assistant", "content": content}}], **more})

    def log_message(self, *_: object) -> None:
        pass


class RecordingProxy(JsonHandler):
    """A proxy that reaches nobody, and keeps in ``server.asked`` whom it was asked to reach."""

    def refuse(self) -> None:
        self.server.asked.append(self.path)
        self.send_error(502)

    do_CONNECT = do_GET = do_HEAD = do_POST = refuse


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler], **attributes: object) -> Iterator[LocalServer]:
    """A server that runs while the block does; ``attributes`` are its own."""
    with LocalServer((LOOPBACK, 0), handler) as server:
        vars(server).update(attributes)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
