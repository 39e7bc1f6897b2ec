"""Does the served file answer as the trained model does? Ask both the same questions and compare."""

from collections.abc import Sequence

from course_utils.proportion import Proportion, wilson_interval


def equal_replies(first: Sequence[str], second: Sequence[str]) -> Proportion:
    """The share of replies of two engines to the same conversations that are one text, but for white space around it.

    Higher is better. Its interval says what a few questions cannot show: that all replies are equal.

    Raises:
        DataError: There are no replies.
    """
    equal = [one.strip() == other.strip() for one, other in zip(first, second, strict=True)]
    return wilson_interval(sum(equal), len(equal))
