"""What can this machine do, and should I fine-tune at all? The package of ``notebooks/01_setup.ipynb``."""

from course_utils.setup.machine import Gpu, Machine, probe_machine
from course_utils.setup.recommend import Recommendation, recommend_profile

__all__ = ["Gpu", "Machine", "Recommendation", "probe_machine", "recommend_profile"]
