"""What can this machine do, and should I fine-tune at all? The package of ``notebooks/01_setup.ipynb``."""

from course_utils.setup.approach import Approach, choose_approach
from course_utils.setup.explorer import describe_profile, explore_profiles
from course_utils.setup.figures import plot_memory
from course_utils.setup.first_questions import CountQuestion, count_questions
from course_utils.setup.machine import Gpu, Machine, probe_machine
from course_utils.setup.memory import METHODS, MemoryEstimate, estimate_memory, estimate_profile
from course_utils.setup.recommend import Recommendation, recommend_profile

__all__ = [
    "METHODS",
    "Approach",
    "CountQuestion",
    "Gpu",
    "Machine",
    "MemoryEstimate",
    "Recommendation",
    "choose_approach",
    "count_questions",
    "describe_profile",
    "estimate_memory",
    "estimate_profile",
    "explore_profiles",
    "plot_memory",
    "probe_machine",
    "recommend_profile",
]
