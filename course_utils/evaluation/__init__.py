"""The evaluation stage: predictions, execution accuracy, intervals and paired tests between models."""

from course_utils.evaluation.comparison import accuracy_table, compare, plot_accuracy, rows_needed, sequential_evidence
from course_utils.evaluation.instances import find_instances
from course_utils.evaluation.predictions import make_prompts, predict, read_predictions
from course_utils.evaluation.scores import Scores
from course_utils.evaluation.scoring import score_predictions
from course_utils.proportion import wilson_interval

__all__ = ["Scores", "accuracy_table", "compare", "find_instances", "make_prompts", "plot_accuracy", "predict"]
__all__ += ["read_predictions", "rows_needed", "score_predictions", "sequential_evidence", "wilson_interval"]
