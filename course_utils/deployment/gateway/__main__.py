"""``python -m course_utils.deployment.gateway``: serve the gateway with settings from the environment."""

import argparse
import logging
import sys
from collections.abc import Sequence

from course_utils.deployment.gateway.settings import Settings
from course_utils.deployment.processes import choose_port, stop_with_parent
from course_utils.errors import CourseError

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the settings and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.deployment.gateway", description=__doc__)
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input closes")
    if parser.parse_args(arguments).stop_with_parent:
        stop_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = Settings.from_environment()
        choose_port(settings.host, settings.port)
    except CourseError as error:
        sys.exit(str(error))
    if not settings.api_key:
        logger.warning("COURSE_API_KEY is not set: whoever reaches %s:%s may ask", settings.host, settings.port)

    import uvicorn
    from prometheus_client import disable_created_metrics

    from course_utils.deployment.gateway.app import create_app

    disable_created_metrics()  # type: ignore[no-untyped-call]
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
