"""``python -m course_utils.deployment.gateway``: serve the gateway with settings from the environment."""

import gc
import logging
import resource
import sys
from typing import Any

import uvicorn
from prometheus_client import disable_created_metrics

from course_utils.deployment.gateway.app import create_app
from course_utils.deployment.gateway.http_protocol import LimitedHttp
from course_utils.deployment.gateway.logs import AuditLog, log_to
from course_utils.deployment.gateway.settings import read_settings
from course_utils.deployment.gateway.tracing import start_tracing
from course_utils.errors import CourseError
from course_utils.processes import choose_port

logger = logging.getLogger(__name__)
_LOGGING: Any = {"log_level": "warning", "log_config": None, "access_log": False}
_SERVER: Any = {"http": LimitedHttp, "ws": "none", "proxy_headers": False, "loop": "auto"}  # auto: uvloop if installed
# Longer than clients keep idle connections (httpx 5 s, aiohttp 15 s), so that no request meets a closed connection.
_LIMITS: Any = {"limit_concurrency": 1000, "timeout_keep_alive": 20}
_N_FILES = 4096  # open at once: connections are files, and a shell allows 1,024


def main() -> None:
    """Read the settings and serve until SIGTERM or SIGINT."""
    try:
        settings = read_settings()
        log_to(settings.log_file)
        if settings.audit_file:
            logging.getLogger("course_utils.deployment.gateway.metrics").addHandler(AuditLog(settings.audit_file))
        choose_port(settings.host, settings.port)
        app = create_app(settings)
        start_tracing(app)
    except CourseError as error:
        sys.exit(str(error))
    if app.state.guard.is_open:
        logger.warning("COURSE_API_KEY is not set: every caller of %s:%s is an admin", settings.host, settings.port)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, _N_FILES)), hard))
    disable_created_metrics()  # type: ignore[no-untyped-call]
    gc.collect()
    gc.freeze()  # or each full collection scans all imported modules, and requests wait 0.1 s for it
    where: Any = {"host": settings.host, "port": settings.port, "timeout_graceful_shutdown": settings.drain_s}
    uvicorn.run(app, **where, **_SERVER, **_LOGGING, **_LIMITS)


if __name__ == "__main__":
    main()
