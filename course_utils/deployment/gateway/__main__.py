"""``python -m course_utils.deployment.gateway``: serve the gateway with settings from the environment."""

import gc
import logging
import sys
from typing import Any

import uvicorn
from prometheus_client import disable_created_metrics

from course_utils.deployment.gateway.app import create_app
from course_utils.deployment.gateway.audit import AuditLog
from course_utils.deployment.gateway.request_log import log_to
from course_utils.deployment.gateway.settings import read_settings
from course_utils.deployment.gateway.tracing import start_tracing
from course_utils.errors import CourseError
from course_utils.processes import choose_port

logger = logging.getLogger(__name__)
try:
    from course_utils.deployment.gateway.http_protocol import LimitedHttp as _Http
except ImportError:  # no wheel of httptools fits: h11 does the same, and takes more time
    _Http = "h11"  # type: ignore[assignment,misc]
# Requests in progress have 8 s to end: Docker and ``Server`` insist after ten.
_LIMITS: Any = {"h11_max_incomplete_event_size": 16_384, "limit_concurrency": 1000, "timeout_graceful_shutdown": 8}
_LOGGING: Any = {"log_level": "warning", "log_config": None, "access_log": False}
_SERVER: Any = {"http": _Http, "ws": "none", "loop": "auto", "proxy_headers": False}  # auto: uvloop if there is one


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
    if not (settings.api_key.get_secret_value() or settings.keys_file or settings.jwt_keys):
        logger.warning("COURSE_API_KEY is not set: whoever reaches %s:%s may ask", settings.host, settings.port)
    disable_created_metrics()  # type: ignore[no-untyped-call]
    gc.collect()
    gc.freeze()  # Else a full collection looks at all that is imported, and every request waits a tenth of a second.
    # Longer than clients keep idle connections (httpx 5 s, aiohttp 15): a request may be on its way to a closed one.
    uvicorn.run(app, host=settings.host, port=settings.port, timeout_keep_alive=20, **_SERVER, **_LOGGING, **_LIMITS)


if __name__ == "__main__":
    main()
