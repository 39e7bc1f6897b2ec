"""What this machine can do, and whether to fine-tune at all: the package of ``notebooks/01_setup.ipynb``."""

from course_utils.setup.advisor import advise
from course_utils.setup.calculator import MemoryCalculator, draw_memory
from course_utils.setup.machine import probe_machine
from course_utils.setup.memory import METHODS, estimate_memory
from course_utils.setup.recommend import describe_profile, recommend_profile

__all__ = ["METHODS", "MemoryCalculator", "advise", "describe_profile", "draw_memory", "estimate_memory"]
__all__ += ["probe_machine", "recommend_profile"]
