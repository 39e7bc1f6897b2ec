"""``python -m course_utils.deployment.serve``: the whole stack for the artifacts of a course run."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from course_utils.artifacts import open_course
from course_utils.deployment.processes import stop_with_parent
from course_utils.deployment.stack import LOOPBACK, Stack, serve_stack
from course_utils.errors import CourseError


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.deployment.serve", description=__doc__)
    parser.add_argument("--profile", default="smoke")
    parser.add_argument("--data", default="data")
    parser.add_argument("--model", default="")
    parser.add_argument("--artifacts", default="artifacts")
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--url-file", type=Path, help="file to write the gateway's address to, once it answers")
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _interrupt)
    if options.stop_with_parent:
        stop_with_parent()

    def announce(stack: Stack) -> None:
        if options.url_file:
            unfinished = options.url_file.with_name(f"{options.url_file.name}.unfinished")
            unfinished.write_text(stack.url, "utf-8")
            unfinished.replace(options.url_file)

    try:
        course = open_course(options.profile, options.data, options.model, options.artifacts)
        serve_stack(course, options.host, options.port, when_ready=announce)
    except CourseError as error:
        sys.exit(str(error))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
