"""The gateway: the one door through which applications reach model and databases.

``python -m course_utils.deployment.gateway`` runs it; every setting comes from the environment.
"""

from course_utils.deployment.gateway.app import create_app
from course_utils.deployment.gateway.settings import Settings

__all__ = ["Settings", "create_app"]
