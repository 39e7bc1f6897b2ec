"""The numbers of an evaluation that the course's report shows."""

from course_utils.evaluation.comparison import Comparison
from course_utils.evaluation.scores import UNSEEN, Scores


def headline_results(base: Scores, tuned: Scores, comparison: Comparison) -> dict[str, float]:
    """Accuracy with its interval and validity of both models, and what the paired test says.

    The ``..._unseen`` numbers are left out where every test row is about a database from training.
    """
    results: dict[str, float] = {"n_test": tuned.n, "n_test_unseen": len(tuned.groups().get(UNSEEN, ()))}
    for name, scores in (("base", base), ("tuned", tuned)):
        groups = {"": scores.accuracy, "_unseen": scores.accuracy_by_group().get(UNSEEN)}
        for suffix, share in groups.items():
            if share:
                results[f"{name}_execution_accuracy{suffix}"] = share.value
                results[f"{name}_execution_accuracy{suffix}_low"] = share.low
                results[f"{name}_execution_accuracy{suffix}_high"] = share.high
        results[f"{name}_validity"] = scores.validity.value
    return results | {"mcnemar_p": comparison.whole.p_value}
