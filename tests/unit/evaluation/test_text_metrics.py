import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_utils.errors import ModelError
from course_utils.evaluation import text_scores
from course_utils.models import find_encoder

GOLD = "SELECT name FROM singer WHERE age > 30"
WRONG = GOLD.replace(">", "<")
PARAPHRASE = "SELECT s.name FROM singer AS s WHERE NOT s.age <= 30"
NAMES = ("exact_match", "bleu", "chrf", "rouge_l", "meteor")


def row(predicted: str, query: str = GOLD) -> dict[str, str]:
    return {"query": query, "predicted": predicted}


def likeness(predicted: str, query: str = GOLD) -> dict[str, float]:
    """Of one prediction; WordNet is there on some machines and not on others."""
    found = text_scores([row(predicted, query)])
    return {name.removesuffix("_without_synonyms"): value for name, (value,) in found.items()}


def test_equal_texts_score_one() -> None:
    # METEOR charges even one whole chunk a little: 0.5 * (1 chunk / 8 words) ** 3.
    expected = dict.fromkeys(NAMES, 1.0) | {"meteor": 1 - 0.5 / 8**3}
    assert likeness(GOLD) == pytest.approx(expected)


@pytest.mark.parametrize(("text", "gold"), [("xx yy", "aa bb"), ("", GOLD)])
def test_texts_with_nothing_in_common_score_zero(text: str, gold: str) -> None:
    assert likeness(text, gold) == pytest.approx(dict.fromkeys(NAMES, 0))


def test_rouge_l_follows_its_definition() -> None:
    # Lin (2004), section 3: "police killed the gunman" against "police kill the gunman": 3 of 4 words in sequence.
    assert likeness("police kill the gunman", "police killed the gunman")["rouge_l"] == pytest.approx(3 / 4)


def test_bleu_and_chrf_are_those_of_the_reference_library() -> None:
    import sacrebleu

    texts = [GOLD, WRONG, PARAPHRASE, ""]
    alone = text_scores([row(text) for text in texts])
    assert alone["chrf"] == pytest.approx([sacrebleu.sentence_chrf(text, [GOLD]).score / 100 for text in texts])
    smooth = [sacrebleu.sentence_bleu(text, [GOLD], use_effective_order=True).score / 100 for text in texts]
    assert alone["bleu"] == pytest.approx(smooth)


def test_meteor_is_the_published_example_and_knows_synonyms_where_wordnet_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # nltk's own example, after Banerjee and Lavie (2005), in which no word is another's synonym.
    hypothesis = "It is a guide to action which ensures that the military always obeys the commands of the party"
    reference = "It is a guide to action that ensures that the military will forever heed Party commands"
    assert likeness(hypothesis, reference)["meteor"] == pytest.approx(0.6944, abs=5e-5)
    synonyms = {"car": ["auto"], "auto": ["car"]}
    lemma = lambda word: SimpleNamespace(name=lambda: word)  # noqa: E731
    synset = lambda word: SimpleNamespace(lemmas=lambda: [lemma(other) for other in synonyms.get(word, [])])  # noqa: E731
    wordnet = SimpleNamespace(synsets=lambda word: [synset(word)])
    found = []
    for name, known in (("meteor", wordnet), ("meteor_without_synonyms", SimpleNamespace(synsets=lambda word: []))):
        monkeypatch.setattr(
            sys.modules[text_scores.__module__], "_find_wordnet", lambda name=name, known=known: (name, known)
        )
        found.append(text_scores([row("one car", "one auto")])[name][0])
    assert found[0] == pytest.approx(1 - 0.5 / 8)
    assert found[1] < found[0]


def test_text_metrics_prefer_the_wrong_query() -> None:
    wrong, right = (likeness(text) for text in (WRONG, PARAPHRASE))
    assert all(wrong[name] > right[name] for name in ("bleu", "chrf", "rouge_l", "meteor"))


def test_bert_score_wants_a_folder_and_never_downloads() -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        text_scores([row(GOLD)], embedding_model="sentence-transformers/all-MiniLM-L6-v2")


@pytest.mark.takes(10)
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
