import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_utils.errors import DataError, ModelError
from course_utils.evaluation.execution import Verdict
from course_utils.evaluation.scores import Outcome, Scores
from course_utils.evaluation.text_metrics import find_encoder, misleading_answers, text_metrics, text_scores

GOLD = "SELECT name FROM singer WHERE age > 30"
WRONG = GOLD.replace(">", "<")
PARAPHRASE = "SELECT s.name FROM singer AS s WHERE NOT s.age <= 30"
NAMES = ("exact_match", "bleu", "chrf", "rouge_l", "meteor")


def row(predicted: str, query: str = GOLD) -> dict[str, str]:
    return {"query": query, "predicted": predicted}


def short_names(found: dict[str, float]) -> dict[str, float]:
    """WordNet is there on some machines and not on others."""
    return {name.removesuffix("_without_synonyms"): value for name, value in found.items()}


@pytest.mark.parametrize("n", [1, 3])
def test_equal_texts_score_one(n: int) -> None:
    # METEOR charges even one whole chunk a little: 0.5 * (1 chunk / 8 words) ** 3.
    expected = dict.fromkeys(NAMES, 1.0) | {"meteor": 1 - 0.5 / 8**3}
    assert short_names(text_metrics([row(GOLD)] * n)) == pytest.approx(expected)


@pytest.mark.parametrize(("text", "gold"), [("xx yy", "aa bb"), ("", GOLD)])
def test_texts_with_nothing_in_common_score_zero(text: str, gold: str) -> None:
    assert short_names(text_metrics([row(text, gold)])) == pytest.approx(dict.fromkeys(NAMES, 0))


def test_rouge_l_follows_its_definition() -> None:
    # Lin (2004), section 3: "police killed the gunman" against "police kill the gunman": 3 of 4 words in sequence.
    found = text_metrics([row("police kill the gunman", "police killed the gunman")])
    assert found["rouge_l"] == pytest.approx(3 / 4)


def test_bleu_and_chrf_of_a_set_are_those_of_the_reference_library() -> None:
    import sacrebleu

    texts, golds = [GOLD, WRONG, PARAPHRASE, ""], [GOLD, GOLD, GOLD, "SELECT 1"]
    found = text_metrics([row(text, gold) for text, gold in zip(texts, golds, strict=True)])
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(texts, [golds]).score / 100)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(texts, [golds]).score / 100)
    alone = text_scores([row(text) for text in texts])
    assert alone["chrf"] == pytest.approx([sacrebleu.sentence_chrf(text, [GOLD]).score / 100 for text in texts])
    smooth = [sacrebleu.sentence_bleu(text, [GOLD], use_effective_order=True).score / 100 for text in texts]
    assert alone["bleu"] == pytest.approx(smooth)


def test_meteor_is_the_published_example_and_knows_synonyms_where_wordnet_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # nltk's own example, after Banerjee and Lavie (2005), in which no word is another's synonym.
    hypothesis = "It is a guide to action which ensures that the military always obeys the commands of the party"
    reference = "It is a guide to action that ensures that the military will forever heed Party commands"
    assert short_names(text_metrics([row(hypothesis, reference)]))["meteor"] == pytest.approx(0.6944, abs=5e-5)
    synonyms = {"car": ["auto"], "auto": ["car"]}
    lemma = lambda word: SimpleNamespace(name=lambda: word)  # noqa: E731
    synset = lambda word: SimpleNamespace(lemmas=lambda: [lemma(other) for other in synonyms.get(word, [])])  # noqa: E731
    wordnet = SimpleNamespace(synsets=lambda word: [synset(word)])
    found = []
    for name, known in (("meteor", wordnet), ("meteor_without_synonyms", SimpleNamespace(synsets=lambda word: []))):
        monkeypatch.setattr(
            sys.modules[text_scores.__module__], "_find_wordnet", lambda name=name, known=known: (name, known)
        )
        found.append(text_metrics([row("one car", "one auto")])[name])
    assert found[0] == pytest.approx(1 - 0.5 / 8)
    assert found[1] < found[0]


def test_text_metrics_prefer_the_wrong_query() -> None:
    wrong, right = (short_names(text_metrics([row(text)])) for text in (WRONG, PARAPHRASE))
    assert all(wrong[name] > right[name] for name in ("bleu", "chrf", "rouge_l", "meteor"))


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(DataError, match="at least one row"):
        text_metrics([])


def judged(name: str, *answers: tuple[str, bool]) -> Scores:
    rows = [row(text) | {"id": str(n), "db_id": "x"} for n, (text, _) in enumerate(answers)]
    verdicts = [Verdict(correct, True, "" if correct else "wrong rows", "", False, False) for _, correct in answers]
    return Scores(name, tuple(map(Outcome, rows, verdicts)))


def test_the_most_misleading_answers_are_searched_for() -> None:
    from scipy.stats import pearsonr

    models = [judged("a", (GOLD, True), (WRONG, False), ("no", False)), judged("b", (PARAPHRASE, True), ("", False))]
    likeness = [text_scores([outcome.row for outcome in model.outcomes]) for model in models]
    rows = misleading_answers(models, likeness).rows
    chrf = [line for line in rows if line[0] == "chrf"]
    assert [(kind, predicted) for _, _, kind, _, _, predicted in chrf] == [
        ("wrong, liked best", WRONG),
        ("right, liked least", PARAPHRASE),
    ]
    values = likeness[0]["chrf"] + likeness[1]["chrf"]
    assert float(chrf[0][1]) == pytest.approx(pearsonr([1, 0, 0, 1, 0], values).statistic, abs=0.005)
    assert chrf[0][3] == f"{values[1]:.2f}"
    assert {line[0].removesuffix(" without synonyms") for line in rows} == {name.replace("_", " ") for name in NAMES}


def test_without_a_right_answer_there_is_no_correlation() -> None:
    model = judged("a", (WRONG, False), ("no", False))
    rows = misleading_answers([model], [text_scores([outcome.row for outcome in model.outcomes])]).rows
    assert {line[1:3] for line in rows} == {("nan", "wrong, liked best")}


def test_bert_score_wants_a_folder_and_never_downloads() -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        text_scores([row(GOLD)], embedding_model="sentence-transformers/all-MiniLM-L6-v2")


@pytest.mark.slow
def test_bert_score_is_the_reference_librarys_and_ranks_likeness_of_meaning() -> None:
    from bert_score import score

    assert (Path(find_encoder()) / "config.json").is_file()
    texts = [GOLD, WRONG, "the weather is fine"]
    same, near, far = text_scores([row(text) for text in texts], embedding_model=find_encoder())["bert_score"]
    assert [same, near, far] == pytest.approx(
        score(texts, [GOLD] * 3, model_type=find_encoder(), num_layers=5)[2].tolist(), abs=1e-6
    )
    assert same == pytest.approx(1, abs=1e-4)
    assert same > near > far
    assert near > 0.9, "the wrong sign hardly shows"
