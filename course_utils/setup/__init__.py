"""What can this machine do, and should I fine-tune at all? The package of ``notebooks/01_setup.ipynb``."""

from course_utils.setup.approach import CountQuestion, choose_approach, count_questions
from course_utils.setup.machine import Gpu, Machine, probe_machine
from course_utils.setup.memory import METHODS, estimate_memory, plot_memory
from course_utils.setup.recommend import describe_profile, explore_profiles, recommend_profile

__all__ = [
    "METHODS",
    "CountQuestion",
    "Gpu",
    "Machine",
    "choose_approach",
    "count_questions",
    "describe_profile",
    "estimate_memory",
    "explore_profiles",
    "plot_memory",
    "probe_machine",
    "recommend_profile",
]
