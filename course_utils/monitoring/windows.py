"""Traffic to watch: a reference window, live traffic like it, and live traffic that is not."""

from dataclasses import dataclass

from course_utils.artifacts import Course, Row, read_jsonl
from course_utils.monitoring.drift import MIN_WINDOW

GREETING = "Hello, I am new to this system and would be grateful if somebody could quickly tell me: "
MIN_ROWS = 16


@dataclass(frozen=True)
class Windows:
    """Four sets of questions; only ``training`` was learned from."""

    training: list[Row]
    """Whose words are known."""
    reference: list[Row]
    """What normal looks like: held out from ``training``, about databases that training knows."""
    familiar: list[Row]
    """Live traffic like the reference."""
    shifted: list[Row]
    """Live traffic unlike it."""
    shift: str
    """What is different, in words."""


def read_windows(course: Course) -> Windows:
    """Build the windows from the splits of the data stage; see ``choose_windows``.

    Raises:
        ArtifactError: The data stage has not run.
    """
    splits = [read_jsonl(course.output("data", f"{split}.jsonl")) for split in ("train", "validation", "test")]
    return choose_windows(*splits)


def choose_windows(train: list[Row], validation: list[Row], test: list[Row]) -> Windows:
    """Choose the four windows from three splits.

    The shift is questions about databases that training never saw. Other datasets are laid out otherwise:

    - no such questions in the test split: the shift is users who greet before they ask;
    - only such questions in it, or no validation split: reference and familiar window share what there is;
    - too few rows altogether: some training rows count as held out.
    """
    reference = [row for row in validation if row["seen"]]
    familiar = [row for row in test if row["seen"]]
    shifted, shift = [row for row in test if not row["seen"]], "questions about databases that training never saw"
    training = train
    if min(len(reference), len(familiar)) < MIN_ROWS:
        pool = reference + familiar
        if len(pool) < 2 * MIN_ROWS:
            every = 5 if len(train) >= 10 * MIN_ROWS else 2
            pool += train[::every]
            training = [row for index, row in enumerate(train) if index % every]
        reference, familiar = pool[::2], pool[1::2]
    if len(shifted) < MIN_WINDOW:
        shifted, shift = [{**row, "question": GREETING + row["question"]} for row in familiar], "users who greet first"
    return Windows(training, reference, familiar, shifted, shift)
