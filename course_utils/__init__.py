"""The helper package of the course: ``notebooks/`` tell the story, this package holds the routine code behind it.

Importing it loads no heavy library and has no side effect on folders, loggers, devices or the network.
"""

__version__ = "0.1.0"
