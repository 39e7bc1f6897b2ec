"""The helper package of the course: what would bore a learner lives here, the story in ``notebooks/``.

Importing it loads no heavy library and touches nothing: no folder, logger, device or network.
"""

__version__ = "0.1.0"
