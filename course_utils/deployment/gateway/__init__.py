"""The gateway: the one door through which applications reach model and databases.

``python -m course_utils.deployment.gateway`` runs it; every setting comes from the environment.
"""
