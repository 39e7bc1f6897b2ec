"""Is it better, and how sure are we? Predictions, execution accuracy, intervals and paired tests."""

from course_utils.evaluation.accuracy_plots import plot_accuracy, plot_by_difficulty
from course_utils.evaluation.comparison import compare, headline_results
from course_utils.evaluation.execution import Verdict, judge
from course_utils.evaluation.instances import find_instances
from course_utils.evaluation.intervals import bootstrap_difference, rows_needed
from course_utils.evaluation.predictions import make_prompts, predict, read_predictions
from course_utils.evaluation.scores import (
    Outcome,
    Scores,
    accuracy_table,
)
from course_utils.evaluation.scoring import score_file, score_predictions
from course_utils.evaluation.sequential import plot_evidence, sequential_evidence
from course_utils.evaluation.text_metrics import find_encoder, misleading_answers, text_metrics, text_scores
from course_utils.proportion import Proportion, wilson_interval

__all__ = [
    "Outcome",
    "Proportion",
    "Scores",
    "Verdict",
    "accuracy_table",
    "bootstrap_difference",
    "compare",
    "find_encoder",
    "find_instances",
    "headline_results",
    "judge",
    "make_prompts",
    "misleading_answers",
    "plot_accuracy",
    "plot_by_difficulty",
    "plot_evidence",
    "predict",
    "read_predictions",
    "rows_needed",
    "score_file",
    "score_predictions",
    "sequential_evidence",
    "text_metrics",
    "text_scores",
    "wilson_interval",
]
