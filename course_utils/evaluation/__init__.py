"""Is it better, and how sure are we? Predictions, execution accuracy, intervals and paired tests."""

from course_utils.evaluation.comparison import Comparison, PairedDifference, compare
from course_utils.evaluation.confusion import plot_confusion
from course_utils.evaluation.execution import Verdict, judge
from course_utils.evaluation.intervals import Proportion, wilson_interval
from course_utils.evaluation.plots import plot_accuracy, plot_by_difficulty
from course_utils.evaluation.predictions import predict, read_predictions
from course_utils.evaluation.results import headline_results
from course_utils.evaluation.scores import Outcome, Scores, score_file, score_predictions
from course_utils.evaluation.tables import accuracy_table, error_table, wrong_answers
from course_utils.evaluation.text_metrics import bert_score_f1, text_metrics
from course_utils.evaluation.triage import TriageScores, score_triage, triage_table

__all__ = [
    "Comparison",
    "Outcome",
    "PairedDifference",
    "Proportion",
    "Scores",
    "TriageScores",
    "Verdict",
    "accuracy_table",
    "bert_score_f1",
    "compare",
    "error_table",
    "headline_results",
    "judge",
    "plot_accuracy",
    "plot_by_difficulty",
    "plot_confusion",
    "predict",
    "read_predictions",
    "score_file",
    "score_predictions",
    "score_triage",
    "text_metrics",
    "triage_table",
    "wilson_interval",
    "wrong_answers",
]
